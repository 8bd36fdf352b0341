"""Redact: a thousand canaries in three languages, and what has to survive redaction."""

from __future__ import annotations

import json
import random
import string
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from shopbot_refine.acts import Act, parse_act
from shopbot_refine.records import LoggedTurn, Rejected
from shopbot_refine.redact import redact
from shopbot_refine.stages import rejected_path, rows_path, run_stage

from shopbot import Address, Customer, Fulfillment, Order, OrderItem, Payment, PaymentMethod, Product, Variant
from shopbot.stores.sql import Contents, SqlStore, open_store

SESSIONS_EACH = 21
#: What is said with what the store knows: bare, in any place of a sentence.
KNOWN = {
    "en": "it is for {name}|mail {mail} please|{street} still holds?|cancel {order}|and {order2} too|refund {payment}"
    "|{tracking} is stuck|send it on to {gift}",
    "de": "das ist für {name}|bitte an {mail}|gilt {street} noch?|storniert {order}|und {order2} auch"
    "|Geld auf {payment}|{tracking} hängt fest|weiter an {gift}",
    "fr": "c'est pour {name}|écrivez à {mail}|{street}, c'est encore bon ?|annulez {order}|et {order2} aussi"
    "|remboursez {payment}|{tracking} est bloqué|envoyez vers {gift}",
}
#: What is said of somebody whom the store does not know: told by its form, or by the words before it.
UNKNOWN = {
    "en": "my name is {name}|reach me at {mail}|call {phone}|ship it to {street}|my card is {card}|refund to {iban}"
    "|see {url}|where is order {order}",
    "de": "ich heiße {name}|schreibt an {mail}|ruft an: {phone}|meine Adresse ist {street}|Karte {card}"
    "|bitte auf {iban}|siehe {url}|wo ist Bestellung Nr. {order}",
    "fr": "je m'appelle {name}|mon mail : {mail}|mon numéro est {phone}|j'habite {street}|ma carte {card}"
    "|mon IBAN {iban}|voyez {url}|où est ma commande n° {order}",
}


@dataclass
class Canaries:
    """Invented personal data; ``planted`` are the letters and digits that must not come out."""

    rng: random.Random
    planted: list[str] = field(default_factory=list)

    def plant(self, value: str, *marks: str) -> str:
        """``value``, remembered by ``marks``, its parts that nothing else is made of."""
        self.planted += marks or (value,)
        return value

    def word(self) -> str:
        """A word of no language."""
        return "".join(self.rng.choice("bdfgklmnprtvz") + self.rng.choice("aeiou") for _ in range(4)) + "x"

    def digits(self, count: int) -> str:
        return self.rng.choice("123456789") + "".join(self.rng.choice(string.digits) for _ in range(count - 1))

    def mail(self) -> str:
        name = self.word()
        return self.plant(f"{name}.{self.digits(2)}@{self.word()}.example", name)

    def name(self) -> tuple[str, str]:
        first, last = self.word().title(), self.word().title()
        self.plant(f"{first} {last}", first, last)
        return first, last

    def street(self, language: str) -> str:
        word = self.word().title()
        forms = {"en": "{n} {w} Street", "de": "{w}straße {n}", "fr": "{n} rue de {w}"}
        return self.plant(forms[language].format(n=self.rng.randint(10, 190), w=word), word)

    def phone(self, language: str) -> str:
        a, b, c, d = (self.digits(2) for _ in range(4))
        forms = {"en": f"(6{a}) {b}5-{c}{d}", "de": f"0176 {a}{b}{c}{d}", "fr": f"06 {a} {b} {c} {d}"}
        return self.plant(forms[language])

    def card(self) -> str:
        head = "4" + self.digits(14)
        last = next(d for d in string.digits if _luhn(head + d))
        number = head + last
        return self.plant(" ".join(number[at : at + 4] for at in range(0, 16, 4)), number)

    def iban(self, language: str) -> str:
        country = {"en": "GB", "de": "DE", "fr": "FR"}[language]
        account = {"en": "NWBK" + self.digits(14), "de": self.digits(18), "fr": self.digits(23)}[language]
        number = int("".join(str(int(char, 36)) for char in account + country + "00"))
        return self.plant(f"{country}{98 - number % 97:02d}{account}", account[4:])

    def url(self) -> str:
        token = "".join(self.rng.choice(string.ascii_letters + string.digits) for _ in range(24))
        return self.plant(f"https://shop.example/track?token={token}", token)


def _letters(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())


def _luhn(number: str) -> bool:
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(number))]
    return sum(value - 9 * (value > 9) for value in doubled) % 10 == 0


def _customer(canaries: Canaries, number: int, language: str) -> tuple[Customer, tuple[Order, ...], dict[str, str]]:
    """A customer of the store with two orders, and what the messages say of them."""
    (first, last), home, gift = canaries.name(), canaries.street(language), canaries.street(language)
    mail, ids = canaries.mail(), [canaries.plant("#W" + canaries.digits(7)) for _ in range(2)]
    payment = canaries.plant(f"paypal_{canaries.digits(7)}")
    tracking = canaries.plant(canaries.digits(12))
    who = f"customer_{number}"
    addresses = [Address(line, "", "Musterstadt", "", canaries.digits(5), "Nowhere") for line in (home, gift)]
    customer = Customer(who, first, last, mail, addresses[0], (PaymentMethod(payment, "paypal"),), tuple(ids))
    item = OrderItem("v1", "p1", "Lamp", {"color": "red"}, Decimal("20.00"))
    orders = tuple(
        Order(
            name,
            who,
            address,
            (item,),
            "delivered",
            (Fulfillment((tracking,), ("v1",)),),
            (Payment("payment", Decimal("20.00"), payment),),
        )
        for name, address in zip(ids, addresses, strict=True)
    )
    said = {"name": first, "mail": mail, "street": home, "gift": gift, "payment": payment, "tracking": tracking}
    return customer, orders, {**said, "order": ids[0], "order2": ids[1]}


def _stranger(canaries: Canaries, language: str) -> dict[str, str]:
    order = canaries.plant(canaries.digits(8))
    said = {"name": " ".join(canaries.name()), "mail": canaries.mail(), "order": order}
    said |= {"phone": canaries.phone(language), "street": canaries.street(language), "card": canaries.card()}
    return {**said, "iban": canaries.iban(language), "url": canaries.url()}


def _turns(session: str, messages: Iterable[str], said: dict[str, str]) -> list[LoggedTurn]:
    """Each message as a turn whose act copies the canary and whose reply repeats it."""
    turns = []
    for number, message in enumerate(messages):
        [(slot, value)] = [(slot, value) for slot, value in said.items() if f"{{{slot}}}" in message]
        act = Act("order_status", ((slot, value),))
        text = message.replace(f"{{{slot}}}", value)
        turns.append(LoggedTurn(f"{session}-{number}", session, text, (str(act),), reply=f"So: {text}."))
    return turns


@pytest.fixture
def store(tmp_path: Path) -> Iterable[SqlStore]:
    store = open_store(f"sqlite:///{tmp_path / 'shop.db'}")
    yield store
    store.close()


def test_no_canary_stands_in_any_byte_that_redact_writes(tmp_path: Path, store: SqlStore) -> None:
    canaries = Canaries(random.Random(17))
    turns, customers, orders = [], [], []
    for number in range(3 * SESSIONS_EACH):
        language = ("en", "de", "fr")[number % 3]
        customer, theirs, said = _customer(canaries, number, language)
        customers.append(customer)
        orders += theirs
        turns += _turns(f"known{number}", KNOWN[language].split("|"), said)
        turns += _turns(f"stranger{number}", UNKNOWN[language].split("|"), _stranger(canaries, language))
    lamp = Product("p1", "Lamp", (Variant("v1", "p1", "Lamp", {"color": "red"}, Decimal("20.00"), True),))
    store.fill(Contents((lamp,), tuple(customers), tuple(orders)))

    def known(session: str) -> tuple[Customer, Iterable[Order]] | None:
        who = session.replace("known", "customer_")
        found = store.customer(who) if who != session else None
        return found and (found, store.orders(who))

    run_stage(tmp_path, "redact", identity="x", work=lambda: redact(turns, known=known, folder=tmp_path))
    written = rows_path(tmp_path, "redact").read_text(encoding="utf-8") + rejected_path(tmp_path, "redact").read_text()
    letters = _letters(written)
    left = [mark for mark in canaries.planted if _letters(mark) in letters]
    assert len(canaries.planted) >= 1000
    assert not left, f"{len(left)} of {len(canaries.planted)}: {left[:20]}"
    rows = [json.loads(line) for line in rows_path(tmp_path, "redact").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == len(turns)
    for row in rows:
        [act] = [parse_act(act) for act in row["acts"]]
        assert act.arguments[0][1] in row["text"], "an argument is no copy of its text any more"


def one(text: str, *acts: str, state: str = "-", session: str = "s") -> LoggedTurn:
    return LoggedTurn(f"{session}-{text[:5]}", session, text, acts, state)


def redacted(*turns: LoggedTurn) -> list[LoggedTurn | Rejected]:
    with TemporaryDirectory() as folder:
        return list(redact(turns, known=lambda session: None, folder=Path(folder)))


def test_a_placeholder_means_one_thing_in_a_session_and_starts_anew_in_the_next() -> None:
    a, b, c = redacted(
        one("where is #W1234567", 'order_status(order="#W1234567")'),
        one("no, #W7654321, not #w1234567", 'order_status(order="#W7654321")'),
        one("where is #W7654321", session="t"),
    )
    assert isinstance(a, LoggedTurn)
    assert isinstance(b, LoggedTurn)
    assert isinstance(c, LoggedTurn)
    assert (a.text, a.acts) == ("where is <ORDER_1>", ('order_status(order="<ORDER_1>")',))
    assert (b.text, b.acts) == ("no, <ORDER_2>, not <ORDER_1>", ('order_status(order="<ORDER_2>")',))
    assert c.text == "where is <ORDER_1>"


def test_what_a_customer_says_of_themselves_is_redacted_in_every_turn_of_the_session() -> None:
    first, second = redacted(
        one("give it to Okonjo", "handoff()"), one("Okonjo", 'inform(name="Okonjo")', state="ask identity")
    )
    assert isinstance(first, LoggedTurn)
    assert first.text == "give it to <NAME_1>"
    assert isinstance(second, LoggedTurn)
    assert second.acts == ('inform(name="<NAME_1>")',)


def test_an_argument_that_cuts_into_a_placeholder_becomes_the_whole_one() -> None:
    [turn] = redacted(one("mail a.b@mail.example now", 'inform(email="b@mail.example")'))
    assert isinstance(turn, LoggedTurn)
    assert turn.acts == ('inform(email="<EMAIL_1>")',)


def test_nothing_of_an_act_that_cannot_be_read_is_written() -> None:
    for act in ("call 0176 12345678", "cancel_order('0176 12345678')", 'visa_4111111111111111(order="x")'):
        [row] = redacted(LoggedTurn("1", "1", "0176 12345678", (act,)))
        assert isinstance(row, Rejected)
        assert row.reason == "unreadable_act"
        assert row.row == {}
        assert "0176" not in json.dumps(row.as_json())


def test_ids_times_and_outcomes_of_a_foreign_log_carry_nobody_out() -> None:
    turn = LoggedTurn("a@b.example-1", "a@b.example", "hi", (), at="born 1.2.1980", outcome="Ring 0176 12345678")
    [row] = redacted(turn)
    assert isinstance(row, LoggedTurn)
    assert (row.id, row.session, row.at, row.outcome) == ("turn-0", "session-0", "", "")
    plain = LoggedTurn("1234567890abcdef1234-2", "1234567890abcdef1234", "hi", (), at="2026-01-02T03:04:05.678+00:00")
    assert redacted(plain) == [plain]


def test_redacting_twice_changes_nothing() -> None:
    turns = [one("I am Zora Quill, #W1234567, zora@mail.example", 'order_status(order="#W1234567")')]
    once = [row for row in redacted(*turns) if isinstance(row, LoggedTurn)]
    assert redacted(*once) == once
