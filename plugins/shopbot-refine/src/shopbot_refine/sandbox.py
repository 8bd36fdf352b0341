"""Playing acts through the real engine on a sandbox store: they must be understood, fail nowhere, and write nothing
without a yes. A confirmed write is really done, and then undone, so that one store serves all candidates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from datetime import datetime, timezone
from functools import lru_cache
from types import TracebackType
from typing import Any, cast

from shopbot import (
    CASE_DAY,
    PROMPT_FORMAT,
    Bot,
    Case,
    Completion,
    Config,
    Manifest,
    PluginManager,
    Reply,
    ScriptedBackend,
    Store,
    Unit,
    Written,
    open_tool,
)
from shopbot_refine.acts import parse_act
from shopbot_refine.records import Candidate

#: A message without a task in it: the engine goes on with what is open.
_HELLO, _HELLO_ACTS = "hello there", ("smalltalk()",)
#: What code may read without the model, for acts of another name.
_SAME = {"nevermind": "deny"}
#: What is read of a store, and how many answers of each are remembered.
_READS = ("customer", "customer_by_email", "customers_by_postcode", "orders", "order", "product", "products")
_REMEMBERED = 10_000


class Sandbox:
    """A bot with a scripted model on a store that stays as it is.

    ``store`` is a demo store (see :func:`shopbot.demo_stores`), ``cases`` the plugins' golden cases: their writes are
    what is read back where a candidate's state is a confirmation. Closing the sandbox closes the store.
    """

    def __init__(self, store: Store, plugins: PluginManager, config: Config, cases: Sequence[Case]) -> None:
        self._acts: tuple[str, ...] = ()
        self._asked = 0
        manifest = Manifest.model_validate(
            {
                "name": "sandbox",
                "base": {"source": "scripted", "sha256": "0" * 64},
                "prompt_format": PROMPT_FORMAT,
                "tools": tuple(plugins.tools()),
                "created": datetime(2026, 1, 1, tzinfo=timezone.utc),
            }
        )
        self._bot = Bot(
            config=config,
            store=cast("Store", _Undoing(store)),
            plugins=plugins,
            backend=_Whole(self._complete),
            manifest=manifest,
            today=lambda: CASE_DAY,
        )
        self._cases = cases
        self._session = self._bot.session().id
        self._states: dict[str, Mapping[str, Any]] = {}
        self._fresh = dict(self._load())
        who = next((case.customer for case in cases if case.customer), "")
        self._fresh["customer_id"] = self._customer(who)
        self._fresh["ticket_id"] = "sandbox"  # a session has one ticket at most, so none is opened

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bot.close()

    def play(self, candidate: Candidate) -> str:
        """Play one candidate in a session of its own. What is wrong with it, in a few words; "" if nothing is."""
        try:
            reply = self.turn(candidate.state, candidate.text, candidate.acts)
        except Exception as error:
            return f"the engine raised {type(error).__name__}"
        acts = [parse_act(act) for act in candidate.acts]
        names = sorted(act.name for act in acts)
        found = sorted(act.name for act in reply.acts)
        if any(call.effect == "write" for call in reply.tool_calls) and "affirm" not in found:
            return "a write without a yes"
        failed = next((call for call in reply.tool_calls if call.error), None)
        if failed is not None:
            return f"{failed.tool} failed with {failed.error}"
        if not self._asked:
            return "" if set(found) <= {_SAME.get(name, name) for name in names} else f"code reads it as {found}"
        if found != names:
            return f"understood as {found}"
        if self._asked == 1:  # what is in several parts of a message may lose an argument to the wrong part
            slots = sorted((act.name, key) for act in acts for key, _ in act.arguments)
            kept = {(act.name, key) for act in reply.acts for key in act.arguments}
            return next((f"{name} loses its {key}" for name, key in slots if (name, key) not in kept), "")
        return ""

    def turn(self, state: str, text: str, acts: Sequence[str]) -> Reply:
        """The bot's reply to a message that comes in a dialogue state and is understood as these acts."""
        if state not in self._states:
            self._states[state] = self._prepare(state)
        return self._turn(self._states[state], text, acts)

    def _turn(self, state: Mapping[str, Any], text: str, acts: Sequence[str]) -> Reply:
        """One turn in the session, which is put into ``state`` before."""
        self._bot.store.save_session(self._session, {**state, "id": self._session}, version=1)
        self._acts, self._asked = tuple(acts), 0
        return self._bot.ask(self._session, text)

    def _complete(self, _prompt: str) -> str:
        """The scripted model. Of a message that is read in parts, the first part gives all acts."""
        self._asked += 1
        return "\n".join(self._acts) if self._asked == 1 else ""

    def _load(self) -> Mapping[str, Any]:
        saved = self._bot.store.load_session(self._session)
        assert saved is not None
        return saved[0]

    def _customer(self, email: str) -> str | None:
        customer = self._bot.store.customer_by_email(email) if email else None
        return customer.id if customer else None

    def _prepare(self, state: str) -> Mapping[str, Any]:
        """A session in this dialogue state, with what is certain and nothing more."""
        asking, _, subject = state.partition(" ")
        tool, _, slot = subject.partition(".")
        if asking == "after":
            return {**self._fresh, "last_tool": subject}
        if state == "ask identity":
            tool = next((one.name for one in self._bot.tools.values() if one.identity == "customer"), "")
            return {**self._fresh, "customer_id": None, **_asking(tool, "identity")}
        if asking == "ask":
            return {**self._fresh, **_asking(tool, "slot", slot)}
        if asking == "confirm":
            for customer, frame in self._writes(open_tool(state) or ""):
                self._turn({**self._fresh, "customer_id": customer, "frames": [frame]}, _HELLO, _HELLO_ACTS)
                read_back = self._load()
                awaiting = read_back.get("awaiting") or {}
                if awaiting.get("kind") == "confirmation" and awaiting.get("tool") == tool:
                    return read_back
            # nobody has shown a call of it: the bot asks whether it understood the wish, which is a yes or no as well
            return {**self._fresh, **_asking(tool, "slot", "intent", stage="guessed")}
        return self._fresh

    def _writes(self, tool: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """(customer, frame) of each write with this tool that a golden case expects."""
        for case in self._cases:
            for write in case.writes:
                if write["tool"] != tool:
                    continue
                order = self._bot.store.order(write["order"]) if "order" in write else None
                customer = order.customer_id if order else self._customer(case.customer or write.get("customer", ""))
                if customer:
                    bound = {slot: value for slot, value in write.items() if slot not in ("tool", "customer")}
                    yield customer, {"tool": tool, "bound": bound}


class _Whole(ScriptedBackend):
    """A scripted model that is never cut: the first part of a message may give more acts than fit its length."""

    def complete(
        self,
        prompt: str,
        *,
        grammar: str | None = None,
        max_tokens: int = 128,  # noqa: ARG002 - see above
        bias: Mapping[str, float] | None = None,
    ) -> Completion:
        self.prompts.clear()  # a run of many candidates keeps none of what was asked
        self.grammars.clear()
        self.biases.clear()
        return super().complete(prompt, grammar=grammar, max_tokens=1 << 20, bias=bias)


class _Undone(Exception):  # noqa: N818 - no error: it carries the result out of the transaction
    def __init__(self, result: Mapping[str, Any]) -> None:
        super().__init__()
        self.result = result


class _Undoing:
    """A store whose writes are done and rolled back, and that keeps sessions in memory; the rest is the store's own.

    Nothing ever changes in it, so what was read is remembered: most candidates ask for the same few orders.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._sessions: dict[str, Mapping[str, Any]] = {}
        for name in _READS:
            setattr(self, name, lru_cache(_REMEMBERED)(getattr(store, name)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def load_session(self, session_id: str) -> tuple[Mapping[str, Any], int] | None:
        saved = self._sessions.get(session_id)
        return None if saved is None else (deepcopy(saved), 1)

    def save_session(
        self,
        session_id: str,
        state: Mapping[str, Any],
        *,
        version: int,
        messages: object = (),  # noqa: ARG002 - what was said is kept nowhere
    ) -> int:
        self._sessions[session_id] = state
        return max(1, version)

    def execute(
        self,
        call_id: str,
        *,
        session_id: str,
        customer_id: str,
        tool: str,
        arguments: Mapping[str, Any],
        action: Callable[[Unit], Mapping[str, Any]],
        session_version: int | None = None,  # noqa: ARG002 - no other process has the sandbox's sessions
    ) -> Written:
        def undo(unit: Unit) -> Mapping[str, Any]:
            raise _Undone(action(unit))

        asked: dict[str, Any] = {"session_id": session_id, "customer_id": customer_id, "tool": tool}
        try:
            return self._store.execute(call_id, **asked, arguments=arguments, action=undo)
        except _Undone as done:
            return Written(call_id, **asked, arguments=arguments, result=done.result, written_at=_NEVER)


_NEVER = datetime(1970, 1, 1, tzinfo=timezone.utc)


def _asking(tool: str, kind: str, slot: str | None = None, *, stage: str = "open") -> dict[str, Any]:
    return {
        "frames": [{"tool": tool, "stage": stage}],
        "awaiting": {"kind": kind, "tool": tool, "slot": slot, "choices": []},
    }
