"""What every arm may choose from: the tools of the first-party plugins, and three acts of a conversation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.setup import plugins

_NOTHING: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}


@dataclass(frozen=True, slots=True)
class Offer:
    """A tool, or an act without arguments, with the JSON schema of its arguments and its example utterances."""

    name: str
    description: str
    schema: dict[str, Any]
    examples: tuple[str, ...]


#: shopbot knows these without examples, for its adapter was trained on them; the others need some. They were written
#: for this benchmark, without a look at the data.
CONVERSATION = (
    Offer(
        "handoff",
        "Put the customer through to a human agent, or take a complaint.",
        _NOTHING,
        (
            "can I talk to a human?",
            "get me somebody who works there",
            "I want to make a complaint",
            "call me back please, I need a real person",
            "your service is a disgrace and I want to say so to someone",
            "what is your customer service's phone number",
            "is there an agent I can speak with",
            "how do I file a claim about my experience",
        ),
    ),
    Offer(
        "smalltalk",
        "The customer greets, thanks, says goodbye or chats with the bot.",
        _NOTHING,
        (
            "hi there",
            "good morning, how are you?",
            "thanks a lot, you've been great",
            "bye for now",
            "are you a robot?",
            "tell me a joke",
            "what's your name",
            "what are you able to do",
        ),
    ),
    Offer(
        "out_of_scope",
        "Anything that has nothing to do with the shop.",
        _NOTHING,
        (
            "what's the weather going to be tomorrow",
            "set a timer for ten minutes",
            "how do you say thank you in Italian",
            "book me a table at the Indian place",
            "who won the game last night",
            "transfer 50 dollars to my savings",
            "write me a poem about cats",
            "how far is it to the airport",
        ),
    ),
)


def offers() -> list[Offer]:
    """All of them, the tools first, as their authors declared them."""
    tools = plugins().tools().values()
    return [Offer(tool.name, tool.description, tool.schema(), tool.examples) for tool in tools] + list(CONVERSATION)


def answer_schema(offered: Sequence[Offer]) -> dict[str, Any]:
    """One object: ``act``, and of the arguments of that act those that the message has."""
    return {"type": "object", "anyOf": [_act_schema(offer) for offer in offered]}


def _act_schema(offer: Offer) -> dict[str, Any]:
    arguments = {name: _said(schema) for name, schema in offer.schema["properties"].items()}
    properties = {"act": {"const": offer.name}, **arguments}
    return {"type": "object", "properties": properties, "required": ["act"], "additionalProperties": False}


def _said(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of an argument that is given, so not the one of null."""
    (kind,) = [one for one in schema["anyOf"] if one.get("type") != "null"]
    return dict(kind)
