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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from shopbot_refine.acts import parse_act
from shopbot_refine.dataset import DatasetError, Example, fingerprint
from shopbot_refine.engines.sorting import in_order
from shopbot_refine.fill import fillings
from shopbot_refine.records import Candidate, read_rows
from shopbot_refine.stages import StageError

VERSION = 2
SYSTEM = "You are a shop's customer service. Write the acts that the customer's message means, one a line."
#: Rows in memory at once.
_WRITTEN = 5_000
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
    values: int = 1,
) -> Exported:
    """Write the set into ``folder``, in place of what was there.

    Placeholders are filled (:func:`~shopbot_refine.fill.fillings` with ``seed`` and ``values``). ``rejected``: stage →
    reason → how many, for the card. Raises :class:`StageError` where there is no row, pyarrow is missing, or the disk
    does not take it.
    """
    staged = folder.with_name(f".{folder.name}.part")
    counts: Mapping[str, Counter[str]] = {what: Counter() for what in ("origin", "teacher", "act", "state")}
    try:
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir(parents=True)
        rows = _write(staged, (row for one in candidates for row in fillings(one, seed, values)), counts)
        if not rows:
            raise StageError("There is nothing to export: no candidate is left.", remedy="See why in 'refine report'.")
        name = _name_of(staged / EXAMPLES)
        shown = {what: _most_frequent_first(many) for what, many in counts.items()}
        (staged / CARD).write_text(_card(name, rows, shown, rejected, languages, licence), encoding="utf-8")
        _replace(folder, staged)
    except OSError as error:
        raise StageError(f"Cannot write to {folder} ({error}).", remedy="Free some disk space, then resume.") from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return Exported(folder, name, rows, shown)


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


def _write(folder: Path, rows: Iterable[Candidate], counts: Mapping[str, Counter[str]]) -> int:
    """Write the rows in their three forms, a few thousand at a time, and count them. How many there are."""
    number = 0
    with (
        _open_synced(folder / EXAMPLES) as examples,
        _open_synced(folder / CHAT) as chats,
        _open_parquet(folder / PARQUET) as parquet,
    ):
        left = iter(rows)
        while some := list(islice(left, _WRITTEN)):
            examples.writelines(f"{as_example(row).to_json()}\n" for row in some)
            chats.writelines(f"{json.dumps(as_chat(as_example(row)), ensure_ascii=False)}\n" for row in some)
            parquet(some)
            counts["origin"].update(row.origin for row in some)
            counts["teacher"].update(row.teacher or "none" for row in some)
            counts["act"].update(name for row in some for name in {parse_act(act).name for act in row.acts})
            counts["state"].update(row.state for row in some)
            number += len(some)
    return number


@contextmanager
def _open_synced(path: Path) -> Iterator[TextIO]:
    """A file to write, on disk when the block ends."""
    with path.open("w", encoding="utf-8") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _open_parquet(path: Path) -> Iterator[Callable[[Sequence[Candidate]], None]]:
    """What writes rows into a Parquet file."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise StageError("pyarrow is not installed.", remedy="pip install pyarrow") from error
    text = pyarrow.string()
    schema = pyarrow.schema(
        [(key, pyarrow.list_(text) if key == "acts" else text) for key in Candidate.__dataclass_fields__]
    )
    with pyarrow.parquet.ParquetWriter(path, schema) as file:
        yield lambda rows: file.write_table(pyarrow.Table.from_pylist([row.as_json() for row in rows], schema=schema))


def _name_of(path: Path) -> str:
    """The :func:`set_fingerprint` of a file of examples, however long it is."""
    with path.open(encoding="utf-8", newline="\n") as file:
        lines = ({"line": line.removesuffix("\n")} for line in file)
        return fingerprint(row["line"] for row in in_order(lines, lambda row: [row["line"]], path.parent))


def _replace(folder: Path, staged: Path) -> None:
    """Put the staged folder in the place of the old one, by renames."""
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    with suppress(FileNotFoundError):
        folder.rename(old)
    staged.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _most_frequent_first(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])))


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
        "teacher wrote the message. `counterexample`: a message of the seed set with words from a logged one in it, "
        "which only the logs tie to a write. A teacher of `none` means that nobody judged the row. Personal data was "
        "replaced by placeholders before anything left the box; the values in their place are made up. A row whose "
        "acts hold such a value stands there several times (`ID`, `ID~2` and so on), each time with another one.\n",
        *(_table(f"Rows by {what}", what, many) for what, many in counts.items()),
        *(_table(f"Left out by {stage}", "reason", many) for stage, many in rejected.items() if many),
    ]
    return "\n".join(parts)


def _table(title: str, what: str, counts: Mapping[str, int]) -> str:
    lines = "".join(f"| {_cell(key)} | {number} |\n" for key, number in counts.items())
    return f"## {title}\n\n| {what} | rows |\n|---|---|\n{lines}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
