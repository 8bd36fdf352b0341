"""From the customer's words to records of the store: one file per kind of slot.

Every resolver gives an :class:`Outcome`: found, several to choose from, or nothing (with what to tell the customer).
It sees only the identified customer's own records and the catalogue, so nothing the customer or a model says can
reach somebody else's.
"""

from __future__ import annotations

from shopbot.references.address_lines import parse_address
from shopbot.references.addresses import resolve_address
from shopbot.references.items import item_matches, resolve_items
from shopbot.references.orders import resolve_order
from shopbot.references.outcome import Choice, Choose, Found, Outcome, Unknown
from shopbot.references.payments import resolve_payment
from shopbot.references.products import resolve_product
from shopbot.references.variants import matching_variants, resolve_variant

__all__ = [
    "Choice",
    "Choose",
    "Found",
    "Outcome",
    "Unknown",
    "item_matches",
    "matching_variants",
    "parse_address",
    "resolve_address",
    "resolve_items",
    "resolve_order",
    "resolve_payment",
    "resolve_product",
    "resolve_variant",
]
