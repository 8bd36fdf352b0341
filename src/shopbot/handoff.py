"""Hand-off: how a session goes from the bot to a human agent and back.

::

    bot ── hand-off ──► waiting ── claim ──► human ── release, close ──► bot
                           ▲                   │
                           └── release, idle ──┘

While it waits, the bot goes on answering; while a human agent has it, the bot is silent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Literal

from shopbot import phrases
from shopbot.errors import ConflictError, HandoffError, SessionError, StoreError
from shopbot.session import SessionState, load
from shopbot.store import Message, Store
from shopbot.types import Reply

#: How often something is tried when a turn, or another process, was faster.
_TRIES = 5


@dataclass(frozen=True, slots=True)
class _Change:
    """What comes with a session's new state."""

    messages: Sequence[Message] = ()
    closed_ticket: str | None = None


class Desk:
    """Where human agents, by their names, take sessions, answer in them and give them back.

    Thread-safe, and safe against other processes: of two who claim one session, one gets it.

    Raises :class:`~shopbot.errors.SessionError` if there is no such session, and
    :class:`~shopbot.errors.HandoffError` if it is not this agent's to do that with.
    """

    def __init__(self, store: Store, *, now: Callable[[], datetime] = lambda: datetime.now(timezone.utc)) -> None:
        self._store = store
        self._now = now

    def claim(self, session_id: str, agent: str) -> None:
        """Take a session. What the bot had read back or asked for is dropped: a later yes is the agent's business."""

        def take(state: SessionState) -> _Change | None:
            if _has(state, agent):
                return None
            _require_free(state)
            state.mode, state.agent, state.claimed_at = "human", agent, self._now().isoformat()
            # a write that was cut short is still told of
            state.frames = [frame for frame in state.frames if frame.stage == "writing"]
            state.awaiting, state.choice_words, state.choice_position = None, [], 0
            return _Change()

        self._change(session_id, take)

    def reply(self, session_id: str, agent: str, text: str, request_id: str) -> int:
        """Say something to the customer, under the agent's name; the number of the message. A repeated ``request_id``
        says nothing again."""

        if (seq := self._said(session_id, request_id)) is not None:
            return seq
        try:
            return self._store.append_message(
                session_id, Message("agent", text, {"name": agent}, request_id), agent=agent
            )
        except StoreError:
            if (seq := self._said(session_id, request_id)) is not None:  # the same request was faster
                return seq
            _require_own(load(self._store, session_id)[0], agent)
            raise

    def release(self, session_id: str, agent: str, *, to: Literal["bot", "waiting"] = "bot") -> None:
        """Give a session back: to the bot, which closes its ticket, or to the colleagues."""

        def give_back(state: SessionState) -> _Change:
            _require_own(state, agent)
            return _let_go(state, to)

        self._change(session_id, give_back)

    def close(self, session_id: str, agent: str) -> None:
        """Say that nothing is left to do for a human agent here, also without having claimed it."""

        def finish(state: SessionState) -> _Change | None:
            if not _has(state, agent):
                _require_free(state)
            return None if state.mode == "bot" and state.ticket_id is None else _let_go(state, "bot")

        self._change(session_id, finish)

    def return_idle(self, after: timedelta) -> list[str]:
        """Take sessions from agents who are not there; the ids of those that wait again.

        A customer who has waited for an answer for so long goes back to waiting; where nobody has said anything for so
        long, the bot takes over.
        """
        limit, waiting = self._now() - after, []
        for entry in self._store.session_entries(mode="human", limit=1000):

            def give_back(state: SessionState) -> _Change | None:
                to = self._is_left(state, limit)
                return _let_go(state, to) if to else None

            try:
                if self._change(entry.id, give_back) == "waiting":
                    waiting.append(entry.id)
            except (SessionError, ConflictError):  # it was erased, or is busy: it will be looked at again
                continue
        return waiting

    def _is_left(self, state: SessionState, limit: datetime) -> Literal["bot", "waiting"] | None:
        """Whom a session goes back to whose agent is not there; None: they are, or have it no more."""
        if state.mode != "human" or not state.claimed_at:
            return None
        active_at = datetime.fromisoformat(state.claimed_at)
        if active_at >= limit:
            return None
        # whoever asked for a human agent waits for the first word
        asked_at = active_at if state.ticket_id is not None else None
        for message in self._store.messages(state.id):
            if message.at is None or message.at < active_at:
                continue
            if message.role == "agent":
                active_at, asked_at = message.at, None
            elif message.role == "customer" and asked_at is None:
                asked_at = message.at
        if asked_at is not None:
            return "waiting" if asked_at < limit else None
        return "bot" if active_at < limit else None

    def _said(self, session_id: str, request_id: str) -> int | None:
        found = self._store.messages(session_id, request_id=request_id)
        return next((message.seq for message in found if message.role == "agent"), None)

    def _change(self, session_id: str, edit: Callable[[SessionState], _Change | None]) -> str | None:
        """Save what ``edit`` makes of a session, with what comes with it; its mode then. None: nothing is changed."""
        for attempt in range(_TRIES):
            state, version = load(self._store, session_id)
            change = edit(state)
            if change is None:
                return None
            try:
                self._store.save_session(
                    session_id,
                    state.as_json(),
                    version=version,
                    messages=change.messages,
                    closed_ticket=change.closed_ticket,
                )
                return state.mode
            except ConflictError:
                if attempt == _TRIES - 1:
                    raise
        raise AssertionError("unreachable")


def _has(state: SessionState, agent: str) -> bool:
    return state.mode == "human" and state.agent == agent


def _require_free(state: SessionState) -> None:
    if state.mode == "human" and state.agent:
        raise HandoffError(f"{state.agent} has this conversation.", remedy="Ask them to give it back.")


def _require_own(state: SessionState, agent: str) -> None:
    if not _has(state, agent):
        _require_free(state)
        raise HandoffError("You do not have this conversation.", remedy="Claim it first.")


def _let_go(state: SessionState, to: Literal["bot", "waiting"]) -> _Change:
    """The state of a session that goes back, and what its customer is told, if a human agent had it."""
    had_agent = state.mode == "human"
    state.mode, state.agent, state.claimed_at = to, "", ""
    closed = None
    if to == "bot":
        closed, state.ticket_id = state.ticket_id, None
    told = [_by_bot(state, phrases.AGENT_DONE if to == "bot" else phrases.AGENT_LEFT)] if had_agent else []
    return _Change(told, closed)


def _by_bot(state: SessionState, text: str) -> Message:
    """A message of the bot's that is no answer, in the shape of those that are."""
    payload = {"turn": state.turns, **Reply(text).as_json()}
    del payload["reply"]
    return Message("bot", text, payload)
