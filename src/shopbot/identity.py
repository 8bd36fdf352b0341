"""Who the customer is: decided by code from the customer's own words or a signed token, never by the model.

E-mail alone, or first name, last name and postcode together, must be those of one customer in the store. A signed
token comes from the embedding app: ``customer id . expiry . HMAC-SHA256`` in URL-safe base64.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Collection
from dataclasses import dataclass
from time import time

from shopbot.errors import TokenError
from shopbot.postcodes import postcode_spans
from shopbot.store import Customer, Store
from shopbot.textindex import fold

_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+")
#: More in one message is no customer who has forgotten which one it was.
_MAX_EMAILS, _MAX_POSTCODES = 2, 8
_SELF = frozenset(
    (
        "i im am is it s its my me name names mail e email address postcode eircode postal zip zipcode code and the a "
        "sure ok okay yes of course here hi hello this first last full you can find under with thanks thank please mr "
        "mrs ms"
    ).split()
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the customer has said of themselves, over several messages, and whom it identifies."""

    facts: dict[str, str]
    customer: Customer | None = None
    verified_by: str | None = None


def identify(store: Store, message: str, facts: dict[str, str], accept: Collection[str]) -> Evidence:
    """Gather identity from one more message. ``facts`` are those gathered before; they are not changed."""
    gathered = dict(facts)
    if "email" in accept:
        for email in _EMAIL.findall(message)[:_MAX_EMAILS]:
            gathered["email"] = email.strip(".").lower()
            customer = store.customer_by_email(gathered["email"])
            if customer is not None:
                return Evidence(gathered, customer, "email")
    if "name_postcode" in accept:
        found = [message[start:end] for start, end in postcode_spans(message)[:_MAX_POSTCODES]]
        spoken = f"{gathered.get('spoken', '')} {fold(message)}"[-400:]
        postcodes = [*([gathered["postcode"]] if "postcode" in gathered else []), *found]
        living = {postcode: store.customers_by_postcode(postcode) for postcode in postcodes}
        likely = [postcode for postcode in postcodes if living[postcode] or not _may_be_order_number(postcode)]
        if likely:
            gathered["postcode"] = max(reversed(likely), key=lambda postcode: bool(living[postcode]))
        gathered["spoken"] = spoken
        named = {one.id: one for customers in living.values() for one in customers if _is_named(one, spoken)}
        if len(named) == 1:
            return Evidence(gathered, next(iter(named.values())), "name_postcode")
    return Evidence(gathered)


def _is_named(customer: Customer, spoken: str) -> bool:
    """Whether first and last name stand side by side in what the customer said, as whole words."""
    first, last = fold(customer.first_name), fold(customer.last_name)
    text = f" {spoken} "
    return bool(first and last) and (f" {first} {last} " in text or f" {last} {first} " in text)


def _may_be_order_number(postcode: str) -> bool:
    """Whether digits alone, more than the five of most countries, look like a postcode only by chance."""
    return postcode.isdecimal() and len(postcode) > 5


def is_only_identity(message: str, customer: Customer) -> bool:
    """Whether the message says who the customer is and nothing else worth understanding."""
    text = _EMAIL.sub(" ", message)
    for start, end in postcode_spans(text):
        if not _may_be_order_number(text[start:end]):
            text = text[:start] + " " * (end - start) + text[end:]
    left = fold(text)
    names = {*fold(customer.first_name).split(), *fold(customer.last_name).split()}
    return len([word for word in left.split() if word not in names | _SELF]) <= 1


def sign_token(customer_id: str, secret: str, *, valid_s: int = 3600, now_s: float | None = None) -> str:
    """A token that identifies ``customer_id`` for ``valid_s`` seconds. Made by the embedding app's backend."""
    if not secret:
        raise TokenError(
            "There is no token secret.", remedy="Set identity.token_secret (SHOPBOT_IDENTITY__TOKEN_SECRET)."
        )
    expiry = int(time() if now_s is None else now_s) + valid_s
    payload = f"{_encode(customer_id.encode())}.{expiry}"
    return f"{payload}.{_encode(_signature(payload, secret))}"


def read_token(token: str, secret: str, *, now_s: float | None = None) -> str:
    """The customer id in a token. :class:`TokenError` if it is malformed, forged or expired."""
    if not secret:
        raise TokenError("This shop takes no customer tokens.", remedy="Set identity.token_secret.")
    payload, _, signature = token.rpartition(".")
    customer, _, expiry = payload.partition(".")
    try:
        given, customer_id, expires = _decode(signature), _decode(customer).decode(), int(expiry)
    except ValueError:
        raise TokenError("The customer token is malformed.") from None
    if not hmac.compare_digest(given, _signature(payload, secret)):
        raise TokenError("The customer token's signature is wrong.")
    if expires < (time() if now_s is None else now_s):
        raise TokenError("The customer token has expired.", remedy="Ask the shop's app for a new one.")
    return customer_id


def _signature(payload: str, secret: str) -> bytes:
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).digest()


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if _encode(raw) != text:
        raise ValueError("not the one way to write it")
    return raw
