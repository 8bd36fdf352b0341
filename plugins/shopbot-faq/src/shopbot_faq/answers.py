"""From a customer's message to what the shop's pages say about it, or to an honest "I could not find that".

Three tiers: *sure*, the passages that answer; *close*, one passage that may be meant, quoted as such; *none*, the
titles of what comes nearest. Whatever is said about the shop is the shop's own text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from shopbot import Answer
from shopbot_faq import search
from shopbot_faq.markdown import Passage
from shopbot_faq.search import Hit, PassageIndex
from shopbot_faq.words import fold, terms

MAX_ANSWERS = 2
MAX_ANSWER_CHARS = 700
_MAX_SENTENCES = 8
_MAX_PLACE_CHARS = 60
_CLOSE_LEAD = "I'm not sure this is what you mean; this is the closest I find in our pages:"
_OTHERS_LEAD = "These pages come close, too:"
_CLOSE_END = "If that does not answer it, ask me for a human agent."
#: A page is named from this score on.
_NAMED = 0.05
#: A passage leads clearly when its score is this many times the next one's and no text is nearer in wording.
_CLEAR_LEAD = 1.25
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
_ASKED = re.compile(
    r"(?:^|\b(?:and|also|plus|or)\s+)(?=(?:how|what|when|where|which|who|why|do|does|can|could|is|are|may|will)\b)",
    re.I,
)
_IS_QUESTION = re.compile(
    r"\?\s*$|^(?:how|what|when|where|which|who|why|do|does|can|could|is|are|may|will|would)\b", re.I
)


Certainty = Literal["sure", "close", "none"]


@dataclass(frozen=True, slots=True)
class Found:
    """What a message led to.

    ``hits`` answer it, one per question. Where nothing does, ``quoted`` is the one passage that may be meant, if one
    comes close and leads clearly, and ``named`` are those whose titles are given.
    """

    hits: tuple[Hit, ...] = ()
    quoted: Hit | None = None
    named: tuple[Hit, ...] = ()
    words: frozenset[str] = field(default_factory=frozenset)

    @property
    def certainty(self) -> Certainty:
        return "sure" if self.hits else "close" if self.quoted else "none"

    @property
    def shown(self) -> tuple[Hit, ...]:
        """The passages whose text the customer gets to read."""
        return self.hits or ((self.quoted,) if self.quoted else ())


def find(index: PassageIndex, message: str, threshold: float, topic: str | None = None) -> Found:
    """The passages that answer ``message``: one for the whole, or one for each of two questions in it."""
    words = frozenset(term.concept for term in terms(message))
    whole = index.search(message, limit=3, topic=topic)
    questions = split_questions(message)
    asked = (whole if text == message.strip() else index.search(text, limit=1, topic=topic) for text in questions)
    best = [hits[0] for hits in asked if hits]
    sure = _distinct([hit for hit in best if hit.score >= threshold])
    if len(questions) < 2 or not sure:
        sure = _distinct([hit for hit in (*whole[:1], *sure) if hit.score >= threshold])[:1]
    if sure:
        return Found(hits=tuple(sure[:MAX_ANSWERS]), words=words)
    named = tuple(hit for hit in whole if hit.score >= _NAMED)
    return Found(quoted=clear_first(whole, search.CLOSE_SHARE * threshold), named=named, words=words)


def clear_first(hits: Sequence[Hit], bound: float) -> Hit | None:
    """The best hit if it reaches ``bound`` and leads the other pages clearly; its own may have more on the matter."""
    if not hits or hits[0].score < bound or not hits[0].is_nearest:
        return None
    rivals = [hit.score for hit in hits[1:] if hit.passage.file != hits[0].passage.file]
    return hits[0] if hits[0].score >= _CLEAR_LEAD * max(rivals, default=0.0) else None


def split_questions(message: str) -> list[str]:
    """The message's sentences and the questions joined by "and"; only the questions if there are any."""
    pieces = [piece for sentence in _SENTENCE_END.split(message) for piece in _ASKED.split(sentence)]
    telling = [piece.strip(" ,;") for piece in pieces if terms(piece)][:_MAX_SENTENCES]
    return [piece for piece in telling if _IS_QUESTION.search(piece)] or telling


def answer(found: Found, lead: str = "") -> Answer:
    """The reply: what the pages say and where; ``lead`` is put before it."""
    if not found.shown:
        return not_found(found)
    shown = [(hit, excerpt(hit.passage.text, found.words)) for hit in found.shown]
    paragraphs = [f"{text}\n\nSource: {hit.passage.title} ({hit.passage.link})" for hit, text in shown]
    first, *more = [_content(hit, text) for hit, text in shown]
    content: dict[str, Any] = {**first, "certainty": found.certainty, "also": more}
    if found.quoted:
        others = [hit for hit in found.named if hit != found.quoted]
        listed = [f"{_OTHERS_LEAD}\n{_titles(others)}"] if others else []
        paragraphs = [_CLOSE_LEAD, *paragraphs, *listed, _CLOSE_END]
        content["close"] = _links(others)
    return Answer("\n\n".join(([lead] if lead else []) + paragraphs), content=content)


def not_found(found: Found) -> Answer:
    """The honest reply when no page answers; pages that come near are named, not quoted."""
    text = "I could not find an answer to that in the shop's pages."
    if found.named:
        text += f" These come closest:\n{_titles(found.named)}\nIf they do not help, ask me for a human agent."
    else:
        text += " If you like, ask me for a human agent, who can help you further."
    score = round(found.named[0].score, 3) if found.named else 0.0
    content = {"title": None, "link": None, "text": "", "score": score, "certainty": "none"}
    return Answer(text, content={**content, "close": _links(found.named)})


def excerpt(text: str, words: frozenset[str], limit: int = MAX_ANSWER_CHARS) -> str:
    """``text``, or where it is longer than ``limit`` characters, the stretch of sentences with most of ``words``."""
    if len(text) <= limit:
        return text
    pieces = re.split(r"(?<=[.!?])(?=\s)|(?<=\n)", text)
    value = [len(words & {term.concept for term in terms(piece)}) for piece in pieces]
    best, stretch = -1, ""
    for start in range(len(pieces)):
        end, size = start, 0
        while end < len(pieces) and size + len(pieces[end]) <= limit:
            size += len(pieces[end])
            end += 1
        if sum(value[start:end]) > best:
            best, stretch = sum(value[start:end]), _marked("".join(pieces[start:end]), start > 0, end < len(pieces))
    return stretch if stretch.strip(" …") else _marked(text[:limit], False, True)


def names_place(passage: Passage, place: str) -> bool:
    """Does the passage, or one of its questions, name exactly this place? Iceland is one letter from Ireland."""
    wanted = " ".join(word for word in fold(place) if word != "the")
    there = " ".join(fold(" ".join((passage.title, passage.text, *passage.questions))))
    return bool(wanted) and f" {wanted} " in f" {there} "


def place_note(place: str) -> str:
    """What to say before general words about shipping when no page names the place."""
    shown = " ".join("".join(char if char.isprintable() else " " for char in place).split())[:_MAX_PLACE_CHARS]
    return f'The shop\'s shipping pages do not name "{shown}". This is what they say in general:'


def _distinct(hits: Sequence[Hit]) -> list[Hit]:
    """The hits by passage, each once."""
    kept: dict[str, Hit] = {}
    for hit in hits:
        kept.setdefault(hit.passage.id, hit)
    return list(kept.values())


def _titles(hits: Sequence[Hit]) -> str:
    return "\n".join(f"- {hit.passage.title} ({hit.passage.link})" for hit in hits)


def _links(hits: Sequence[Hit]) -> list[dict[str, str]]:
    return [{"title": hit.passage.title, "link": hit.passage.link} for hit in hits]


def _content(hit: Hit, text: str) -> Mapping[str, Any]:
    return {"title": hit.passage.title, "link": hit.passage.link, "text": text, "score": round(hit.score, 3)}


def _marked(text: str, is_cut_before: bool, is_cut_after: bool) -> str:
    return ("… " if is_cut_before else "") + text.strip() + (" …" if is_cut_after else "")
