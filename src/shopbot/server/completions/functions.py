"""A client's own functions, understood by the model on this box: functions become tools, acts become tool calls.

Nothing is run here. A function is found as a plugin's tool is that the model was not trained on: by example messages,
here the function's ``examples``, description and name. The model copies arguments from the message; what is not
there stays out.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from shopbot.errors import CallError
from shopbot.server.completions.bodies import ChatRequest, Function, NamedChoice
from shopbot.tools import Parameter, Slot, SlotKind, Tool
from shopbot.types import DIALOGUE_ACTS, Act

_MAX_PARAMETERS, _MAX_CHOICES, _MAX_CHOICE_CHARS = 32, 64, 100
_EXAMPLE_ARGUMENT = re.compile(r"\[([A-Za-z0-9_-]+):")
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
_NULL = ("null", {"type": "null"})
#: An act is decided by the first word of its name, so a tool must not begin like a dialogue act.
_DIALOGUE_WORDS = frozenset(name.partition("_")[0] for name in DIALOGUE_ACTS)


@dataclass(frozen=True, slots=True)
class _Argument:
    """A parameter in the client's spelling, and how the customer's words become its JSON value; None: they do not."""

    name: str
    value: Callable[[str], Any]


class Functions:
    """The functions of one request, as tools. :class:`CallError` names what cannot be used."""

    def __init__(self, request: ChatRequest) -> None:
        wanted = request.tool_choice.function.name if isinstance(request.tool_choice, NamedChoice) else None
        offered = [tool.function for tool in request.tools or ()]
        functions = [function for function in offered if wanted in (None, function.name)]
        if not functions:
            raise CallError(f"tool_choice: there is no function '{wanted}' in tools.")
        #: Whether the message must be a call of one of them.
        self.is_required = wanted is not None or request.tool_choice == "required"
        self._one_call = request.parallel_tool_calls is False
        self._spelling: dict[str, tuple[str, dict[str, _Argument]]] = {}
        self.tools = tuple(self._as_tool(function) for function in functions)

    def calls(self, acts: Sequence[Act]) -> list[dict[str, Any]]:
        """The acts that mean one of the functions, as ``tool_calls``."""
        found = []
        for act in acts:
            if act.name in self._spelling:
                name, arguments = self._spelling[act.name]
                given = {arguments[slot].name: arguments[slot].value(words) for slot, words in act.arguments.items()}
                said = {key: value for key, value in given.items() if value is not None}
                written = json.dumps(said, ensure_ascii=False)
                call_id = f"call_{secrets.token_urlsafe(16)}"
                found.append({"id": call_id, "type": "function", "function": {"name": name, "arguments": written}})
        return found[:1] if self._one_call else found

    def _as_tool(self, function: Function) -> Tool:
        name = _unused(_snake(function.name), self._spelling, also=_DIALOGUE_WORDS)
        arguments: dict[str, _Argument] = {}
        parameters = []
        properties = function.parameters.get("properties", {})
        required = function.parameters.get("required", [])
        if not isinstance(properties, dict) or not isinstance(required, list) or len(properties) > _MAX_PARAMETERS:
            raise CallError(f"{function.name}: 'parameters' must be the JSON schema of an object of few properties.")
        for key, schema in properties.items():
            read = _read_schema(schema)
            if read is None:
                if key in required:
                    _refuse(function, key)
                continue  # an optional one that no message can fill is never given
            kind, choices, value = read
            slot = _unused(_snake(key), arguments)
            arguments[slot] = _Argument(key, value)
            parameters.append(Parameter(slot, kind, Slot("?"), key in required, choices))
        self._spelling[name] = (function.name, arguments)
        slots = {argument.name: slot for slot, argument in arguments.items()}
        examples = [
            _EXAMPLE_ARGUMENT.sub(lambda match: f"[{slots.get(match[1], match[1])}:", example)
            for example in function.examples
        ]
        about = " ".join(function.description.split())[:200]
        return Tool(
            name=name,
            description=about or name,
            function=_never_called,
            effect="read",
            identity="none",
            parameters=tuple(parameters),
            examples=tuple(example for example in (*examples, about, name.replace("_", " ")) if example),
        )


def _read_schema(schema: Any) -> tuple[SlotKind, tuple[str, ...], Callable[[str], Any]] | None:
    """Kind, choices and conversion for the JSON schema of one parameter; None where no words could fill it."""
    if not isinstance(schema, dict):
        return None
    schema = _without_null(schema)
    enum = schema.get("enum")
    if enum is not None:
        is_plain = isinstance(enum, list) and 0 < len(enum) <= _MAX_CHOICES and all(map(_is_choice, enum))
        return ("choice", tuple(enum), str) if is_plain else None
    match schema.get("type", "string"):
        case "string":
            return "text", (), str
        case "integer":
            return "integer", (), lambda words: _number(words, int)
        case "number":
            return "decimal", (), lambda words: _number(words, float)
        case "boolean":
            return "choice", ("true", "false"), lambda words: words == "true"
    return None


def _without_null(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """``{"type": ["string", "null"]}`` and ``{"anyOf": [{"type": "string"}, {"type": "null"}]}`` are strings."""
    either = schema.get("anyOf", schema.get("type"))
    if not isinstance(either, list):
        return schema
    kinds = [kind if isinstance(kind, dict) else {"type": kind} for kind in either if kind not in _NULL]
    return kinds[0] if len(kinds) == 1 else {"type": "several"}


def _is_choice(value: object) -> bool:
    return isinstance(value, str) and value.isprintable() and 0 < len(value) <= _MAX_CHOICE_CHARS


def _number(words: str, kind: type[int] | type[float]) -> int | float | None:
    """The number in the words, whole where it must be; None if there is none."""
    match = _NUMBER.search(words)
    value = float(match[0].replace(",", "")[:30]) if match else None
    if value is None or kind is float:
        return value
    return int(value) if value.is_integer() else None


def _snake(name: str) -> str:
    """``getWeather-now`` → ``get_weather_now``: as tools and their slots are spelt."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    plain = re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")[:32]
    return plain if plain[:1].isalpha() else f"do_{plain}".rstrip("_")


def _unused(name: str, taken: Mapping[str, object], *, also: frozenset[str] = frozenset()) -> str:
    name = f"do_{name}" if name.partition("_")[0] in also else name
    number = 2
    unused = name
    while unused in taken:
        unused, number = f"{name}_{number}", number + 1
    return unused


def _refuse(function: Function, key: str) -> NoReturn:
    raise CallError(
        f"{function.name}: no message can fill the required parameter '{key[:64]}'.",
        remedy="Use a string, an enum of strings, an integer, a number or a boolean.",
    )


def _never_called(*_arguments: object, **_named: object) -> NoReturn:
    raise AssertionError("a client's function runs at the client")
