"""Made-up values for placeholders: the same in text and acts, and never one that breaks an act."""

from __future__ import annotations

import pytest
from shopbot_refine.acts import parse_act
from shopbot_refine.fill import fill, fillings
from shopbot_refine.records import Candidate

KINDS = (
    "ORDER EMAIL NAME POSTCODE ADDRESS PAYMENT PHONE CITY CARD IBAN DATE URL IP NUMBER TRACKING CUSTOMER ID NEWKIND"
).split()


def candidate(text: str, *acts: str, name: str = "c1") -> Candidate:
    return Candidate(name, "-", text, acts, "kept")


@pytest.mark.parametrize("kind", KINDS)
def test_a_value_is_the_same_in_text_and_acts(kind: str) -> None:
    for number in range(60):
        mark = f"<{kind}_1>"
        row = fill(candidate(f"it is {mark}, {mark}!", f'inform(order="{mark}")', name=f"c{number}"))
        [act] = [parse_act(act) for act in row.acts]
        [(_, value)] = act.arguments
        assert row.text == f"it is {value}, {value}!"
        assert not set('"\\\n<') & set(value)
        assert str(act) == row.acts[0]


def test_the_values_follow_from_seed_and_id() -> None:
    row = candidate("cancel <ORDER_1>, not <ORDER_2>", 'cancel_order(order="<ORDER_1>")')
    assert fill(row, 1) == fill(row, 1)
    others = [fill(row, 2), fill(candidate(row.text, *row.acts, name="c2"), 1)]
    assert all(other.text != fill(row, 1).text for other in others)
    first, second = fill(row, 1).text.removeprefix("cancel ").split(", not ")
    assert first != second


def test_a_number_sign_is_not_doubled() -> None:
    for number in range(60):
        assert "##" not in fill(candidate("order #<ORDER_1>", 'invoice(order="<ORDER_1>")', name=f"c{number}")).text


def test_a_row_without_placeholders_stays() -> None:
    row = candidate("a <b> c < ORDER_1 >", 'invoice(order="<b>")')
    assert fill(row) is row


def test_a_row_is_filled_again_only_where_an_act_holds_a_placeholder() -> None:
    row = candidate("cancel <ORDER_1>", 'cancel_order(order="<ORDER_1>")')
    copies = list(fillings(row, 1, 3))
    assert [copy.id for copy in copies] == ["c1", "c1~2", "c1~3"]
    assert copies[0] == fill(row, 1)
    assert len({copy.text for copy in copies}) == 3
    for copy in copies:
        assert parse_act(copy.acts[0]).arguments == (("order", copy.text.removeprefix("cancel ")),)
    asked = candidate("where is <ORDER_1>?", "handoff()")
    assert list(fillings(asked, 1, 3)) == [fill(asked, 1)]
