"""How long a checkpoint takes for one message, on this box."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from contextlib import closing

from shopbot import PluginManager
from shopbot_refine.dataset import Example
from shopbot_refine.judging import Contender, understand_by

CALLS = 24
_WARM_UP = 3


def measure_ms(contender: Contender, rows: Sequence[Example], *, plugins: PluginManager) -> float:
    """The median time of a call that reads one of the ``rows``, in milliseconds, after a few that do not count.

    At most :data:`CALLS` rows, spread over all of them; nan without any. Raises :class:`~shopbot.BackendError`.
    """
    chosen = [*rows[:: max(1, len(rows) // CALLS)]][:CALLS]
    if not chosen:
        return float("nan")
    times_ms = []
    with closing(contender.open()) as backend:
        understanding = understand_by(backend, contender.manifest, plugins)
        for row in [*chosen[:_WARM_UP], *chosen]:
            began = time.perf_counter()
            understanding(row.text, row.state)
            times_ms.append(1000 * (time.perf_counter() - began))
    return statistics.median(times_ms[min(_WARM_UP, len(chosen)) :])
