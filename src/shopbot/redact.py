"""Redaction: personal data becomes placeholders before anything is stored or leaves the box.

What the store knows of the customer is replaced exactly, whatever its case, accents and spacing; then what
patterns find (:mod:`shopbot.personal_data`). One value has one placeholder in a session (``<ORDER_1>`` stays one
order), also in another process: a :class:`Redactor` remembers short keyed hashes, never values.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any

from shopbot.personal_data import Span, find
from shopbot.personal_words import EVERYDAY_WORDS

if TYPE_CHECKING:
    from shopbot.store import Address, Customer, Order

#: A placeholder as it stands in redacted text.
PLACEHOLDER = re.compile(r"<([A-Z]{2,10})_(\d{1,6})>")
#: Bits of the keyed hash that are kept: enough to tell a session's values apart, too few to guess a phone number back.
_DIGEST_BYTES = 3
#: Letters, digits and what people put between them inside one value.
_ONE_VALUE = re.compile(r"(?:\w|\s|[.,@#/'’+-])*")
MAX_CHARS = 20_000
_MAX_ITEMS = 500
_MAX_DEPTH = 12
_STRUCTURED = {
    "first_name": "NAME",
    "last_name": "NAME",
    "full_name": "NAME",
    "customer_name": "NAME",
    "email": "EMAIL",
    "phone": "PHONE",
    "line1": "ADDRESS",
    "line2": "ADDRESS",
    "postcode": "POSTCODE",
    "customer_id": "CUSTOMER",
}


class Redactor:
    """Replaces personal data by placeholders, consistently within one session.

    ``key``: secret of the keyed hashes. ``numbers``: (kind, hash) → number given so far, as an earlier process left
    them; :attr:`numbers` grows while text is redacted. ``highest``: kind → highest number given, where hashes were
    forgotten. Not thread-safe; cheap to make.
    """

    def __init__(
        self,
        key: bytes | None = None,
        numbers: Mapping[tuple[str, bytes], int] | None = None,
        *,
        highest: Mapping[str, int] | None = None,
    ) -> None:
        self._key = key or secrets.token_bytes(32)
        self.renumber(numbers or {}, highest or {})
        self._known: dict[str, tuple[str, str]] = {}
        self._spaced: set[str] = set()
        self._everyday: set[str] = set()

    def renumber(self, numbers: Mapping[tuple[str, bytes], int], highest: Mapping[str, int]) -> None:
        """Go on from the numbers that were given elsewhere; what is known of the customer stays."""
        self.numbers = dict(numbers)
        self._highest = dict(highest)
        for (kind, _), number in self.numbers.items():
            self._highest[kind] = max(number, self._highest.get(kind, 0))

    def know(self, customer: Customer | None, orders: Iterable[Order] = ()) -> None:
        """Learn what the store knows of the customer."""
        if customer is not None:
            self._know_customer(customer)
        for order in orders:
            self._know_id(order.id, "ORDER")
            self._know_address(order.address)
            for parcel in order.fulfillments:
                for tracking in parcel.tracking_ids:
                    self._know_id(tracking, "TRACKING")
            for payment in order.payments:
                self._know_id(payment.method_id, "PAYMENT")

    def know_value(self, kind: str, value: str) -> None:
        """Learn one more value that is personal, for instance a name that the customer gave."""
        if len(_compact(value)[0]) >= 2:
            self._know(value, kind, value)

    def know_act(self, name: str, arguments: Mapping[str, str]) -> None:
        """Learn what the customer said of themselves in an act, which is personal even where no pattern tells."""
        for slot, words in arguments.items():
            if name == "inform" and slot in ("email", "postcode"):
                self.know_value(slot.upper(), words)
            elif name == "inform" and slot == "name" and (words.strip().count(" ") or words[:1].isupper()):
                self.know_value("NAME", words)
            elif slot.endswith("address") and any(char.isdigit() for char in words):
                self.know_value("ADDRESS", words)

    def text(self, text: str, *, expects_identity: bool = False) -> str:
        """``text`` with placeholders; placeholders that stand in it already stay. Keeps 20,000 characters."""
        return self.text_and_copies(text, (), expects_identity=expects_identity)[0]

    def text_and_copies(
        self, text: str, copies: Sequence[str], *, expects_identity: bool = False
    ) -> tuple[str, list[str]]:
        """``text`` as :meth:`text` gives it, and each of ``copies`` as the same stretch reads in it.

        A copy that cuts a placeholder in two becomes the whole placeholder; one that is not in the text is redacted by
        itself.
        """
        text, pieces = self._cut(text, expects_identity=expects_identity)
        redacted = "".join(piece for piece, _, _ in pieces)
        return redacted, [_stretch(text, copy, pieces) or self.text(copy) for copy in copies]

    def text_and_values(self, text: str, *, expects_identity: bool = False) -> tuple[str, dict[str, str]]:
        """``text`` as :meth:`text` gives it, and what each placeholder stands for: the first stretch it replaced."""
        text, pieces = self._cut(text, expects_identity=expects_identity)
        values: dict[str, str] = {}
        for placeholder, start, end in pieces[1::2]:
            values.setdefault(placeholder, text[start:end])
        return "".join(piece for piece, _, _ in pieces), values

    def _cut(self, text: str, *, expects_identity: bool) -> tuple[str, list[tuple[str, int, int]]]:
        """The text that is kept, and its pieces (new text, start, end) by turns untouched and replaced."""
        text = text[:MAX_CHARS].encode("utf-8", "replace").decode()
        kept = [match.span() for match in PLACEHOLDER.finditer(text)]
        spans = [*self._find_known(text), *find(text, expects_identity=expects_identity)]
        spans = [span for span in spans if not any(span.start < end and start < span.end for start, end in kept)]
        pieces, position = [], 0
        for span in merge_spans(spans):
            pieces += [
                (text[position : span.start], position, span.start),
                (self._placeholder(span.kind, span.key or text[span.start : span.end]), span.start, span.end),
            ]
            position = span.end
        pieces.append((text[position:], position, len(text)))
        return text, pieces

    def value(self, value: Any, *, field: str = "", _depth: int = 0) -> Any:
        """A JSON-able copy of ``value`` with every string, key and long number in it redacted."""
        if _depth > _MAX_DEPTH:
            return "…"
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, (int, float)):
            digits = str(value)
            return value if (text := self.text(digits)) == digits else text
        if isinstance(value, str):
            kind = _STRUCTURED.get(field)
            if kind and value.strip() and not PLACEHOLDER.fullmatch(value):
                known = self._known.get(_compact(value)[0])
                return self._placeholder(*known) if known else self._placeholder(kind, value)
            return self.text(value)
        if is_dataclass(value) and not isinstance(value, type):
            value = asdict(value)
        if isinstance(value, Mapping):
            items = list(value.items())[:_MAX_ITEMS]
            return {self.text(str(key)): self.value(item, field=str(key), _depth=_depth + 1) for key, item in items}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self.value(item, field=field, _depth=_depth + 1) for item in list(value)[:_MAX_ITEMS]]
        return self.text(str(value))

    def _know_customer(self, customer: Customer) -> None:
        person = f"{customer.first_name} {customer.last_name}"
        self._know(person, "NAME", person)
        self._know(f"{customer.last_name} {customer.first_name}", "NAME", person)
        self._know_word(customer.first_name, "NAME", person)
        self._know_word(customer.last_name, "NAME", person)
        self._know_id(customer.id, "CUSTOMER")
        self._know(customer.email, "EMAIL", customer.email)
        self._know(customer.email.replace("@", " at ").replace(".", " dot "), "EMAIL", customer.email)
        self._know_address(customer.address)
        for method in customer.payment_methods:
            self._know_id(method.id, "PAYMENT")
            if len(method.last_four) >= 4:
                self._know(method.last_four, "PAYMENT", method.id)
        for order_id in customer.order_ids:
            self._know_id(order_id, "ORDER")

    def _know_address(self, address: Address) -> None:
        whole = str(address)
        line1, line2, city, code = address.line1, address.line2, address.city, address.postcode
        for parts in (
            (line1, line2, city, address.state, code, address.country),
            (line1, line2, code, city, address.country),
            (line1, line2, city, code, address.country),
        ):
            for length in range(1, len(parts) + 1):
                for chosen in (parts[:length], (line1, *parts[2:length])):
                    self._know(" ".join(part for part in chosen if part), "ADDRESS", whole if line1 else "")
        if len(address.line2) >= 3:
            self._know(address.line2, "ADDRESS", whole)
        if len(address.postcode) >= 3:
            self._know(address.postcode, "POSTCODE", address.postcode)
            self._know(f"{address.state} {address.postcode}", "POSTCODE", address.postcode)
        self._know_word(address.city, "CITY", address.city)

    def _know_id(self, value: str, kind: str) -> None:
        """An id is found whatever stands between its characters; of a letter and digits, the digits alone count too."""
        compact = _compact(value)[0]
        if len(compact) >= 2:
            self._known.setdefault(compact, (kind, value))
            self._spaced.add(compact)
        digits = compact.lstrip("abcdefghijklmnopqrstuvwxyz")
        if len(digits) >= 4 and digits.isdigit() and len(compact) - len(digits) in (1, 2):
            self._known.setdefault(digits, (kind, value))
            self._spaced.add(digits)

    def _know_word(self, value: str, kind: str, key: str) -> None:
        self._know(value, kind, key)
        if value.casefold() in EVERYDAY_WORDS:
            self._everyday.add(_compact(value)[0])

    def _know(self, value: str, kind: str, key: str) -> None:
        compact = _compact(value)[0]
        if len(compact) >= 2 and key:
            self._known.setdefault(compact, (kind, key))
            if any(not char.isalnum() for char in value.strip()):
                self._spaced.add(compact)

    def _find_known(self, text: str) -> list[Span]:
        if not self._known:
            return []
        compact, places = _compact(text)
        found = []
        for value, (kind, key) in self._known.items():
            at = compact.find(value)
            while at >= 0:
                start, end = places[at], places[at + len(value) - 1] + 1
                if self._stands_alone(text, start, end, value):
                    found.append(Span(start, end, kind, key))
                at = compact.find(value, at + 1)
        return found

    def _stands_alone(self, text: str, start: int, end: int, value: str) -> bool:
        """Whether the stretch begins and ends with a word, and is no price and no everyday word."""
        if text[max(0, start - 1) : start].isalnum() or text[end : end + 1].isalnum():
            return False
        before, stretch = text[max(0, start - 3) : start], text[start:end]
        if value in self._everyday:
            return stretch[0].isupper() and re.search(r"[\w,;:'’-] ?$", before) is not None
        if value.isdigit() and len(value) <= 5:
            is_price = re.search(r"[$€£] ?$|\d[.,]$", before) or re.match(r"[.,]\d|[$€£%]", text[end : end + 2])
            return stretch == value and not is_price and (len(value) > 3 or before.endswith("#"))
        if value in self._spaced:
            return len(stretch) <= 2 * len(value) + 2 and _ONE_VALUE.fullmatch(stretch) is not None
        return not any(char.isspace() for char in stretch)

    def _placeholder(self, kind: str, key: str) -> str:
        """The placeholder of a value; the next free number of its kind where it is new."""
        message = f"{kind}\0{_compact(key)[0] or key}".encode("utf-8", "surrogatepass")
        digest = hmac.new(self._key, message, hashlib.sha256).digest()[:_DIGEST_BYTES]
        number = self.numbers.get((kind, digest))
        if number is None:
            number = self._highest.get(kind, 0) + 1
            self._highest[kind] = self.numbers[kind, digest] = number
        return f"<{kind}_{number}>"


def redact(text: str, known: Customer | None, orders: Iterable[Order] = ()) -> str:
    """``text`` with placeholders for what the store knows of this customer and for what patterns find."""
    redactor = Redactor()
    redactor.know(known, orders)
    return redactor.text(text)


def _stretch(text: str, copy: str, pieces: Sequence[tuple[str, int, int]]) -> str:
    """``copy`` as it reads after ``text`` was cut into (new text, start, end) by turns untouched and replaced; empty:
    it is not there."""
    match = re.search(rf"(?<!\w){re.escape(copy)}(?!\w)", text) or re.search(re.escape(copy), text)
    if match is None or not copy:
        return ""
    parts = []
    for place, (piece, start, end) in enumerate(pieces):
        if start < match.end() and match.start() < end:
            is_replaced = place % 2
            parts.append(piece if is_replaced else text[max(start, match.start()) : min(end, match.end())])
    return "".join(parts)


def _compact(text: str) -> tuple[str, list[int]]:
    """The letters and digits of ``text``, folded, and where each of them stands in it."""
    if text.isascii():
        places = [place for place, char in enumerate(text) if char.isalnum()]
        return "".join([text[place] for place in places]).lower(), places
    letters, places = [], []
    for place, char in enumerate(text):
        for part in char if char.isascii() else unicodedata.normalize("NFKD", char).casefold():
            if part.isalnum():
                letters.append(part.lower())
                places.append(place)
    return "".join(letters), places


def merge_spans(spans: Iterable[Span]) -> list[Span]:
    """Spans that do not overlap: what overlaps is joined and takes the kind of its longest part."""
    merged: list[Span] = []
    sizes: list[int] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if span.end <= span.start:
            continue
        if not merged or span.start >= merged[-1].end:
            merged.append(span)
            sizes.append(span.end - span.start)
            continue
        last, end = merged[-1], max(merged[-1].end, span.end)
        key = (last.key or span.key) if last.kind == span.kind else ""
        if span.end - span.start > sizes[-1]:
            merged[-1], sizes[-1] = Span(last.start, end, span.kind, key), span.end - span.start
        else:
            merged[-1] = Span(last.start, end, last.kind, key or (last.key if end == last.end else ""))
    return merged
