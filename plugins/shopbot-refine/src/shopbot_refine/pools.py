"""What can stand for a placeholder of the seed set: large pools and generators, all drawn from one ``rng``.

A value never holds a double quote, a backslash or a line end, so it reads the same in the text and inside an act.
"""

from __future__ import annotations

import random
import re
import string
from collections.abc import Callable
from importlib.resources import files

Random = random.Random


def _read_words() -> dict[str, list[str]]:
    """``words.txt``: list name → entries."""
    words: dict[str, list[str]] = {}
    text = (files("shopbot_refine") / "words.txt").read_text(encoding="utf-8")
    for section in re.split(r"^\[", text, flags=re.MULTILINE)[1:]:
        title, _, body = section.partition("]")
        words[title] = [entry.strip() for entry in body.replace("\n", " ").split(";")]
    return words


WORDS = _read_words()
SINGULAR, PLURAL, COLOURS, SIZES = (WORDS[title] for title in ("singular", "plural", "colours", "sizes"))
OPTION_KEYS = {
    "color": COLOURS,
    "material": WORDS["materials"],
    "size": ["XS", "S", "M", "L", "XL", "42", "10", "8.5", "500ml"],
}


def digits(rng: Random, count: int, *, first: str = "0123456789") -> str:
    """``count`` random digits; the first one out of ``first``."""
    return rng.choice(first) + "".join(rng.choice(string.digits) for _ in range(count - 1))


def letters(rng: Random, count: int) -> str:
    return "".join(rng.choice(string.ascii_uppercase) for _ in range(count))


def order_id(rng: Random) -> str:
    """An order id as shops and customers write them."""
    nonzero = "123456789"
    shapes: list[Callable[[], str]] = [
        lambda: "#W" + digits(rng, 7),
        lambda: "#W" + digits(rng, 7),
        lambda: "W" + digits(rng, 7),
        lambda: "w" + digits(rng, 7),
        lambda: "#w" + digits(rng, 7),
        lambda: digits(rng, rng.choice([5, 6, 7, 8]), first=nonzero),
        lambda: digits(rng, rng.choice([5, 6, 7, 8]), first=nonzero),
        lambda: "#" + digits(rng, rng.randint(3, 8), first=nonzero),
        lambda: "00" + digits(rng, 6),
        lambda: digits(rng, rng.randint(10, 13), first=nonzero),
        lambda: digits(rng, rng.choice([3, 4]), first=nonzero),
        lambda: f"{letters(rng, 2)}-{digits(rng, rng.randint(4, 7))}",
        lambda: f"{letters(rng, rng.randint(1, 3))}{digits(rng, rng.randint(4, 8))}",
        lambda: f"{rng.choice(['ORD', 'ord', 'Order', 'SO', 'ORDER'])}{rng.choice('_-')}{digits(rng, 5)}",
        lambda: f"{digits(rng, 3)}-{digits(rng, 7)}-{digits(rng, 7)}",
        lambda: f"{rng.choice(['2024', '2025', '2026'])}-{digits(rng, rng.randint(4, 6))}",
        lambda: f"{letters(rng, 2)}{digits(rng, 2)}{letters(rng, 1)}{digits(rng, 3)}",
        lambda: f"{digits(rng, 4)}/{digits(rng, 2)}",
    ]
    return rng.choice(shapes)()


def noun(rng: Random, *, singular: bool | None = None) -> str:
    pool = SINGULAR if singular or (singular is None and rng.random() < 0.75) else PLURAL
    return rng.choice(pool)


def item(rng: Random, *, singular: bool | None = None) -> str:
    """A thing without an article: "kettle", "blue desk lamp", "Nordvik hiking boots"."""
    thing, kind = noun(rng, singular=singular), rng.random()
    if kind < 0.42:
        return thing
    if kind < 0.58:
        return f"{rng.choice(COLOURS)} {thing}"
    if kind < 0.72:
        return f"{rng.choice(WORDS['adjectives'])} {thing}"
    if kind < 0.82:
        return f"{rng.choice(WORDS['brands'])} {thing}"
    if kind < 0.88:
        return f"{rng.choice(WORDS['materials'])} {thing}"
    if kind < 0.93:
        return f"{rng.choice(WORDS['adjectives'])} {rng.choice(COLOURS)} {thing}"
    if kind < 0.97:
        return thing.title()
    return f"{thing} {options(rng)}"


def options(rng: Random) -> str:
    """Chosen options as a shop's export shows them: ``{'color': 'red', 'size': 'M'}``."""
    keys = rng.sample(sorted(OPTION_KEYS), rng.randint(1, 2))
    return "{" + ", ".join(f"'{key}': '{rng.choice(OPTION_KEYS[key])}'" for key in keys) + "}"


def items(rng: Random) -> str:
    """Several things as one span: "lamp and kettle", "boots; backpack; 2 mugs"."""
    things = [item(rng) for _ in range(rng.choice([2, 2, 2, 3, 3, 4]))]
    if rng.random() < 0.2:
        things[-1] = f"{rng.randint(2, 6)} {rng.choice(PLURAL)}"
    style = rng.random()
    if style < 0.55:
        glue = rng.choice([" and ", " and the ", " & ", " and ", " plus the ", " and also the "])
        return ", ".join(things[:-1]) + glue + things[-1]
    return rng.choice([", ", "; ", " + ", " / "]).join(things)


def product(rng: Random) -> str:
    return rng.choice(SINGULAR if rng.random() < 0.8 else PLURAL)


def want_adj(rng: Random) -> str:
    """Wished options as an adjective or a "with": "white", "size 10", "with 32GB"."""
    kind = rng.random()
    if kind < 0.25:
        return rng.choice(COLOURS)
    if kind < 0.35:
        return f"{rng.choice(COLOURS)} {rng.choice(['and', ',', 'in'])} {rng.choice(SIZES)}".replace(" ,", ",")
    if kind < 0.55:
        return rng.choice(SIZES)
    if kind < 0.65:
        return rng.choice(WORDS["materials"])
    if kind < 0.95:
        return rng.choice(WORDS["features"])
    return options(rng)


def want_np(rng: Random) -> str:
    """Wished options as a noun phrase: "a white one", "the same one in leather", "the cheapest one"."""
    kind = rng.random()
    if kind < 0.3:
        colour = rng.choice(COLOURS)
        return f"{_article(colour, rng)} {colour} one"
    if kind < 0.45:
        change = rng.choice([rng.choice(COLOURS), rng.choice(WORDS["materials"]), rng.choice(SIZES)])
        return f"{rng.choice(['the same one', 'the same', 'same one', 'the exact same thing'])} in {change}"
    if kind < 0.6:
        return f"{rng.choice(['one', 'the one', 'a version', 'the model'])} {rng.choice(WORDS['features'])}"
    if kind < 0.8:
        return rng.choice(WORDS["want_phrases"])
    if kind < 0.9:
        thing = item(rng, singular=True)
        return f"{_article(thing, rng)} {thing}"
    return f"{rng.choice(COLOURS)} {noun(rng)}"


def _article(word: str, rng: Random) -> str:
    return rng.choice(["the", "an" if word[0] in "aeiouAEIOU" else "a"])


def payment(rng: Random) -> str:
    kind = rng.random()
    if kind < 0.5:
        return rng.choice(WORDS["payments"])
    if kind < 0.75:
        brand = rng.choice(["visa", "Visa", "mastercard", "Mastercard", "amex", "credit card", "debit card", "card"])
        ending = rng.choice(["ending in", "ending", "ending with", "...", "xxxx", "that ends in"])
        return f"{brand} {ending} {digits(rng, 4)}"
    name = rng.choice(["credit_card", "gift_card", "paypal", "giftcard", "PayPal"])
    return f"{name}_{digits(rng, 7 if rng.random() < 0.8 else 4)}"


def first_name(rng: Random) -> str:
    return rng.choice(WORDS["first_names"])


def last_name(rng: Random) -> str:
    return rng.choice(WORDS["last_names"])


def name(rng: Random) -> str:
    """A person's full name, now and then with a title, initials, a middle name or in lower case."""
    first, last, kind = first_name(rng), last_name(rng), rng.random()
    if kind < 0.62:
        return f"{first} {last}"
    if kind < 0.72:
        return f"{rng.choice(['Mr', 'Mrs', 'Ms', 'Dr', 'Mr.', 'Mrs.', 'Ms.', 'Miss', 'Prof.'])} {last}"
    if kind < 0.78:
        return f"{rng.choice(['Mr.', 'Mrs.', 'Dr.', 'Ms'])} {first} {last}"
    if kind < 0.84:
        return f"{first} {first_name(rng)} {last}"
    if kind < 0.9:
        return f"{first} {letters(rng, 1)}. {last}"
    if kind < 0.97:
        return f"{first} {last}".lower()
    return f"{first} {last}-{last_name(rng)}"


def email(rng: Random) -> str:
    first, last = (_ascii(part) for part in (first_name(rng), last_name(rng)))
    local = rng.choice(
        [
            f"{first}.{last}",
            f"{first}{last}",
            f"{first[0]}{last}",
            f"{first}_{last}",
            f"{first}{digits(rng, rng.randint(2, 4))}",
            f"{last}.{first[0]}{digits(rng, 2)}",
            f"{first}.{last}{digits(rng, 4)}",
            f"{first}-{last}",
            f"{rng.choice(['the', 'its', 'hello', 'mrs'])}{last}",
        ]
    )
    mail = f"{local}@{rng.choice(WORDS['mail_hosts'])}"
    return mail.title() if rng.random() < 0.03 else mail.upper() if rng.random() < 0.03 else mail


def _ascii(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter in string.ascii_lowercase) or "kim"


def us_zip(rng: Random) -> str:
    return digits(rng, 5) + (f"-{digits(rng, 4)}" if rng.random() < 0.05 else "")


def uk_postcode(rng: Random) -> str:
    area = letters(rng, rng.choice([1, 2]))
    code = f"{area}{rng.randint(1, 29)} {rng.randint(1, 9)}{letters(rng, 2)}"
    return code if rng.random() < 0.7 else code.replace(" ", "") if rng.random() < 0.5 else code.lower()


def postcode(rng: Random) -> str:
    kind = rng.random()
    if kind < 0.5:
        return us_zip(rng)
    if kind < 0.7:
        return uk_postcode(rng)
    if kind < 0.85:
        return digits(rng, rng.choice([4, 5]), first="123456789")
    if kind < 0.9:
        return f"{digits(rng, 4)} {letters(rng, 2)}"
    if kind < 0.95:
        return f"{letters(rng, 1)}{digits(rng, 1)}{letters(rng, 1)} {digits(rng, 1)}{letters(rng, 1)}{digits(rng, 1)}"
    return rng.choice([f"{digits(rng, 2)}-{digits(rng, 3)}", f"{digits(rng, 3)} {digits(rng, 2)}", digits(rng, 6)])


def address(rng: Random) -> str:
    """A postal address: US, UK, continental, or pasted as key and value pairs."""
    shape = rng.random()
    if shape < 0.45:
        return _us_address(rng)
    if shape < 0.65:
        flat = rng.choice(["", "", "", f"Flat {rng.randint(1, 40)}, ", f"Unit {rng.randint(1, 30)}, "])
        street, city = rng.choice(WORDS["uk_streets"]), rng.choice(WORDS["uk_cities"])
        return f"{flat}{rng.randint(1, 260)} {street}, {city} {uk_postcode(rng)}"
    if shape < 0.93:
        code = digits(rng, rng.choice([4, 5, 5]), first="123456789")
        number = f"{rng.randint(1, 180)}{rng.choice(['', '', '', 'a', 'B', ' bis'])}"
        city, country = rng.choice(WORDS["eu_cities"]).split("|")
        tail = rng.choice(["", "", f", {country}"])
        return f"{rng.choice(WORDS['eu_streets'])} {number}, {code} {city}{tail}"
    city, state = rng.choice(WORDS["us_cities"]).split("|")
    pairs = {
        "address1": f"{rng.randint(10, 9900)} {rng.choice(WORDS['us_streets'])}",
        "city": city,
        "state": state,
        "zip": us_zip(rng),
    }
    return "{" + ", ".join(f"'{key}': '{value}'" for key, value in pairs.items()) + "}"


def address_ref(rng: Random) -> str:
    """An address by what it belongs to: "my office", "the address of my december order"."""
    if rng.random() < 0.6:
        return rng.choice(WORDS["address_refs"])
    order = rng.choice(["my last order", "my other order", f"my {item(rng)} order", f"the order with the {noun(rng)}"])
    return f"{rng.choice(['the address of', 'same address as', 'the same address as', 'the address from'])} {order}"


def _us_address(rng: Random) -> str:
    city, state = rng.choice(WORDS["us_cities"]).split("|")
    suite = rng.choice(
        [
            "",
            "",
            f"Apt {rng.randint(1, 40)}",
            f"Suite {digits(rng, 3, first='123456789')}",
            f"#{rng.randint(1, 90)}",
            f"apt {rng.randint(1, 9)}{letters(rng, 1)}",
        ]
    )
    street = f"{rng.randint(1, 9900)} {rng.choice(WORDS['us_streets'])}" + (
        f"{rng.choice([', ', ' '])}{suite}" if suite else ""
    )
    text = f"{street}, {city}, {state}{rng.choice([' ', ' ', ', '])}{us_zip(rng)}"
    return text + rng.choice(["", "", "", "", ", USA"]) if rng.random() < 0.9 else text.replace(",", "").lower()


def amount(rng: Random) -> str:
    kind = rng.random()
    if kind < 0.45:
        return str(rng.randint(3, 1999))
    if kind < 0.92:
        return f"{rng.randint(2, 899)}.{digits(rng, 2)}"
    return (
        f"{rng.randint(2, 899)},{digits(rng, 2)}"
        if kind < 0.97
        else f"{rng.randint(1, 4)},{digits(rng, 3)}.{digits(rng, 2)}"
    )


def number(rng: Random) -> str:
    """An invoice number."""
    return rng.choice(
        [
            f"#{digits(rng, 5, first='123456789')}",
            digits(rng, rng.randint(4, 7), first="123456789"),
            f"INV-{digits(rng, rng.randint(4, 6))}",
            f"#{digits(rng, rng.randint(5, 6), first='123456789')}",
            rng.choice(["RE", "INV", "R", "F", "IN", "BILL"])
            + rng.choice(["", "-", "/"])
            + digits(rng, rng.randint(4, 8)),
            f"{rng.choice(['2025', '2026'])}/{digits(rng, 4)}",
        ]
    )


PLACEHOLDERS: dict[str, Callable[[Random], str]] = {
    "order_id": order_id,
    "order_ref": lambda rng: rng.choice(WORDS["order_refs"]).replace("@", item(rng)),
    "item": item,
    "items": items,
    "product": product,
    "want_adj": want_adj,
    "want_np": want_np,
    "payment": payment,
    "address": address,
    "address_ref": address_ref,
    "email": email,
    "name": name,
    "postcode": postcode,
    "amount": amount,
    "number": number,
    "place": lambda rng: rng.choice(WORDS["places"]),
}
