"""Clean: what needs no teacher to be left out, each row with its reason.

Texts are normalised first. Then go, in this order, the ``empty`` and the ``too_long``; the ``injection``
(:mod:`shopbot_refine.injections`); what is surely in a ``language`` that the shop does not speak, unless its act says
so; ``unreadable_act``; of equal texts in one state the ``contradiction`` and the ``duplicate``; the ``near_duplicate``
(:mod:`shopbot_refine.near_duplicates`). Probably wrong labels stay: a teacher is asked about them first
(:mod:`shopbot_refine.suspicion`).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files

from py3langid.langid import LanguageIdentifier

from shopbot import PLACEHOLDER, fold
from shopbot_refine.acts import Act, parse_act
from shopbot_refine.config import RefineConfig
from shopbot_refine.injections import find_injection
from shopbot_refine.near_duplicates import NearDuplicates
from shopbot_refine.records import LoggedTurn, Rejected

VERSION = 1
#: Longer is no message to a shop's bot; a turn of this length still fits the model's context.
MAX_CHARS = 1000
#: How sure the language model must be, and of how many letters at least: "hola" alone is no evidence.
SURE, MIN_LETTERS = 0.9, 12
#: Languages told apart. All that the library knows would only make short messages less sure.
_LANGUAGES = (
    "ar bg cs da de el en es et fi fr he hi hr hu id it ja ko lt lv nl no pl pt ro ru sk sl sv th tr uk vi zh".split()
)
_SPACE = re.compile(r"\s+")


def clean(turns: Iterable[LoggedTurn], settings: RefineConfig) -> Iterator[LoggedTurn | Rejected]:
    """The turns worth a teacher's time, normalised, in their order, and the others as they came, with the reason.

    Of texts that are equal but for case and punctuation, in one state, the first with the acts that most of them have
    is kept; where two sets of acts are equally frequent, none is, and the detail says "tie".
    """
    came = list(turns)
    rows = [_normalise(turn) for turn in came]
    reasons = [_alone(row, settings.languages) for row in rows]
    left = [place for place, reason in enumerate(reasons) if reason is None]
    for place, found in _together([rows[place] for place in left]):
        reasons[left[place]] = found
    near = NearDuplicates(row.text for row, reason in zip(rows, reasons, strict=True) if reason is None)
    for turn, row, reason in zip(came, rows, reasons, strict=True):
        if reason is None and (first := near.find_or_add(row)) is not None:
            reason = "near_duplicate", f"of {first}"
        yield row if reason is None else Rejected(turn.id, *reason, turn.as_json())


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


def _together(rows: Sequence[LoggedTurn]) -> Iterator[tuple[int, tuple[str, str]]]:
    """Of turns with one text in one state, the places of those that go, with reason and detail."""
    groups: dict[tuple[str, str], list[int]] = {}
    for place, row in enumerate(rows):
        groups.setdefault((row.state, fold(row.text)), []).append(place)
    for places in groups.values():
        counts = Counter(_meaning(rows[place]) for place in places)
        (winner, most), *others = counts.most_common()
        if others and others[0][1] == most:
            yield from ((place, ("contradiction", "tie")) for place in places)
            continue
        first = next(place for place in places if _meaning(rows[place]) == winner)
        for place in places:
            if _meaning(rows[place]) != winner:
                yield place, ("contradiction", f"{most} of {len(places)} say {' '.join(rows[first].acts)}")
            elif place != first:
                yield place, ("duplicate", f"of {rows[first].id}")


def _meaning(turn: LoggedTurn) -> tuple[str, ...]:
    return tuple(sorted(act.casefold() for act in turn.acts))
