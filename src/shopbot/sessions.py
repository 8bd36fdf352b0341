"""The sessions of a bot beside their turns: how they start, who may open them, what changes them, how they end."""

from __future__ import annotations

import logging
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from time import monotonic

from shopbot.config import Config
from shopbot.errors import ConflictError, StoreError, TokenError
from shopbot.identity import read_token
from shopbot.keys import hash_key, is_key, new_key
from shopbot.session import SessionState, load
from shopbot.store import Feedback, Store
from shopbot.transcript import Recorder
from shopbot.types import Reply

#: How often something is tried when another process was faster.
_TRIES = 3
_MAX_LOCKS = 10_000
_PURGE_EVERY_S = 3600.0
#: Boxes' clocks differ, and a turn that was under way is recorded just after its session was erased.
_OVERLAP = timedelta(minutes=2)
_log = logging.getLogger(__name__)


class Sessions:
    """Thread-safe. What changes a session holds its lock, so that it comes between two turns."""

    def __init__(self, config: Config, store: Store, recorder: Recorder | None) -> None:
        self._config = config
        self._store = store
        self._recorder = recorder
        self._purge_at = 0.0
        self._erased_until = _now() - timedelta(days=config.transcripts.retention_days)
        self._locks: OrderedDict[str, threading.RLock] = OrderedDict()
        self._guard = threading.Lock()

    def start(self, *, allows_refine: bool, allows_cloud: bool) -> tuple[str, str]:
        """A new session's id, and the key that opens it from outside."""
        session_id, key = secrets.token_urlsafe(18), new_key()
        started = SessionState(
            session_id, allows_refine=allows_refine, allows_cloud=allows_cloud, key_hash=hash_key(key)
        )
        self._store.save_session(session_id, started.as_json(), version=0)
        return session_id, key

    def opens(self, session_id: str, key: str) -> bool:
        """Whether ``key`` is the session's; False if there is no such session."""
        saved = self._store.load_session(session_id)
        return is_key(key, str(saved[0].get("key_hash", "")) if saved else "")

    def customer_of(self, token: str) -> str:
        """The id of the customer that a token names. :class:`~shopbot.errors.TokenError` if it is no good here."""
        if "token" not in self._config.identity.accept:
            raise TokenError("This shop takes no customer tokens.", remedy="Add 'token' to identity.accept.")
        customer_id = read_token(token, self._config.identity.token_secret.get_secret_value())
        if self._store.customer(customer_id) is None:
            raise TokenError("The customer token names no customer of this shop.")
        return customer_id

    def identify(self, session_id: str, customer_id: str) -> None:
        """Bind a session to a customer; one customer per session."""

        def bind(state: SessionState) -> bool:
            if state.customer_id not in (None, customer_id):
                raise TokenError("This session belongs to another customer.", remedy="Start a new session.")
            if state.customer_id == customer_id:
                return False
            state.customer_id, state.verified_by = customer_id, "token"
            return True

        self.change(session_id, bind)

    def keep_out_of_refine(self, session_id: str) -> None:
        """Have nothing learnt from a session, also not from what was said before."""

        def refuse(state: SessionState) -> bool:
            allowed, state.allows_refine = state.allows_refine, False
            return allowed

        changed = self.change(session_id, refuse)
        if changed is not None and self._recorder is not None:
            # an empty turn says so for those before, should none follow
            self._recorder.record(changed, "", Reply(""), self._store)

    def keep_out_of_cloud(self, session_id: str) -> None:
        """Have nothing of a session leave the box, from its next turn on."""

        def refuse(state: SessionState) -> bool:
            allowed, state.allows_cloud = state.allows_cloud, False
            return allowed

        self.change(session_id, refuse)

    def change(self, session_id: str, edit: Callable[[SessionState], bool]) -> SessionState | None:
        """Save what ``edit`` makes of a session, against other processes too; None if it says that nothing changed."""
        with self.lock(session_id):
            for attempt in range(_TRIES):
                state, version = load(self._store, session_id)
                if not edit(state):
                    return None
                try:
                    self._store.save_session(session_id, state.as_json(), version=version)
                    return state
                except ConflictError:
                    if attempt == _TRIES - 1:
                        raise
        raise AssertionError("unreachable")

    def give_feedback(self, session_id: str, seq: int, feedback: Feedback) -> None:
        """Keep what the customer thought of a message, in the transcript too."""
        state, _ = load(self._store, session_id)
        self._store.give_feedback(session_id, seq, feedback)
        for message in self._store.messages(session_id, after=seq - 1)[:1]:
            if self._recorder is not None and message.role == "bot":
                self._recorder.record_feedback(state, message.payload.get("turn", 0), feedback, self._store)

    def forget(self, session_id: str) -> None:
        """Erase a session: its transcript first, then its state and its messages. While the transcript cannot be erased
        the session stays, so that it can be tried again."""
        with self.lock(session_id):
            if self._recorder is not None:
                self._recorder.forget(session_id)
            self._store.forget_session(session_id)

    def follow_erasures(self) -> None:
        """Erase the transcripts here of what any process has erased since this was last done, or in the time for which
        transcripts are kept. :class:`~shopbot.errors.ShopbotError` if that is not possible now."""
        if self._recorder is None:
            return
        looked_at = _now()
        for erasure in self._store.erasures(since=self._erased_until - _OVERLAP):
            if erasure.session_id is not None:
                self._recorder.forget(erasure.session_id)
            if erasure.customer_id is not None:
                self._recorder.forget_customer(erasure.customer_id)
        self._erased_until = looked_at

    def purge(self) -> None:
        """Erase, once an hour, what ended long ago; what a human agent was asked for stays as long as transcripts."""
        with self._guard:
            if monotonic() < self._purge_at:
                return
            self._purge_at = monotonic() + _PURGE_EVERY_S
        now = _now()
        idle = timedelta(minutes=self._config.session.idle_minutes)
        kept = max(idle, timedelta(days=self._config.transcripts.retention_days))
        try:
            self._store.purge_sessions(idle_since=now - idle, mode="bot")
            self._store.purge_sessions(idle_since=now - kept, mode="waiting")
            self._store.purge_sessions(idle_since=now - kept, mode="human")
        except StoreError:  # nobody waits for it
            _log.warning("old sessions were not erased; it is tried again in an hour", exc_info=True)

    def lock(self, session_id: str) -> threading.RLock:
        """What the session's turns and changes hold, one after the other."""
        with self._guard:
            lock = self._locks.pop(session_id, None) or threading.RLock()
            self._locks[session_id] = lock
            if len(self._locks) > _MAX_LOCKS:
                self._locks.popitem(last=False)
            return lock


def _now() -> datetime:
    return datetime.now(timezone.utc)
