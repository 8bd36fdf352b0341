"""Acts as text: the GBNF grammar that a model is held to, and the parser that reads what it wrote.

One act a line, in Python call form: ``cancel_order(order="#W42", reason="no longer needed")``. Arguments are
optional, in any order; free text is any quoted string, a choice is one of its strings. A tool or argument that is not
enabled cannot be produced, and while a task is open, facts can only be given for what it takes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from shopbot.tools import RESERVED_SLOTS, Tool
from shopbot.types import DIALOGUE_ACTS, Act

MAX_ACTS = 8
#: What an argument may be: one of these strings, any text, or a number with or without a currency.
Values = tuple[str, ...] | Literal["text", "number"]

#: A number as customers write one, with a currency before or behind it.
_NUMBER = r'''number ::= "\"" ("$" | "€" | "£" | [A-Z]{3} " "?)? [0-9] [0-9.,]* (" "? [$€£a-zA-Z]{1,8})? "\""'''
#: Free text in an argument: no line break, quotes and backslashes escaped.
_TEXT = r'''text ::= "\"" ([^"\\\x00-\x1F] | "\\" ["\\])+ "\""'''
_SPOKEN_NUMBER = re.compile(r"(?:[$€£]|[A-Z]{3} ?)?[0-9][0-9.,]*(?: ?[$€£a-zA-Z]{1,8})?")
_ACT = re.compile(r'([a-z][a-z0-9_]*)\(((?:[^"()\n]|"(?:[^"\\\n]|\\.)*")*)\)')
_ARGUMENT = re.compile(r'\s*([a-z][a-z0-9_]*)="((?:[^"\\\n]|\\.)*)"\s*(?:,|\Z)')


@dataclass(frozen=True, slots=True)
class RawAct:
    """An act as the model wrote it: ``start`` and ``name_end`` are offsets in the completion, for its confidence."""

    name: str
    arguments: Mapping[str, str]
    start: int
    name_end: int


def signatures(tools: Iterable[Tool], open_task: Tool | None = None) -> dict[str, dict[str, Values]]:
    """Act name → argument → what it may be, for the enabled tools and all dialogue acts.

    ``open_task``: the tool that asked or read back; then ``inform`` takes its slots only, else those of all tools.
    """
    tools = list(tools)
    found = {tool.name: _slots([tool]) for tool in tools}
    identity: dict[str, Values] = dict.fromkeys(RESERVED_SLOTS, "text")
    informable = _slots([open_task] if open_task else tools) | identity
    return found | {name: informable if name == "inform" else {} for name in DIALOGUE_ACTS}


def _slots(tools: Iterable[Tool]) -> dict[str, Values]:
    """What each slot may be; where tools differ on one name, all that any of them takes."""
    slots: dict[str, Values] = {}
    for parameter in (parameter for tool in tools for parameter in tool.spoken):
        is_number = parameter.kind in ("integer", "decimal")
        values: Values = parameter.choices or ("number" if is_number else "text")
        known = slots.get(parameter.name, values)
        if isinstance(known, tuple) and isinstance(values, tuple):
            slots[parameter.name] = tuple(dict.fromkeys((*known, *values)))
        else:
            slots[parameter.name] = known if known == values else "text"
    return slots


def build(tools: Iterable[Tool], open_task: Tool | None = None) -> str:
    """The GBNF grammar of the enabled tools and the dialogue acts; ``open_task`` as in :func:`signatures`."""
    acts = signatures(tools, open_task)
    rules = [rule for name, arguments in acts.items() for rule in _act_rules(name, arguments)]
    head = [f'root ::= act ("\\n" act){{0,{MAX_ACTS - 1}}}', f"act ::= {' | '.join(map(_rule, acts))}"]
    return "\n".join([*head, *rules, _TEXT, _NUMBER]) + "\n"


def parse(text: str) -> list[RawAct]:
    """Read acts; anything that is not one is skipped, for the engine may have been cut in the middle."""
    acts = []
    for match in _ACT.finditer(text):
        arguments: dict[str, str] = {}
        for key, value in _ARGUMENT.findall(match[2]):
            arguments.setdefault(key, _unquote(value))
        acts.append(RawAct(match[1], arguments, match.start(1), match.end(1) + 1))
    return acts[:MAX_ACTS]


def read(text: str) -> list[RawAct] | None:
    """Read acts in just the form that a grammar gives them; None: the text is of another form."""
    found = []
    for line in text.split("\n"):
        acts = parse(line)
        if len(acts) != 1 or str(Act(acts[0].name, acts[0].arguments)) != line:
            return None
        found += acts
    return found if len(found) <= MAX_ACTS else None


def is_possible(value: str, values: Values) -> bool:
    """Whether a grammar can produce ``value`` for an argument that may be ``values``."""
    if isinstance(values, tuple):
        return value in values
    if values == "number":
        return _SPOKEN_NUMBER.fullmatch(value) is not None
    return bool(value) and not any(char < " " for char in value)


def _act_rules(name: str, arguments: Mapping[str, Values]) -> list[str]:
    """``name(…)`` with at most as many arguments as there are; of one that is given twice, the first counts."""
    rule = _rule(name)
    if not arguments:
        return [f'{rule} ::= "{name}()"']
    argument = " | ".join(f'"{key}=" ({_value(values)})' for key, values in arguments.items())
    more = f' (", " {rule}-argument){{0,{len(arguments) - 1}}}' if len(arguments) > 1 else ""
    return [f'{rule} ::= "{name}(" ({rule}-argument{more})? ")"', f"{rule}-argument ::= {argument}"]


def _value(values: Values) -> str:
    if isinstance(values, str):
        return values
    return " | ".join(_literal(json.dumps(choice, ensure_ascii=False)) for choice in values)


def _rule(name: str) -> str:
    return name.replace("_", "-")


def _literal(text: str) -> str:
    """A GBNF string literal."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _unquote(quoted: str) -> str:
    return re.sub(r"\\(.)", r"\1", quoted)
