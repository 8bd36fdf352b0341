"""Clean: what needs no teacher to be left out, each row with its reason.

Texts are normalised first. Then go, in this order, the ``empty`` and the ``too_long``; the ``injection``
(:mod:`shopbot_refine.injections`); what is surely in a ``language`` that the shop does not speak, unless its act says
so; ``unreadable_act``; of equal texts in one state the ``contradiction`` and the ``duplicate``; the ``near_duplicate``
(:mod:`shopbot_refine.near_duplicates`). Probably wrong labels stay: a teacher is asked about them first
(:mod:`shopbot_refine.suspicion`).
"""

from __future__ import annotations

import json
import re
import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from heapq import merge
from importlib.resources import files
from operator import itemgetter
from typing import ClassVar

from py3langid.langid import LanguageIdentifier

from shopbot import PLACEHOLDER, fold
from shopbot_refine.acts import Act, parse_act
from shopbot_refine.config import RefineConfig
from shopbot_refine.dataset import fingerprint
from shopbot_refine.engines import PLACE, Columns, Engine, Row, beside
from shopbot_refine.injections import find_injection
from shopbot_refine.near_duplicates import FindNear, common_words, near_key, near_words
from shopbot_refine.records import LoggedTurn, Rejected

VERSION = 3
#: Longer is no message to a shop's bot; a turn of this length still fits the model's context.
MAX_CHARS = 1000
#: How sure the language model must be, and of how many letters at least: "hola" alone is no evidence.
SURE, MIN_LETTERS = 0.9, 12
#: Languages told apart. All that the library knows would only make short messages less sure.
_LANGUAGES = (
    "ar bg cs da de el en es et fi fr he hi hr hu id it ja ko lt lv nl no pl pt ro ru sk sl sv th tr uk vi zh".split()
)
_SPACE = re.compile(r"\s+")


def clean(turns: Iterable[LoggedTurn], settings: RefineConfig, engine: Engine) -> Iterator[LoggedTurn | Rejected]:
    """The turns worth a teacher's time, normalised, in their order, and the others as they came, with the reason.

    Of texts that are equal but for case and punctuation, in one state, the first with the acts that most of them have
    is kept; where several sets of acts are equally frequent, the first of each: who logs a copy of a good message with
    other acts shall not be able to take it away. The teacher, the label model or at last ``check`` decides.
    """
    came = ({PLACE: place, "turn": json.dumps(turn.as_json())} for place, turn in enumerate(turns))
    examined = engine.each(came, Examine(settings.languages))
    same = engine.together(examined.read("same", *FindSame.reads), "same", FindSame())

    def left(*names: str) -> Iterator[Row]:
        rows = beside(examined.read("reason", *names), same.read())
        return (row for row, found in rows if row["reason"] is None and found is None)

    common = common_words((row["words"] for row in left("words")), engine.folder)
    near = engine.together(left("near", *FindNear.reads), "near", FindNear(common))
    found = merge(same.read(), near.read(), key=itemgetter(PLACE))
    for row, later in beside(examined.read("turn", "normal", "reason", "detail"), found):
        why = later or row
        if why["reason"] is None:
            yield LoggedTurn.from_json(json.loads(row["normal"]))
        else:
            turn = json.loads(row["turn"])
            yield Rejected(turn["id"], why["reason"], why["detail"], turn)


@dataclass(frozen=True, slots=True)
class Examine:
    """What is seen in a turn by itself: its normal form, why it goes, and what it is compared with others by."""

    languages: tuple[str, ...]
    reads: ClassVar[Columns] = {"turn": str}
    gives: ClassVar[Columns] = dict.fromkeys(
        ("turn", "normal", "reason", "detail", "id", "acts", "meaning", "same", "words", "near"), str
    )

    def __call__(self, rows: Sequence[Row]) -> Iterator[Row]:
        for row in rows:
            turn = _normalise(LoggedTurn.from_json(json.loads(row["turn"])))
            found = _alone(turn, self.languages)
            if found is not None:
                yield {**row, "reason": found[0], "detail": found[1]}
                continue
            words = near_words(turn.text)
            yield {
                **row,
                "normal": json.dumps(turn.as_json()),
                "id": turn.id,
                "acts": " ".join(turn.acts),
                "meaning": fingerprint(sorted(act.casefold() for act in turn.acts)),
                "same": fingerprint([turn.state, fold(turn.text)]),
                "words": " ".join(words),
                "near": near_key(turn, words),
            }


@dataclass(frozen=True, slots=True)
class FindSame:
    """Of turns with one text in one state, those that go, by what most of them mean."""

    reads: ClassVar[Columns] = dict.fromkeys(("id", "acts", "meaning"), str)
    gives: ClassVar[Columns] = dict.fromkeys(("reason", "detail"), str)

    def __call__(self, rows: Iterator[Row]) -> Iterator[Row]:
        first: dict[str, Row] = {}  # by meaning, in the order in which they come
        places, meanings = array("q"), array("q")  # so that a greeting said a million times fits into memory
        numbers: dict[str, int] = {}
        for row in rows:
            first.setdefault(row["meaning"], row)
            places.append(row[PLACE])
            meanings.append(numbers.setdefault(row["meaning"], len(numbers)))
        (winner, most), *others = Counter(meanings).most_common()
        held = {winner, *(number for number, times in others if times == most)}
        kept = list(first.values())
        for place, meaning in zip(places, meanings, strict=True):
            if meaning not in held:
                detail = f"{most} of {len(places)} say {kept[winner]['acts']}"
                yield {PLACE: place, "reason": "contradiction", "detail": detail}
            elif place != kept[meaning][PLACE]:
                yield {PLACE: place, "reason": "duplicate", "detail": f"of {kept[meaning]['id']}"}


def normalise(text: str) -> str:
    """NFKC, without control and invisible characters, every white space one blank."""
    plain = unicodedata.normalize("NFKC", text)
    kept = "".join(char if unicodedata.category(char)[0] != "C" else " " if char.isspace() else "" for char in plain)
    return _SPACE.sub(" ", kept).strip()


def _normalise(turn: LoggedTurn) -> LoggedTurn:
    """The turn with text and arguments normalised alike, so that an argument stays a copy."""
    try:
        acts = [parse_act(act) for act in turn.acts]
    except ValueError:
        return replace(turn, text=normalise(turn.text))
    plain = (Act(act.name, tuple((slot, normalise(value)) for slot, value in act.arguments)) for act in acts)
    return replace(turn, text=normalise(turn.text), acts=tuple(map(str, plain)))


def _alone(turn: LoggedTurn, languages: Sequence[str]) -> tuple[str, str] | None:
    """Why a turn goes whatever the others say: reason and detail."""
    if not any(char.isalnum() for char in turn.text):
        return "empty", "no letter and no digit"
    if len(turn.text) > MAX_CHARS:
        return "too_long", f"{len(turn.text)} characters"
    if (found := find_injection(turn.text)) is not None:
        return "injection", found
    try:
        names = {parse_act(act).name for act in turn.acts}
    except ValueError:
        return "unreadable_act", "an act is no call with string arguments"
    if "other_language" not in names and (language := foreign_language(turn.text, languages)) is not None:
        return "language", language
    return None


def foreign_language(text: str, languages: Sequence[str]) -> str | None:
    """The language (ISO 639-1) that ``text`` is surely in, where it is none of ``languages``; else None."""
    words = PLACEHOLDER.sub(" ", text)
    is_spaced = not any("\u3040" <= char <= "\u9fff" or "\uac00" <= char <= "\ud7af" for char in words)
    if sum(char.isalpha() for char in words) < (MIN_LETTERS if is_spaced else 4):
        return None
    language, confidence = _identifier().classify(words)
    return str(language) if confidence >= SURE and language not in languages else None


@cache
def _identifier() -> LanguageIdentifier:
    identifier = LanguageIdentifier.from_modelpath(str(files("py3langid") / "data" / "model.npz.xz"), norm_probs=True)
    identifier.set_languages(_LANGUAGES)
    return identifier
