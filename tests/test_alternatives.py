"""What ``benchmarks.alternatives`` offers shopbot's rivals is what its tools declare, and nothing less."""

from __future__ import annotations

import jsonschema
import pytest

from benchmarks.alternatives import shots
from benchmarks.alternatives.judging import Case, Guess
from benchmarks.alternatives.offers import CONVERSATION, answer_schema, offers
from benchmarks.setup import plugins

_OFFERED = offers()


def test_the_tools_are_offered_with_their_own_descriptions_schemas_and_examples() -> None:
    tools = plugins().tools()
    offered = {offer.name: offer for offer in _OFFERED}
    assert set(offered) == set(tools) | {offer.name for offer in CONVERSATION}
    for name, tool in tools.items():
        assert offered[name].description == tool.description
        assert offered[name].schema == tool.schema()
        assert offered[name].examples == tool.examples


def test_the_framework_gets_the_same_schemas() -> None:
    framework = pytest.importorskip("benchmarks.alternatives.framework", exc_type=ImportError)
    given = {tool.name: tool.parameters_json_schema for tool in framework.tool_definitions(_OFFERED)}
    assert given == {offer.name: offer.schema for offer in _OFFERED}


@pytest.mark.parametrize("shot", shots.declared(_OFFERED), ids=lambda shot: shot.message)
def test_every_declared_example_is_an_answer_that_the_schema_allows(shot: shots.Shot) -> None:
    jsonschema.validate({"act": shot.name, **shot.arguments}, answer_schema(_OFFERED))


@pytest.mark.parametrize(
    "answer",
    [
        {"act": "smalltalk", "order": "#W1"},
        {"act": "cancel_order", "reason": "bored"},
        {"act": "pay"},
        {"order": "#W1"},
    ],
)
def test_the_schema_refuses_what_no_tool_takes(answer: dict[str, str]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(answer, answer_schema(_OFFERED))


def test_a_call_is_right_with_exactly_its_arguments() -> None:
    case = Case("cancel #W1", frozenset({"cancel_order"}), "call", {"order": "#W1"})
    assert case.is_right(Guess("cancel_order", {"order": "#W1"}))
    assert not case.is_right(Guess("cancel_order"))
    assert not case.is_right(Guess("cancel_order", {"order": "#W1", "item": "lamp"}))
    assert not case.is_right(Guess("invoice", {"order": "#W1"}))
