"""Chat completions: the body that asks a request, and what an answer's body holds. The same live and in a batch."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import jsonschema

from shopbot_refine.teachers import Failure, Request

_MOST_TOKENS = 10**9


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the teacher said. ``content`` is kept where ``failure`` calls it malformed. Tokens are None where the
    endpoint does not tell them."""

    content: str
    failure: Failure = ""
    detail: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Dialect:
    """What an endpoint understands: schemas, or only "some JSON object"; the new or the old name of the limit."""

    has_schemas: bool = True
    limit: str = "max_completion_tokens"

    def write_body(self, request: Request, model: str) -> dict[str, Any]:
        """The body of POST /chat/completions."""
        system, form = request.system, dict[str, Any](type="json_object")
        if self.has_schemas:
            form = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": request.schema}}
        else:
            system += f"\n\nAnswer with one JSON object of this schema: {json.dumps(request.schema)}"
        messages = [{"role": "system", "content": system}, {"role": "user", "content": request.user}]
        return {"model": model, "messages": messages, "response_format": form, self.limit: request.max_output_tokens}

    def without(self, complaint: str) -> Dialect | None:
        """The simpler dialect for an endpoint that refused with ``complaint``; None: it was not about that."""
        if self.has_schemas and ("response_format" in complaint or "json_schema" in complaint):
            return replace(self, has_schemas=False)
        if self.limit == "max_completion_tokens" and self.limit in complaint:
            return replace(self, limit="max_tokens")
        return None


def read_completion(body: object, schema: dict[str, Any] | None) -> Outcome:
    """What a chat completion holds. ``schema`` None: only that it is JSON is checked. Never raises for what came in."""
    usage = body.get("usage") if isinstance(body, dict) else None
    usage = usage if isinstance(usage, dict) else {}
    tokens = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
    try:
        choice = body["choices"][0]  # type: ignore[index]
        message, finish = choice["message"], choice.get("finish_reason")
        content, refusal = message.get("content"), message.get("refusal")
    except (AttributeError, IndexError, KeyError, TypeError):
        return Outcome("", "malformed", "no chat completion", *tokens)
    if refusal or finish == "content_filter":
        return Outcome("", "refused", "by the provider's filter" if finish == "content_filter" else "", *tokens)
    if not isinstance(content, str):
        return Outcome("", "malformed", "no content", *tokens)
    detail = f"cut at {tokens[1]} tokens" if finish == "length" else _find_fault(content, schema)
    storable = content.encode("utf-8", "backslashreplace").decode("utf-8")
    return Outcome(storable, "malformed" if detail else "", detail, *tokens)


def _find_fault(content: str, schema: dict[str, Any] | None) -> str:
    """Why the content is malformed, in words that quote none of it; "" where it is not."""
    try:
        content.encode()  # lone surrogates can be neither stored nor written to a file
        value = json.loads(content, parse_constant=_refuse_constant)
        json.dumps(value, ensure_ascii=False).encode()
        if schema is None:
            return ""
        error = next(jsonschema.Draft202012Validator(schema).iter_errors(value), None)
    except (ValueError, RecursionError):
        return "no JSON"
    return "" if error is None else f"not of the schema at {'/'.join(str(part) for part in error.schema_path)}"


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _count(value: object) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_TOKENS
    return value if is_count else None  # type: ignore[return-value]
