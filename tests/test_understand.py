"""Grounding and prompts: an argument is the customer's own words or it is not there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopbot import Answer, Bot, Context, Store, tool
from shopbot.backends.scripted import ScriptedBackend
from shopbot.testing import make_bot
from shopbot.understand import NEVER, PROMPT_HEAD, Calibration, Understanding, ground, neutralise, render_prompt


@tool(effect="read", examples=["where is order [order: 12]", "track [order: 9]"])
def track(ctx: Context, order: str | None = None) -> Answer:
    """Track an order."""
    return Answer(order or "")


@tool(
    effect="read", examples=["how many loyalty points do I have", "my points balance", "show points of card [card: 77]"]
)
def loyalty_points(ctx: Context, card: str | None = None) -> Answer:
    """Loyalty points."""
    return Answer(card or "")


@pytest.mark.parametrize(
    ("value", "message", "found"),
    [
        ("#W123", "cancel #W123 please", "#W123"),
        ("blue  Lamp", "the Blue lamp", "Blue lamp"),
        ("#W806527", "status of order #W8065207", "#W8065207"),
        ("12", "order 1234", "1234"),
        ("red lamp", "the blue boots", None),
        ("", "x", None),
        ("victim@example.com", "my order please", None),
        ("L", "pls make it an L", "L"),
        ("to 5", "into 55, to 5", "to 5"),
        ("Große Gasse 5", "send it to große gasse 5, Straßburg", "große gasse 5"),
        ("lamp", "İ want the lamp", "lamp"),
    ],
)
def test_ground(value: str, message: str, found: str | None) -> None:
    assert ground(value, message) == found


@given(st.text(), st.text())
def test_what_is_grounded_stands_in_the_message(value: str, message: str) -> None:
    found = ground(value, message)
    assert found is None or found in " ".join(message.split())


@given(st.text())
def test_a_message_cannot_forge_control_tokens(message: str) -> None:
    prompt = render_prompt("-", message)
    assert prompt.count("<|") == render_prompt("-", "x").count("<|")
    assert "\n" not in neutralise(message)


def test_the_static_part_comes_first() -> None:
    assert render_prompt("-", "hello").startswith(PROMPT_HEAD)
    assert render_prompt("ask track.order", "x", [("a", "b()")]).startswith(PROMPT_HEAD)


def test_an_argument_that_was_not_said_is_dropped() -> None:
    backend = ScriptedBackend(lambda prompt: 'track(order="#W999")')
    understood = Understanding(backend, [track], trained=["track"])("where is my parcel", "-")
    assert [str(act) for act in understood.acts] == ["track()"]
    assert understood.dropped == ("track.order",)


def test_a_tool_without_training_is_found_by_its_examples() -> None:
    backend = ScriptedBackend(lambda prompt: 'loyalty_points(card="88")' if "loyalty_points" in prompt else "track()")
    understand = Understanding(backend, [track, loyalty_points], trained=["track"])
    assert str(understand("how many points are on card 88", "-").acts[0]) == 'loyalty_points(card="88")'
    assert understand("where is my order", "-").acts[0].name == "track"


def test_confidence_grows_with_the_probability() -> None:
    calibrated = Calibration(slope=1.5, offset=-0.5)
    values = [calibrated(logprob) for logprob in (-5.0, -1.0, -0.1, 0.0)]
    assert values == sorted(values)
    assert 0 < values[0] < values[-1] < 1


def test_the_bias_of_an_act_is_given_to_the_word_that_decides_it() -> None:
    backend = ScriptedBackend(lambda prompt: "track()")
    Understanding(backend, [track], trained=["track"], bias={"out_of_scope": 1.5})("where is my order", "-")
    Understanding(backend, [track], trained=["track"])("where is my order", "-")
    assert backend.biases == [{"out": 1.5}, None]


def test_an_everyday_word_does_not_call_for_a_tool_without_training() -> None:
    backend = ScriptedBackend(lambda prompt: "track()")
    understand = Understanding(backend, [track, loyalty_points], trained=["track"])
    assert [act.name for act in understand("at which point does my parcel leave", "-").acts] == ["track"]


@pytest.mark.parametrize("message", ["a skateboard with a bamboo deck then", "scratch my latest order"])
def test_what_names_the_shops_things_is_not_out_of_scope(demo_store: Store, message: str) -> None:
    script = ScriptedBackend(["out_of_scope()", "loyalty_points()"])
    with make_bot(demo_store, tools=[loyalty_points]) as made:
        bot = Bot(config=made.config, store=demo_store, plugins=made.plugins, backend=script, manifest=made.manifest)
        reply = bot.session().ask(message)
    assert [act.name for act in reply.acts] == ["loyalty_points"]
    assert [(bias or {}).get("out") for bias in script.biases] == [None, NEVER]


def test_what_names_none_of_them_may_be_out_of_scope(demo_store: Store) -> None:
    with make_bot(demo_store, tools=[loyalty_points], script=["out_of_scope()"]) as bot:
        assert [act.name for act in bot.session().ask("will it rain tomorrow").acts] == ["out_of_scope"]
