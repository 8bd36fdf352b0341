"""The bot: opens a configuration, holds store, plugins and model, and answers turns.

::

    with Bot.open() as bot:
        session = bot.session()
        print(session.ask("where is my order?").text)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from time import sleep
from types import TracebackType
from typing import Any

from shopbot.backends import ModelBackend
from shopbot.calls import Pending, pending, play_answer, play_call, play_introduction, read_call
from shopbot.checkpoint import CheckpointStore, Manifest
from shopbot.cloud import CloudModel
from shopbot.config import Config, home, load
from shopbot.deferral import Deferrer
from shopbot.errors import BackendError, CallError, ConflictError
from shopbot.events import OnActs, TurnEvent, stream
from shopbot.minds import Mind, Opened, make_mind, make_understanding, open_backend
from shopbot.plugins import PluginManager
from shopbot.serving import Serving, Successor
from shopbot.session import SessionState, SessionView
from shopbot.session import load as load_state
from shopbot.sessions import Sessions
from shopbot.stages import Observer
from shopbot.store import Feedback, Message, SessionMode, Store
from shopbot.textindex import plain
from shopbot.tools import Tool
from shopbot.transcript import Recorder
from shopbot.turn import Request, TurnTaker
from shopbot.types import Reply
from shopbot.understand import NO_DIALOGUE, Understood

#: How long a turn waits after each try that met another process in its session. One that is writing is given the first
#: tries' time to end; then it is taken for dead, and the turn goes on from where it was.
_WAITS_S = (0.02, 0.04, 0.08, 0.16, 0.32, 0.64)
_PATIENT_TRIES = 4


class Bot:
    """One shop's bot. Thread-safe; turns of one session are taken one after the other.

    Made by :meth:`open`; the constructor takes the parts themselves, for tests and for embedding. ``successor`` says
    where another checkpoint comes from that takes over between two turns. ``cloud``: whom to ask about messages that
    the model is not sure of; it is closed with the bot.
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
        cloud: CloudModel | None = None,
    ) -> None:
        self.config = config
        self.store = store
        self.plugins = plugins
        self.tools = plugins.tools()
        self._recorder = recorder
        self._sessions = Sessions(config, store, recorder)
        self._deferrer = Deferrer(cloud, store)
        self._taker = TurnTaker(config=config, store=store, plugins=plugins, recorder=recorder, deferrer=self._deferrer)

        def mind(opened: Opened) -> Mind:
            return make_mind(opened, config=config, store=store, plugins=plugins, today=today)

        self._serving = Serving(
            mind((manifest, backend)),
            close=lambda mind: mind.backend.close(),
            successor=Successor(successor.stamp, lambda: mind(successor.open())) if successor else None,
        )

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
        cloud = None
        try:
            cloud = plugins.cloud_model()
            manifest, backend = open_backend(settings, plugins)
        except BaseException:
            store.close()
            if cloud is not None:
                cloud.close()
            raise
        recorder = None
        if settings.transcripts.enabled:
            recorder = Recorder(settings.transcripts_path, retention_days=settings.transcripts.retention_days)
        follows = settings.model.backend == "auto" and not settings.model.checkpoint
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
            cloud=cloud,
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
        self,
        session_id: str | None = None,
        *,
        customer_token: str | None = None,
        allows_refine: bool = True,
        allows_cloud: bool = True,
    ) -> Session:
        """Start a session, or go on with one. ``customer_token`` identifies the customer (see :mod:`shopbot.identity`).

        ``allows_refine`` False: nothing of the session is ever learnt from, also not of what was said before.
        ``allows_cloud`` False: from now on, no message of it goes to a cloud model (docs/deferral.md).

        :class:`~shopbot.errors.SessionError` if there is no such session; :class:`~shopbot.errors.TokenError` if the
        token is no good or is somebody else's than the session's.
        """
        customer_id = self._sessions.customer_of(customer_token) if customer_token else None
        key = None
        if session_id is None:
            self._sessions.purge()
            session_id, key = self._sessions.start(allows_refine=allows_refine, allows_cloud=allows_cloud)
        else:
            load_state(self.store, session_id)
            if not allows_refine:
                self._sessions.keep_out_of_refine(session_id)
            if not allows_cloud:
                self._sessions.keep_out_of_cloud(session_id)
        if customer_id:
            self.identify(session_id, customer_id)
        return Session(self, session_id, key)

    def opens(self, session_id: str, token: str) -> bool:
        """Whether ``token`` is the key to that session, as :attr:`Session.token` gave it."""
        return self._sessions.opens(session_id, token)

    def identify(self, session_id: str, customer_id: str) -> None:
        """Bind a session to a customer whom the caller has identified already; one customer per session.

        :class:`~shopbot.errors.TokenError` if the session is another customer's.
        """
        self._sessions.identify(session_id, customer_id)

    def ask(
        self, session_id: str, message: str, *, request_id: str | None = None, on_acts: OnActs | None = None
    ) -> Reply:
        """Answer one message. A repeated ``request_id`` gives the first answer again and does nothing.

        ``on_acts`` is told what was understood as soon as it is; again if the turn has to be begun again.
        Raises :class:`~shopbot.errors.SessionError` if there is no such session.
        """
        return self._take(Request(session_id, message, request_id, on_acts=on_acts))

    def stream(self, session_id: str, message: str, *, request_id: str | None = None) -> Iterator[TurnEvent]:
        """Answer one message, event by event (see :mod:`shopbot.events`). Who stops reading does not stop the turn.

        Raises, where the events are read, what :meth:`ask` raises.
        """
        return stream(lambda on_acts: self.ask(session_id, message, request_id=request_id, on_acts=on_acts))

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
        return self._take(Request(session_id, written, play=play_call(act, known.effect)))

    def understand(self, message: str, tools: Iterable[Tool], *, must_call: bool = False) -> Understood:
        """What the model makes of a message where these are the tools, another program's perhaps. Nothing is played.

        ``must_call``: one of the tools is meant, whatever else it could be. Raises
        :class:`~shopbot.errors.BackendError`.
        """
        with self._serving.turn() as mind:
            bias = NO_DIALOGUE if must_call else None
            return make_understanding(mind.manifest, mind.backend, tools, bias)(plain(message), "-")

    def pending(self, session_id: str) -> Pending | None:
        """The action that was read back and waits for the customer's yes, if one does."""
        return pending(load_state(self.store, session_id)[0])

    def confirm(self, session_id: str, pending_id: str) -> Reply:
        """The customer's yes to exactly the action of that id. A second time gives the first reply again, and does
        nothing. The caller vouches that it was the customer who said so.

        Raises :class:`~shopbot.errors.SessionError` if that action does not wait in this session.
        """
        play = play_answer(pending_id, "affirm")
        return self._take(Request(session_id, "yes", f"confirm {pending_id[:80]!a}", play))

    def decline(self, session_id: str, pending_id: str) -> Reply:
        """The customer's no to the action of that id; nothing is changed. Raises as :meth:`confirm`."""
        play = play_answer(pending_id, "deny")
        return self._take(Request(session_id, "no", f"decline {pending_id[:80]!a}", play))

    def introduce(self, session_id: str, words: str) -> Reply:
        """Say who the customer is, in words as a customer would: an e-mail address, or full name and postcode.

        What is accepted, and how often, is as in a conversation.
        """
        return self._take(Request(session_id, words, play=play_introduction))

    def _take(self, request: Request) -> Reply:
        """Take a turn, after those of the session that are under way."""
        self._sessions.purge()
        with self._sessions.lock(request.session_id):
            for attempt, wait_s in enumerate(_WAITS_S):
                try:
                    with self._serving.turn() as mind:
                        return self._taker.take(mind, request, takes_over=attempt >= _PATIENT_TRIES)
                except ConflictError:
                    # another process took a turn of this session in between; what it wrote is in the ledger
                    sleep(wait_s)
            with self._serving.turn() as mind:
                return self._taker.take(mind, request, takes_over=True)

    def view(self, session_id: str) -> SessionView:
        """A read-only look at a session."""
        return SessionView.of(load_state(self.store, session_id)[0])

    def history(self, session_id: str, *, after: int = 0) -> Sequence[Message]:
        """What was said in a session, in order, from the message after number ``after`` on.

        Raises :class:`~shopbot.errors.SessionError` if there is no such session.
        """
        load_state(self.store, session_id)
        return self.store.messages(session_id, after=after)

    def is_model_answering(self) -> bool:
        """Whether the model answers: as it did when it was last asked or, if it failed then, as it does now."""
        if self._taker.has_failed:
            try:
                with self._serving.turn() as mind:
                    mind.backend.complete("a", max_tokens=1)
                self._taker.has_failed = False
            except BackendError:
                return False
        return True

    @property
    def never_defers(self) -> bool:
        """Whether a cloud model is switched on, but with no confidence threshold, so that it is never asked."""
        return self._deferrer.has_cloud and self._serving.value.engine.shop.threshold <= 0

    def observe(self, observer: Observer) -> None:
        """Have ``observer`` watch the stages of every turn from now on (see :mod:`shopbot.stages`)."""
        self._taker.observers.append(observer)

    def give_feedback(self, session_id: str, seq: int, feedback: Feedback) -> None:
        """Keep what the customer thought of message ``seq`` of the bot or of a human agent; in the transcript, too.

        Raises :class:`~shopbot.errors.SessionError` if there is no such session and
        :class:`~shopbot.errors.NotFoundError` if there is no such message in it.
        """
        self._sessions.give_feedback(session_id, seq, feedback)

    def forget(self, session_id: str) -> None:
        """Erase a session for good: its state, its messages, its transcript. What it did in the store stays.

        Raises :class:`~shopbot.errors.ShopbotError` if the transcript cannot be erased now.
        """
        self._sessions.forget(session_id)

    def follow_erasures(self) -> None:
        """Erase the transcripts on this box of sessions and customers that were erased elsewhere; the service does so
        by itself. Raises as :meth:`forget`."""
        self._sessions.follow_erasures()

    def set_mode(self, session_id: str, mode: SessionMode) -> None:
        """Say who answers from now on. With ``"human"`` a turn under way ends unsaid; what it wrote stays written.

        Human agents who have names claim sessions with :class:`shopbot.handoff.Desk`. Raises
        :class:`~shopbot.errors.SessionError` if there is no such session.
        """

        def change(state: SessionState) -> bool:
            if state.mode == mode:
                return False
            state.mode, state.agent, state.claimed_at = mode, "", ""
            return True

        self._sessions.change(session_id, change)

    def close(self) -> None:
        """Free the model, the store and the transcripts."""
        self._serving.close()
        self._deferrer.close()
        self.store.close()
        if self._recorder is not None:
            self._recorder.close()

    def __enter__(self) -> Bot:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Session:
    """A handle on one session of a bot."""

    def __init__(self, bot: Bot, session_id: str, token: str | None = None) -> None:
        self._bot = bot
        self.id = session_id
        #: The key that opens the session from outside; known only where the session was started.
        self.token = token

    def ask(self, message: str, *, request_id: str | None = None) -> Reply:
        """Answer one message; see :meth:`Bot.ask`."""
        return self._bot.ask(self.id, message, request_id=request_id)

    def stream(self, message: str, *, request_id: str | None = None) -> Iterator[TurnEvent]:
        """Answer one message, event by event; see :meth:`Bot.stream`."""
        return self._bot.stream(self.id, message, request_id=request_id)

    def history(self, *, after: int = 0) -> Sequence[Message]:
        """What was said; see :meth:`Bot.history`."""
        return self._bot.history(self.id, after=after)

    @property
    def view(self) -> SessionView:
        return self._bot.view(self.id)
