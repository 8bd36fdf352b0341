"""How a stage works through its rows, however many there are: in this process, or as Ray Data pipelines.

A stage names its work as pure functions over rows, and an engine runs them in bounded memory: ``each`` for what is
found in a row by itself, ``together`` for what is found among the rows of one key. Rows carry their ``place`` and come
out in its order, so that nobody can tell from the result which engine did the work.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from shopbot import ConfigError
from shopbot_refine.config import EngineName
from shopbot_refine.engines.tables import PLACE, Columns, Row, Table


class EachWork(Protocol):
    """A pure function from rows to as many rows, with the same places in the same order.

    ``reads`` and ``gives``: the columns of the one and of the other, beside the place. It can be pickled, for that is
    how it travels to a worker.
    """

    @property
    def reads(self) -> Columns: ...

    @property
    def gives(self) -> Columns: ...

    def __call__(self, rows: Sequence[Row]) -> Iterable[Row]: ...


class GroupWork(Protocol):
    """A pure function from the rows of one key, in the order of places, to a row for each place it has something to say
    about; the rest as for :class:`EachWork`."""

    @property
    def reads(self) -> Columns: ...

    @property
    def gives(self) -> Columns: ...

    def __call__(self, rows: Iterator[Row]) -> Iterable[Row]: ...


class Engine(Protocol):
    """Runs work over rows. ``folder`` is for whatever lies on disk meanwhile; it is gone when the engine is closed."""

    @property
    def folder(self) -> Path: ...

    def each(self, rows: Iterable[Row], work: EachWork) -> Table:
        """What ``work`` gives for the rows, which come in the order of places."""
        ...

    def together(self, rows: Iterable[Row], key: str, work: GroupWork) -> Table:
        """What ``work`` gives for the rows of each value of the column ``key``; rows without one are left out."""
        ...


def require_engine(name: EngineName) -> None:
    """Raises :class:`~shopbot.ConfigError` where the library of an engine is missing."""
    if name == "ray" and find_spec("ray") is None:
        raise ConfigError(
            "The engine 'ray' needs Ray, which is not installed.",
            remedy="In your clone of shopbot: pip install -e './plugins/shopbot-refine[ray]'. Or take 'local'.",
        )


def open_engine(name: EngineName, folder: Path) -> AbstractContextManager[Engine]:
    """An engine that works in a folder below ``folder``. Raises :class:`~shopbot.ConfigError` where Ray is missing."""
    require_engine(name)
    if name == "ray":
        from shopbot_refine.engines.ray import open_ray

        return open_ray(folder)
    from shopbot_refine.engines.local import open_local

    return open_local(folder)


def beside(rows: Iterable[Row], found: Iterable[Row]) -> Iterator[tuple[Row, Row | None]]:
    """Each row with what was found at its place; both come in the order of places."""
    left = iter(found)
    ahead = next(left, None)
    for row in rows:
        here = ahead if ahead is not None and ahead[PLACE] == row[PLACE] else None
        if here is not None:
            ahead = next(left, None)
        yield row, here


__all__ = [
    "PLACE",
    "Columns",
    "EachWork",
    "Engine",
    "GroupWork",
    "Row",
    "Table",
    "beside",
    "open_engine",
    "require_engine",
]
