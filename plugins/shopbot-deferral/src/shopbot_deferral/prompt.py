"""What the cloud model is told: one static text with the tools, so that a provider's prompt cache helps, and the
message with its dialogue state as JSON, so that it is plain where the customer's words begin and end."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from importlib.resources import files

from shopbot import Question, Tool

_TEXT = (files("shopbot_deferral") / "prompt.txt").read_text(encoding="utf-8")
_EXAMPLES = 4
#: How a slot's value stands in a message.
_SAID: Mapping[str, str] = {
    "order": "an order: its number, or the words for it",
    "items": "things in the order, without an article",
    "variants": "the option that is wanted instead",
    "product": "a product of the shop, without an article",
    "payment": "a way to pay",
    "address": "a postal address, or the words for one",
    "integer": "a whole number",
    "decimal": "an amount of money, the number alone",
}


def messages(question: Question) -> list[dict[str, str]]:
    """The chat that asks a question."""
    asked = json.dumps({"state": question.state, "message": question.message}, ensure_ascii=False)
    return [
        {"role": "system", "content": _TEXT.replace("$tools", _shown(question.tools))},
        {"role": "user", "content": asked},
    ]


def _shown(tools: Iterable[Tool]) -> str:
    return "\n".join(_lines(tool) for tool in sorted(tools, key=lambda tool: tool.name))


def _lines(tool: Tool) -> str:
    """A tool: its signature and what it does, a line for each slot, some examples."""
    slots = ", ".join(parameter.name for parameter in tool.spoken)
    lines = [f"{tool.name}({slots}): {tool.description.splitlines()[0]}"]
    for parameter in tool.spoken:
        choices = " | ".join(json.dumps(choice, ensure_ascii=False) for choice in parameter.choices)
        said = f"one of {choices}" if choices else _SAID.get(parameter.kind, "the words for it")
        lines.append(f"  {parameter.name}: {said}")
    lines.append(f"  as in: {' / '.join(tool.examples[:_EXAMPLES])}")
    return "\n".join(lines)
