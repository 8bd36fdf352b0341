"""Deferral: a message that the model on the box is not sure of goes to a cloud model, redacted, for its acts.

Here is when (never without the operator's switch and the session's consent), what leaves the box (this message alone,
without what the store or a pattern knows to be personal), and what is taken of the answer: only acts that the grammar
could have produced for the enabled tools, with arguments that stand in the customer's message. What they may do is
decided by the engine, as if the model on the box had said so.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace

from shopbot import grammar
from shopbot.cloud import CloudModel, Opinion, Question
from shopbot.reading import Reading
from shopbot.redact import PLACEHOLDER, Redactor
from shopbot.session import SessionState, open_tool
from shopbot.stages import Stages
from shopbot.store import Store
from shopbot.tools import Tool
from shopbot.types import Act, Deferral, Explanation
from shopbot.understand import ground

#: What an operator is told who switched a cloud model on, and has no confidence threshold.
NEVER_DEFERS = "The cloud model is never asked, for there is no confidence threshold."
SET_THRESHOLD = "Set understanding.threshold, to 0.8 for instance, or switch it off."
_log = logging.getLogger(__name__)


class Deferrer:
    """Asks ``cloud`` where that is allowed and of use. Thread-safe; without one, it only explains."""

    def __init__(self, cloud: CloudModel | None, store: Store) -> None:
        self._cloud = cloud
        self._store = store

    @property
    def has_cloud(self) -> bool:
        return self._cloud is not None

    def reconsider(
        self,
        read: Reading,
        message: str,
        state: SessionState,
        *,
        tools: Mapping[str, Tool],
        threshold: float,
        stages: Stages,
    ) -> Reading:
        """What was read, explained, and with the cloud model's acts where its answer counts. The time that the answer
        took is the stage ``defer``."""
        if read.has_failed or not read.tokens.written:
            return read
        surest = max(read.acts, key=lambda act: act.confidence, default=Act("", confidence=0.0))
        acts, deferral = read.acts, self._hindrance(surest.confidence, threshold, state)
        if deferral is None:
            with stages("defer"):
                acts, deferral = self._ask(read, message, state, tools)
        return replace(read, acts=acts, explain=Explanation(surest.name, surest.confidence, threshold, deferral))

    def close(self) -> None:
        """Ask nothing more."""
        if self._cloud is not None:
            self._cloud.close()

    def _hindrance(self, confidence: float, threshold: float, state: SessionState) -> Deferral | None:
        """Why the cloud model is not asked; None: it is."""
        if confidence >= threshold:
            return "sure"
        if self._cloud is None:
            return "off"
        if not state.allows_cloud:
            return "opted_out"
        # names are what patterns know least, and code finds the customer by itself
        return "identity" if state.awaiting is not None and state.awaiting.kind == "identity" else None

    def _ask(
        self, read: Reading, message: str, state: SessionState, tools: Mapping[str, Tool]
    ) -> tuple[tuple[Act, ...], Deferral]:
        """The acts that count, and why: the cloud model's, or those that were read."""
        assert self._cloud is not None
        text, values = self._redact(message, state, read.acts)
        try:
            opinion = self._cloud.ask(Question(text, read.state, tuple(tools.values())))
            if not isinstance(opinion, Opinion):
                raise TypeError(f"a cloud model gives an Opinion, not {type(opinion).__name__}")
        except Exception as error:  # a plugin may fail in any way; its words may quote the customer
            _log.warning("the cloud model's plugin failed: %s", type(error).__name__)
            return read.acts, "failed"
        if opinion.failure is not None:
            return read.acts, opinion.failure
        may_be = grammar.signatures(tools.values(), tools.get(open_tool(read.state) or ""))
        raw = _restore(opinion.acts, values, may_be)
        if raw is None:
            return read.acts, "not_in_grammar"
        acts = [_copied(act, may_be[act.name], message) for act in raw]
        grounded = tuple(act for act in acts if act is not None)
        return (grounded, "answered") if len(grounded) == len(acts) else (read.acts, "not_in_message")

    def _redact(self, message: str, state: SessionState, acts: Iterable[Act]) -> tuple[str, dict[str, str]]:
        """The message as it may leave the box, on one line, and what its placeholders stand for."""
        redactor = Redactor()
        if state.customer_id:
            redactor.know(self._store.customer(state.customer_id), self._store.orders(state.customer_id))
        for kind in ("email", "postcode"):
            redactor.know_value(kind.upper(), state.facts.get(kind, ""))
        for act in acts:
            redactor.know_act(act.name, act.arguments)
        text, values = redactor.text_and_values(message, expects_identity=bool(state.facts))
        return " ".join(text.split()), {name: " ".join(value.split()) for name, value in values.items()}


def _restore(
    text: str, values: Mapping[str, str], may_be: Mapping[str, Mapping[str, grammar.Values]]
) -> list[Act] | None:
    """The acts of an answer with what its placeholders stand for; None: the grammar could not have produced them."""
    acts = []
    for raw in grammar.read(text) or ():
        arguments = {
            name: PLACEHOLDER.sub(lambda found: values.get(found[0], found[0]), value)
            for name, value in raw.arguments.items()
        }
        allowed = may_be.get(raw.name)
        if allowed is None or not all(
            name in allowed and grammar.is_possible(value, allowed[name]) for name, value in arguments.items()
        ):
            return None
        acts.append(Act(raw.name, arguments))
    return acts or None


def _copied(act: Act, may_be: Mapping[str, grammar.Values], message: str) -> Act | None:
    """The act with its arguments as they stand in the message; None: one of them does not. A choice need not."""
    arguments = {}
    for name, value in act.arguments.items():
        found = value if isinstance(may_be[name], tuple) else ground(value, message)
        if found is None:
            return None
        arguments[name] = found
    return replace(act, arguments=arguments)
