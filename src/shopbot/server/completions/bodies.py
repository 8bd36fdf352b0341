"""The shapes of OpenAI's chat completions: what is read of a request, and what is answered.

A request may say much that a bot without free text has no use for (temperature, stop, …): that is left unread. What
would change the answer and cannot be done is refused.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from time import time
from typing import Annotated, Any, Literal

import pydantic

from shopbot.server.schemas import CustomerToken
from shopbot.types import Tokens

#: Names the bot whatever checkpoint is in force.
MODEL = "shopbot"
_MAX_FUNCTIONS = 64


class TextPart(pydantic.BaseModel):
    """A piece of a message; only text is read."""

    type: Literal["text"]
    text: str


class ChatMessage(pydantic.BaseModel):
    """One message of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[TextPart] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content)
        return self.content or ""


class Function(pydantic.BaseModel):
    """A function of the client's. ``examples``, our addition: messages that mean it, with ``[parameter: words]``."""

    name: Annotated[str, pydantic.StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    description: Annotated[str, pydantic.StringConstraints(max_length=4000)] = ""
    parameters: dict[str, Any] = {}
    examples: Annotated[
        list[Annotated[str, pydantic.StringConstraints(max_length=200)]], pydantic.Field(max_length=16)
    ] = []


class FunctionTool(pydantic.BaseModel):
    """An entry of ``tools``."""

    type: Literal["function"]
    function: Function


class FunctionName(pydantic.BaseModel):
    """The function that ``tool_choice`` names."""

    name: str


class NamedChoice(pydantic.BaseModel):
    """``tool_choice``: this function and no other."""

    type: Literal["function"]
    function: FunctionName


class Metadata(pydantic.BaseModel):
    """What goes to and fro beside the messages. ``session``: as the last answer gave it."""

    session: Annotated[str, pydantic.StringConstraints(max_length=200)] | None = None
    customer_token: CustomerToken | None = None


class StreamOptions(pydantic.BaseModel):
    """``include_usage``: a last chunk that says what it cost."""

    include_usage: bool = False


class ChatRequest(pydantic.BaseModel):
    """The body of ``POST /v1/chat/completions``."""

    model: str
    messages: Annotated[list[ChatMessage], pydantic.Field(min_length=1)]
    stream: bool = False
    stream_options: StreamOptions | None = None
    tools: Annotated[list[FunctionTool], pydantic.Field(max_length=_MAX_FUNCTIONS)] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedChoice = "auto"
    parallel_tool_calls: bool | None = None
    metadata: Metadata | None = None
    store: bool | None = None
    n: Literal[1] | None = None
    response_format: dict[str, Any] | None = None

    @pydantic.field_validator("response_format")
    @classmethod
    def _text_only(cls, wanted: dict[str, Any] | None) -> dict[str, Any] | None:
        if wanted and wanted.get("type") != "text":
            raise ValueError("only text can be answered")
        return wanted

    @property
    def offers_functions(self) -> bool:
        """Whether the message is to be understood as a call of one of the client's functions."""
        return bool(self.tools) and self.tool_choice != "none"


class Completion:
    """One answer, as a whole or in chunks."""

    def __init__(self, model: str) -> None:
        self._head = {"id": f"chatcmpl-{secrets.token_urlsafe(16)}", "created": int(time()), "model": model}

    def whole(self, text: str | None, tokens: Tokens, tool_calls: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The answer in one piece."""
        message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
        if tool_calls:
            message["tool_calls"] = list(tool_calls)
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason(tool_calls)}
        return {"object": "chat.completion", **self._head, "choices": [choice], "usage": usage_json(tokens)}

    def chunk(self, delta: Mapping[str, Any], *, finish: str | None = None) -> dict[str, Any]:
        """The next piece of the answer."""
        choice = {"index": 0, "delta": dict(delta), "logprobs": None, "finish_reason": finish}
        return {"object": "chat.completion.chunk", **self._head, "choices": [choice]}

    def usage(self, tokens: Tokens) -> dict[str, Any]:
        """The chunk that says what the answer cost."""
        return {"object": "chat.completion.chunk", **self._head, "choices": [], "usage": usage_json(tokens)}


def finish_reason(tool_calls: Sequence[Mapping[str, Any]]) -> str:
    """Why the answer ends here."""
    return "tool_calls" if tool_calls else "stop"


def usage_json(tokens: Tokens) -> dict[str, Any]:
    """What an answer cost the model; nothing where code understood by itself."""
    read = tokens.read + tokens.cached
    return {
        "prompt_tokens": read,
        "completion_tokens": tokens.written,
        "total_tokens": read + tokens.written,
        "prompt_tokens_details": {"cached_tokens": tokens.cached},
    }
