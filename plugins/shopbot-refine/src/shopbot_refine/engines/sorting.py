"""Sorting more rows than fit into memory: sorted runs on disk, merged while they are read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from heapq import merge
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from shopbot_refine.engines.tables import Row

#: How much is sorted in memory and becomes one run: characters of JSON. A run is an open file while runs are merged.
RUN_CHARS = 16_000_000
_KEY = itemgetter(0)


def in_order(
    rows: Iterable[Row], key: Callable[[Row], list[Any]], folder: Path | None, *, run_chars: int = RUN_CHARS
) -> Iterator[Row]:
    """The rows by ``key`` (strings and numbers), equal ones in the order they came in.

    All but about ``run_chars`` of them lie in files below ``folder`` (None: where this system has its temporary files),
    which are gone at the end. Raises :class:`OSError`.
    """
    with TemporaryDirectory(dir=folder, prefix="sort-") as name, ExitStack() as files:
        runs: list[Iterator[list[Any]]] = []
        held: list[tuple[list[Any], str]] = []
        size = 0
        for row in rows:
            value = key(row)
            line = json.dumps([value, row])
            held.append((value, line))
            size += len(line)
            if size >= run_chars:
                held.sort(key=_KEY)
                path = Path(name, str(len(runs)))
                path.write_text("".join(f"{line}\n" for _, line in held), encoding="ascii")
                runs.append(map(json.loads, files.enter_context(path.open(encoding="ascii"))))
                held, size = [], 0
        held.sort(key=_KEY)
        last = (json.loads(line) for _, line in held)
        yield from map(itemgetter(1), merge(*runs, last, key=_KEY))
