"""How a message is read: by code where a plain yes, no, pick or identity is all there is, else by the model."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from shopbot.confirmation import drops, is_plain_no, is_plain_yes
from shopbot.errors import BackendError
from shopbot.identity import is_only_identity
from shopbot.merging import direct_answer
from shopbot.references.products import products_named
from shopbot.session import SessionState, prompt_state
from shopbot.store import Store
from shopbot.types import Act, Explanation, Tokens
from shopbot.understand import Understanding

_log = logging.getLogger(__name__)
_OWN_ORDER = re.compile(r"\bmy (?:\w+ ){0,2}orders?\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a message was understood as, what that cost, and the dialogue state it was read in; empty: it was not.

    ``has_failed``: the backend did, so there are no acts. ``explain``: why it was understood so, where the
    model was asked.
    """

    acts: tuple[Act, ...] = ()
    state: str = ""
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    tokens: Tokens = field(default_factory=Tokens)
    has_failed: bool = False
    explain: Explanation | None = None


def read_message(understanding: Understanding, store: Store, state: SessionState, text: str) -> Reading:
    """Understand the message. A backend that fails is logged."""
    read_in = prompt_state(state)
    act = _plain_act(store, state, text)
    if act is not None:
        return Reading((act,), read_in)
    try:
        understood = understanding(text, read_in)
        if [one.name for one in understood.acts] == ["out_of_scope"] and _is_about_the_shop(store, text):
            understood = understanding.within_scope(text, read_in, understood)
    except BackendError:
        _log.warning("the backend failed", exc_info=True)
        return Reading((), read_in, has_failed=True)
    return Reading(understood.acts, read_in, understood.timings_ms, understood.tokens)


def _plain_act(store: Store, state: SessionState, text: str) -> Act | None:
    """The act of a message that code reads for certain."""
    awaiting = state.awaiting
    if direct_answer(state, text):
        return Act("inform")
    if awaiting is not None and is_plain_yes(text):
        return Act("affirm")
    if awaiting is not None and (is_plain_no(text) or drops(text)):
        return Act("deny")
    if awaiting is not None and awaiting.kind == "identity" and state.customer_id:
        customer = store.customer(state.customer_id)
        if customer is not None and is_only_identity(text, customer):
            return Act("inform", {"name": text})
    return Act("other_language") if _is_foreign_script(text) else None


def _is_about_the_shop(store: Store, text: str) -> bool:
    """Whether the message names a product of the catalogue or speaks of an order of the customer's own."""
    return bool(_OWN_ORDER.search(text) or products_named(store.products(), text))


def _is_foreign_script(text: str) -> bool:
    """Whether most letters are not Latin ones: no English for certain, so no model is needed."""
    letters = [char for char in text if char.isalpha()]
    foreign = sum(1 for char in letters if ord(char) > 0x24F and not 0x1D400 <= ord(char) <= 0x1D7FF)
    return len(letters) >= 2 and foreign > len(letters) / 2
