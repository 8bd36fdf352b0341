"""A plugin's tools on the day it is installed: three ways to route them without training, on tools kept out of
training.

    python -m benchmarks.novel_tools.run [--lora FILE] [--seen 300]

(a) the signatures of all enabled tools stand in a static, cached prefix of the prompt; (b) the k nearest example
utterances of all tools stand in the prompt as demonstrations and the model picks; (c) the nearest example decides
alone; (c+b) the nearest example decides whether a tool without training is meant, and if so the model only fills its
arguments, from demonstrations (what shopbot does). Novel: utterances in ``utterances.jsonl``, written for this
benchmark, of the loyalty plugin and of a workshop plugin defined here; neither is in the seed set. Seen: held-out
rows of the third-party data, whose tools are trained; a good way does not spoil them.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.setup import open_model, plugins
from benchmarks.shared_data import ACTS_OF_INTENT, part_of, read
from shopbot import Answer, Context, Tool, tool
from shopbot import grammar as acts_grammar
from shopbot.backends import ModelBackend
from shopbot.evals import wilson
from shopbot.textindex import TextIndex
from shopbot.types import Act
from shopbot.understand import PROMPT_HEAD, Understanding, demonstration, plain_example, render_prompt

Router = Callable[[str], "Act | None"]
_K = 6


@tool(
    effect="read",
    examples=[
        "book a repair",
        "can you repair my [thing: lamp]",
        "I need my [thing: bicycle] fixed on [day: Monday]",
        "make an appointment with the workshop for [day: next week]",
        "my [thing: mixer] is broken, can your workshop fix it",
        "please schedule a repair for the [thing: tablet]",
        "bring something in to be mended",
        "workshop appointment for my [thing: printer] [day: tomorrow]",
    ],
)
def book_repair(ctx: Context, thing: str | None = None, day: str | None = None) -> Answer:
    """Book an appointment with the workshop."""
    return Answer(f"{ctx.today} {thing} {day}")


@tool(
    effect="read",
    examples=[
        "is my repair finished",
        "status of repair [number: R-1234]",
        "when can I pick up my repaired [number: R-88]",
        "how is the repair going",
        "what does the workshop say about [number: R-400]",
        "repair [number: R-77] ready?",
        "any news from the workshop",
        "how long will the repair take",
    ],
)
def repair_status(ctx: Context, number: str | None = None) -> Answer:
    """How far a repair is."""
    return Answer(f"{ctx.today} {number}")


def routers(backend: ModelBackend, tools: Sequence[Tool], trained: Sequence[str]) -> dict[str, Router]:
    """Way → router. All see the same tools and grammar."""
    gbnf = acts_grammar.build(tools)
    examples = [(one.name, example) for one in tools for example in one.examples]
    index = TextIndex([plain_example(example) for _, example in examples])
    listed = "".join(
        f"{one.name}({', '.join(p.name for p in one.spoken)}): {one.description.splitlines()[0]}\n" for one in tools
    )

    def ask(prompt: str) -> Act | None:
        found = acts_grammar.parse(backend.complete(prompt, grammar=gbnf, max_tokens=64).text)
        return Act(found[0].name, found[0].arguments) if found else None

    def signatures(message: str) -> Act | None:
        return ask(PROMPT_HEAD + listed + render_prompt("-", message).removeprefix(PROMPT_HEAD))

    def demonstrations(message: str) -> Act | None:
        order = index.scores(message).argsort()[::-1][:_K]
        return ask(render_prompt("-", message, [demonstration(*examples[row]) for row in reversed(order)]))

    def nearest(message: str) -> Act | None:
        return Act(examples[int(index.scores(message).argmax())][0])

    understanding = Understanding(backend, tools, trained=trained)

    def combined(message: str) -> Act | None:
        acts = understanding(message, "-").acts
        return acts[0] if acts else None

    return {
        "(a) signatures in the prefix": signatures,
        f"(b) {_K} nearest demonstrations": demonstrations,
        "(c) nearest example alone": nearest,
        "(c+b) examples decide, model fills": combined,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lora", type=Path)
    parser.add_argument("--seen", type=int, default=300)
    arguments = parser.parse_args()
    backend, _ = open_model(arguments.lora)
    known = plugins().tools()
    from shopbot_loyalty.tools import points_balance, points_rules, redeem_points

    tools = [*known.values(), points_balance, points_rules, redeem_points, book_repair, repair_status]
    lines = Path(__file__).with_name("utterances.jsonl").read_text(encoding="utf-8").splitlines()
    novel = [json.loads(line) for line in lines]
    rows = [row for row in read("intent_routing.jsonl") if part_of(row["id"]) == "held_out"]
    seen = random.Random(0).sample(rows, min(arguments.seen, len(rows)))
    print(f"novel n={len(novel)}, seen n={len(seen)}")
    for name, route in routers(backend, tools, list(known)).items():
        times: list[float] = []
        right = joint = with_arguments = kept = 0
        for row in novel:
            began = time.perf_counter()
            act = route(row["text"])
            times.append(1e3 * (time.perf_counter() - began))
            right += act is not None and act.name == row["tool"]
            if row["arguments"]:
                with_arguments += 1
                joint += act is not None and act.name == row["tool"] and dict(act.arguments) == row["arguments"]
        for row in seen:
            act = route(row["text"])
            kept += act is not None and act.name in ACTS_OF_INTENT[row["intent"]]
        shares = ((right, len(novel)), (joint, with_arguments), (kept, len(seen)))
        texts = [
            f"{100 * good / n:.1f} % [{100 * wilson(good, n)[0]:.0f}, {100 * wilson(good, n)[1]:.0f}]"
            for good, n in shares
        ]
        print(
            f"{name:36} novel {texts[0]}; with its arguments {texts[1]}; seen {texts[2]}; {statistics.median(times):.0f} ms"
        )
    backend.close()


if __name__ == "__main__":
    main()
