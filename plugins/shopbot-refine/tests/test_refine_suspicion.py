"""Suspicion: wrong labels and messages of no shop rank above right ones, the same way each time."""

from __future__ import annotations

import pickle
import random

import pytest
from shopbot_refine import suspicion
from shopbot_refine.records import LoggedTurn
from shopbot_refine.suspicion import SUSPECT, LabelModel, judge_labels, label_of

THINGS = ["lamp", "desk", "boots", "kettle", "jacket", "mug", "tent", "rug", "chair", "bag"]
LOG = {
    "cancel_order": ["please cancel the {} I ordered", "cancel order #W10{} with the {}", "stop my order of the {}"],
    "order_status": ["where is the {} that I ordered", "has my {} been sent yet", "track the order of my {}"],
    "return_items": ["I want to send the {} back", "return the {}, it is too small", "the {} does not fit, return it"],
    "invoice": ["I need the invoice for the {}", "send me the bill of my {}", "a receipt for the {} please"],
}
OUTSIDE = [
    "who won the football match last night",
    "how do I cook rice for ten people",
    "what is the capital of Peru",
    "tell me how far away the moon is",
    "what time does the bus to the airport leave",
]


def log(seed: int) -> tuple[list[LoggedTurn], set[str], set[str]]:
    """Turns, the ids of those with a wrong label, and of those about no shop."""
    rng = random.Random(seed)
    turns, wrong, outside = [], set(), set()
    for act, texts in LOG.items():
        for text in texts:
            for thing in THINGS:
                name = f"t{len(turns)}"
                given = act
                if rng.random() < 0.1:
                    given = rng.choice([other for other in LOG if other != act])
                    wrong.add(name)
                turns.append(LoggedTurn(name, name, text.format(thing, thing), (f"{given}()",)))
    for text in OUTSIDE:
        name = f"t{len(turns)}"
        outside.add(name)
        turns.append(LoggedTurn(name, name, text, (f"{rng.choice(list(LOG))}()",)))
    return turns, wrong, outside


def test_wrong_labels_and_other_matters_are_suspect_and_right_ones_are_not() -> None:
    turns, wrong, outside = log(3)
    found = judge_labels(turns, 0)
    assert found == judge_labels(turns, 0)
    suspects = {name for name, suspicion in found.items() if suspicion.wrong > SUSPECT}
    assert len(wrong) >= 8
    assert wrong <= suspects
    assert len(outside & suspects) >= 4
    assert len(suspects - wrong - outside) <= 3
    irrelevant = {name for name, suspicion in found.items() if suspicion.irrelevant > SUSPECT}
    assert len(irrelevant & outside) >= 4
    assert len(irrelevant - outside) <= 5
    assert all(0 <= suspicion.irrelevant <= suspicion.wrong <= 1 for suspicion in found.values())


def test_what_cannot_be_judged_is_neither_suspect_nor_cleared() -> None:
    turns = [
        LoggedTurn("rare", "s", "do the thing", ("unheard_of()",)),
        LoggedTurn("two", "s", "cancel it and where is the rest", ("cancel_order()", "order_status()")),
        LoggedTurn("none", "s", "hm", ()),
    ]
    assert {name: found.wrong for name, found in judge_labels(turns, 0).items()} == dict.fromkeys(
        ("rare", "two", "none"), SUSPECT
    )
    assert judge_labels([], 0) == {}
    assert label_of(('inform(email="a")', 'inform(name="b")')) == "inform"


def test_a_long_log_is_judged_by_what_was_learnt_from_a_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    turns, wrong, _ = log(3)
    monkeypatch.setattr(suspicion, "SAMPLE", len(turns) - 20)
    model = LabelModel.learn(iter(turns), 0)
    found = model.judge(turns)
    assert len(wrong - {name for name, one in found.items() if one.wrong > SUSPECT}) <= 1
    parts = [model.judge(turns[at : at + 7]) for at in range(0, len(turns), 7)]
    assert {name: one for part in parts for name, one in part.items()} == found, "it matters what stands beside a turn"
    travelled = pickle.loads(pickle.dumps(model))
    assert travelled.judge(turns) == found
