"""Training examples: what one is, how they are read from JSON Lines, and the fingerprint that names a set of them."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shopbot import ShopbotError


class DatasetError(ShopbotError):
    """A training file is missing, empty or malformed; the message names file and line."""


@dataclass(frozen=True, slots=True)
class Example:
    """One customer message with the state it came in (``"-"``: nothing was open) and the acts that are right for it.

    ``demonstrations``: pairs of message and acts that stand before it in the prompt.
    """

    state: str
    text: str
    acts: tuple[str, ...]
    demonstrations: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> str:
        """One JSON line, without the line end."""
        row: dict[str, object] = {"state": self.state, "text": self.text, "acts": list(self.acts)}
        if self.demonstrations:
            row["demonstrations"] = [list(pair) for pair in self.demonstrations]
        return json.dumps(row, ensure_ascii=False)


def parse_example(line: str, where: str) -> Example:
    """Read one JSON line. ``where`` ("file:12") goes into the :class:`DatasetError` of a malformed one."""
    remedy = 'Give one object a line: {"state": "-", "text": "...", "acts": ["..."]}.'
    try:
        row = json.loads(line)
    except ValueError as error:
        raise DatasetError(f"{where} is not JSON ({error}).", remedy=remedy) from error
    if not isinstance(row, dict) or not {"state", "text", "acts"} <= row.keys():
        raise DatasetError(f"{where} has not the keys state, text and acts.", remedy=remedy)
    state, text, acts = row["state"], row["text"], row["acts"]
    if not (isinstance(state, str) and isinstance(text, str) and isinstance(acts, list) and acts):
        raise DatasetError(f"{where}: state and text are strings, acts a list that is not empty.", remedy=remedy)
    if not all(isinstance(act, str) and act.strip() and "\n" not in act for act in acts):
        raise DatasetError(f"{where}: every act is a string of one line.", remedy=remedy)
    return Example(state, text, tuple(acts), _demonstrations(row.get("demonstrations", []), where))


def _demonstrations(value: object, where: str) -> tuple[tuple[str, str], ...]:
    pairs: list[Any] = value if isinstance(value, list) else [None]
    if not all(isinstance(p, list) and len(p) == 2 and all(isinstance(part, str) for part in p) for p in pairs):
        raise DatasetError(f"{where}: demonstrations are pairs of strings.", remedy='Write [["message", "acts"], …].')
    return tuple((pair[0], pair[1]) for pair in pairs)


def load_examples(paths: Iterable[Path]) -> list[Example]:
    """Read JSON Lines files in the order given; blank lines are skipped. Raises :class:`DatasetError`."""
    examples: list[Example] = []
    for path in paths:
        try:
            with path.open(encoding="utf-8") as file:
                examples += [parse_example(line, f"{path}:{n}") for n, line in enumerate(file, 1) if line.strip()]
        except (OSError, UnicodeDecodeError) as error:
            raise DatasetError(f"Cannot read {path} ({error}).", remedy="Check the path; the file is UTF-8.") from error
    return examples


def split_examples(examples: Sequence[Example], *, eval_share: float, seed: int) -> tuple[list[Example], list[Example]]:
    """Shuffle and cut into (train, eval). Rows of one text stay together: eval holds no copy of a training row."""
    by_text: dict[str, list[Example]] = {}
    for example in examples:
        by_text.setdefault(" ".join(example.text.lower().split()), []).append(example)
    groups = list(by_text.values())
    random.Random(seed).shuffle(groups)  # noqa: S311 - reproducible, not secret
    wanted = round(len(examples) * eval_share)
    train: list[Example] = []
    held_out: list[Example] = []
    for group in groups:
        (held_out if len(held_out) < wanted else train).extend(group)
    return train, held_out


def fingerprint(parts: Iterable[str]) -> str:
    """SHA-256 (64 hex digits) of the parts in order; the lengths go in too, so that moving a boundary changes it."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()


def file_fingerprint(path: Path) -> str:
    """SHA-256 (64 hex digits) of a file. Raises :class:`OSError`."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
