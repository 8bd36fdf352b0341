"""``export``: the refined set as files that others can use: chat-format JSON Lines (the fine-tuning convention), the
rows that ``train`` reads, Parquet with the provenance of every row, and a data card.

The folder appears whole or not at all. The same candidates give the same bytes; the set's fingerprint does not depend
on their order.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from shopbot_refine.acts import parse_act
from shopbot_refine.dataset import DatasetError, Example, fingerprint
from shopbot_refine.fill import fill
from shopbot_refine.records import Candidate, read_rows
from shopbot_refine.stages import StageError

VERSION = 1
SYSTEM = "You are a shop's customer service. Write the acts that the customer's message means, one a line."
EXAMPLES, CHAT, PARQUET, CARD = "examples.jsonl", "chat.jsonl", "examples.parquet", "card.md"
LICENCE = (
    "The shop's own. Made from its customers' conversations, with personal data replaced; not meant for publication."
)


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: the folder, its set's fingerprint (64 hex digits), and the counts that the card shows."""

    folder: Path
    fingerprint: str
    rows: int
    counts: Mapping[str, Mapping[str, int]]

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "folder": self.folder.name}


def export(
    candidates: Iterable[Candidate],
    folder: Path,
    *,
    rejected: Mapping[str, Mapping[str, int]],
    languages: Sequence[str],
    licence: str = LICENCE,
    seed: int = 0,
) -> Exported:
    """Write the set into ``folder``, in place of what was there.

    Placeholders are filled (:func:`~shopbot_refine.fill.fill` with ``seed``). ``rejected``: stage → reason → how many,
    for the card. Raises :class:`StageError` where there is no row, pyarrow is missing, or the disk does not take it.
    """
    rows = [fill(candidate, seed) for candidate in candidates]
    if not rows:
        raise StageError("There is nothing to export: no candidate is left.", remedy="See why in 'refine report'.")
    name = set_fingerprint(map(as_example, rows))
    counts = _counts(rows)
    card = _card(name, len(rows), counts, rejected, languages, licence)
    staged = folder.with_name(f".{folder.name}.part")
    try:
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir(parents=True)
        _write_lines(staged / EXAMPLES, rows, lambda row: as_example(row).to_json())
        _write_lines(staged / CHAT, rows, lambda row: json.dumps(as_chat(as_example(row)), ensure_ascii=False))
        _write_parquet(staged / PARQUET, rows)
        (staged / CARD).write_text(card, encoding="utf-8")
        _replace(folder, staged)
    except OSError as error:
        shutil.rmtree(staged, ignore_errors=True)
        raise StageError(f"Cannot write to {folder} ({error}).", remedy="Free some disk space, then resume.") from error
    return Exported(folder, name, len(rows), counts)


def as_example(candidate: Candidate) -> Example:
    """What the student is trained on."""
    return Example(candidate.state, candidate.text, candidate.acts)


def as_chat(example: Example) -> dict[str, Any]:
    """An example as a conversation; the dialogue state stands before the message and in a field of its own."""
    return {
        "messages": [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": f"[{example.state}] {example.text}"},
            {"role": "assistant", "content": "\n".join(example.acts)},
        ],
        "state": example.state,
    }


def read_chat(path: Path) -> list[Example]:
    """The examples of a chat-format file. Raises :class:`~shopbot_refine.dataset.DatasetError`."""
    examples = []
    for number, row in enumerate(read_rows(path), 1):
        try:
            state, (_, user, assistant) = row["state"], row["messages"]
            asked, acts = user["content"], assistant["content"]
            if not asked.startswith(f"[{state}] "):
                raise ValueError("the message does not begin with its state")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DatasetError(
                f"{path}, row {number} is no exported chat ({error}).", remedy="Export again."
            ) from error
        examples.append(Example(state, asked[len(state) + 3 :], tuple(acts.split("\n"))))
    return examples


def set_fingerprint(examples: Iterable[Example]) -> str:
    """The name of a set of examples (64 hex digits), whatever their order."""
    return fingerprint(sorted(example.to_json() for example in examples))


def _write_lines(path: Path, rows: Iterable[Candidate], line: Callable[[Candidate], str]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{line(row)}\n" for row in rows)
        file.flush()
        os.fsync(file.fileno())


def _write_parquet(path: Path, rows: Sequence[Candidate]) -> None:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise StageError("pyarrow is not installed.", remedy="pip install pyarrow") from error
    text = pyarrow.string()
    schema = pyarrow.schema(
        [(key, pyarrow.list_(text) if key == "acts" else text) for key in Candidate.__dataclass_fields__]
    )
    table = pyarrow.Table.from_pylist([{**row.as_json(), "acts": list(row.acts)} for row in rows], schema=schema)
    pyarrow.parquet.write_table(table, path)


def _replace(folder: Path, staged: Path) -> None:
    """Put the staged folder in the place of the old one, by renames."""
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    with suppress(FileNotFoundError):
        folder.rename(old)
    staged.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _counts(rows: Sequence[Candidate]) -> dict[str, dict[str, int]]:
    """By origin, teacher, act and state, most frequent first."""
    found: dict[str, Counter[str]] = {
        "origin": Counter(row.origin for row in rows),
        "teacher": Counter(row.teacher or "none" for row in rows),
        "act": Counter(name for row in rows for name in {parse_act(act).name for act in row.acts}),
        "state": Counter(row.state for row in rows),
    }
    return {what: dict(sorted(many.items(), key=lambda entry: (-entry[1], entry[0]))) for what, many in found.items()}


def _card(
    name: str,
    rows: int,
    counts: Mapping[str, Mapping[str, int]],
    rejected: Mapping[str, Mapping[str, int]],
    languages: Sequence[str],
    licence: str,
) -> str:
    parts = [
        "# Data card: refined training set\n",
        f"- Rows: {rows}\n- Fingerprint: `{name}`\n- Languages: {', '.join(languages)}\n- Licence: {licence}\n",
        "## What a row is\n",
        "A customer's message, the dialogue state it came in, and the acts that are right for it. "
        f"`{EXAMPLES}` is what training reads, `{CHAT}` the same as conversations, `{PARQUET}` adds where each row "
        "comes from: the teacher, its request, its reason.\n",
        "## How it was made\n",
        "From the shop's own logged turns: collected where customer and shop allow it, redacted, cleaned; judged, put "
        "right and added to by a teacher model; checked by the grammar, by playing every row on a sandbox store, and "
        "against the golden and eval sets. `kept`: as logged. `fixed`: the teacher gave other acts. `written`: the "
        "teacher wrote the message. A teacher of `none` means that nobody judged the row. Personal data was replaced "
        "by placeholders before anything left the box; the values in their place are made up.\n",
        *(_table(f"Rows by {what}", what, many) for what, many in counts.items()),
        *(_table(f"Left out by {stage}", "reason", many) for stage, many in rejected.items() if many),
    ]
    return "\n".join(parts)


def _table(title: str, what: str, counts: Mapping[str, int]) -> str:
    lines = "".join(f"| {_cell(key)} | {number} |\n" for key, number in counts.items())
    return f"## {title}\n\n| {what} | rows |\n|---|---|\n{lines}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
