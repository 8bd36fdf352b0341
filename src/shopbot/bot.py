"""The bot: opens a configuration, holds store, plugins and model, and answers turns.

::

    with Bot.open() as bot:
        session = bot.session()
        print(session.ask("where is my order?").text)
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from time import monotonic, perf_counter
from types import TracebackType
from typing import Any

from shopbot import phrases
from shopbot.backends import BackendSettings, ModelBackend
from shopbot.calls import Pending, Play, pending, play_answer, play_call, play_introduction, read_call
from shopbot.checkpoint import CheckpointStore, Manifest
from shopbot.config import Config, home, load
from shopbot.confirmation import drops, is_plain_no, is_plain_yes
from shopbot.engine import Engine, Outcome, Shop
from shopbot.errors import BackendError, CallError, ConfigError, ConflictError, SessionError, TokenError
from shopbot.identity import is_only_identity, read_token
from shopbot.merging import direct_answer
from shopbot.plugins import PluginManager
from shopbot.references.products import products_named
from shopbot.serving import Serving, Successor
from shopbot.session import SessionState, SessionView, prompt_state
from shopbot.store import Message, SessionMode, Store
from shopbot.textindex import plain
from shopbot.transcript import Recorder
from shopbot.types import Act, Awaiting, Handoff, Reply, ToolCall
from shopbot.understand import PROMPT_FORMAT, Calibration, Understanding

_log = logging.getLogger(__name__)
_MAX_LOCKS = 10_000
_RETRIES = 3
_PURGE_EVERY_S = 3600.0
_OWN_ORDER = re.compile(r"\bmy (?:\w+ ){0,2}orders?\b", re.IGNORECASE)


#: A checkpoint's manifest, if it has one, and the backend that runs it.
Opened = tuple[Manifest | None, ModelBackend]


@dataclass(frozen=True, slots=True)
class _Mind:
    """A checkpoint at work: what it is, what runs it, and what its confidence means to the engine."""

    manifest: Manifest | None
    backend: ModelBackend
    understanding: Understanding
    engine: Engine


class Bot:
    """One shop's bot. Thread-safe; turns of one session are taken one after the other.

    Made by :meth:`open`; the constructor takes the parts themselves, for tests and for embedding. ``successor`` says
    where another checkpoint comes from that takes over between two turns.
    """

    def __init__(
        self,
        *,
        config: Config,
        store: Store,
        plugins: PluginManager,
        backend: ModelBackend,
        manifest: Manifest | None = None,
        recorder: Recorder | None = None,
        today: Callable[[], date] = date.today,
        successor: Successor[Opened] | None = None,
    ) -> None:
        self.config = config
        self.store = store
        self.plugins = plugins
        self.tools = plugins.tools()
        self._recorder = recorder
        self._today = today
        self._serving = Serving(
            self._mind((manifest, backend)),
            close=lambda mind: mind.backend.close(),
            successor=Successor(successor.stamp, lambda: self._mind(successor.open())) if successor else None,
        )
        self._purge_at = 0.0
        self._locks: OrderedDict[str, threading.RLock] = OrderedDict()
        self._locks_guard = threading.Lock()

    @classmethod
    def open(cls, config: Config | Path | str | None = None, *, strict_plugins: bool = False) -> Bot:
        """Open the configured store, plugins and checkpoint.

        Raises :class:`~shopbot.errors.ConfigError`, :class:`~shopbot.errors.StoreError`,
        :class:`~shopbot.errors.ModelError` or, with ``strict_plugins``, :class:`~shopbot.errors.PluginError`, each
        with its remedy.
        """
        from shopbot.stores.sql import open_store

        settings = config if isinstance(config, Config) else load(config)
        plugins = PluginManager.installed(settings.plugins, is_strict=strict_plugins)
        plugins.tools()
        factories = plugins.stores()
        scheme = settings.store_url.partition(":")[0]
        store: Store = factories[scheme](settings.store_url) if scheme in factories else open_store(settings.store_url)
        try:
            manifest, backend = open_backend(settings, plugins)
        except BaseException:
            store.close()
            raise
        recorder = None
        if settings.transcripts.enabled:
            recorder = Recorder(settings.transcripts_path, retention_days=settings.transcripts.retention_days)
        follows = settings.model.backend == "gguf" and not settings.model.checkpoint
        return cls(
            config=settings,
            store=store,
            plugins=plugins,
            backend=backend,
            manifest=manifest,
            recorder=recorder,
            successor=Successor(CheckpointStore(home()).current_stamp, lambda: open_backend(settings, plugins))
            if follows
            else None,
        )

    @property
    def manifest(self) -> Manifest | None:
        """The manifest of the checkpoint in force."""
        return self._serving.value.manifest

    @property
    def backend(self) -> ModelBackend:
        """The backend in force."""
        return self._serving.value.backend

    def session(
        self, session_id: str | None = None, *, customer_token: str | None = None, allows_refine: bool = True
    ) -> Session:
        """Start a session, or go on with one. ``customer_token`` identifies the customer (see :mod:`shopbot.identity`).

        ``allows_refine`` False: nothing of the session is ever learnt from, also not of what was said before.

        :class:`~shopbot.errors.SessionError` if there is no such session; :class:`~shopbot.errors.TokenError` if the
        token is no good or is somebody else's than the session's.
        """
        customer_id = None
        if customer_token:
            if "token" not in self.config.identity.accept:
                raise TokenError("This shop takes no customer tokens.", remedy="Add 'token' to identity.accept.")
            customer_id = read_token(customer_token, self.config.identity.token_secret.get_secret_value())
            if self.store.customer(customer_id) is None:
                raise TokenError("The customer token names no customer of this shop.")
        if session_id is None:
            self._purge()
            session_id = secrets.token_urlsafe(18)
            started = SessionState(session_id, allows_refine=allows_refine)
            self.store.save_session(session_id, started.as_json(), version=0)
        else:
            self._load(session_id)
            if not allows_refine:
                self._keep_out_of_refine(session_id)
        if customer_id:
            self.identify(session_id, customer_id)
        return Session(self, session_id)

    def identify(self, session_id: str, customer_id: str) -> None:
        """Bind a session to a customer whom the caller has identified already; one customer per session.

        :class:`~shopbot.errors.TokenError` if the session is another customer's.
        """
        with self._lock(session_id):
            state, version = self._load(session_id)
            if state.customer_id not in (None, customer_id):
                raise TokenError("This session belongs to another customer.", remedy="Start a new session.")
            if state.customer_id is None:
                state.customer_id, state.verified_by = customer_id, "token"
                self.store.save_session(session_id, state.as_json(), version=version)

    def _keep_out_of_refine(self, session_id: str) -> None:
        changed = self._change(session_id, allows_refine=False)
        if changed is not None and self._recorder is not None:
            # an empty turn says so for those before, should none follow
            self._recorder.record(changed, "", Reply(""), self.store)

    def _change(self, session_id: str, **values: Any) -> SessionState | None:
        """Set fields of a session beside its turns, in other processes too; None if they are so already."""
        with self._lock(session_id):
            for attempt in range(_RETRIES):
                state, version = self._load(session_id)
                if all(getattr(state, name) == value for name, value in values.items()):
                    return None
                for name, value in values.items():
                    setattr(state, name, value)
                try:
                    self.store.save_session(session_id, state.as_json(), version=version)
                    return state
                except ConflictError:
                    if attempt == _RETRIES - 1:
                        raise
        raise AssertionError("unreachable")

    def _purge(self) -> None:
        """Erase, once an hour, what ended long ago; what a human agent was asked for stays as long as transcripts."""
        with self._locks_guard:
            if monotonic() < self._purge_at:
                return
            self._purge_at = monotonic() + _PURGE_EVERY_S
        now = datetime.now(timezone.utc)
        idle = timedelta(minutes=self.config.session.idle_minutes)
        kept = max(idle, timedelta(days=self.config.transcripts.retention_days))
        self.store.purge_sessions(idle_since=now - idle, mode="bot")
        self.store.purge_sessions(idle_since=now - kept, mode="waiting")
        self.store.purge_sessions(idle_since=now - kept, mode="human")

    def ask(self, session_id: str, message: str, *, request_id: str | None = None) -> Reply:
        """Answer one message. A repeated ``request_id`` gives the first answer again and does nothing.

        Raises :class:`~shopbot.errors.SessionError` if there is no such session.
        """
        return self._take(session_id, message, request_id)

    def call(self, session_id: str, tool: str, arguments: Mapping[str, Any]) -> Reply:
        """Play a tool call that another program makes, a foreign model for instance, instead of a message.

        ``arguments`` as :func:`~shopbot.calls.call_schema` says, in the customer's words. The rules are those of a
        message; a write is read back and becomes :meth:`pending`. :mod:`shopbot.calls` says what a call leaves behind.
        Raises :class:`~shopbot.errors.CallError` for a call that fits no tool, and
        :class:`~shopbot.errors.SessionError` if there is no such session.
        """
        known = self.tools.get(tool)
        if known is None:
            raise CallError("There is no such tool.", remedy=f"There are: {', '.join(self.tools) or 'none'}.")
        act, written = read_call(known, arguments, max_chars=self.config.session.max_message_chars)
        return self._take(session_id, written, play=play_call(act, known.effect))

    def pending(self, session_id: str) -> Pending | None:
        """The action that was read back and waits for the customer's yes, if one does."""
        return pending(self._load(session_id)[0])

    def confirm(self, session_id: str, pending_id: str) -> Reply:
        """The customer's yes to exactly the action of that id. A second time gives the first reply again, and does
        nothing. The caller vouches that it was the customer who said so.

        Raises :class:`~shopbot.errors.SessionError` if that action does not wait in this session.
        """
        return self._take(session_id, "yes", f"confirm {pending_id[:80]!a}", play=play_answer(pending_id, "affirm"))

    def decline(self, session_id: str, pending_id: str) -> Reply:
        """The customer's no to the action of that id; nothing is changed. Raises as :meth:`confirm`."""
        return self._take(session_id, "no", f"decline {pending_id[:80]!a}", play=play_answer(pending_id, "deny"))

    def introduce(self, session_id: str, words: str) -> Reply:
        """Say who the customer is, in words as a customer would: an e-mail address, or full name and postcode.

        What is accepted, and how often, is as in a conversation.
        """
        return self._take(session_id, words, play=play_introduction)

    def _take(self, session_id: str, message: str, request_id: str | None = None, *, play: Play | None = None) -> Reply:
        """Take a turn: of a message that is to be understood or, with ``play``, of acts that are known."""
        with self._lock(session_id):
            for attempt in range(_RETRIES):
                try:
                    with self._serving.turn() as mind:
                        return self._turn(mind, session_id, message, request_id, play)
                except ConflictError:
                    # another process took a turn of this session in between; what it wrote is in the ledger
                    if attempt == _RETRIES - 1:
                        raise
        raise AssertionError("unreachable")

    def view(self, session_id: str) -> SessionView:
        """A read-only look at a session."""
        return SessionView.of(self._load(session_id)[0])

    def history(self, session_id: str, *, after: int = 0) -> Sequence[Message]:
        """What was said in a session, in order, from the message after number ``after`` on.

        Raises :class:`~shopbot.errors.SessionError` if there is no such session.
        """
        self._load(session_id)
        return self.store.messages(session_id, after=after)

    def set_mode(self, session_id: str, mode: SessionMode) -> None:
        """Say who answers from now on. With ``"human"`` a turn under way ends unsaid; what it wrote stays written.

        Raises :class:`~shopbot.errors.SessionError` if there is no such session.
        """
        self._change(session_id, mode=mode)

    def close(self) -> None:
        """Free the model, the store and the transcripts."""
        self._serving.close()
        self.store.close()
        if self._recorder is not None:
            self._recorder.close()

    def __enter__(self) -> Bot:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _mind(self, opened: Opened) -> _Mind:
        manifest, backend = opened
        threshold = self.config.understanding.threshold
        engine = Engine(
            Shop(
                store=self.store,
                tools=self.tools,
                tables={name: self.config.plugins.get(self.plugins.owner(name) or "", {}) for name in self.tools},
                accept=self.config.identity.accept,
                threshold=threshold if threshold >= 0 else manifest.threshold if manifest else 0.0,
                today=self._today,
                handoff_sentence=self._handoff_sentence,
            )
        )
        calibration = Calibration(**manifest.calibration) if manifest and manifest.calibration else Calibration()
        trained = manifest.tools if manifest else ()
        understanding = Understanding(
            backend,
            self.tools.values(),
            trained=trained,
            calibration=calibration,
            bias=manifest.bias if manifest else None,
        )
        return _Mind(manifest, backend, understanding, engine)

    def _turn(self, mind: _Mind, session_id: str, message: str, request_id: str | None, play: Play | None) -> Reply:
        started = perf_counter()
        state, version = self._load(session_id)
        if request_id and (said := self.store.messages(session_id, request_id=request_id)):
            return _reply_again(state, said)
        saved = [version]

        def save(*messages: Message) -> None:
            saved[0] = self.store.save_session(session_id, state.as_json(), version=saved[0], messages=messages)

        text, refusal = self._guard(message, state)
        out = Outcome()
        acts: tuple[Act, ...] = ()
        timings: dict[str, float] = {}
        read_in = ""
        mind.engine.recover(state, out)
        self.plugins.before_turn(SessionView.of(state), text)
        guarded = perf_counter()
        if refusal is not None:
            out.say(refusal)
        elif state.mode == "human":
            out.handoff = _with_human_agent(state)
        elif play is not None:
            acts = play(mind.engine, state, text, out, save)
        else:
            mind.engine.take_identity(state, text, out)
            read_in = prompt_state(state)
            acts, timings = self._understand(mind, state, text)
            planned = perf_counter()
            mind.engine.play(state, text, acts, out, save)
            timings = {**timings, "plan": 1e3 * (perf_counter() - planned)}
        state.turns += 1
        state.gist = [*state.gist, text[:200]][-6:]
        timings = {"guard": 1e3 * (guarded - started), **timings, "total": 1e3 * (perf_counter() - started)}
        reply = Reply("\n\n".join(out.texts), acts, tuple(out.tool_calls), state.awaiting, out.handoff, timings)
        save(*_messages(state, text, reply, request_id))
        if self._recorder is not None:
            name = mind.manifest.name if mind.manifest else None
            self._recorder.record(state, text, reply, self.store, checkpoint=name, read_in=read_in)
        self.plugins.after_turn(SessionView.of(state), reply)
        return reply

    def _guard(self, message: str, state: SessionState) -> tuple[str, str | None]:
        """The message in plain letters (NFKC), without control characters, and what to answer at once if it is none."""
        limit = self.config.session.max_message_chars
        text = plain(message[: limit + 1]).strip()
        if max(len(message), len(text)) > limit:
            return text[:limit], phrases.TOO_LONG.format(limit=limit)
        if not any(char.isalnum() for char in text):
            return text, phrases.EMPTY
        if state.turns >= self.config.session.max_turns and state.mode != "human":
            return text, phrases.TOO_MANY_TURNS
        return text, None

    def _understand(self, mind: _Mind, state: SessionState, text: str) -> tuple[tuple[Act, ...], dict[str, float]]:
        """Acts of the message: by code where a plain yes, no, pick or identity is all there is, else by the model."""
        awaiting = state.awaiting
        if direct_answer(state, text):
            return (Act("inform"),), {}
        if awaiting is not None and is_plain_yes(text):
            return (Act("affirm"),), {}
        if awaiting is not None and (is_plain_no(text) or drops(text)):
            return (Act("deny"),), {}
        if awaiting is not None and awaiting.kind == "identity" and state.customer_id:
            customer = self.store.customer(state.customer_id)
            if customer is not None and is_only_identity(text, customer):
                return (Act("inform", {"name": text}),), {}
        if _is_foreign_script(text):
            return (Act("other_language"),), {}
        try:
            understood = mind.understanding(text, prompt_state(state))
            if [act.name for act in understood.acts] == ["out_of_scope"] and self._is_about_the_shop(text):
                understood = mind.understanding.within_scope(text, prompt_state(state), understood)
        except BackendError:
            _log.warning("the backend failed", exc_info=True)
            return (), {}
        return understood.acts, dict(understood.timings_ms)

    def _is_about_the_shop(self, text: str) -> bool:
        """Whether the message names a product of the catalogue or speaks of an order of the customer's own."""
        return bool(_OWN_ORDER.search(text) or products_named(self.store.products(), text))

    def _load(self, session_id: str) -> tuple[SessionState, int]:
        saved = self.store.load_session(session_id) if session_id else None
        if saved is None:
            raise SessionError("There is no such session.", remedy="Start a new one.")
        return SessionState.from_json(saved[0]), saved[1]

    def _lock(self, session_id: str) -> threading.RLock:
        with self._locks_guard:
            lock = self._locks.pop(session_id, None) or threading.RLock()
            self._locks[session_id] = lock
            if len(self._locks) > _MAX_LOCKS:
                self._locks.popitem(last=False)
            return lock

    def _handoff_sentence(self, state: SessionState, reason: str, summary: str) -> str | None:
        return self.plugins.handoff(SessionView.of(state), reason, summary)


class Session:
    """A handle on one session of a bot."""

    def __init__(self, bot: Bot, session_id: str) -> None:
        self._bot = bot
        self.id = session_id

    def ask(self, message: str, *, request_id: str | None = None) -> Reply:
        """Answer one message; see :meth:`Bot.ask`."""
        return self._bot.ask(self.id, message, request_id=request_id)

    def history(self, *, after: int = 0) -> Sequence[Message]:
        """What was said; see :meth:`Bot.history`."""
        return self._bot.history(self.id, after=after)

    @property
    def view(self) -> SessionView:
        return self._bot.view(self.id)


def open_backend(config: Config, plugins: PluginManager) -> tuple[Manifest | None, ModelBackend]:
    """The configured backend with the configured, promoted or shipped checkpoint."""
    from shopbot.backends.gguf import GgufBackend
    from shopbot.models import locate_model

    threads = config.model.threads or min(4, os.cpu_count() or 1)
    name = config.model.backend
    factories = plugins.backends()
    if name in factories:
        settings = BackendSettings(None, threads=threads, slots=config.model.slots, context=config.model.context)
        return None, factories[name](settings)
    if name != "gguf":
        known = ", ".join(sorted([*factories, "gguf"]))
        raise ConfigError(f"There is no backend '{name}'.", remedy=f"Known: {known}.")
    checkpoints = CheckpointStore(home())
    checkpoint = checkpoints.load(config.model.checkpoint) if config.model.checkpoint else checkpoints.current()
    if checkpoint.manifest.prompt_format != PROMPT_FORMAT:
        raise ConfigError(
            f"Checkpoint '{checkpoint.manifest.name}' is of another prompt format.", remedy="Update shopbot."
        )
    model = locate_model(checkpoint.base_source(config.model.source), sha256=checkpoint.manifest.base.sha256)
    settings = BackendSettings(
        model, checkpoint.lora_path, threads=threads, slots=config.model.slots, context=config.model.context
    )
    return checkpoint.manifest, GgufBackend(settings)


def reply_from_json(saved: Mapping[str, Any]) -> Reply:
    """The reply whose :meth:`Reply.as_json` was saved."""
    awaiting, handoff = saved["awaiting"], saved["handoff"]
    return Reply(
        saved["reply"],
        tuple(Act(**act) for act in saved["acts"]),
        tuple(ToolCall(**call) for call in saved["tool_calls"]),
        Awaiting(**{**awaiting, "choices": tuple(awaiting["choices"])}) if awaiting else None,
        Handoff(**handoff) if handoff else None,
        saved["timings_ms"],
    )


def _messages(state: SessionState, text: str, reply: Reply, request_id: str | None) -> list[Message]:
    """A turn as the session's messages; the bot says nothing while a human agent has the session."""
    said = [Message("customer", text, {"turn": state.turns}, request_id)]
    if reply.text:
        payload = {"turn": state.turns, **reply.as_json()}
        del payload["reply"]
        said.append(Message("bot", reply.text, payload, request_id))
    return said


def _reply_again(state: SessionState, said: Sequence[Message]) -> Reply:
    """The reply that a request got the first time, from the messages it came to."""
    for message in said:
        if message.role == "bot":
            return reply_from_json({**message.payload, "reply": message.text})
    return Reply("", handoff=_with_human_agent(state))


def _with_human_agent(state: SessionState) -> Handoff:
    return Handoff("with a human agent", state.ticket_id or "", "")


def _is_foreign_script(text: str) -> bool:
    """Whether most letters are not Latin ones: no English for certain, so no model is needed."""
    letters = [char for char in text if char.isalpha()]
    foreign = sum(1 for char in letters if ord(char) > 0x24F and not 0x1D400 <= ord(char) <= 0x1D7FF)
    return len(letters) >= 2 and foreign > len(letters) / 2
