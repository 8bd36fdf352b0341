"""The port that plugins talk to: records of a shop, and the protocol a store offers.

Money is :class:`~decimal.Decimal` in the shop's currency. Dates are ``None`` where the shop does not know them. A store
never checks policy: tools do.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal, Protocol

from shopbot.backoffice import BackOffice

PaymentKind = Literal["credit_card", "paypal", "gift_card"]
ReturnState = Literal["requested", "received", "refunded"]
#: Who wrote a message: the customer, the bot, or a human agent.
MessageRole = Literal["customer", "bot", "agent"]
#: Who answers in a session: the bot; the bot, while a human agent was asked for; a human agent.
SessionMode = Literal["bot", "waiting", "human"]

PENDING = "pending"
PENDING_MODIFIED = "pending (item modified)"
PROCESSED = "processed"
DELIVERED = "delivered"
CANCELLED = "cancelled"
RETURN_REQUESTED = "return requested"
EXCHANGE_REQUESTED = "exchange requested"
#: Every status an order can have.
STATUSES = (PENDING, PENDING_MODIFIED, PROCESSED, DELIVERED, CANCELLED, RETURN_REQUESTED, EXCHANGE_REQUESTED)


@dataclass(frozen=True, slots=True)
class Address:
    """A postal address. ``line2`` is empty where there is none."""

    line1: str
    line2: str
    city: str
    state: str
    postcode: str
    country: str

    def __str__(self) -> str:
        parts = (self.line1, self.line2, self.city, f"{self.state} {self.postcode}".strip(), self.country)
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class PaymentMethod:
    """A customer's way to pay. ``balance`` is known for gift cards only."""

    id: str
    kind: PaymentKind
    brand: str = ""
    last_four: str = ""
    balance: Decimal | None = None

    def __str__(self) -> str:
        if self.kind == "credit_card":
            return f"{self.brand or 'credit card'} ending in {self.last_four}" if self.last_four else "credit card"
        return "PayPal" if self.kind == "paypal" else "gift card"


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer; ``order_ids`` oldest first."""

    id: str
    first_name: str
    last_name: str
    email: str
    address: Address
    payment_methods: tuple[PaymentMethod, ...] = ()
    order_ids: tuple[str, ...] = ()

    def payment_method(self, method_id: str) -> PaymentMethod | None:
        return next((method for method in self.payment_methods if method.id == method_id), None)


@dataclass(frozen=True, slots=True)
class Variant:
    """One buyable option of a product, for instance a T-shirt in blue, size M."""

    id: str
    product_id: str
    product_name: str
    options: Mapping[str, str]
    price: Decimal
    available: bool

    def __str__(self) -> str:
        return describe(self.product_name, self.options)


@dataclass(frozen=True, slots=True)
class Product:
    """A product type with its variants."""

    id: str
    name: str
    variants: tuple[Variant, ...] = ()

    def variant(self, variant_id: str) -> Variant | None:
        return next((variant for variant in self.variants if variant.id == variant_id), None)


@dataclass(frozen=True, slots=True)
class OrderItem:
    """One piece in an order. Two equal pieces are two items with the same ``variant_id``."""

    variant_id: str
    product_id: str
    name: str
    options: Mapping[str, str]
    price: Decimal

    def __str__(self) -> str:
        return describe(self.name, self.options)


@dataclass(frozen=True, slots=True)
class Fulfillment:
    """A parcel: tracking ids and the variants in it."""

    tracking_ids: tuple[str, ...]
    variant_ids: tuple[str, ...]
    carrier: str = ""
    expected_on: date | None = None
    delivered_on: date | None = None


@dataclass(frozen=True, slots=True)
class Payment:
    """Money that moved: ``payment`` from the customer or ``refund`` to the customer; ``amount`` is positive."""

    kind: Literal["payment", "refund"]
    amount: Decimal
    method_id: str
    made_on: date | None = None


@dataclass(frozen=True, slots=True)
class Return:
    """Items on their way back. ``state``: requested → received → refunded."""

    variant_ids: tuple[str, ...]
    method_id: str
    state: ReturnState = "requested"
    requested_on: date | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """Items swapped after delivery. Both lists are sorted, so places do not pair: things are swapped within a product.

    ``price_difference`` is what the customer pays (positive) or gets back (negative).
    """

    variant_ids: tuple[str, ...]
    new_variant_ids: tuple[str, ...]
    method_id: str
    price_difference: Decimal
    requested_on: date | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """An order with everything that happened to it."""

    id: str
    customer_id: str
    address: Address
    items: tuple[OrderItem, ...]
    status: str
    fulfillments: tuple[Fulfillment, ...] = ()
    payments: tuple[Payment, ...] = ()
    placed_on: date | None = None
    cancel_reason: str | None = None
    returned: Return | None = None
    exchanged: Exchange | None = None

    @property
    def total(self) -> Decimal:
        """The price of everything in the order now."""
        return sum((item.price for item in self.items), Decimal(0))

    @property
    def paid_with(self) -> str | None:
        """Id of the payment method of the first payment."""
        return next((payment.method_id for payment in self.payments if payment.kind == "payment"), None)

    @property
    def delivered_on(self) -> date | None:
        days = [parcel.delivered_on for parcel in self.fulfillments if parcel.delivered_on]
        return max(days) if days else None


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a customer thought of an answer."""

    rating: Literal["up", "down"]
    text: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a session.

    ``payload`` is what came with the text, JSON-able; for the bot's: its turn and the rest of the reply. ``request_id``
    is the request that the customer's message came in, and the bot's that answers it. ``seq`` (1, 2, 3, … in a session)
    and ``at`` are given by the store; 0 and None before.
    """

    role: MessageRole
    text: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    request_id: str | None = None
    seq: int = 0
    at: datetime | None = None
    feedback: Feedback | None = None


@dataclass(frozen=True, slots=True)
class SessionEntry:
    """A session as a list shows it. ``active_at``: when its last message came, or it was started. ``agent``: the human
    agent who has it."""

    id: str
    customer_id: str | None
    mode: SessionMode
    turns: int
    last_seq: int
    started_at: datetime
    active_at: datetime
    agent: str | None = None


@dataclass(frozen=True, slots=True)
class Ticket:
    """A hand-off to a human agent."""

    id: str
    session_id: str
    customer_id: str | None
    reason: str
    summary: str
    created_at: datetime
    is_open: bool = True


@dataclass(frozen=True, slots=True)
class Erasure:
    """That a session or a customer was erased: one of the two ids. What is kept outside the store must follow."""

    session_id: str | None
    customer_id: str | None


@dataclass(frozen=True, slots=True)
class Written:
    """The ledger's entry for one write: it happened, once, with these arguments and this result."""

    call_id: str
    session_id: str
    customer_id: str
    tool: str
    arguments: Mapping[str, Any]
    result: Mapping[str, Any]
    written_at: datetime
    is_replay: bool = field(default=False)


class Unit(Protocol):
    """A unit of work inside one transaction. Records read through it are locked until it ends."""

    def customer(self, customer_id: str) -> Customer:
        """The customer, locked. :class:`NotFoundError` if there is none."""

    def order(self, order_id: str) -> Order:
        """The order, locked. :class:`NotFoundError` if there is none."""

    def product(self, product_id: str) -> Product:
        """The product, locked. :class:`NotFoundError` if there is none."""

    def save_customer(self, customer: Customer) -> None:
        """Replace the stored address and payment methods (balances) of the customer."""

    def save_order(self, order: Order) -> None:
        """Replace the stored order."""


class Store(BackOffice, Protocol):
    """What a shop's database offers. Thread-safe; one instance a process."""

    def customer(self, customer_id: str) -> Customer | None: ...

    def customer_by_email(self, email: str) -> Customer | None:
        """Compared without regard to case and surrounding space."""

    def customers_by_postcode(self, postcode: str) -> Sequence[Customer]:
        """Customers whose default address, or any order's address, has this postcode, however it is spaced.

        Dashes and case do not matter either. At most 1,000.
        """

    def orders(self, customer_id: str) -> Sequence[Order]:
        """The customer's orders, oldest first."""

    def order(self, order_id: str) -> Order | None: ...

    def product(self, product_id: str) -> Product | None: ...

    def products(self) -> Sequence[Product]:
        """The catalogue. May be cached for some seconds by the store."""

    def execute(
        self,
        call_id: str,
        *,
        session_id: str,
        customer_id: str,
        tool: str,
        arguments: Mapping[str, Any],
        action: Callable[[Unit], Mapping[str, Any]],
        session_version: int | None = None,
    ) -> Written:
        """Run ``action`` in one transaction, exactly once per ``call_id``.

        The ledger row is written in the same transaction. If ``call_id`` is in the ledger already, nothing runs and
        the stored entry comes back with ``is_replay``. If ``action`` raises, everything is rolled back.

        ``session_version``: only while the saved session is at that version, else :class:`ConflictError`; who saves
        it meanwhile waits for the end of the transaction.
        """

    def written(self, call_id: str) -> Written | None:
        """The ledger's entry, or None if that write never happened."""

    def open_ticket(self, *, session_id: str, customer_id: str | None, reason: str, summary: str) -> Ticket: ...

    def tickets(self, *, open_only: bool = True, sessions: Collection[str] | None = None) -> Sequence[Ticket]:
        """The tickets, oldest first; ``sessions``: only those of these."""

    def unannounced_tickets(self, *, since: datetime) -> Sequence[Ticket]:
        """The open tickets since then that no notice has the id of, oldest first, at most 100."""

    def load_session(self, session_id: str) -> tuple[Mapping[str, Any], int] | None:
        """The saved state and its version, or None."""

    def save_session(
        self,
        session_id: str,
        state: Mapping[str, Any],
        *,
        version: int,
        messages: Sequence[Message] = (),
        closed_ticket: str | None = None,
    ) -> int:
        """Save over ``version`` (0: a new session) and return the new one; :class:`ConflictError` if it moved on.

        In the same transaction, ``messages`` are appended and the ticket ``closed_ticket`` is closed. Of ``state``,
        ``customer_id``, ``mode``, ``agent`` and ``turns`` are what :meth:`session_entries` lists.
        """

    def append_message(self, session_id: str, message: Message, *, agent: str | None = None) -> int:
        """Append one message and return its ``seq``, also beside a turn; :class:`NotFoundError` if no such session.

        ``agent``: only while this human agent has the session; else it is as if there was none.
        """

    def messages(self, session_id: str, *, after: int = 0, request_id: str | None = None) -> Sequence[Message]:
        """The session's messages with a higher ``seq``, in order; ``request_id``: only those of that request."""

    def give_feedback(self, session_id: str, seq: int, feedback: Feedback) -> None:
        """Keep it with the bot's or the human agent's message, instead of an earlier one; :class:`NotFoundError` if
        there is no such message."""

    def session_entry(self, session_id: str) -> SessionEntry | None: ...

    def session_entries(
        self, *, mode: SessionMode | None = None, before: tuple[datetime, str] | None = None, limit: int = 100
    ) -> Sequence[SessionEntry]:
        """The sessions, the last active first; ``before``: only those that come after the one with this ``active_at``
        and id."""

    def count_sessions(self) -> Mapping[SessionMode, int]:
        """How many there are in each mode."""

    def forget_session(self, session_id: str) -> bool:
        """Erase a session and its messages; False if there was none. Tickets and the ledger stay."""

    def forget_customer(self, customer_id: str) -> int:
        """Erase every session of a customer and their messages; how many sessions. Tickets and the ledger stay."""

    def erasures(self, *, since: datetime) -> Sequence[Erasure]:
        """What :meth:`forget_session` and :meth:`forget_customer` were called for since then, by whichever process;
        :meth:`purge_backoffice` erases the old ones."""

    def purge_sessions(self, *, idle_since: datetime, mode: SessionMode) -> int:
        """Erase the sessions in ``mode`` without a message since then, with their messages; how many."""

    def close(self) -> None: ...


def describe(name: str, options: Mapping[str, str]) -> str:
    """``Desk Lamp (color black, power USB)``: a thing with its options."""
    return f"{name} ({', '.join(f'{key} {value}' for key, value in options.items())})" if options else name
