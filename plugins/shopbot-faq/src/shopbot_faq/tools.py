"""The two tools: ``faq`` for every question about the shop, ``shipping_info`` for shipping in general."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from shopbot import Answer, Context, Slot, Tool, tool
from shopbot_faq.answers import MAX_ANSWERS, Found, answer, find, names_place, place_note
from shopbot_faq.folder import FaqFolder
from shopbot_faq.search import PassageIndex
from shopbot_faq.settings import read_settings
from shopbot_faq.words import terms

#: Files with ``topic: shipping`` in their front matter answer ``shipping_info`` first.
SHIPPING = "shipping"
#: ``shipping_info`` was chosen already, so a shipping passage may be less sure than a passage among all.
_SHIPPING_SHARE = 0.5
#: Where the model saw no question about the shop, a passage must be surer: this factor lets 1 % of the third-party
#: messages through that have nothing to do with a shop, and 38 % of the development questions that the pages answer.
_FALLBACK_FACTOR = 1.4
#: Asked for the customer when only a place is known.
_WHERE = "where do you deliver to, which countries"


def make_tools(config: Mapping[str, Any]) -> list[Tool]:
    """The tools over the folder that ``config`` names. :class:`ConfigError` if the table or the folder is wrong."""
    settings = read_settings(config)
    folder = FaqFolder(settings.folder)

    def can_answer(ctx: Context) -> bool:
        return bool(find(folder.index, ctx.message, settings.threshold * _FALLBACK_FACTOR).hits)

    @tool(
        effect="read",
        fallback=can_answer,
        examples=[
            "which cards can I pay with?",
            "how do I set up an account",
            "i forgot my password",
            "how long do I have to send something back?",
            "is there a fee if I cancel",
            "my payment keeps failing, what should I do",
            "how can I leave a review for a product",
            "sign me up for the newsletter",
            "what time do your stores close",
            "do you have a student discount",
            "what does the warranty cover",
            "how do I close my account for good",
            "what do you do with my personal data",
            "can I use two promo codes",
            "how do I place an order on your site",
        ],
    )
    def faq(ctx: Context, question: Annotated[str, Slot(source="message")]) -> Answer:  # noqa: ARG001
        """Answer a general question about the shop from its own pages: policies, payment, account, and so on."""
        return answer(find(folder.index, question, settings.threshold))

    @tool(
        effect="read",
        examples=[
            "do you ship to [place: Canada]?",
            "how much is delivery",
            "what shipping options do you have",
            "how long does standard shipping take",
            "can you deliver to [place: Anchorage]",
            "is express delivery possible to [place: Berlin]",
            "when do I get free shipping",
            "do you deliver on saturdays",
            "which countries do you send to",
            "can I pick my order up in a store",
            "what would postage to [place: Ireland] cost",
            "how fast do parcels get to [place: Texas]",
        ],
    )
    def shipping_info(
        ctx: Context,  # noqa: ARG001
        place: Annotated[str | None, Slot()] = None,
        question: Annotated[str, Slot(source="message")] = "",
    ) -> Answer:
        """Tell where the shop delivers, what it costs and how long it takes in general, for no order in particular."""
        return answer_shipping(folder.index, question, place, settings.threshold)

    return [faq, shipping_info]


def answer_shipping(index: PassageIndex, question: str, place: str | None, threshold: float) -> Answer:
    """What the shipping pages say, about ``place`` if one is meant; what the other pages say if those do not help."""
    if place and place.strip():
        return _answer_place(index, question, place, threshold * _SHIPPING_SHARE)
    found = find(index, question, threshold * _SHIPPING_SHARE, topic=SHIPPING)
    if found.hits:
        return answer(found)
    anywhere = find(index, question, threshold)
    if anywhere.hits or not (found.shown or found.named):
        return answer(anywhere)
    return answer(anywhere if anywhere.quoted and not found.quoted else found)


def _answer_place(index: PassageIndex, question: str, place: str, threshold: float) -> Answer:
    """The passages that name the place, with what was asked about it; never a yes for a place that none names."""
    is_said = place.casefold() in question.casefold()
    asked = find(index, question if is_said else f"{question} {place}", threshold, topic=SHIPPING)
    both = tuple(hit for hit in asked.hits if names_place(hit.passage, place))
    rest = re.sub(re.escape(place), " ", question, flags=re.IGNORECASE)
    if both and terms(rest):
        return answer(Found(both, words=asked.words))
    general = find(index, rest, threshold, topic=SHIPPING).hits
    ranked = index.search(f"{question} {place}", limit=len(index.passages), topic=SHIPPING)
    named = [hit for hit in ranked if names_place(hit.passage, place)]
    if named:
        hits = (named[0], *general[:1]) if general else tuple(named[:MAX_ANSWERS])
        return answer(Found(hits, words=asked.words))
    elsewhere = find(index, question, threshold / _SHIPPING_SHARE)
    if elsewhere.hits and elsewhere.hits[0].passage.topic != SHIPPING:
        return answer(elsewhere)  # no place at all: "is American Express ok at your place?"
    hits = tuple(index.search(_WHERE, limit=1, topic=SHIPPING))
    return answer(Found(hits, words=asked.words), lead=place_note(place) if hits else "")
