"""The customer's yes, asked of the human at the client and never of its model.

The protocol has two ways to ask ("elicitation"): until 2025-11-25 the server sends a request while the call waits;
since 2026-07-28 the call ends with the question, and the client calls again with the answer. An answer counts only for
a question that was asked here, about that very action, and only once.
"""

from __future__ import annotations

import secrets
from typing import Any, Literal

from mcp import MCPError, types
from mcp.server.context import ServerRequestContext
from mcp_types.version import is_version_at_least

from shopbot import phrases
from shopbot.calls import Pending

Verdict = Literal["yes", "no", "unanswered"]
_ANSWERS_BY_CALLING_AGAIN = "2026-07-28"
_KEY = "confirmation"
_SCHEMA: types.ElicitRequestedSchema = {
    "type": "object",
    "properties": {"go_ahead": {"type": "boolean", "title": "Yes, go ahead", "default": False}},
    "required": ["go_ahead"],
}


def can_ask(context: ServerRequestContext[Any]) -> bool:
    """Whether the client can put a question to its human. One that only opens web pages cannot."""
    capabilities = context.session.client_capabilities
    elicitation = capabilities.elicitation if capabilities else None
    return elicitation is not None and (elicitation.form is not None or elicitation.url is None)


class Consent:
    """Asks the human; remembers the one question that is open."""

    def __init__(self) -> None:
        self._open: tuple[str, str] | None = None

    async def ask(
        self, context: ServerRequestContext[Any], call: types.CallToolRequestParams, action: Pending
    ) -> Verdict | types.InputRequiredResult:
        """The human's verdict on ``action``, or the question that the client must put to them first."""
        question = f"{action.text} {phrases.CONFIRM}"
        if not is_version_at_least(context.protocol_version, _ANSWERS_BY_CALLING_AGAIN):
            try:
                answer = await context.session.elicit_form(question, _SCHEMA, related_request_id=context.request_id)
            except MCPError:
                return "unanswered"
            return _verdict(answer)
        given = (call.input_responses or {}).get(_KEY)
        if isinstance(given, types.ElicitResult) and self._open == (action.id, call.request_state):
            self._open = None
            return _verdict(given)
        ticket = secrets.token_urlsafe(18)
        self._open = (action.id, ticket)
        form = types.ElicitRequestFormParams(message=question, requested_schema=_SCHEMA)
        return types.InputRequiredResult(input_requests={_KEY: types.ElicitRequest(params=form)}, request_state=ticket)


def _verdict(answer: types.ElicitResult) -> Verdict:
    if answer.action == "accept":
        return "yes" if (answer.content or {}).get("go_ahead") is True else "no"
    return "no" if answer.action == "decline" else "unanswered"
