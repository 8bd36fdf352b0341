"""Payment methods: "my PayPal", "visa ending in 4242", "original payment method", an id."""

from __future__ import annotations

import re

from shopbot.references.outcome import Choice, Choose, Found, Outcome, Unknown
from shopbot.references.words import digits, ordinal
from shopbot.store import Customer, Order, PaymentMethod
from shopbot.textindex import fold

_KINDS = {
    "paypal": ("paypal", "pay pal"),
    "gift_card": ("gift", "giftcard", "voucher", "store credit", "website credit", "shop credit"),
    "credit_card": (
        "credit",
        "card",
        "debit",
        "visa",
        "mastercard",
        "master card",
        "amex",
        "american express",
        "discover",
    ),
}

_ID = re.compile(r"\b((?:gift_card|credit_card|paypal)_\d+)\b")
_ENDING = re.compile(r"\b(?:ending|ends)\s+(?:in|with|on)?\s*(\d{4})\b", re.IGNORECASE)
_USED = re.compile(
    r"\b(?:to|on|onto|from|with|via|using|by|use(?: up)?)\s+(?:my\s+|the\s+|a\s+)?"
    r"(gift ?card|pay ?pal|credit card|debit card|visa|master ?card|store credit)\b",
    re.IGNORECASE,
)


def resolve_payment(customer: Customer, words: str, order: Order | None = None) -> Outcome:
    """Which of the customer's own methods is meant; "original" is the one that paid ``order``."""
    methods = customer.payment_methods
    exact = customer.payment_method(words.strip())
    if exact is not None:
        return Found(exact)
    text, number = fold(words), digits(words)
    if len(number) >= 4:
        by_number = [method for method in methods if number in (digits(method.id), method.last_four)]
        if by_number:
            return Found(by_number[0])
        return _unknown(customer, words)
    if order is not None and any(
        cue in text.split() for cue in ("original", "originally", "same", "paid", "used", "back")
    ):
        original = customer.payment_method(order.paid_with or "")
        if original is not None and not _of_kind(methods, text):
            return Found(original)
    fitting = _of_kind(methods, text)
    if not fitting:
        place = ordinal(words, len(methods))
        return Found(methods[place]) if place is not None else _unknown(customer, words)
    branded = [method for method in fitting if method.brand and fold(method.brand) in text]
    fitting = branded or fitting
    if len(fitting) == 1:
        return Found(fitting[0])
    return Choose("Which one?", tuple(Choice(_label(method), method.id) for method in fitting))


def names_payment(words: str) -> bool:
    """Whether the words could be about a payment method at all; a model may take a colour for one."""
    text = fold(words)
    cues = [cue for kind in _KINDS.values() for cue in kind]
    return len(digits(words)) >= 4 or any(
        cue in text for cue in (*cues, "original", "account", "bank", "cash", "method", "pay")
    )


def spoken_payment(message: str) -> str | None:
    """The method that a message tells to use, where it says so plainly: an id, four last digits, "to my gift card"."""
    match = _ID.search(message) or _ENDING.search(message) or _USED.search(message)
    return match[1] if match else None


def payment_choices(customer: Customer) -> tuple[Choice, ...]:
    """All methods of the customer, to choose from."""
    return tuple(Choice(_label(method), method.id) for method in customer.payment_methods)


def _of_kind(methods: tuple[PaymentMethod, ...], text: str) -> list[PaymentMethod]:
    for kind in ("paypal", "gift_card", "credit_card"):
        if any(cue in text for cue in _KINDS[kind]):
            return [method for method in methods if method.kind == kind]
    return []


def _label(method: PaymentMethod) -> str:
    return f"{method} ({method.balance} left)" if method.balance is not None else str(method)


def _unknown(customer: Customer, words: str) -> Unknown:
    known = ", ".join(_label(method) for method in customer.payment_methods) or "none"
    return Unknown(f"I can't find \u201c{words}\u201d among your payment methods ({known}).")
