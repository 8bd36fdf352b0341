"""How customers type: misspellings, missing punctuation, other case, chat spellings, a greeting in front.

What an act copies from the message is never touched, except by a change of case, which changes both alike.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from shopbot_refine.acts import Act

_NEIGHBOURS = {
    "a": "sqz", "b": "vgn", "c": "xvd", "d": "sfe", "e": "wrd", "f": "dgr", "g": "fht", "h": "gjy", "i": "uok",
    "j": "hkn", "k": "jli", "l": "kop", "m": "nk", "n": "bmh", "o": "ipl", "p": "ol", "q": "wa", "r": "etf", "s": "adw",
    "t": "ryg", "u": "yij", "v": "cbf", "w": "qes", "x": "zcs", "y": "tuh", "z": "xas",
}  # fmt: skip
_CHAT = {
    "please": ["pls", "plz", "plse", "pleas"], "you": ["u"], "your": ["ur"], "are": ["r"], "because": ["cuz", "bc"],
    "thanks": ["thx", "thnx", "tks"], "thank you": ["ty", "thankyou"], "want to": ["wanna"], "going to": ["gonna"],
    "i am": ["im", "i'm"], "i have": ["ive", "i've"], "i would": ["id", "i'd"], "do not": ["dont", "don't"],
    "cannot": ["cant", "can't"], "i want": ["i wanna have", "i wnat", "iwant"], "with": ["w/", "wiht"],
    "and": ["&", "n"], "my": ["mi", "me"], "the": ["teh", "da"], "order": ["ordr", "oder", "orde"],
    "address": ["adress", "addres", "addy"], "delivery": ["delivry", "delievery"], "received": ["recieved", "recived"],
    "cancel": ["cancle", "cansel", "cancell"], "refund": ["refnd", "refun"],
    "return": ["retrun", "retun", "reutrn"], "exchange": ["exchnage", "exhange"],
    "account": ["acount", "acc"], "tomorrow": ["tmrw", "tommorow"], "before": ["b4"], "for": ["4"], "to": ["2"],
    "message": ["msg"], "about": ["abt"], "when": ["wen"], "what": ["wat", "wht"], "different": ["diffrent"],
    "invoice": ["invoce", "invioce"], "payment": ["paymnt", "payement"], "something": ["smth", "sth"],
}  # fmt: skip
_HELLO = [
    "hi, ", "hello ", "hey ", "Hi there! ", "Hello, ", "good morning, ", "Dear team, ", "hi ", "yo ", "hey guys ",
    "ok ", "so ",
]  # fmt: skip
_BYE = [
    " thanks", " thx", " please", " pls", "!!", " asap", " :)", " ???", ". Thank you!", " 🙏", " cheers", "..", " ty",
]  # fmt: skip
_LINKING = re.compile(r"[.,;:!?]+(?=\s|$)")
_PRIVATE = "\ue000", "\uf8ff"  # private-use letters stand for protected spans while the rest is changed


def add_noise(text: str, acts: list[Act], rng: random.Random, *, frame: bool) -> tuple[str, list[Act]]:
    """A noisier copy of a message and its acts. ``frame``: a greeting or a thanks may be added."""
    spans = sorted({value for act in acts for value in act.copied()}, key=len, reverse=True)
    hidden = _hide(text, spans)
    kinds: list[tuple[Callable[[str, random.Random], str], float]] = [
        (_misspell, 0.35), (_chat, 0.3), (_drop_punctuation, 0.35), (_drop_apostrophes, 0.25),
    ]  # fmt: skip
    if frame:
        kinds.append((_frame, 0.25))
    for change, share in kinds:
        if rng.random() < share:
            hidden = change(hidden, rng)
    return _change_case(_show(hidden, spans), acts, rng)


def _hide(text: str, spans: list[str]) -> str:
    for number, span in enumerate(spans):
        text = text.replace(span, chr(ord(_PRIVATE[0]) + number))
    return text


def _show(text: str, spans: list[str]) -> str:
    for number, span in enumerate(spans):
        text = text.replace(chr(ord(_PRIVATE[0]) + number), span)
    return text


def _change_case(text: str, acts: list[Act], rng: random.Random) -> tuple[str, list[Act]]:
    kind = rng.random()
    if kind < 0.4:
        change: Callable[[str], str] = str.lower
    elif kind < 0.45:
        change = str.upper
    else:
        return text, acts
    changed = [
        Act(act.name, tuple((k, change(v) if v in act.copied() else v) for k, v in act.arguments)) for act in acts
    ]
    text = change(text)
    return text, changed


def _misspell(text: str, rng: random.Random) -> str:
    """One to three slips in words of four letters or more, where nothing is protected."""
    words = text.split(" ")
    candidates = [n for n, word in enumerate(words) if len(word) >= 4 and word.isascii() and word.isalpha()]
    for n in rng.sample(candidates, min(len(candidates), rng.choice([1, 1, 2, 3]))):
        words[n] = _slip(words[n], rng)
    return " ".join(words)


def _slip(word: str, rng: random.Random) -> str:
    at, kind = rng.randrange(1, len(word) - 1), rng.random()
    if kind < 0.3:
        return word[:at] + word[at + 1 :]
    if kind < 0.6:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if kind < 0.8:
        return word[:at] + word[at] + word[at:]
    return word[:at] + rng.choice(_NEIGHBOURS.get(word[at].lower(), "e")) + word[at + 1 :]


def _chat(text: str, rng: random.Random) -> str:
    present = [word for word in _CHAT if re.search(rf"\b{word}\b", text, re.IGNORECASE)]
    for word in rng.sample(present, min(len(present), rng.choice([1, 2, 2, 3]))):
        text = re.sub(rf"\b{word}\b", rng.choice(_CHAT[word]), text, count=1, flags=re.IGNORECASE)
    return text


def _drop_punctuation(text: str, rng: random.Random) -> str:
    if rng.random() < 0.5:
        return text.rstrip(".!?") or text
    return _LINKING.sub("", text) or text


def _drop_apostrophes(text: str, rng: random.Random) -> str:
    return text.replace("'", "").replace("’", "") if rng.random() < 0.9 else text.replace("'", "’")


def _frame(text: str, rng: random.Random) -> str:
    if rng.random() < 0.5:
        return rng.choice(_HELLO) + text
    return text.rstrip(".!?") + rng.choice(_BYE)
