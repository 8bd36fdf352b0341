"""The server: one shopbot session, whose turns are the tool calls of one MCP client.

The client's model is a stranger. It gets no rule of its own: every call is a turn of the engine (see
:mod:`shopbot.calls`), for a customer whom it cannot choose, and what was read back is done only after a yes that a
model cannot give.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import anyio
import pydantic
from anyio import to_thread
from mcp import types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

import shopbot
from shopbot.bot import Bot
from shopbot.errors import CallError, DuplicateNameError, SessionError
from shopbot.mcp import wording
from shopbot.mcp.consent import Consent, can_ask
from shopbot.mcp.tools import CONFIRM, IDENTIFY, Introduction, Yes, describe, describe_own
from shopbot.server.limits import BusyError, RateLimit
from shopbot.types import Reply

T = TypeVar("T")
Context = ServerRequestContext[Any]
_log = logging.getLogger(__name__)


class ToolServer:
    """Answers one MCP client.

    ``customer_token``: the one customer whom it serves, for as long as it runs; None: nobody, until the client has said
    who the customer is, where identity.accept allows that. ``confirms_by_client``: whether the client's word is enough
    for a write where it cannot ask its human; then its model could say yes by itself.

    Raises :class:`~shopbot.errors.TokenError`, or :class:`~shopbot.errors.DuplicateNameError` where a plugin has a tool
    of the name of one that is needed here.
    """

    def __init__(self, bot: Bot, *, customer_token: str | None = None, confirms_by_client: bool = False) -> None:
        for name in (IDENTIFY, CONFIRM):
            if name in bot.tools:
                raise DuplicateNameError(
                    f"Plugin '{bot.plugins.owner(name)}' has a tool '{name}', a name that MCP clients need.",
                    remedy="Uninstall it or rename the tool.",
                )
        self._bot = bot
        # what a foreign model writes is nothing to learn from
        session = bot.session(customer_token=customer_token, allows_refine=False)
        self._session_id = session.id
        self._customer_id = session.view.customer_id
        self._may_identify = self._customer_id is None and set(bot.config.identity.accept) != {"token"}
        self._confirms_by_client = confirms_by_client
        self._consent = Consent()
        self._agreed: set[str] = set()
        self._limit = RateLimit(bot.config.server.messages_per_minute)
        self._renewing = threading.Lock()

    def as_server(self) -> Server[Any]:
        """The SDK's server, to be run on a transport."""
        return Server(
            "shopbot",
            version=shopbot.__version__,
            instructions=wording.INSTRUCTIONS.format(shop=self._bot.config.shop.name),
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
        )

    async def _list_tools(self, _context: Context, _page: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        tools = [describe(tool) for tool in self._bot.tools.values()]
        if self._may_identify:
            tools.append(describe_own(IDENTIFY, Introduction, is_destructive=False))
        tools.append(describe_own(CONFIRM, Yes, is_destructive=True))
        return types.ListToolsResult(tools=tools)

    async def _call_tool(
        self, context: Context, call: types.CallToolRequestParams
    ) -> types.CallToolResult | types.InputRequiredResult:
        """Every failure is a result that the client's model can read, and says nothing of what is inside."""
        try:
            self._limit.take("")
            session_id = await _run(self._session)
            if call.name == CONFIRM:
                return await self._confirm(context, call, session_id)
            if call.name == IDENTIFY and self._may_identify:
                said = Introduction.model_validate(call.arguments or {})
                return self._result(await _run(self._bot.introduce, session_id, said.words))
            return await self._play(context, call, session_id)
        except BusyError as busy:
            return _refusal(wording.TOO_FAST.format(seconds=busy.retry_after_s))
        except pydantic.ValidationError as error:
            first = error.errors()[0]
            return _refusal(f"{'.'.join(map(str, first['loc'])) or 'arguments'}: {first['msg']}.")
        except (CallError, SessionError) as error:
            return _refusal(str(error))
        except Exception:
            _log.exception("a tool call failed")
            return _refusal(wording.FAILED)

    def _session(self) -> str:
        """The session to go on with: another one where the last was idle for so long that it has been erased or, with
        a customer who is known for good, has become too long."""
        with self._renewing:
            with contextlib.suppress(SessionError):
                view = self._bot.view(self._session_id)
                if self._customer_id is None or view.turns < self._bot.config.session.max_turns:
                    return self._session_id
            self._session_id = self._bot.session(allows_refine=False).id
            if self._customer_id is not None:
                self._bot.identify(self._session_id, self._customer_id)
            return self._session_id

    async def _play(self, context: Context, call: types.CallToolRequestParams, session_id: str) -> types.CallToolResult:
        tool = self._bot.tools.get(call.name)
        is_write = tool is not None and tool.effect == "write"
        if is_write and not self._may_write(context):
            return _refusal(wording.NO_WRITES)
        reply = await _run(self._bot.call, session_id, call.name, call.arguments or {})
        return await self._with_read_back(reply, session_id) if is_write else self._result(reply)

    async def _confirm(
        self, context: Context, call: types.CallToolRequestParams, session_id: str
    ) -> types.CallToolResult | types.InputRequiredResult:
        """Do what was read back. Where the client can ask its human, nothing but the human's yes gets there."""
        given = Yes.model_validate(call.arguments or {}).confirmation_id
        if not self._may_write(context):
            return _refusal(wording.NO_WRITES)
        if can_ask(context) and given not in self._agreed:
            action = await _run(self._bot.pending, session_id)
            if action is None or action.id != given:
                return _refusal(wording.NOTHING_WAITS)
            verdict = await self._consent.ask(context, call, action)
            if isinstance(verdict, types.InputRequiredResult):
                return verdict
            if verdict == "unanswered":
                return _refusal(wording.UNANSWERED)
            if verdict == "no":
                return self._result(await _run(self._bot.decline, session_id, given))
            self._agreed.add(given)
        return await self._with_read_back(await _run(self._bot.confirm, session_id, given), session_id)

    def _may_write(self, context: Context) -> bool:
        return can_ask(context) or self._confirms_by_client

    async def _with_read_back(self, reply: Reply, session_id: str) -> types.CallToolResult:
        """The reply, and where it reads an action back, the id to confirm it by."""
        action = await _run(self._bot.pending, session_id)
        return self._result(reply, action.id if action and action.text in reply.text else None)

    def _result(self, reply: Reply, confirmation_id: str | None = None) -> types.CallToolResult:
        texts = [reply.text or wording.WITH_HUMAN]
        if confirmation_id:
            texts.append(wording.READ_BACK.format(id=confirmation_id))
        if reply.awaiting is not None and reply.awaiting.kind == "identity":
            texts = [*texts, wording.WHO] if self._may_identify else [wording.NOBODY]
        results = [{"tool": one.tool, "result": dict(one.result)} for one in reply.tool_calls if one.error is None]
        return types.CallToolResult(
            content=[types.TextContent(type="text", text=text) for text in texts],
            structured_content={"reply": texts[0], "results": results, "confirmation_id": confirmation_id},
            is_error=any(one.error for one in reply.tool_calls),
        )


def serve_stdio(server: ToolServer) -> None:
    """Serve the client at the other end of stdin and stdout until it goes away. A call under way ends first."""

    async def serve() -> None:
        sdk = server.as_server()
        async with stdio_server() as (read, write):
            await sdk.run(read, write, sdk.create_initialization_options())

    anyio.run(serve)


def _refusal(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=True)


async def _run(work: Callable[..., T], *arguments: Any) -> T:
    """In a thread. Not abandoned when the client cancels: a turn that has begun runs to its end."""
    return await to_thread.run_sync(partial(work, *arguments))
