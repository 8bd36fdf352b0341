"""The check stage: what is wrong with a row by itself, with others, and on the sandbox store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from shopbot_refine.check import check, examine, is_copied, is_state
from shopbot_refine.decontamination import Guarded
from shopbot_refine.engines import open_engine
from shopbot_refine.fill import fillings
from shopbot_refine.records import Candidate, Rejected
from shopbot_refine.sandbox import Sandbox

from shopbot import Case, Config, PluginManager, Store, Tool, demo_stores
from shopbot.evals import snapshot

PLUGINS = PluginManager.installed(only=("faq", "orders", "returns"))
CASES: Sequence[Case] = [case for _, case in PLUGINS.cases()]


@pytest.fixture(scope="module")
def tools() -> dict[str, Tool]:
    return PLUGINS.tools()


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with demo_stores() as make_store:
        yield make_store()


@pytest.fixture(scope="module")
def sandbox(store: Store) -> Iterator[Sandbox]:
    with Sandbox(store, PLUGINS, Config(), CASES) as sandbox:
        yield sandbox


def candidate(text: str, *acts: str, state: str = "-", name: str = "c", teacher: str = "t") -> Candidate:
    return Candidate(name, state, text, acts, "fixed", teacher)


@dataclass(frozen=True)
class Shop:
    """The tools, and what plays: nothing, where it is not said."""

    tools: dict[str, Tool]
    play: Callable[[Candidate], str] = lambda candidate: ""


def checked(
    rows: Sequence[Candidate], shop: Shop, guarded: Sequence[str] = (), values: int = 1
) -> list[Candidate | Rejected]:
    with TemporaryDirectory() as folder, open_engine("local", Path(folder)) as engine:
        return list(check(rows, shop, Guarded(guarded), engine, values=values))


def reasons(rows: Sequence[Candidate], tools: dict[str, Tool], guarded: Sequence[str] = ()) -> list[tuple[str, str]]:
    found = checked(rows, Shop(tools), guarded)
    return [(row.id, row.reason if isinstance(row, Rejected) else "") for row in found]


BAD = [
    (candidate("cancel it", "cancel it"), "schema"),
    (candidate("cancel it"), "schema"),
    (candidate("yes", *["affirm()"] * 9), "schema"),
    (candidate("hi\x07", "smalltalk()"), "schema"),
    (candidate(" ", "smalltalk()"), "schema"),
    (candidate("cancel it", "cancel_everything()"), "unknown_act"),
    (candidate("cancel it W1", 'cancel_order(payment="W1")'), "grammar"),
    (candidate("cancel it W1", "cancel_order(order='W1')"), "grammar"),
    (candidate("cancel it W1", 'cancel_order(order="W1", order="W1")'), "grammar"),
    (candidate("cancel it", 'cancel_order(reason="too dear")'), "grammar"),
    (candidate("cancel it", 'cancel_order(order="")'), "grammar"),
    (candidate("cancel a\nb", 'cancel_order(item="a\\nb")'), "grammar"),
    (candidate("my lots of money", 'refund_status(amount="lots")'), "grammar"),
    (candidate("W1", 'inform(item="W1")', state="ask change_payment.order"), "grammar"),
    (candidate("cancel it", 'cancel_order(order="W1")'), "not_copied"),
    (candidate("cancel W1234", 'cancel_order(order="123")'), "not_copied"),
    (candidate("yes", "affirm()", state="confirm everything"), "state"),
    (candidate("yes", "affirm()", state="ask cancel_order.colour"), "state"),
]


@pytest.mark.parametrize(("row", "reason"), BAD)
def test_what_is_wrong_with_a_row_by_itself(tools: dict[str, Tool], row: Candidate, reason: str) -> None:
    problem = examine(row, tools)
    assert problem is not None
    assert problem.reason == reason


@pytest.mark.parametrize(
    "row",
    [
        candidate("cancel W1,\nI do not need it", 'cancel_order(order="W1", reason="no longer needed")'),
        candidate("my $89.99?", 'refund_status(amount="$89.99")'),
        candidate("W1 please", 'inform(order="W1")', state="ask cancel_order.order"),
        candidate('the "big" one', 'product_info(want="\\"big\\" one")', state="after product_info"),
        candidate("send it to 1 Elm St,\nDayton", 'change_address(address="1 Elm St, Dayton")'),
    ],
)
def test_a_good_row_has_no_problem(tools: dict[str, Tool], row: Candidate) -> None:
    assert examine(row, tools) is None


@pytest.mark.parametrize(
    ("value", "text", "is_in"),
    [
        ("lamp", "the lamps and a lamp", True),
        ("lamp", "the lamps", False),
        ("#W12", "x#W12.", True),
        ("a  b", "a\tb", True),
        ("A", "a", False),
        ("", "a", False),
    ],
)
def test_copied_is_word_for_word(value: str, text: str, is_in: bool) -> None:
    assert is_copied(value, text) is is_in


def test_states_are_those_of_the_engine(tools: dict[str, Tool]) -> None:
    good = ["-", "ask identity", "after faq", "confirm cancel_order", "ask cancel_order.reason"]
    bad = ["", "after nothing", "confirm identity", "ask cancel_order", "ask cancel_order.", "after faq.question", "-x"]
    assert [state for state in [*good, *bad] if is_state(state, tools)] == good


def test_rows_that_contradict_or_repeat_each_other(tools: dict[str, Tool]) -> None:
    rows = [
        candidate("Where is my lamp?", "order_status()", name="a"),
        candidate("where is my lamp", "order_status()", name="b"),
        candidate("where is my rug", "order_status()", name="c"),
        candidate("Where is my rug!", "return_status()", name="d"),
        candidate("where is my kettle", "order_status()", name="e"),
        candidate("where is my kettle", "faq()", name="f", teacher=""),
        candidate("where is my kettle", "faq()", name="g", state="after faq"),
        candidate("cancel <ORDER_1>", 'cancel_order(order="<ORDER_1>")', name="h"),
        candidate("cancel <ORDER_1>", "faq()", name="i", teacher=""),
    ]
    found = dict(reasons(rows, tools))
    assert found == {
        "a": "", "b": "duplicate", "c": "contradiction", "d": "contradiction", "e": "", "f": "contradiction",
        "g": "", "h": "", "i": "contradiction",
    }  # fmt: skip


def test_a_row_goes_that_is_near_a_case_with_any_of_its_values(tools: dict[str, Tool]) -> None:
    row = candidate("order <ORDER_1> has to go", 'cancel_order(order="<ORDER_1>")')
    *_, last = fillings(row, times=3)
    rows, guarded = [row], [f"{last.text} now"]
    assert checked(rows, Shop(tools), guarded, values=2) == rows
    [rejected] = checked(rows, Shop(tools), guarded, values=3)
    assert isinstance(rejected, Rejected)
    assert rejected.reason == "eval_overlap"


def test_no_case_of_an_eval_set_comes_through(tools: dict[str, Tool]) -> None:
    guarded = ["Cancel my order number W7 please", "yes please"]
    rows = [
        candidate("cancel my order number W7, please!", 'cancel_order(order="W7")', name="same"),
        candidate("cancel my ordr number W7 plese", 'cancel_order(order="W7")', name="near"),
        candidate("I want to cancel W7", 'cancel_order(order="W7")', name="far"),
        candidate("yes please", "affirm()", name="short", state="confirm cancel_order"),
    ]
    assert dict(reasons(rows, tools, guarded)) == {
        "same": "eval_overlap",
        "near": "eval_overlap",
        "far": "",
        "short": "",
    }


def test_the_acts_are_played_on_the_sandbox(tools: dict[str, Tool], sandbox: Sandbox, store: Store) -> None:
    before = snapshot(store)
    rows = [
        candidate("cancel W1 please", 'cancel_order(order="W1")', name="wish"),
        candidate("yes, go ahead with that please, thank you", "affirm()", name="yes", state="confirm cancel_order"),
        candidate(
            "yes, go ahead with that please, thank you", "affirm()", name="again", state="confirm change_payment"
        ),
        candidate("<EMAIL_1>", 'inform(email="<EMAIL_1>")', name="who", state="ask identity"),
        candidate("no longer needed", 'inform(reason="no longer needed")', name="why", state="ask cancel_order.reason"),
        candidate("yes", "deny()", name="lie", state="confirm cancel_order"),
        candidate("wo ist mein Paket", "other_language()", name="german"),
        candidate("где мой заказ", "order_status()", name="russian"),
        candidate("what do you have on me", "customer_profile()", name="read"),
        candidate(
            "Please cancel order W1234567, I do not need it. And where is W7654321 now?",
            'cancel_order(order="W1234567", reason="no longer needed")',
            'order_status(order="W7654321")',
            name="parts",
        ),
    ]
    found = {row.id: row for row in checked(rows, Shop(tools, sandbox.play))}
    rejected = {name: row.detail for name, row in found.items() if isinstance(row, Rejected)}
    assert rejected == {"lie": "code reads it as ['affirm']", "russian": "code reads it as ['other_language']"}
    # the yes was really done, and undone
    assert found["yes"] == rows[1]
    assert snapshot(store) == before


def test_every_confirmation_of_a_shipped_tool_is_a_real_one(
    tools: dict[str, Tool], sandbox: Sandbox, store: Store
) -> None:
    written: list[str] = []
    before = snapshot(store)
    for name in sorted(tool.name for tool in tools.values() if tool.effect == "write"):
        reply = sandbox.turn(f"confirm {name}", "yes, go ahead with that please, thank you", ["affirm()"])
        written += [call.tool for call in reply.tool_calls if call.effect == "write" and call.error is None]
    assert written == sorted(tool.name for tool in tools.values() if tool.effect == "write")
    assert snapshot(store) == before


def test_a_wish_alone_never_writes(tools: dict[str, Tool], sandbox: Sandbox) -> None:
    for name in sorted(tools):
        for state in ("-", f"after {name}", f"confirm {name}"):
            assert sandbox.play(candidate("do it now, skip the questions", f"{name}()", state=state)) == ""
