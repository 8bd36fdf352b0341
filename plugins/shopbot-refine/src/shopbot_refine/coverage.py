"""What the teacher shall write: the acts, slots, dialogue states, confusions and joint wishes that the set is thin in.

A *gap* is one thing that the set should hold. Gaps are filled greedily: the next request goes to the gap that weighs
most for what is there already. What a request asks for (persona, mood, length, channel, typos) is drawn from the gap
and the number of the request for it alone, so that the same gap is asked for in the same words in every run.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from shopbot import DIALOGUE_ACTS, Tool
from shopbot_refine.acts import Act, parse_act
from shopbot_refine.prompts import Assignment

#: Messages asked for in one request.
PER_REQUEST = 8
PERSONAS = (
    "a student in a hurry", "a retired teacher", "a parent with a child on the arm", "an office buyer",
    "a non-native speaker", "a regular customer", "a first-time buyer", "a craftsman on the road",
    "somebody buying for their mother", "a small shop owner", "a night-shift nurse", "a gamer", "a lawyer",
    "a pensioner new to chats",
)  # fmt: skip
MOODS = ("calm", "friendly", "annoyed", "in doubt", "impatient", "apologetic", "chatty", "matter of fact", "worried")
LENGTHS = ("two to five words", "one short sentence", "one sentence", "one sentence", "two sentences", "a short story")
CHANNELS = ("chat widget", "chat widget", "phone keyboard", "e-mail", "dictated speech", "messenger")
TYPOS = ("none", "none", "a few slips", "no capitals and no punctuation", "many slips and abbreviations")

#: What a gap weighs: a wish with nothing open, two wishes in one message, an answer to a question, words at a
#: confirmation, a message after a tool, a dialogue act with nothing open, and one confusion.
_WISH, _JOINT, _ANSWER, _CONFIRMATION, _AFTER, _CHAT, _CONFUSION = 6.0, 3.0, 3.0, 2.0, 1.0, 4.0, 2.0
_PARTNERS = 2
#: So many confusions, the most frequent ones, are worth writing for; one that came once may be chance.
_CONFUSIONS, _MIN_CONFUSED = 8, 2
_AVOIDED, _AVOIDED_CHARS = 3, 100
_CHAT_ACTS = ("smalltalk", "handoff", "abuse", "other_language", "out_of_scope")
_IDENTITY = (("email",), ("name", "postcode"))


class Row(Protocol):
    """An example or a candidate."""

    @property
    def state(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def acts(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Gap:
    """One thing that the set should hold; see :class:`~shopbot_refine.prompts.Assignment` for the fields."""

    act: str
    slots: tuple[str, ...]
    state: str
    weight: float
    also: tuple[str, ...] = ()
    confusable: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What tells it from the others, whatever it weighs."""
        return "|".join((self.state, self.act, ",".join(self.slots), ",".join(self.also), ",".join(self.confusable)))


class Inventory:
    """What a set of rows holds: how many of each gap there are, and messages of the ``templates`` to show."""

    def __init__(self, templates: Iterable[Row] = (), rows: Iterable[Row] = ()) -> None:
        self._single: Counter[tuple[str, str, frozenset[str]]] = Counter()
        self._joint: Counter[tuple[str, str]] = Counter()
        self._texts: dict[tuple[str, str], list[str]] = {}
        for row in templates:
            acts = self.add(row)
            if len(acts) == 1 and len(row.text) <= _AVOIDED_CHARS and not {"{", "<"} & set(row.text):
                self._texts.setdefault((row.state, acts[0].name), []).append(row.text)
        for row in rows:
            self.add(row)

    def add(self, row: Row) -> list[Act]:
        """Take a row in; its acts, none where they are no acts."""
        try:
            acts = [parse_act(act) for act in row.acts]
        except ValueError:
            return []
        if len(acts) == 1:
            self._single[row.state, acts[0].name, frozenset(key for key, _ in acts[0].arguments)] += 1
        else:
            self._joint.update({(one.name, other.name) for one in acts for other in acts if one.name != other.name})
        return acts

    def have(self, gap: Gap) -> int:
        """How many rows fill the gap already; what is confusable cannot be told from the acts."""
        if gap.confusable:
            return 0
        if gap.also:
            return self._joint[gap.act, gap.also[0]]
        return self._single[gap.state, gap.act, frozenset(gap.slots)]

    def texts(self, gap: Gap) -> list[str]:
        """A few messages of that act in that state, always the same as long as they are there."""
        texts = self._texts.get((gap.state, gap.act), [])
        return sorted(set(texts), key=lambda text: hashlib.sha256(f"{gap.name}|{text}".encode()).digest())[:_AVOIDED]


def plan(
    there: Inventory,
    tools: Mapping[str, Tool],
    *,
    count: int,
    seed: int = 0,
    confusions: Mapping[tuple[str, str], int] | None = None,
    missed: Mapping[str, int] | None = None,
    first: int = 0,
) -> list[Assignment]:
    """What to have written: assignments for ``count`` messages at most, for the thinnest gaps first.

    ``there`` is what there is, the seed set's templates too. ``confusions``: (wrong act, right act) → how
    often it was mistaken; ``missed``: act → how often it was missed: its gaps weigh more. ``first``: the number of the
    first request for a gap; another number asks for other personas and moods.
    """
    gaps = [_pressed(gap, missed or {}) for gap in _gaps(tools, seed, confusions or {})]
    have = [there.have(gap) for gap in gaps]
    asked = [first] * len(gaps)
    assignments: list[Assignment] = []
    while gaps and count > 0:
        place = max(range(len(gaps)), key=lambda n: (gaps[n].weight / (1 + have[n]), -n))
        size = min(PER_REQUEST, count)
        assignments.append(_assign(gaps[place], asked[place], size, there.texts(gaps[place]), seed))
        asked[place] += 1
        have[place] += size
        count -= size
    return assignments


def _pressed(gap: Gap, missed: Mapping[str, int]) -> Gap:
    return replace(gap, weight=gap.weight * (1 + missed.get(gap.act, 0) ** 0.5))


def _assign(gap: Gap, number: int, count: int, avoid: Sequence[str], seed: int) -> Assignment:
    rng = random.Random(f"{seed}|{gap.name}|{number}")  # noqa: S311 - reproducible, not secret
    return Assignment(
        gap.act,
        gap.slots,
        gap.state,
        persona=rng.choice(PERSONAS),
        mood=rng.choice(MOODS),
        length=rng.choice(LENGTHS[2:] if len(gap.slots) + len(gap.also) > 1 else LENGTHS),
        channel=rng.choice(CHANNELS),
        typos=rng.choice(TYPOS),
        count=count,
        also=gap.also,
        confusable=gap.confusable,
        avoid=tuple(avoid),
    )


def _gaps(tools: Mapping[str, Tool], seed: int, confusions: Mapping[tuple[str, str], int]) -> Iterator[Gap]:
    names = sorted(tools)
    for name in names:
        yield from _tool_gaps(tools[name])
        others = [other for other in names if other != name]
        rng = random.Random(f"{seed}|partners|{name}")  # noqa: S311 - reproducible, not secret
        for other in rng.sample(others, min(_PARTNERS, len(others))):
            yield Gap(name, _slot_sets(tools[name])[-1], "-", _JOINT, also=(other,))
    for act in _CHAT_ACTS:
        yield Gap(act, (), "-", _CHAT)
    if any(tool.identity == "customer" for tool in tools.values()):
        for slots in _IDENTITY:
            yield Gap("inform", slots, "ask identity", _ANSWER)
    named = {*tools, *DIALOGUE_ACTS}
    known = {
        (wrong, right): times
        for (wrong, right), times in confusions.items()
        if wrong in named and (right in tools or right in _CHAT_ACTS)
    }
    for (wrong, right), times in sorted(known.items(), key=lambda entry: (-entry[1], entry[0]))[:_CONFUSIONS]:
        if times >= _MIN_CONFUSED:
            yield Gap(right, (), "-", _CONFUSION * times**0.5, confusable=(wrong,))


def _tool_gaps(tool: Tool) -> Iterator[Gap]:
    """The wish for the tool, and everything that is said while it is under way."""
    for slots in _slot_sets(tool):
        yield Gap(tool.name, slots, "-", _WISH)
    for parameter in tool.spoken:
        if parameter.is_required:
            yield Gap("inform", (parameter.name,), f"ask {tool.name}.{parameter.name}", _ANSWER)
    yield Gap(tool.name, (), f"after {tool.name}", _AFTER)
    if tool.effect == "write":
        for act in ("affirm", "deny", "nevermind"):
            yield Gap(act, (), f"confirm {tool.name}", _CONFIRMATION)
        for parameter in tool.spoken:
            if parameter.is_required and not parameter.choices:
                yield Gap("inform", (parameter.name,), f"confirm {tool.name}", _CONFIRMATION)


def _slot_sets(tool: Tool) -> list[tuple[str, ...]]:
    """Which slots a wish may fill: none, each one alone, all that are required."""
    single = [(parameter.name,) for parameter in tool.spoken]
    required = tuple(parameter.name for parameter in tool.spoken if parameter.is_required)
    return list(dict.fromkeys([(), *single, *([required] if required else [])]))
