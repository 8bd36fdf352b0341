"""Acts as text: a call with string arguments, read and written in one form."""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass

ENUM_ARGUMENTS = frozenset({"reason", "status"})  # inferred from the message; every other argument is copied from it


@dataclass(frozen=True, slots=True)
class Act:
    """``name(argument="value", …)``; the arguments keep their order."""

    name: str
    arguments: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        inside = ", ".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in self.arguments)
        return f"{self.name}({inside})"

    def copied(self) -> list[str]:
        """The values that must stand in the message word for word."""
        return [value for key, value in self.arguments if key not in ENUM_ARGUMENTS]


def parse_act(text: str) -> Act:
    """Read ``name(argument="value", …)``. Raises ValueError for anything else; nothing is ever evaluated."""
    try:
        call = ast.parse(text, mode="eval").body
    except (SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError(f"not an act: {text!r}") from error
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and not call.args):
        raise ValueError(f"not an act: {text!r}")
    arguments: list[tuple[str, str]] = []
    for keyword in call.keywords:
        value = keyword.value
        if keyword.arg is None or not (isinstance(value, ast.Constant) and isinstance(value.value, str)):
            raise ValueError(f"arguments of an act are strings: {text!r}")
        arguments.append((keyword.arg, value.value))
    return Act(call.func.id, tuple(arguments))
