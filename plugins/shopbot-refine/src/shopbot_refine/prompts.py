"""What the teacher is asked: one static system prompt (``teacher.txt`` with the tools in it) and a small JSON question.

A question's ``user`` text is its identity (:attr:`~shopbot_refine.teachers.Request.key`): recorded and paid answers are
found by it. So its form is fixed here; a change of it asks, and pays, everything anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from shopbot import Tool
from shopbot_refine.records import LoggedTurn
from shopbot_refine.teachers import Request

#: Customers' messages are read up to here; a longer one is no message to learn from.
MAX_TEXT_CHARS = 2_000
#: More acts than this no message has.
MAX_ACTS = 8
#: How many paraphrases a judgement may bring.
MAX_PARAPHRASES = 3
JUDGE_TOKENS, WRITE_TOKENS = 800, 2_000

#: How a slot's value stands in a message.
_SAID: Mapping[str, str] = {
    "order": 'an order: its number, or their words for it ("my last order", "the order with the lamp")',
    "items": 'things in the order, without an article: "desk lamp", "lamp and kettle", "everything"',
    "variants": 'the option they want instead: "a white one", "size 10", "the cheapest one"',
    "product": 'a product the shop sells, without an article: "desk lamps"',
    "payment": 'a way to pay: "my visa", "PayPal", "gift card"',
    "address": "a postal address, or their words for one",
    "choice": "one of the choices; picked by meaning, need not stand in the message",
    "text": "their words",
    "integer": "a whole number",
    "decimal": "an amount of money, the number alone",
}
_TEXT = (files("shopbot_refine") / "teacher.txt").read_text(encoding="utf-8")
_STRINGS = {"type": "array", "items": {"type": "string"}}


def _object(**properties: Any) -> dict[str, Any]:
    """A JSON schema that strict structured output takes: nothing optional, nothing else."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


JUDGE_SCHEMA = _object(
    verdict={"type": "string", "enum": ["keep", "fix", "drop"]},
    acts=_STRINGS,
    why={"type": "string"},
    utterances={"type": "array", "items": _object(text={"type": "string"}, acts=_STRINGS)},
)
WRITE_SCHEMA = _object(
    utterances={"type": "array", "items": _object(state={"type": "string"}, text={"type": "string"}, acts=_STRINGS)}
)


@dataclass(frozen=True, slots=True)
class Assignment:
    """What the teacher shall write: ``count`` messages with ``act`` and exactly these ``slots``, said in ``state``.

    ``also``: acts that the message holds besides; ``confusable``: acts it should be mistakable for; ``avoid``: messages
    that exist.
    """

    act: str
    slots: tuple[str, ...]
    state: str
    persona: str
    mood: str
    length: str
    channel: str
    typos: str
    count: int
    also: tuple[str, ...] = ()
    confusable: tuple[str, ...] = ()
    avoid: tuple[str, ...] = ()


def system_prompt(tools: Mapping[str, Tool]) -> str:
    """What every request of a run begins with; the same for the same tools."""
    shown = "".join(_tool_text(tools[name]) for name in sorted(tools))
    return _TEXT.replace("$tools", shown)


def judge_request(turn: LoggedTurn, system: str, *, second_opinion: bool = False) -> Request:
    """Ask whether a logged turn's acts are right. ``second_opinion``: the same once more, as a question of its own."""
    question: dict[str, Any] = {
        "task": "judge",
        "state": _plain(turn.state),
        "text": _plain(turn.text),
        "logged": [_plain(act) for act in turn.acts[:MAX_ACTS]],
    }
    if turn.rating:  # a turn without feedback is the question it has always been
        question["feedback"] = _plain(f"{turn.rating}: {turn.comment}" if turn.comment else turn.rating)
    if second_opinion:
        question["second_opinion"] = True
    return Request("judge", system, json.dumps(question, ensure_ascii=False), JUDGE_SCHEMA, JUDGE_TOKENS)


def write_request(wanted: Assignment, system: str) -> Request:
    """Ask for new messages."""
    question = {
        "task": "write",
        "act": wanted.act,
        "slots": list(wanted.slots),
        "also": list(wanted.also),
        "not": list(wanted.confusable),
        "state": wanted.state,
        "persona": wanted.persona,
        "mood": wanted.mood,
        "channel": wanted.channel,
        "length": wanted.length,
        "typos": wanted.typos,
        "count": wanted.count,
        "avoid": [_plain(text) for text in wanted.avoid],
    }
    return Request("write", system, json.dumps(question, ensure_ascii=False), WRITE_SCHEMA, WRITE_TOKENS)


def _tool_text(tool: Tool) -> str:
    """A tool's signature, effect, slots, policy and examples, a line each."""
    slots = ", ".join(parameter.name for parameter in tool.spoken)
    lines = [f"## {tool.name}({slots})", f"{tool.description.splitlines()[0]} ({tool.effect})"]
    for parameter in tool.spoken:
        said = " | ".join(json.dumps(choice) for choice in parameter.choices) or _SAID[parameter.kind]
        kind = f"choice, {said}" if parameter.choices else said
        asked = f' The bot asks: "{parameter.slot.ask}"' if parameter.slot.ask else ""
        lines.append(f"- {parameter.name}: {kind}.{asked}")
    policy = (tool.policy.__doc__ or "").strip() if tool.policy else ""
    if policy:
        lines.append(f"Rule in code: {policy.splitlines()[0].replace('`', '')}")
    lines.append("Examples, copied arguments marked: " + " / ".join(tool.examples))
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """Text that JSON and UTF-8 can carry, bounded."""
    return text[:MAX_TEXT_CHARS].encode("utf-8", "replace").decode()
