"""Examples of tools that do not exist, shown by demonstrations: how the model learns to fill a tool it was never
trained on.

A real example is taken, its tool and arguments are renamed at random, and some other examples of the same tool, renamed
alike, stand before it in the prompt. The names are new every time, so they can only be copied from the demonstrations.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence

from shopbot_refine.acts import Act, parse_act
from shopbot_refine.dataset import Example

_VERBS = (
    "check show get list find book plan reserve redeem add remove set start stop pause resume send share report "
    "request renew extend transfer measure compare suggest schedule register claim apply track view open update switch"
).split()
_NOUNS = (
    "points slot visit table ticket coupon badge repair service loan lesson class seat sample box plan bundle quote "
    "donation wishlist alert reminder pickup locker deposit upgrade subscription membership event voucher fitting "
    "engraving colour_card parts_list recall battery_swap trade_in"
).split()
_SLOTS = (
    "what which when where who code target count label topic kind day value note ref title subject thing spot level"
).split()
_TOOLS_WITH_ARGUMENTS_SHARE = 0.75


def renamed(examples: Sequence[Example], *, count: int, seed: int) -> list[Example]:
    """``count`` examples with 2 to 4 demonstrations each, from the one-act examples with nothing open."""
    by_tool: dict[str, list[tuple[Example, Act]]] = defaultdict(list)
    for example in examples:
        if example.state == "-" and len(example.acts) == 1 and len(example.text) < 160:
            act = parse_act(example.acts[0])
            by_tool[act.name].append((example, act))
    pools = {name: pool for name, pool in by_tool.items() if len(pool) >= 8 and "_" in name and name != "out_of_scope"}
    rng = random.Random(f"{seed}:renamed")  # noqa: S311 - reproducible, not secret
    made = []
    for _ in range(count if pools else 0):
        pool = pools[rng.choice(sorted(pools))]
        wanted = rng.random() < _TOOLS_WITH_ARGUMENTS_SHARE
        fitting = [pair for pair in rng.sample(pool, min(len(pool), 60)) if bool(pair[1].arguments) == wanted] or pool
        chosen = rng.choice(fitting)
        shown = rng.sample(pool, rng.randint(2, 4))
        tool, slots = f"{rng.choice(_VERBS)}_{rng.choice(_NOUNS)}", dict[str, str]()
        names = rng.sample(_SLOTS, len(_SLOTS))

        def rename(act: Act, tool: str = tool, slots: dict[str, str] = slots, names: list[str] = names) -> str:
            pairs = tuple((slots.setdefault(key, names[len(slots)]), value) for key, value in act.arguments)
            return str(Act(tool, pairs))

        demonstrations = tuple((example.text, rename(act)) for example, act in shown if example is not chosen[0])
        made.append(Example("-", chosen[0].text, (rename(chosen[1]),), demonstrations))
    return made
