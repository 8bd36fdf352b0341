"""Redact: personal data leaves the rows before any other stage, any teacher or any file that travels sees them.

Each session has one :class:`shopbot.Redactor`: what the store knows of the customer and what the customer said of
themselves in any of the session's turns is replaced exactly, then what patterns find. A placeholder (``<ORDER_1>``)
means the same thing in every text, argument and reply of the session, and an argument stays a copy of its text.

A stranger's bare name ("for Birgit", "ask Thaddeus Birdwhistle") has no form of its own: it is found after words that
announce a name, beside an address, or where its first name is a common one, else only if the store knows it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from shopbot import Customer, Order, Redactor
from shopbot_refine.acts import Act, parse_act
from shopbot_refine.dataset import fingerprint
from shopbot_refine.engines import PLACE, Columns, Row
from shopbot_refine.engines.local import open_local
from shopbot_refine.records import LoggedTurn, Rejected

VERSION = 2
#: What the store knows of a session's customer; None: nobody, or it was never told who asked.
Known = Callable[[str], "tuple[Customer, Iterable[Order]] | None"]
#: Hashes stay inside one run and are never written: the key need not be secret, and a fixed one keeps runs alike.
_KEY = b"shopbot refine"
#: Sessions and turns as the transcripts name them: by keyed hashes.
_PSEUDONYM = re.compile(r"[0-9a-f]{20}(?:-\d{1,9})?")
_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:\d\d)?)?")
#: The name of a tool or a slot: a number of more than two digits in it is no part of a name.
_TOOL_WORD = re.compile(r"(?:[A-Za-z_]{1,30}\d{0,2}){1,3}")
_UNREADABLE = "An act is no call with string arguments."
_OUTCOME = re.compile(r"[a-z_]{1,24}")


def redact(turns: Iterable[LoggedTurn], *, known: Known, folder: Path) -> Iterator[LoggedTurn | Rejected]:
    """The turns without personal data, in their order; all of them are read before the first is given.

    ``known`` is asked once a session. A turn with an act that cannot be read is rejected as ``unreadable_act`` and
    empty: what cannot be read cannot be redacted. An id or a session that looks personal is replaced by its place.
    ``folder``: for what does not fit into memory. It is this process that works, whatever the engine of the run: no
    worker sees what is not redacted.
    """
    rows = (
        {PLACE: place, "session": fingerprint([turn.session]), "turn": json.dumps(turn.as_json())}
        for place, turn in enumerate(turns)
    )
    with open_local(folder) as engine:
        for row in engine.together(rows, "session", RedactSession(known)).read():
            found = json.loads(row["turn"])
            yield (
                Rejected(found["id"], row["reason"], _UNREADABLE, {}) if row["reason"] else LoggedTurn.from_json(found)
            )


@dataclass(frozen=True, slots=True)
class RedactSession:
    """All turns of one session without personal data; ``reason`` for one that cannot be."""

    known: Known
    reads: ClassVar[Columns] = {"turn": str}
    gives: ClassVar[Columns] = {"turn": str, "reason": str}

    def __call__(self, rows: Iterator[Row]) -> Iterator[Row]:
        turns = [(row[PLACE], LoggedTurn.from_json(json.loads(row["turn"]))) for row in rows]
        first, session = turns[0][0], turns[0][1].session
        redactor = Redactor(_KEY)
        customer, orders = self.known(session) or (None, ())
        redactor.know(customer, orders)
        _learn(redactor, (turn for _, turn in turns))
        session = _plain(redactor, session, f"session-{first}")
        for place, turn in turns:
            name = _plain(redactor, turn.id, f"turn-{place}")
            plain = _redact_turn(redactor, turn, name=name, session=session)
            if plain is None:
                yield {PLACE: place, "turn": json.dumps({"id": name}), "reason": "unreadable_act"}
            else:
                yield {PLACE: place, "turn": json.dumps(plain.as_json())}


def _learn(redactor: Redactor, turns: Iterable[LoggedTurn]) -> None:
    for turn in turns:
        for act in _read_acts(turn) or ():
            redactor.know_act(act.name, dict(act.arguments))


def _read_acts(turn: LoggedTurn) -> list[Act] | None:
    try:
        return [parse_act(act) for act in turn.acts]
    except ValueError:
        return None


def _redact_turn(redactor: Redactor, turn: LoggedTurn, *, name: str, session: str) -> LoggedTurn | None:
    """The turn without personal data; None where an act cannot be read."""
    acts = _read_acts(turn)
    words = [word for act in acts or () for word in (act.name, *dict(act.arguments))]
    if acts is None or any(not _TOOL_WORD.fullmatch(word) or redactor.text(word) != word for word in words):
        return None
    values = [value for act in acts for _, value in act.arguments]
    text, copies = redactor.text_and_copies(turn.text, values, expects_identity=turn.state == "ask identity")
    copied = iter(copies)
    return replace(
        turn,
        id=name,
        session=session,
        text=text,
        acts=tuple(str(Act(act.name, tuple((slot, next(copied)) for slot, _ in act.arguments))) for act in acts),
        state=redactor.text(turn.state),
        at=turn.at if _TIME.fullmatch(turn.at) else "",
        outcome=turn.outcome if _OUTCOME.fullmatch(turn.outcome) else "",
        reply=redactor.text(turn.reply),
        rating=turn.rating if turn.rating in ("up", "down") else "",
        comment=redactor.text(turn.comment),
    )


def _plain(redactor: Redactor, name: str, instead: str) -> str:
    return name if _PSEUDONYM.fullmatch(name) or redactor.text(name) == name else instead
