"""The default engine: one process, which holds no more than a batch of rows and one run of a sort."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path

from shopbot_refine.engines import Columns, EachWork, GroupWork
from shopbot_refine.engines.sorting import in_order
from shopbot_refine.engines.tables import PLACE, Row, Table, batches


class LocalEngine:
    """See :class:`~shopbot_refine.engines.Engine`. It writes into ``folder``, which exists."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._tables = 0

    def each(self, rows: Iterable[Row], work: EachWork) -> Table:
        return self.keep(chain.from_iterable(map(work, batches(rows))), work.gives)

    def together(self, rows: Iterable[Row], key: str, work: GroupWork) -> Table:
        slim = ({name: row[name] for name in (PLACE, key, *work.reads)} for row in rows if row[key] is not None)
        by_key = in_order(slim, lambda row: [row[key], row[PLACE]], self.folder)
        found = chain.from_iterable(work(group) for _, group in groupby(by_key, key=itemgetter(key)))
        return self.sort(found, work.gives)

    def sort(self, rows: Iterable[Row], columns: Columns) -> Table:
        """The rows on disk, in the order of places."""
        return self.keep(in_order(rows, lambda row: [row[PLACE]], self.folder), columns)

    def keep(self, rows: Iterable[Row], columns: Columns) -> Table:
        """The rows on disk; they come in the order of places."""
        table = self.new_table(columns)
        table.write(rows)
        return table

    def new_table(self, columns: Columns) -> Table:
        """A table that is not there yet."""
        self._tables += 1
        return Table(self.folder / f"table-{self._tables}", columns)


@contextmanager
def open_local(folder: Path) -> Iterator[LocalEngine]:
    """An engine with a folder of its own below ``folder``, which is gone afterwards, also if a crash had left it."""
    work = folder / ".work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        yield LocalEngine(work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
