"""Reading the teacher's answers. They are data from outside: bounded, checked, and set aside with a reason where they
are no answer (``malformed``) or carry what no customer types (``quarantined``)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from typing import Annotated, Any, Literal, TypeVar

import pydantic

from shopbot import fold
from shopbot_refine.acts import parse_act
from shopbot_refine.prompts import MAX_ACTS, MAX_PARAPHRASES, MAX_TEXT_CHARS

MAX_ANSWER_CHARS = 60_000
#: How much of an answer is kept for a person to look at.
SHOWN_CHARS = 600
_MAX_WHY_CHARS = 160
_MAX_UTTERANCES = 50
_COPIED_WORDS = 8
#: What an engine or a reader of prompts could take for a control token, and orders to whoever reads.
_CONTROL = re.compile(r"<\||\|>|</?(?:s|system|assistant|user|think|tool_call)>|\[/?INST\]", re.IGNORECASE)
_ORDERS = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b.{0,30}\b(?:previous|prior|above|earlier|all|your|any)\b.{0,20}"
    r"\b(?:instructions?|rules?|prompts?|polic(?:y|ies))\b"
    r"|\bsystem prompt\b|\bfrom now on\b.{0,40}\b(?:always|never)\b",
    re.IGNORECASE | re.DOTALL,
)
_HIDDEN = {"Cc", "Cs", "Co", "Cn"}
_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

_Text = Annotated[str, pydantic.StringConstraints(min_length=1, max_length=MAX_TEXT_CHARS)]
_Act = Annotated[str, pydantic.StringConstraints(min_length=3, max_length=MAX_TEXT_CHARS)]
_Acts = Annotated[tuple[_Act, ...], pydantic.Field(max_length=MAX_ACTS)]


_Model = TypeVar("_Model", bound=pydantic.BaseModel)


class AnswerError(ValueError):
    """An answer, or a part of it, is of no use. ``reason`` is the word it is set aside under."""

    def __init__(self, reason: Literal["malformed", "quarantined"], detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class _Answered(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class Paraphrase(_Answered):
    """Another message with the same meaning."""

    text: _Text
    acts: _Acts


class Judgement(_Answered):
    """What the teacher makes of a logged turn."""

    verdict: Literal["keep", "fix", "drop"]
    acts: _Acts
    why: str = pydantic.Field(max_length=MAX_TEXT_CHARS)
    utterances: tuple[Paraphrase, ...] = pydantic.Field(max_length=MAX_PARAPHRASES)


class Utterance(_Answered):
    """A message that the teacher wrote."""

    state: str = pydantic.Field(max_length=100)
    text: _Text
    acts: _Acts


class _Written(_Answered):
    utterances: tuple[Any, ...] = pydantic.Field(max_length=_MAX_UTTERANCES)


def read_judgement(content: str) -> Judgement:
    """The answer to a ``judge`` request. Raises :class:`AnswerError`."""
    return _read(content, Judgement)


def read_utterances(content: str) -> tuple[Utterance | AnswerError, ...]:
    """The answer to a ``write`` request; of each utterance, what is wrong where it is none. Raises :class:`AnswerError`
    where the whole is no answer."""

    def read(item: Any) -> Utterance | AnswerError:
        try:
            return Utterance.model_validate(item)
        except pydantic.ValidationError as error:
            return _malformed(error, Utterance)

    return tuple(map(read, _read(content, _Written).utterances))


class AnswerCheck:
    """What an answer may say: acts of these names, in words that are no copy of the prompt ``system``."""

    def __init__(self, names: Collection[str], system: str) -> None:
        self.names = frozenset(names)
        self._prompt = _shingles(system)

    def acts(self, acts: tuple[str, ...]) -> tuple[str, ...]:
        """The acts in the one form that is learnt. Raises :class:`AnswerError`: none, or one that does not exist."""
        if not acts:
            raise AnswerError("malformed", "no acts")
        plain = []
        for text in acts:
            try:
                act = parse_act(text)
            except ValueError:
                raise AnswerError("malformed", "something that is no act") from None
            if act.name not in self.names:
                raise AnswerError("malformed", "an act that does not exist")
            if any(is_hidden(value) for _, value in act.arguments):
                raise AnswerError("quarantined", "control characters")
            plain.append(str(act))
        return tuple(plain)

    def text(self, text: str) -> str:
        """A message as a customer could have typed it. Raises :class:`AnswerError`."""
        text = text.strip()
        if not any(char.isalnum() for char in text):
            raise AnswerError("malformed", "an empty message")
        if is_hidden(text):
            raise AnswerError("quarantined", "control characters")
        if _CONTROL.search(text) or _ORDERS.search(text):
            raise AnswerError("quarantined", "instructions")
        if not self._prompt.isdisjoint(_shingles(text)):
            raise AnswerError("quarantined", "a copy of the prompt")
        return text


def is_hidden(text: str) -> bool:
    """Whether the text has characters that a reader does not see, or that change the order of the others."""
    return any((unicodedata.category(char) in _HIDDEN and char not in "\n\t") or char in _REORDERING for char in text)


def one_line(text: str) -> str:
    """A teacher's remark, fit for a table: printable, on one line, bounded."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:_MAX_WHY_CHARS]


def shown(content: str) -> str:
    """The beginning of an answer as plain ASCII, for a person who looks at what was set aside."""
    return ascii(content[:SHOWN_CHARS])


def _read(content: str, model: type[_Model]) -> _Model:
    if len(content) > MAX_ANSWER_CHARS:
        raise AnswerError("malformed", f"{len(content)} characters")
    try:
        return model.model_validate_json(content)
    except pydantic.ValidationError as error:
        raise _malformed(error, model) from None


def _malformed(error: pydantic.ValidationError, model: type[pydantic.BaseModel]) -> AnswerError:
    """The first thing that is wrong, without a word of the answer."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"] if isinstance(part, int) or part in model.model_fields)
    return AnswerError("malformed", f"{where}: {first['type']}")


def _shingles(text: str) -> frozenset[tuple[str, ...]]:
    words = fold(text).split()
    return frozenset(tuple(words[at : at + _COPIED_WORDS]) for at in range(len(words) - _COPIED_WORDS + 1))
