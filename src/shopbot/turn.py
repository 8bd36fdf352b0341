"""One turn: guard, understand, plan and act, answer, record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from shopbot import phrases
from shopbot.calls import Play
from shopbot.cards import order_cards
from shopbot.config import Config
from shopbot.confirmation import is_yes
from shopbot.deferral import Deferrer
from shopbot.engine import Outcome
from shopbot.errors import ConflictError
from shopbot.events import OnActs
from shopbot.minds import Mind
from shopbot.plugins import PluginManager
from shopbot.reading import Reading, read_message
from shopbot.session import SessionState, SessionView, load
from shopbot.stages import Observer, Stages
from shopbot.store import Message, Store
from shopbot.textindex import plain
from shopbot.transcript import Recorder
from shopbot.types import Act, Awaiting, Explanation, Handoff, OrderCard, Reply, Tokens, ToolCall


@dataclass(frozen=True, slots=True)
class Request:
    """What a turn is asked. ``play`` takes the place of understanding where the acts are known already; ``on_acts`` is
    told what was understood, as soon as it is."""

    session_id: str
    message: str
    id: str | None = None
    play: Play | None = None
    on_acts: OnActs | None = None


class TurnTaker:
    """Takes turns, each with the checkpoint it is given; holds no state of a session. The caller takes one at a time of
    a session.

    ``observers`` watch the stages of every turn; more may be added.
    """

    def __init__(
        self,
        *,
        config: Config,
        store: Store,
        plugins: PluginManager,
        recorder: Recorder | None,
        deferrer: Deferrer,
        observers: Sequence[Observer] = (),
    ) -> None:
        self._config = config
        self._store = store
        self._plugins = plugins
        self._recorder = recorder
        self._deferrer = deferrer
        self.observers = [*observers]
        #: Whether the backend failed when it was last asked.
        self.has_failed = False

    def take(self, mind: Mind, request: Request, *, takes_over: bool = True) -> Reply:
        """Answer one message. :class:`~shopbot.errors.ConflictError` if another process took a turn in between or,
        unless this one ``takes_over``, is writing, or died over it."""
        state, version = load(self._store, request.session_id)
        if request.id and (said := self._store.messages(request.session_id, request_id=request.id)):
            return _reply_again(state, said)
        if state.is_writing and not takes_over:
            raise ConflictError("A write of this conversation is under way.", remedy="Try again in a moment.")
        stages = Stages(tuple(self.observers))
        with stages("turn"):
            return self._take(mind, request, state, version, stages)

    def _take(self, mind: Mind, request: Request, state: SessionState, version: int, stages: Stages) -> Reply:
        started = perf_counter()
        saved = [version]

        def save(*messages: Message) -> int:
            saved[0] = self._store.save_session(state.id, state.as_json(), version=saved[0], messages=messages)
            return saved[0]

        out, read = Outcome(stages=stages), Reading()
        with stages("guard"):
            text, refusal = self._guard(request.message, state)
            went_through = mind.engine.recover(state, out, save)
            self._plugins.before_turn(SessionView.of(state), text)
        if refusal is not None:
            out.say(refusal)
        elif state.mode == "human":
            out.handoff = _with_human_agent(state)
        elif went_through and is_yes(text):  # the yes that was interrupted, sent again: it has its answer
            with stages("plan"):
                mind.engine.go_on(state, text, out)
        elif request.play is not None:
            with stages("plan"):
                read = Reading(request.play(mind.engine, state, text, out, save))
        else:
            with stages("understand"):
                mind.engine.take_identity(state, text, out)
                read = read_message(mind.understanding, self._store, state, text)
                read = self._deferrer.reconsider(
                    read,
                    text,
                    state,
                    tools=mind.understanding.tools,
                    threshold=mind.engine.shop.threshold,
                    stages=stages,
                )
            if read.has_failed or read.tokens.written:
                self.has_failed = read.has_failed
            if request.on_acts is not None:
                request.on_acts(read.acts)
            with stages("plan"):
                mind.engine.play(state, text, read.acts, out, save)
        with stages("answer"):
            state.turns += 1
            state.gist = [*state.gist, text[:200]][-6:]
            timings = _timings(stages.spent_ms, read.timings_ms, 1e3 * (perf_counter() - started))
            reply = Reply(
                "\n\n".join(out.texts),
                read.acts,
                tuple(out.tool_calls),
                state.awaiting,
                out.handoff,
                timings,
                read.tokens,
                order_cards(self._store, state.customer_id, out.shown, currency=self._config.shop.currency),
                read.explain,
            )
        with stages("record"):
            save(*_messages(state, text, reply, request.id))
            if self._recorder is not None:
                name = mind.manifest.name if mind.manifest else None
                self._recorder.record(state, text, reply, self._store, checkpoint=name, read_in=read.state)
            self._plugins.after_turn(SessionView.of(state), reply)
        for observer in stages.observers:
            observer.replied(reply)
        return reply

    def _guard(self, message: str, state: SessionState) -> tuple[str, str | None]:
        """The message in plain letters (NFKC), without control characters, and what to answer at once if it is none."""
        limit = self._config.session.max_message_chars
        text = plain(message[: limit + 1]).strip()
        if max(len(message), len(text)) > limit:
            return text[:limit], phrases.TOO_LONG.format(limit=limit)
        if not any(char.isalnum() for char in text):
            return text, phrases.EMPTY
        if state.turns >= self._config.session.max_turns and state.mode != "human":
            return text, phrases.TOO_MANY_TURNS
        return text, None


def _timings(stages: Mapping[str, float], reading: Mapping[str, float], total_ms: float) -> dict[str, float]:
    """What a reply tells of its time: the stages, and of understanding its parts."""
    told = {name: ms for name, ms in stages.items() if name in ("defer", "plan", "act")}
    return {"guard": stages["guard"], **reading, **told, "total": total_ms}


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
        Tokens(**saved.get("tokens", {})),
        tuple(OrderCard.from_json(card) for card in saved.get("cards", ())),
        Explanation(**explain) if (explain := saved.get("explain")) else None,
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
