"""Rows on disk between two steps of a stage: a folder of Parquet files that is read in the order of places."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from shopbot_refine.stages import StageError

Row = dict[str, Any]
#: Name → str, int or float.
Columns = Mapping[str, type]
PLACE = "place"
#: Rows in one file: what is worked on, written and read at once.
BATCH = 2_000
_TYPES = {str: pa.string(), int: pa.int64(), float: pa.float64()}


class Table:
    """The rows in a folder, which need not exist yet. ``columns``: what stands in them beside the place."""

    def __init__(self, folder: Path, columns: Columns) -> None:
        self.folder, self.columns = folder, columns

    def __len__(self) -> int:
        return sum(pq.read_metadata(path).num_rows for path in self.folder.glob("*.parquet"))

    def write(self, rows: Iterable[Row]) -> None:
        """Write the rows, which come in the order of places; what is no column of the table is left out.

        Raises :class:`OSError`.
        """
        self.folder.mkdir(parents=True)
        for number, batch in enumerate(batches(rows)):
            pq.write_table(pack(batch, self.columns), self.folder / f"{number:06}.parquet")

    def read(self, *names: str) -> Iterator[Row]:
        """The rows in the order of places, with these columns beside the place; with all where none is named.

        Raises :class:`StageError` where a place comes twice or too late.
        """
        last = -1
        for path in self.parts():
            for row in pq.read_table(path, columns=[PLACE, *(names or self.columns)]).to_pylist():
                if row[PLACE] <= last:
                    raise StageError(f"{path} holds row {row[PLACE]} behind row {last}.", remedy="Resume the run.")
                last = row[PLACE]
                yield row

    def parts(self) -> list[Path]:
        """The files that hold rows, by the first place in each."""
        firsts = {}
        for path in self.folder.glob("*.parquet"):
            described = pq.read_metadata(path)
            if described.num_rows:
                firsts[described.row_group(0).column(0).statistics.min] = path
        return [firsts[first] for first in sorted(firsts)]


def pack(rows: Iterable[Row], columns: Columns) -> pa.Table:
    """Rows as Arrow has them, the place first."""
    schema = pa.schema([(PLACE, pa.int64()), *((name, _TYPES[kind]) for name, kind in columns.items())])
    return pa.Table.from_pylist(list(rows), schema=schema)


def batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """The rows, so many at a time as are worked on at once."""
    given = iter(rows)
    while batch := list(islice(given, BATCH)):
        yield batch
