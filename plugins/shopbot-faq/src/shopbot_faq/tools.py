"""The two tools: ``faq`` for every question about the shop, ``shipping_info`` for shipping in general."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from shopbot import Answer, Context, Slot, Tool, tool
from shopbot_faq.answers import Found, answer, find, names_place, place_note
from shopbot_faq.folder import FaqFolder
from shopbot_faq.search import PassageIndex
from shopbot_faq.settings import read_settings

#: Files with ``topic: shipping`` in their front matter answer ``shipping_info`` first.
SHIPPING = "shipping"
#: ``shipping_info`` was chosen already, so a shipping passage may be less sure than a passage among all.
_SHIPPING_SHARE = 0.5


def make_tools(config: Mapping[str, Any]) -> list[Tool]:
    """The tools over the folder that ``config`` names. :class:`ConfigError` if the table or the folder is wrong."""
    settings = read_settings(config)
    folder = FaqFolder(settings.folder)

    @tool(
        effect="read",
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
    asked = question if not place or place.casefold() in question.casefold() else f"{question} {place}"
    found = find(index, asked, threshold * _SHIPPING_SHARE, topic=SHIPPING)
    if not found.hits:
        return answer(_elsewhere(index, asked, threshold, found))
    is_named = not place or any(names_place(hit.passage, place) for hit in found.hits)
    return answer(found, lead="" if is_named else place_note(place or ""))


def _elsewhere(index: PassageIndex, asked: str, threshold: float, shipping: Found) -> Found:
    found = find(index, asked, threshold)
    return found if found.hits or not shipping.close else shipping
