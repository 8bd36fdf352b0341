"""The tools as an MCP client sees them: the plugins' own, and two that belong to the conversation."""

from __future__ import annotations

from typing import Annotated

import pydantic
from mcp import types

from shopbot.calls import call_schema
from shopbot.tools import Tool

IDENTIFY, CONFIRM = "identify", "confirm"
_READ_BACK = " Nothing is changed yet: the action is read back, and 'confirm' does it after the customer's yes."


def _one(pattern: str, longest: int) -> pydantic.types.StringConstraints:
    return pydantic.StringConstraints(strip_whitespace=True, pattern=pattern, max_length=longest)


class Introduction(pydantic.BaseModel):
    """Say who the customer is, before anything about their orders: their e-mail address, or full name and postcode."""

    model_config = pydantic.ConfigDict(extra="forbid")
    # one address, one name, one postcode: a list of them would be many guesses in one
    email: Annotated[str, _one(r"^[^@\s,;]*@?[^@\s,;]*$", 254)] = ""
    name: Annotated[str, _one(r"^[^@,;\d]*$", 100)] = ""
    postcode: Annotated[str, _one(r"^[\w -]*$", 12)] = ""

    @pydantic.model_validator(mode="after")
    def _says_something(self) -> Introduction:
        if not self.words:
            raise ValueError("give an e-mail address, or full name and postcode")
        return self

    @property
    def words(self) -> str:
        """What the customer would have said."""
        return ", ".join(said for said in (self.email, self.name, self.postcode) if said)


class Yes(pydantic.BaseModel):
    """Do what was read back, exactly as it was read back. Call it only after the customer has read it and said yes."""

    model_config = pydantic.ConfigDict(extra="forbid")
    confirmation_id: Annotated[str, pydantic.StringConstraints(max_length=200)]


def describe(tool: Tool) -> types.Tool:
    """A plugin's tool: a read looks up, a write only reads back."""
    is_read = tool.effect == "read"
    return types.Tool(
        name=tool.name,
        description=tool.description + ("" if is_read else _READ_BACK),
        input_schema=call_schema(tool),
        annotations=types.ToolAnnotations(read_only_hint=is_read, destructive_hint=False, open_world_hint=False),
    )


def describe_own(name: str, takes: type[pydantic.BaseModel], *, is_destructive: bool) -> types.Tool:
    """A tool of the conversation, described by the record that it takes."""
    return types.Tool(
        name=name,
        description=takes.__doc__,
        input_schema=takes.model_json_schema(),
        annotations=types.ToolAnnotations(
            read_only_hint=False, destructive_hint=is_destructive, idempotent_hint=True, open_world_hint=False
        ),
    )
