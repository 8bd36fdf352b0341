"""Whole conversations with a simulated customer on the imported retail store: pass^1 and pass^4.

    python -m benchmarks.dialogue.run [--lora FILE] [--show N]

The scripted customer knows the task's text. It turns the instructions into the first person, says them (all at once or one sentence at a
time, twice each, in other words), gives name and postcode or e-mail when asked, picks from lists by the words of the task, and says yes to
what was read back. It has no model, so it neither argues nor notices when the bot misunderstood: tasks that tell it to change its mind, to
insist or to decide by what it hears are played as far as that goes. A trial passes when the end state is the expected one and
every fact of ``communicate_info`` was said. pass^4: all four trials of a task pass.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rapidfuzz import fuzz

from benchmarks.setup import open_model, plugins, retail_stores
from benchmarks.shared_data import read
from benchmarks.tau_retail.run import compare
from shopbot.bot import Bot
from shopbot.config import Config, TranscriptsSection
from shopbot.evals import CASE_DAY, snapshot, wilson
from shopbot.types import Awaiting

TRIALS = 4
_MAX_TURNS = 30
#: Sentences that tell the customer how to behave, not what to say.
_STAGE_DIRECTION = re.compile(
    r"^(if|make sure|mention|be |in the end|try|express|complain|tell|do not|once|when)\b", re.IGNORECASE
)
_FIRST_PERSON = (
    (r"\bYou are\b", "I am"), (r"\byou are\b", "I am"), (r"\b[Yy]ou're\b", "I'm"), (r"\b[Yy]ou've\b", "I've"), (r"\b[Yy]ou\b", "I"),
    (r"\b[Yy]our\b", "my"), (r"\b[Yy]ourself\b", "myself"), (r"\bthe agent\b", "you"),
)  # fmt: skip


class Customer:
    """One trial's customer: what is still to be said, and what is known."""

    def __init__(self, row: Mapping[str, Any], trial: int) -> None:
        instructions = row["user_scenario"]["instructions"]
        self.known: str = instructions["known_info"]
        self.text = " ".join(str(instructions["reason_for_call"]).split())
        wishes = [_first_person(sentence) for sentence in _sentences(self.text) if not _STAGE_DIRECTION.match(sentence)]
        if trial % 2 == 0:
            wishes = [" ".join(wishes)]
        self.wishes: Iterator[str] = iter([f"Hi. {wishes[0]}" if trial >= 2 else wishes[0], *wishes[1:]])
        email = re.search(r"[\w.]+@[\w.]+\w", self.known)
        postcode = re.search(r"\b\d{5}\b", self.known)
        names = row["user_id"].split("_")[:2]
        name = " ".join(part.title() for part in names)
        self.identity = email[0] if email else f"{name}, {postcode[0]}" if postcode else name
        self.trial = trial

    def next(self, awaiting: Awaiting | None) -> str | None:
        if awaiting is None:
            return next(self.wishes, None)
        if awaiting.kind == "identity":
            return f"I'm {self.identity}" if self.trial % 2 else self.identity
        if awaiting.kind == "confirmation":
            return "yes" if self.trial < 2 else "yes, please"
        if awaiting.slot == "reason":
            return "ordered by mistake" if "mistake" in self.text else "no longer needed"
        if awaiting.choices:
            best = max(
                awaiting.choices, key=lambda choice: fuzz.token_set_ratio(choice.casefold(), self.text.casefold())
            )
            return str(awaiting.choices.index(best) + 1)
        return _first_person(self.text)


def _sentences(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"(?<=[.!?])\s+", text) if part.strip(" .")]


def _first_person(sentence: str) -> str:
    for pattern, replacement in _FIRST_PERSON:
        sentence = re.sub(pattern, replacement, sentence)
    return sentence


def play(bot: Bot, customer: Customer) -> list[str]:
    session = bot.session()
    said, lines = customer.next(None), []
    for _ in range(_MAX_TURNS):
        if said is None:
            break
        reply = session.ask(said)
        lines += [f"customer: {said}", f"   acts: {' ; '.join(map(str, reply.acts))}", f"bot: {reply.text}"]
        before, said = said, customer.next(reply.awaiting)
        if said == before and not said.startswith("yes"):
            said = next(customer.wishes, None)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lora", type=Path)
    parser.add_argument("--show", type=int, default=0)
    arguments = parser.parse_args()
    backend, manifest = open_model(arguments.lora)
    manager = plugins()
    rows = read("dialogue_tasks.jsonl")
    passes: list[int] = []
    with retail_stores() as (document, make_store):
        for row in rows:
            passed = 0
            for trial in range(TRIALS):
                store = make_store()
                bot = Bot(
                    config=Config(transcripts=TranscriptsSection(enabled=False)),
                    store=store,
                    plugins=manager,
                    backend=backend,
                    manifest=manifest,
                    today=lambda: CASE_DAY,
                )
                lines = play(bot, Customer(row, trial))
                problems = compare(document, snapshot(store), row["expected_changed_records"])
                heard = " ".join(line for line in lines if line.startswith("bot: ")).replace(",", "")
                problems += [
                    f"never said {fact}" for fact in row["communicate_info"] or () if fact.replace(",", "") not in heard
                ]
                store.close()
                passed += not problems
                if problems and trial == 0 and arguments.show > 0:
                    arguments.show -= 1
                    print("\n".join(["=" * 100, row["id"], *lines, "  ✗ " + "; ".join(problems)[:500]]))
            passes.append(passed)
    backend.close()
    trials = TRIALS * len(passes)
    low, high = wilson(sum(passes), trials)
    whole = sum(passed == TRIALS for passed in passes)
    all_low, all_high = wilson(whole, len(passes))
    print(f"pass^1 {sum(passes) / trials:.1%} [{low:.1%}, {high:.1%}] (n={trials} trials)")
    print(f"pass^4 {whole / len(passes):.1%} [{all_low:.1%}, {all_high:.1%}] (n={len(passes)} tasks)")


if __name__ == "__main__":
    main()
