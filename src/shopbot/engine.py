"""The session engine: acts go in, a reply comes out, and everything between is code.

One turn: take in identity, merge the acts into frames, then advance the frame in hand as far as it goes: bind its
slots, check the policy, read the action back, and, after a yes to exactly that, write once.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from shopbot import phrases
from shopbot.binding import Ask, Split, ask_again, bind, values
from shopbot.confirmation import is_yes
from shopbot.errors import ConflictError, StoreError
from shopbot.identity import identify
from shopbot.merging import Merged, merge
from shopbot.references.items import item_matches
from shopbot.references.orders import own_orders
from shopbot.session import GUESS_SLOT, Frame, SessionState
from shopbot.stages import Stages
from shopbot.store import Customer, Store, Unit, Written
from shopbot.tools import Context, Tool
from shopbot.types import Act, Answer, Awaiting, Handoff, Refusal, ToolCall

_log = logging.getLogger(__name__)
#: After so many messages in a row that were not understood, a human agent is offered.
MAX_STRIKES = 3
#: After so many failed attempts to say who they are, a visitor is handed to a human agent.
MAX_IDENTITY_ATTEMPTS = 6
_MAX_FRAMES = 8
#: Saves the session in the middle of a turn; the version it is at then. :class:`ConflictError` if it went on elsewhere.
Save = Callable[[], int]


@dataclass(slots=True)
class Outcome:
    """What a turn came to, while it is being made."""

    texts: list[str] = field(default_factory=list)
    tool_calls: list[ToolCall] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    handoff: Handoff | None = None
    stages: Stages = field(default_factory=Stages)

    def say(self, text: str | None) -> None:
        if text and text not in self.texts:
            self.texts.append(text)


class PolicyChangedError(StoreError):
    """The policy refuses inside the transaction what it allowed before the customer's yes."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.text)
        self.refusal = refusal


class ReadBackChangedError(StoreError):
    """Inside the transaction the action would no longer be what was read back: a price changed, for instance."""


@dataclass(frozen=True, slots=True)
class Shop:
    """What the engine works with: the store, the tools, each tool's plugin table, and the shop's own words.

    ``threshold``: the confidence below which the bot asks whether it understood.
    """

    store: Store
    tools: Mapping[str, Tool]
    tables: Mapping[str, Mapping[str, Any]]
    accept: Sequence[str] = ("email", "name_postcode")
    threshold: float = 0.0
    today: Callable[[], date] = date.today
    handoff_sentence: Callable[[SessionState, str, str], str | None] = lambda state, reason, summary: None


class Engine:
    """Plays one turn of one session. Holds no state of its own; the session is in ``state``."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop

    def take_identity(self, state: SessionState, message: str, out: Outcome, *, is_introduction: bool = False) -> None:
        """Identify the customer from their own words, if they are not known yet; one customer per session."""
        if state.customer_id is None and state.identity_attempts >= MAX_IDENTITY_ATTEMPTS:
            return  # words do not identify them any more; a signed token does
        evidence = identify(self.shop.store, message, {} if state.customer_id else state.facts, self.shop.accept)
        if state.customer_id is None:
            is_asked = is_introduction or (state.awaiting is not None and state.awaiting.kind == "identity")
            is_new_email = evidence.facts.get("email") != state.facts.get("email")
            state.facts = evidence.facts
            if evidence.customer is not None:
                state.customer_id, state.verified_by, state.facts = evidence.customer.id, evidence.verified_by, {}
            elif is_new_email or is_asked:
                state.identity_attempts += "email" in evidence.facts or "postcode" in evidence.facts
        elif evidence.customer is not None and evidence.customer.id != state.customer_id:
            out.say(phrases.ONE_CUSTOMER)

    def introduce(self, state: SessionState, message: str, out: Outcome) -> None:
        """Take a message that only says who the customer is, asked for or not. Attempts are counted like answers."""
        if state.customer_id is None and self._is_tried_out(state, message, out):
            return
        self.take_identity(state, message, out, is_introduction=True)
        if not out.texts:
            out.say(phrases.IDENTIFIED if state.customer_id else phrases.NOT_IDENTIFIED)

    def recover(self, state: SessionState, out: Outcome, save: Save) -> bool:
        """After a crash during a write: tell the customer whether it went through, from the store's ledger.

        True if there was such a write and it went through.
        """
        frame = state.frame
        if frame is None or not state.is_writing:
            return False
        written = self._settled(frame, save)
        if written is None:
            frame.stage = "open"
            out.say(phrases.DID_NOT_GO_THROUGH)
            return False
        out.say(phrases.WENT_THROUGH.format(text=written.result.get("text", "")))
        self._finish(state, frame)
        return True

    def go_on(self, state: SessionState, message: str, out: Outcome) -> None:
        """Go on with what is left to do, if anything is; the message has nothing new to say."""
        self._advance(state, message, out)

    def _settled(self, frame: Frame, save: Save) -> Written | None:
        """What the ledger says of a write that was begun, once nobody can be about to do it any more.

        It may have been no crash: another process that is about to write loses the right to by the save, one that is
        writing is waited for.
        """
        save()
        return self.shop.store.written(frame.call_id)

    def play(self, state: SessionState, message: str, acts: Sequence[Act], out: Outcome, save: Save) -> None:
        """Merge the acts and advance. ``save`` is called before a write is begun."""
        was_awaiting = state.awaiting
        if self._answers_guess(state, message, acts):
            self._advance(state, message, out)
            return
        acts = self._with_fallback(state, message, self._with_order(state, message, acts))
        frame, under_way = state.frame, list(state.frames)
        if frame is not None and self._is_confirmed(state, frame, message, acts):
            self._write(state, frame, message, out, save)
            acts = [act for act in acts if act.name != "affirm"]
            merged = merge(state, acts, message, self.shop.tools) if acts else Merged()
        else:
            merged = merge(state, acts, message, self.shop.tools)
        for text in merged.texts:
            out.say(text)
        if merged.handoff_reason:
            self.hand_off(state, merged.handoff_reason, message, out)
            if any(act.name == "handoff" for act in acts):  # the human agent goes on with what was under way
                state.frames = [one for one in state.frames if not any(one is old for old in under_way)]
        if merged.is_lost:
            self._lost(state, message, out)
        if was_awaiting is None and self._is_guess(state, acts):
            self._guess(state, out)
            return
        self._advance(state, message, out)
        if state.awaiting is None and state.frames == [] and not out.texts:
            out.say(phrases.ANYTHING_ELSE if was_awaiting else phrases.WHAT_CAN_I_DO)

    def _with_order(self, state: SessionState, message: str, acts: Sequence[Act]) -> Sequence[Act]:
        """Give an order number that the message names, but no act took up, to the act that can use it."""
        if state.customer_id is None:
            return acts
        place = next((place for place, act in enumerate(acts) if self._could_take_order(act)), None)
        if place is None:
            return acts
        own = own_orders(self.shop.store.orders(state.customer_id), message)
        if len(own) != 1 or any(own[0] in words for act in acts for words in act.arguments.values()):
            return acts
        filled = replace(acts[place], arguments={**acts[place].arguments, "order": own[0]})
        return [*acts[:place], filled, *acts[place + 1 :]]

    def _could_take_order(self, act: Act) -> bool:
        """Whether the act has a place for an order, and none there."""
        tool = self.shop.tools.get(act.name)
        takes_order = act.name == "inform" or (tool is not None and tool.parameter("order") is not None)
        return takes_order and "order" not in act.arguments

    def _with_fallback(self, state: SessionState, message: str, acts: Sequence[Act]) -> Sequence[Act]:
        """Where the model saw nothing that a shop could do, the tools that can tell better are asked; beside other
        wishes, such a tool must be sure that there was a question for it at all."""
        wishes = [act for act in acts if act.name in self.shop.tools]
        if len(wishes) > 1:
            return [act for act in acts if act not in wishes or self._is_sure(state, message, act)]
        if state.awaiting is not None or any(act.name != "out_of_scope" for act in acts):
            return acts
        for tool in self.shop.tools.values():
            context = self._context(state, tool, message, None)
            if tool.fallback is not None and tool.identity == "none" and tool.fallback(context):
                return (Act(tool.name),)
        return acts

    def _is_sure(self, state: SessionState, message: str, act: Act) -> bool:
        tool = self.shop.tools[act.name]
        return tool.fallback is None or tool.fallback(self._context(state, tool, act.said or message, None))

    def _is_guess(self, state: SessionState, acts: Sequence[Act]) -> bool:
        """Whether a task was begun on an understanding below the threshold."""
        frame = state.frame
        return frame is not None and frame.stage == "open" and all(act.confidence < self.shop.threshold for act in acts)

    def _guess(self, state: SessionState, out: Outcome) -> None:
        """Ask whether this is what the customer wants, before anything else is asked or looked up."""
        frame = state.frames[0]
        frame.stage = "guessed"
        wish = self.shop.tools[frame.tool].description.splitlines()[0].rstrip(".")
        out.say(phrases.GUESS.format(guess=wish[:1].lower() + wish[1:]))
        state.awaiting = Awaiting("slot", frame.tool, GUESS_SLOT)

    def _answers_guess(self, state: SessionState, message: str, acts: Sequence[Act]) -> bool:
        """Take a yes to the guess; anything else drops it and is understood for itself."""
        frame = state.frame
        if frame is None or frame.stage != "guessed":
            return False
        state.awaiting = None
        if is_yes(message) and any(act.name == "affirm" for act in acts):
            frame.stage = "open"
            return True
        state.frames.clear()
        return False

    def _is_confirmed(self, state: SessionState, frame: Frame, message: str, acts: Sequence[Act]) -> bool:
        """A yes that code can read, to the action read back, with no word that corrects it."""
        return (
            frame.stage == "confirming"
            and state.awaiting is not None
            and state.awaiting.kind == "confirmation"
            and any(act.name == "affirm" for act in acts)
            and not any(act.name in ("inform", "deny", "nevermind", frame.tool) for act in acts)
            and is_yes(message)
        )

    def hand_off(self, state: SessionState, reason: str, message: str, out: Outcome) -> None:
        """Open a ticket for a human agent, with a summary; at most one per session stays open."""
        summary = self._summary(state, message)
        if state.ticket_id is None:
            ticket = self.shop.store.open_ticket(
                session_id=state.id, customer_id=state.customer_id, reason=reason, summary=summary
            )
            state.ticket_id = ticket.id
        if state.mode == "bot":
            state.mode = "waiting"
        out.handoff = Handoff(reason, state.ticket_id, summary)
        sentence = self.shop.handoff_sentence(state, reason, summary)
        out.say(sentence or phrases.HANDED_OFF.format(ticket=state.ticket_id))

    def _advance(self, state: SessionState, message: str, out: Outcome) -> None:
        """Go on with the frames until something must be asked or nothing is left to do."""
        state.awaiting, state.choice_words, state.choice_position = None, [], 0
        for _ in range(4 * _MAX_FRAMES):
            frame = state.frame
            if frame is None:
                return
            tool = self.shop.tools.get(frame.tool)
            if tool is None:
                state.frames.remove(frame)
                continue
            if not self._step(state, frame, tool, message, out):
                return

    def _step(self, state: SessionState, frame: Frame, tool: Tool, message: str, out: Outcome) -> bool:
        """One step of the frame in hand; False: the turn ends here, with a question."""
        customer = self._customer(state)
        if tool.identity == "customer" and customer is None:
            return self._ask_identity(state, frame, message, out)
        context = self._context(state, tool, message, customer)
        problem = bind(frame, tool, context, state)
        if isinstance(problem, Ask):
            self._ask(state, frame, problem, out)
            return False
        if isinstance(problem, Split):
            self._split(state, frame, problem)
            return True
        refusal = problem or (tool.policy(context, **values(frame, tool, context)) if tool.policy else None)
        if refusal is not None:
            again = ask_again(frame, tool, refusal, context)
            if again is not None:
                frame.forget(again.parameter.name)
                self._ask(state, frame, again, out)
                return False
            self._refuse(state, frame, refusal, out)
            return True
        if tool.effect == "read":
            self._read(state, frame, tool, context, out)
            return True
        assert tool.confirm is not None
        text = tool.confirm(context, **values(frame, tool, context))
        out.say(f"{text} {phrases.CONFIRM}")
        frame.stage = "confirming"
        frame.approved, frame.read_back = _fingerprint(frame, text), text
        if isinstance(frame.bound.get("order"), str):
            state.focus = frame.bound["order"]  # so that "no, the other order" means another one
        state.awaiting = Awaiting("confirmation", tool.name)
        return False

    def _read(self, state: SessionState, frame: Frame, tool: Tool, context: Context, out: Outcome) -> None:
        try:
            with out.stages("act"):
                answer = tool.function(context, **values(frame, tool, context))
        except Exception as error:
            _log.warning("tool failed: %s", tool.name, exc_info=True)
            out.tool_calls.append(
                ToolCall(tool.name, dict(frame.bound), "read", frame.call_id, error=type(error).__name__)
            )
            out.say(phrases.TOOL_FAILED)
        else:
            self._told(state, frame, answer, out)
            out.tool_calls.append(ToolCall(tool.name, dict(frame.bound), "read", frame.call_id, answer.content))
        self._finish(state, frame)

    def _write(self, state: SessionState, frame: Frame, message: str, out: Outcome, save: Save) -> None:
        """Do the write that was confirmed, exactly once, in one transaction with its ledger entry."""
        tool = self.shop.tools[frame.tool]
        customer = self._customer(state)
        state.awaiting = None
        if customer is None:
            frame.stage = "open"
            return
        context = self._context(state, tool, message, customer)
        frame.stage = "writing"
        version = save()

        def action(unit: Unit) -> Mapping[str, Any]:
            inside = replace(context, unit=unit, customer=unit.customer(customer.id), call_id=frame.call_id)
            arguments = values(frame, tool, inside)
            refusal = tool.policy(inside, **arguments) if tool.policy else None
            if refusal is not None:
                raise PolicyChangedError(refusal)
            assert tool.confirm is not None
            if frame.approved != _fingerprint(frame, tool.confirm(inside, **arguments)):
                raise ReadBackChangedError("What was read back no longer holds.")
            answer = tool.function(inside, **arguments)
            return {"text": answer.text, "content": dict(answer.content), "shown": list(answer.shown)}

        try:
            with out.stages("act"):
                written = self.shop.store.execute(
                    frame.call_id,
                    session_id=state.id,
                    customer_id=customer.id,
                    tool=tool.name,
                    arguments=dict(frame.bound),
                    action=action,
                    session_version=version,
                )
        except PolicyChangedError as error:
            self._refuse(state, frame, error.refusal, out)
            return
        except ReadBackChangedError:
            frame.stage = "open"
            out.say(phrases.CHANGED_MEANWHILE)
            return
        except ConflictError:  # the session went on in another process, which tells the customer how this ended
            raise
        except Exception as error:
            _log.warning("write failed: %s", tool.name, exc_info=True)
            settled = self._settled(frame, save)  # the connection may have broken just when the database agreed
            if settled is None:
                out.tool_calls.append(
                    ToolCall(tool.name, dict(frame.bound), "write", frame.call_id, error=type(error).__name__)
                )
                out.say(phrases.WRITE_FAILED)
                self._finish(state, frame)
                return
            written = settled
        answer = Answer(written.result["text"], written.result["content"], tuple(written.result["shown"]))
        self._told(state, frame, answer, out)
        out.tool_calls.append(ToolCall(tool.name, dict(frame.bound), "write", frame.call_id, written.result["content"]))
        self._finish(state, frame)

    def _told(self, state: SessionState, frame: Frame, answer: Answer, out: Outcome) -> None:
        out.say(answer.text)
        if answer.shown:
            out.shown += answer.shown
            state.shown = list(answer.shown)[:50]
        if isinstance(frame.bound.get("order"), str):
            state.focus = frame.bound["order"]
            out.shown.append(f"order:{state.focus}")

    def _refuse(self, state: SessionState, frame: Frame, refusal: Refusal, out: Outcome) -> None:
        """Say why not, and go on with the tool that could do it instead, if there is one."""
        out.say(refusal.text)
        other = self.shop.tools.get(refusal.instead or "")
        tried = [*frame.tried, frame.tool]
        self._finish(state, frame)
        if isinstance(frame.bound.get("order"), str):
            state.focus = frame.bound["order"]
        if other is not None and other.name not in tried:
            shared = {parameter.name for parameter in other.spoken}
            words = {slot: said for slot, said in frame.words.items() if slot in shared}
            bound = {"order": frame.bound["order"]} if frame.bound.get("order") and "order" in shared else {}
            state.frames.insert(0, Frame(other.name, words, bound, tried=tried, message=frame.message))

    def _ask(self, state: SessionState, frame: Frame, ask: Ask, out: Outcome) -> None:
        labels = tuple(choice.label for choice in ask.choices)
        listed = "".join(f"\n{number}. {label}" for number, label in enumerate(labels, 1))
        out.say(f"{ask.question}{listed}")
        frame.stage = "open"
        state.awaiting = Awaiting("slot", frame.tool, ask.parameter.name, labels)
        state.choice_words = [choice.words for choice in ask.choices]
        state.choice_position = ask.position
        if ask.parameter.kind == "order":
            state.shown = [f"order:{choice.words}" for choice in ask.choices]

    def _ask_identity(self, state: SessionState, frame: Frame, message: str, out: Outcome) -> bool:
        """Ask who they are; say so when what they gave matches nobody. True: handed off, go on."""
        if self._is_tried_out(state, message, out):
            return True
        out.say(phrases.NOT_IDENTIFIED if state.identity_attempts else phrases.WHO_ARE_YOU)
        state.awaiting = Awaiting("identity", frame.tool)
        return False

    def _is_tried_out(self, state: SessionState, message: str, out: Outcome) -> bool:
        """Hand off whoever has tried too often to say who they are."""
        if state.identity_attempts < MAX_IDENTITY_ATTEMPTS:
            return False
        state.frames.clear()
        self.hand_off(state, "identity", message, out)
        return True

    def _split(self, state: SessionState, frame: Frame, split: Split) -> None:
        """One frame for each order; each keeps the item words that its order can hold."""
        state.frames.remove(frame)
        frames = []
        for order_id in split.order_ids[:_MAX_FRAMES]:
            words = {slot: list(said) for slot, said in frame.words.items() if slot != "order"}
            order = self.shop.store.order(order_id)
            named = [
                place
                for place, said in enumerate(words.get("item", []))
                if said and order and item_matches(order, said)
            ]
            if named:
                for slot in ("item", "want"):
                    if len(words.get(slot, [])) > max(named):
                        words[slot] = [words[slot][place] for place in named]
            frames.append(Frame(frame.tool, words, {"order": order_id}, tried=list(frame.tried), message=frame.message))
        state.frames[:0] = frames

    def _lost(self, state: SessionState, message: str, out: Outcome) -> None:
        state.strikes += 1
        if state.strikes >= MAX_STRIKES:
            state.strikes = 0
            self.hand_off(state, "not understood", message, out)
        else:
            out.say(phrases.NOT_UNDERSTOOD)

    def _finish(self, state: SessionState, frame: Frame) -> None:
        if frame in state.frames:
            state.frames.remove(frame)
        state.last_tool = frame.tool
        state.awaiting = None
        state.strikes = 0

    def _customer(self, state: SessionState) -> Customer | None:
        return self.shop.store.customer(state.customer_id) if state.customer_id else None

    def _context(self, state: SessionState, tool: Tool, message: str, customer: Customer | None) -> Context:
        return Context(
            store=self.shop.store,
            config=self.shop.tables.get(tool.name, {}),
            message=message,
            today=self.shop.today(),
            session_id=state.id,
            customer=customer,
        )

    def _summary(self, state: SessionState, message: str) -> str:
        """What a human agent needs to go on: who, which task, what was said last."""
        tasks = "; ".join(f"{frame.tool} {dict(frame.bound)}" for frame in state.frames) or "none"
        said = " / ".join([*state.gist[-4:], message])[-600:]
        return f"Customer: {state.customer_id or 'not identified'}. Open tasks: {tasks}. Last messages: {said}"


def _fingerprint(frame: Frame, text: str) -> str:
    """What the customer said yes to: the tool, every bound argument, and the read-back with its amounts."""
    said = repr((frame.tool, frame.call_id, sorted(frame.bound.items(), key=lambda pair: pair[0]), text))
    return hashlib.sha256(said.encode()).hexdigest()
