"""Why the bot answered as it did, in sentences made from what was kept with the answer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any


def explain_answer(payload: Mapping[str, Any]) -> list[str]:
    """The reasons behind a message of the bot's, from its payload."""
    return [*_understood(payload), *_deferred(payload), *_called(payload), *_asked(payload), *_took(payload)]


def _understood(payload: Mapping[str, Any]) -> Iterator[str]:
    for act in payload.get("acts", ()):
        words = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in act["arguments"].items())
        yield f"Understood {act['name']}({words}), {act['confidence']:.0%} sure."
    if not payload.get("acts"):
        yield "Nothing had to be understood: the bot said this by itself, or code read the message."
    elif not payload.get("tokens", {}).get("written"):
        yield "Code read the message; the model was not asked."


def _deferred(payload: Mapping[str, Any]) -> Iterator[str]:
    explain = payload.get("explain")
    if not explain or explain["deferral"] in ("sure", "off"):
        return
    found = f"The model on the box found {explain['act'] or 'nothing'}"
    yield f"{found}, {explain['confidence']:.0%} sure, {explain['threshold']:.0%} are asked for."
    if explain["deferral"] == "answered":
        yield "So the cloud model was asked, and its acts were taken."
    else:
        yield f"The cloud model did not help: {explain['deferral'].replace('_', ' ')}."


def _called(payload: Mapping[str, Any]) -> Iterator[str]:
    for call in payload.get("tool_calls", ()):
        words = ", ".join(f"{name}={value!r}" for name, value in call["arguments"].items())
        what = f"{call['tool']}({words})"
        if call["error"]:
            yield f"{what} failed: {call['error']}"
        elif call["effect"] == "write":
            yield f"Did {what}, after the customer's yes; call {call['call_id']} in the ledger."
        else:
            yield f"Looked up {what}."


def _asked(payload: Mapping[str, Any]) -> Iterator[str]:
    awaiting, handoff = payload.get("awaiting"), payload.get("handoff")
    if awaiting and awaiting["kind"] == "confirmation":
        yield f"Read {awaiting['tool']} back and waits for a yes."
    elif awaiting and awaiting["kind"] == "identity":
        yield f"Needs to know who the customer is, for {awaiting['tool']}."
    elif awaiting and awaiting["slot"] == "intent":
        yield f"Was not sure enough, so it asks whether {awaiting['tool']} is meant."
    elif awaiting:
        yield f"Waits for '{awaiting['slot']}' of {awaiting['tool']}."
    if handoff:
        yield f"Handed off: {handoff['reason']} (ticket {handoff['ticket_id']})."


def _took(payload: Mapping[str, Any]) -> Iterator[str]:
    times, tokens = payload.get("timings_ms", {}), payload.get("tokens", {})
    if "total" in times:
        model = f", {times['model']:.0f} of them in the model" if "model" in times else ""
        yield f"Took {times['total']:.0f} ms{model}."
    if tokens.get("written"):
        yield f"{tokens['read']} tokens read, {tokens['cached']} found in the cache, {tokens['written']} written."
