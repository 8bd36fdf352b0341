"""Acts as text: the GBNF grammar that a model is held to, and the parser that reads what it wrote.

One act a line, in Python call form: ``cancel_order(order="#W42", reason="no longer needed")``. Arguments are
optional, in the tool's order; free text is any quoted string, a choice is one of its strings. A tool or argument that
is not enabled cannot be produced.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from shopbot.tools import RESERVED_SLOTS, Tool
from shopbot.types import DIALOGUE_ACTS

MAX_ACTS = 8

#: Free text in an argument: no line break, quotes and backslashes escaped.
_STRING = r'''string ::= "\"" ([^"\\\x00-\x1F] | "\\" ["\\])+ "\""'''
_ACT = re.compile(r'([a-z][a-z0-9_]*)\(((?:[^"()\n]|"(?:[^"\\\n]|\\.)*")*)\)')
_ARGUMENT = re.compile(r'\s*([a-z][a-z0-9_]*)="((?:[^"\\\n]|\\.)*)"\s*(?:,|\Z)')


@dataclass(frozen=True, slots=True)
class RawAct:
    """An act as the model wrote it: ``start`` and ``name_end`` are offsets in the completion, for its confidence."""

    name: str
    arguments: Mapping[str, str]
    start: int
    name_end: int


def signatures(tools: Iterable[Tool]) -> dict[str, dict[str, tuple[str, ...]]]:
    """Act name → argument → its choices (empty: free text), for the enabled tools and all dialogue acts."""
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    informable: dict[str, tuple[str, ...]] = {}
    for tool in tools:
        found[tool.name] = {parameter.name: parameter.choices for parameter in tool.spoken}
        for parameter in tool.spoken:
            merged = (*informable.get(parameter.name, ()), *parameter.choices)
            informable[parameter.name] = tuple(dict.fromkeys(merged))
    informable |= dict.fromkeys(RESERVED_SLOTS, ())
    for name in DIALOGUE_ACTS:
        found[name] = informable if name == "inform" else {}
    return found


def build(tools: Iterable[Tool]) -> str:
    """The GBNF grammar of the enabled tools and the dialogue acts."""
    rules: list[str] = []
    names: list[str] = []
    for name, arguments in signatures(tools).items():
        names.append(_rule(name))
        rules += _act_rules(name, arguments)
    head = [f'root ::= act ("\\n" act){{0,{MAX_ACTS - 1}}}', f"act ::= {' | '.join(names)}"]
    return "\n".join([*head, *rules, _STRING]) + "\n"


def parse(text: str) -> list[RawAct]:
    """Read acts; anything that is not one is skipped, for the engine may have been cut in the middle."""
    acts = []
    for match in _ACT.finditer(text):
        arguments = {key: _unquote(value) for key, value in _ARGUMENT.findall(match[2])}
        acts.append(RawAct(match[1], arguments, match.start(1), match.end(1) + 1))
    return acts[:MAX_ACTS]


def _act_rules(name: str, arguments: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Each argument at most once, in order: ``t-i ::= argument_i (", " (t-j | …))?`` for j > i."""
    rule = _rule(name)
    keys = list(arguments)
    if not keys:
        return [f'{rule} ::= "{name}()"']
    tails = [f"{rule}-{position}" for position in range(len(keys))]
    rules = [f'{rule} ::= "{name}(" ({" | ".join(tails)})? ")"']
    for position, key in enumerate(keys):
        value = " | ".join(_literal(json.dumps(choice, ensure_ascii=False)) for choice in arguments[key]) or "string"
        later = tails[position + 1 :]
        tail = f' (", " ({" | ".join(later)}))?' if later else ""
        rules.append(f'{tails[position]} ::= "{key}=" ({value}){tail}')
    return rules


def _rule(name: str) -> str:
    return name.replace("_", "-")


def _literal(text: str) -> str:
    """A GBNF string literal."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _unquote(quoted: str) -> str:
    return re.sub(r"\\(.)", r"\1", quoted)
