"""Acts as text: the grammar holds a model to the enabled tools, and the parser reads what it wrote."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopbot import Answer, Context, Tool, grammar, tool
from shopbot.types import Act


@tool(effect="read", examples=["what's my balance", "points please"])
def points(ctx: Context, card: str | None = None, since: str | None = None) -> Answer:
    """Points on a card."""
    return Answer(f"{card} {since}")


def test_every_tool_and_dialogue_act_is_a_choice() -> None:
    text = grammar.build([points])
    root = text.splitlines()[1]
    assert all(name in root for name in ("points", "affirm", "out-of-scope", "inform")), root


def test_arguments_are_optional_and_come_in_any_order() -> None:
    rules = {line.partition(" ::=")[0]: line for line in grammar.build([points]).splitlines()}
    assert '"card="' in rules["points-argument"] and '"since="' in rules["points-argument"]
    assert rules["points"] == 'points ::= "points(" (points-argument (", " points-argument){0,1})? ")"'


def test_of_an_argument_that_is_given_twice_the_first_counts() -> None:
    assert dict(grammar.parse('points(card="1", card="2")')[0].arguments) == {"card": "1"}


def test_facts_for_an_open_task_are_those_that_it_takes() -> None:
    @tool(effect="read", examples=["open on Monday?", "opening hours"])
    def opening(ctx: Context, day: str | None = None) -> Answer:
        """Opening hours."""
        return Answer(day or "")

    assert set(grammar.signatures([points, opening])["inform"]) == {"card", "since", "day", "email", "name", "postcode"}
    assert set(grammar.signatures([points, opening], opening)["inform"]) == {"day", "email", "name", "postcode"}


@given(
    st.dictionaries(
        st.sampled_from(["card", "since"]), st.text(min_size=1).filter(lambda t: "\n" not in t and t.isprintable())
    )
)
def test_what_is_written_is_read_back(arguments: dict[str, str]) -> None:
    act = Act("points", arguments)
    found = grammar.parse(f"{act}\naffirm()")
    assert [raw.name for raw in found] == ["points", "affirm"]
    assert dict(found[0].arguments) == arguments


@given(st.text())
def test_parsing_never_fails(text: str) -> None:
    assert len(grammar.parse(text)) <= grammar.MAX_ACTS


def test_a_cut_act_is_left_out() -> None:
    assert [raw.name for raw in grammar.parse('affirm()\npoints(card="12')] == ["affirm"]


def test_the_name_span_is_found() -> None:
    text = 'affirm()\npoints(card="1")'
    raw = grammar.parse(text)[1]
    assert text[raw.start : raw.name_end] == "points("


@pytest.mark.parametrize("slot", ["email", "name", "postcode", "card", "since"])
def test_inform_takes_every_slot(slot: str) -> None:
    assert slot in grammar.signatures([points])["inform"]


def test_a_tool_knows_its_schema() -> None:
    assert isinstance(points, Tool)
    assert set(points.schema()["properties"]) == {"card", "since"}


@tool(effect="read", examples=["redeem [amount: 500]", "use [amount: $20]"])
def redeem(ctx: Context, amount: Decimal | None = None) -> Answer:
    """Redeem."""
    return Answer(str(amount))


def test_a_number_is_held_to_numbers() -> None:
    assert grammar.signatures([redeem])["redeem"] == {"amount": "number"}
    rules = {line.partition(" ::=")[0]: line for line in grammar.build([redeem]).splitlines()}
    assert rules["redeem-argument"].endswith('"amount=" (number)')
    assert rules["number"].startswith('number ::= "\\"" ("$" | ')


@given(
    st.lists(
        st.dictionaries(st.sampled_from(["card", "since"]), st.from_regex(r"[ -~é€]+", fullmatch=True)), max_size=8
    )
)
def test_what_a_grammar_gives_is_read_strictly_too(calls: list[dict[str, str]]) -> None:
    text = "\n".join(str(Act("points", arguments)) for arguments in calls) or "affirm()"
    found = grammar.read(text)
    assert found is not None
    assert [dict(raw.arguments) for raw in found if raw.name == "points"] == calls


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Of course!",
        "affirm() ",
        "affirm()\n",
        "affirm()\n\ndeny()",
        "affirm() deny()",
        "affirm()\r\ndeny()",
        'points(card="1" , since="2")',
        'points(card="1", card="1")',
        "points(card='1')",
        'points(card="1"',
        'points(card="\\u0041")',
        "\n".join(["affirm()"] * (grammar.MAX_ACTS + 1)),
    ],
)
def test_another_form_is_not_read_strictly(text: str) -> None:
    assert grammar.read(text) is None


@given(st.text())
def test_reading_strictly_never_fails_and_reads_no_more_than_parsing(text: str) -> None:
    assert grammar.read(text) in (None, grammar.parse(text))


@pytest.mark.parametrize("value", ["20", "$20", "€1,000.50", "EUR 20", "20 points", "7€"])
def test_numbers_that_are_possible(value: str) -> None:
    assert grammar.is_possible(value, "number")


@pytest.mark.parametrize(
    ("value", "values"),
    [
        ("", "text"),
        ("a\nb", "text"),
        ("\x1b[31m", "text"),
        ("all of it", "number"),
        ("20\n", "number"),
        ("20 points and more", "number"),
        ("Pending", ("pending", "delivered")),
    ],
)
def test_values_that_are_not(value: str, values: grammar.Values) -> None:
    assert not grammar.is_possible(value, values)
