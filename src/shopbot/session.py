"""What a conversation remembers: the customer, the tasks under way, what was asked and what was shown.

The state is plain data: it is saved to the store after every turn and read back by whichever process gets the next one.
"""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from shopbot.errors import SessionError
from shopbot.store import SessionMode, Store
from shopbot.types import Awaiting

Stage = Literal["guessed", "open", "confirming", "writing"]


#: ``Awaiting.slot`` while the bot asks whether it understood the wish at all.
GUESS_SLOT = "intent"


@dataclass(slots=True)
class Frame:
    """A task under way.

    ``words``: slot → the customer's words, one entry per thing. ``bound``: slot → JSON-able references to records,
    once they are found. ``call_id`` names the write, if it comes to one, for ever. ``tried``: tools that refused
    before this one took over. ``approved``: the fingerprint of exactly what was read back. ``message``: the message
    that began the task.
    """

    tool: str
    words: dict[str, list[str | None]] = field(default_factory=dict)
    bound: dict[str, Any] = field(default_factory=dict)
    stage: Stage = "open"
    call_id: str = field(default_factory=lambda: secrets.token_hex(12))
    tried: list[str] = field(default_factory=list)
    approved: str = ""
    message: str = ""
    read_back: str = ""

    def say(self, slot: str, words: str) -> None:
        """Take the customer's words for a slot; what was bound before no longer holds."""
        self.words[slot] = [words]
        self.unbind(slot)

    def forget(self, slot: str) -> None:
        """Drop what was said and found for a slot."""
        self.words.pop(slot, None)
        self.unbind(slot)

    def unbind(self, slot: str) -> None:
        self.bound.pop(slot, None)
        if slot == "order":
            self.bound.pop("item", None)
        if slot in ("order", "item"):
            self.bound.pop("want", None)
        self.stage = "open"


@dataclass(slots=True)
class SessionState:
    """Everything a session keeps between turns. ``key_hash``: what is kept of the key that opens it from outside.
    ``agent``: the human agent who has it, ``claimed_at``: since when (ISO 8601)."""

    id: str
    customer_id: str | None = None
    verified_by: str | None = None
    frames: list[Frame] = field(default_factory=list)
    awaiting: Awaiting | None = None
    choice_words: list[str] = field(default_factory=list)
    choice_position: int = 0
    shown: list[str] = field(default_factory=list)
    focus: str | None = None
    last_tool: str | None = None
    facts: dict[str, str] = field(default_factory=dict)
    identity_attempts: int = 0
    turns: int = 0
    strikes: int = 0
    ticket_id: str | None = None
    gist: list[str] = field(default_factory=list)
    allows_refine: bool = True
    allows_cloud: bool = True
    mode: SessionMode = "bot"
    key_hash: str = ""
    agent: str = ""
    claimed_at: str = ""

    @property
    def frame(self) -> Frame | None:
        """The task in hand."""
        return self.frames[0] if self.frames else None

    @property
    def is_writing(self) -> bool:
        """Whether a write was begun whose end is not in the state: a process is at it, or died over it."""
        return self.frame is not None and self.frame.stage == "writing"

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> SessionState:
        """The state that was saved, by another version of shopbot perhaps: what this one does not keep is left out."""
        known = {field.name for field in dataclasses.fields(cls)}
        fields = {name: value for name, value in saved.items() if name in known}
        fields["frames"] = [Frame(**frame) for frame in fields.get("frames", ())]
        if fields.get("awaiting"):
            awaiting = dict(fields["awaiting"])
            fields["awaiting"] = Awaiting(**{**awaiting, "choices": tuple(awaiting.get("choices", ()))})
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class SessionView:
    """What hooks may see of a session; a copy, so that nothing they do reaches the engine."""

    id: str
    customer_id: str | None
    turns: int
    awaiting: Awaiting | None
    last_tool: str | None
    tasks: tuple[str, ...]
    allows_refine: bool
    mode: SessionMode = "bot"
    allows_cloud: bool = True

    @classmethod
    def of(cls, state: SessionState) -> SessionView:
        tasks = tuple(frame.tool for frame in state.frames)
        return cls(
            state.id,
            state.customer_id,
            state.turns,
            state.awaiting,
            state.last_tool,
            tasks,
            state.allows_refine,
            state.mode,
            state.allows_cloud,
        )


def load(store: Store, session_id: str) -> tuple[SessionState, int]:
    """A session's state and the version to save over. :class:`~shopbot.errors.SessionError` if there is none."""
    saved = store.load_session(session_id) if session_id else None
    if saved is None:
        raise SessionError("There is no such session.", remedy="Start a new one.")
    return SessionState.from_json(saved[0]), saved[1]


def prompt_state(state: SessionState) -> str:
    """The dialogue state in a few words, as the model was trained to read it (prompt format 1).

    ``-`` nothing open; ``after TOOL`` a tool was the last thing done; ``ask TOOL.SLOT`` or ``ask identity`` a
    question is open; ``confirm TOOL`` an action was read back and waits for a yes.
    """
    awaiting = state.awaiting
    if awaiting is None or not state.frames:
        return f"after {state.last_tool}" if state.last_tool else "-"
    if awaiting.kind == "identity":
        return "ask identity"
    if awaiting.kind == "confirmation" or awaiting.slot == GUESS_SLOT:
        return f"confirm {awaiting.tool}"
    return f"ask {awaiting.tool}.{awaiting.slot}"


def open_tool(state: str) -> str | None:
    """The tool that a dialogue state asks for or reads back; None: none does."""
    asking, _, subject = state.partition(" ")
    return subject.partition(".")[0] if asking in ("ask", "confirm") and subject != "identity" else None
