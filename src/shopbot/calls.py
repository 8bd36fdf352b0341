"""Tool calls that another program makes, a foreign model over MCP for instance, instead of messages to understand.

A call becomes an act, and the engine plays it like any other: identity, the customer's own records, policy, read-back,
ledger. It stands alone, though: what it lacks is said, and the program calls again with all of it. Nothing remains of a
call but an action that was read back, until another call for a write takes its place; lookups leave it be.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from shopbot.engine import Engine, Outcome, Save
from shopbot.errors import CallError, SessionError
from shopbot.session import SessionState
from shopbot.textindex import plain
from shopbot.tools import Parameter, Tool
from shopbot.types import Act, Effect

#: Plays a turn whose acts are known: engine, state, message, what it comes to, save; gives the acts.
Play = Callable[[Engine, SessionState, str, Outcome, Save], tuple[Act, ...]]


@dataclass(frozen=True, slots=True)
class Pending:
    """An action that was read back and waits for the customer's yes.

    ``id`` is a fingerprint of the tool, every argument, this very call and the text read back, and cannot be guessed.
    """

    id: str
    tool: str
    arguments: Mapping[str, Any]
    text: str


def pending(state: SessionState) -> Pending | None:
    """What waits for the customer's yes, if anything does."""
    frame, awaiting = state.frame, state.awaiting
    if frame is None or frame.stage != "confirming" or awaiting is None or awaiting.kind != "confirmation":
        return None
    return Pending(frame.approved, frame.tool, dict(frame.bound), frame.read_back)


def call_schema(tool: Tool) -> dict[str, Any]:
    """JSON schema of a call's arguments: those of the act, and the text that a tool reads whole."""
    schema = tool.schema()
    for parameter in _whole_text(tool):
        described = {"type": "string", "description": "The customer's question, in their words."}
        schema.setdefault("properties", {})[parameter.name] = described
        if parameter.is_required:
            schema.setdefault("required", []).append(parameter.name)
    return schema


def read_call(tool: Tool, arguments: Mapping[str, Any], *, max_chars: int) -> tuple[Act, str]:
    """The act that a call means, and the call in writing, which stands for the turn's message.

    :class:`CallError` names the argument that does not fit, and says what would. An argument that is longer than
    ``max_chars`` makes a message that is longer too, so that the turn's guard refuses it.
    """
    takes = [*tool.spoken, *_whole_text(tool)]
    known = ", ".join(parameter.name for parameter in takes) or "nothing"
    words: dict[str, str] = {}
    for name, value in arguments.items():
        parameter = next((one for one in takes if one.name == name), None)
        if parameter is None:
            raise CallError(f"'{tool.name}' takes no '{plain(name[:40])}'.", remedy=f"It takes: {known}.")
        if value is None:
            continue
        if not isinstance(value, str):
            raise CallError(f"'{name}' must be a string.", remedy="Give it in the customer's words.")
        if parameter.choices and value not in parameter.choices:
            raise CallError(f"'{name}' is none of its values.", remedy=f"Use one of: {', '.join(parameter.choices)}.")
        if said := plain(value[: max_chars + 1]).strip():
            words[name] = said
    written = str(Act(tool.name, words))
    whole = []
    for parameter in _whole_text(tool):
        if parameter.name in words:
            whole.append(words.pop(parameter.name))
        elif parameter.is_required:
            raise CallError(f"'{tool.name}' needs '{parameter.name}'.", remedy="Give the customer's question.")
    return Act(tool.name, words, said=" ".join(whole or words.values())), written


def play_call(act: Act, effect: Effect) -> Play:
    """A turn that is one call."""

    def play(engine: Engine, state: SessionState, message: str, out: Outcome, save: Save) -> tuple[Act, ...]:
        kept = (state.frames, state.awaiting) if pending(state) and effect == "read" else None
        state.frames, state.awaiting = [], None
        engine.play(state, message, (act,), out, save)
        _leave_nothing_open(state)
        if kept and not state.frames:
            state.frames, state.awaiting = kept
        return (act,)

    return play


def play_answer(pending_id: str, answer: Literal["affirm", "deny"]) -> Play:
    """A turn that is the customer's yes or no to the action of that id. :class:`SessionError` if it does not wait."""

    def play(engine: Engine, state: SessionState, message: str, out: Outcome, save: Save) -> tuple[Act, ...]:
        waits = pending(state)
        if waits is None or not hmac.compare_digest(waits.id.encode(), pending_id.encode(errors="replace")):
            raise SessionError("No action waits for this confirmation.", remedy="Call its tool again for a new one.")
        engine.play(state, message, (Act(answer),), out, save)
        _leave_nothing_open(state)
        return (Act(answer),)

    return play


def play_introduction(engine: Engine, state: SessionState, message: str, out: Outcome, _save: Save) -> tuple[Act, ...]:
    """A turn that says who the customer is."""
    engine.introduce(state, message, out)
    if state.customer_id is not None and pending(state) is None:
        state.awaiting = None  # the call that asked for it is made again
    return (Act("inform"),)


def _leave_nothing_open(state: SessionState) -> None:
    """Drop what was asked for and not read back: the program calls again."""
    if pending(state) is None:
        state.frames = []


def _whole_text(tool: Tool) -> list[Parameter]:
    return [parameter for parameter in tool.parameters if parameter.slot.source == "message"]
