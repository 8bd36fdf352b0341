"""A turn as it happens: what was understood, then the reply piece by piece, then the whole of it."""

from __future__ import annotations

import queue
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextvars import copy_context
from dataclasses import dataclass

from shopbot.types import Act, Reply

_MIN_PIECE_CHARS = 24
_WORD = re.compile(r"\s*\S+\s*")


@dataclass(frozen=True, slots=True)
class ActEvent:
    """What the model, or code in its place, understood. Comes again if the turn had to be begun again."""

    acts: tuple[Act, ...]


@dataclass(frozen=True, slots=True)
class DeltaEvent:
    """The next piece of the reply's text; the pieces put together are the text."""

    text: str


@dataclass(frozen=True, slots=True)
class ReplyEvent:
    """The turn is done and saved."""

    reply: Reply


TurnEvent = ActEvent | DeltaEvent | ReplyEvent
#: Told what was understood, in the thread of the turn.
OnActs = Callable[[tuple[Act, ...]], None]


def reply_events(reply: Reply) -> Iterator[DeltaEvent | ReplyEvent]:
    """The events of a finished turn."""
    for text in pieces(reply.text):
        yield DeltaEvent(text)
    yield ReplyEvent(reply)


def pieces(text: str) -> Iterator[str]:
    """``text`` in pieces of a few whole words."""
    piece = ""
    for word in _WORD.findall(text) or ([text] if text else []):
        piece += word
        if len(piece) >= _MIN_PIECE_CHARS:
            yield piece
            piece = ""
    if piece:
        yield piece


def stream(ask: Callable[[OnActs], Reply]) -> Iterator[TurnEvent]:
    """The events of the turn that ``ask`` takes, in a thread of its own.

    Whoever stops reading does not stop the turn. What it raises is raised here.
    """
    happened: queue.SimpleQueue[Sequence[TurnEvent] | BaseException] = queue.SimpleQueue()

    def take() -> None:
        try:
            reply = ask(lambda acts: happened.put([ActEvent(acts)]))
            happened.put([*reply_events(reply)])
        except BaseException as error:  # raised where the events are read
            happened.put(error)

    threading.Thread(target=copy_context().run, args=(take,), name="shopbot-turn").start()
    while True:
        events = happened.get()
        if isinstance(events, BaseException):
            raise events
        yield from events
        if isinstance(events[-1], ReplyEvent):
            return
