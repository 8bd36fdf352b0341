"""Traces: one span for a turn and one for each stage, and nothing of what was said."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import pytest

from shopbot.bot import Bot
from shopbot.errors import ConfigError, StoreError
from shopbot.tools import Context, tool
from shopbot.tracing import Tracing, connect
from shopbot.types import Answer


@tool(effect="read", examples=["when do you open?", "are you open on sunday"])
def opening_hours(ctx: Context) -> Answer:
    "When the shop is open."
    return Answer("From 9 to 18.")


@pytest.fixture
def exporter() -> Any:
    return pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter").InMemorySpanExporter()


@pytest.fixture
def traced(shopbot_bot: Callable[..., Bot], exporter: Any) -> Bot:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    bot = shopbot_bot(tools=[opening_hours], script={"": "opening_hours()"})
    bot.observe(Tracing(provider))
    return bot


def test_a_turn_is_a_span_with_a_span_for_each_stage(traced: Bot, exporter: Any) -> None:
    traced.session().ask("I am Ann, when do you open?")
    spans = {span.name.removeprefix("shopbot."): span for span in exporter.get_finished_spans()}
    assert list(spans) == ["guard", "understand", "act", "plan", "answer", "record", "turn"]
    for name, span in spans.items():
        parent = {"turn": None, "act": "plan"}.get(name, "turn")
        assert (span.parent and span.parent.span_id) == (spans[parent].context.span_id if parent else None), name
        assert "Ann" not in span.to_json()


def test_an_error_is_named_by_its_type_alone(traced: Bot, exporter: Any) -> None:
    session = traced.session()

    def fail(*_: Any, **__: Any) -> None:
        raise StoreError("Ann lives at 1 Main Street")

    traced.store.save_session = fail  # type: ignore[method-assign]
    with pytest.raises(StoreError):
        session.ask("when do you open?")
    failed = {span.name: span for span in exporter.get_finished_spans() if not span.status.is_ok}
    assert sorted(failed) == ["shopbot.record", "shopbot.turn"]
    for span in failed.values():
        assert span.status.description == "StoreError"
        assert "Ann" not in span.to_json()


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    load = builtins.__import__

    def without(name: str, *arguments: Any, **options: Any) -> Any:
        if name.startswith("opentelemetry"):
            raise ImportError(name)
        return load(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)  # an installation without the extra, which this one has
    with pytest.raises(ConfigError, match="pip install opentelemetry-sdk"):
        connect("http://127.0.0.1:4318")
