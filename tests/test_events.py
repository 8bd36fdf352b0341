"""A turn as it happens: its events come in order, and whoever stops reading stops nothing."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopbot.events import ActEvent, DeltaEvent, OnActs, ReplyEvent, pieces, stream
from shopbot.types import Act, Reply

ACTS = (Act("opening_hours"),)


@given(st.text())
def test_pieces_are_the_text(text: str) -> None:
    parts = list(pieces(text))
    assert "".join(parts) == text
    assert all(parts)


def test_pieces_are_whole_words() -> None:
    assert list(pieces("We are open from nine to six, also on Sunday.")) == [
        "We are open from nine to ",
        "six, also on Sunday.",
    ]


def test_acts_come_before_the_reply() -> None:
    may_answer = threading.Event()

    def ask(on_acts: OnActs) -> Reply:
        on_acts(ACTS)
        assert may_answer.wait(20), "the acts were not there before the reply"
        return Reply("From 9 to 18.", ACTS)

    events = stream(ask)
    assert next(events) == ActEvent(ACTS)
    may_answer.set()
    assert list(events) == [DeltaEvent("From 9 to 18."), ReplyEvent(Reply("From 9 to 18.", ACTS))]


def test_an_error_is_raised_where_the_events_are_read() -> None:
    def ask(on_acts: OnActs) -> Reply:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        list(stream(ask))


def test_who_stops_reading_does_not_stop_the_turn() -> None:
    may_answer, is_done = threading.Event(), threading.Event()

    def ask(on_acts: OnActs) -> Reply:
        on_acts(ACTS)
        assert may_answer.wait(20)
        is_done.set()
        return Reply("")

    events = stream(ask)
    next(events)
    events.close()  # type: ignore[attr-defined]
    may_answer.set()
    assert is_done.wait(20)
