"""The rows as Ray Data pipelines over Parquet: all cores of this box, or a cluster that the operator has (RAY_ADDRESS).

A worker that dies is started anew and its part done again: the work is pure, and what it gives has a place.
"""

from __future__ import annotations

import logging
import os
import secrets
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from shopbot import ConfigError
from shopbot_refine.engines import EachWork, GroupWork
from shopbot_refine.engines.local import LocalEngine, open_local
from shopbot_refine.engines.tables import BATCH, PLACE, Row, Table, pack
from shopbot_refine.stages import StageError

#: What Ray holds of rows in shared memory, in bytes; the rest goes to disk.
_OBJECT_STORE = 256 << 20
#: Rows of all keys that one worker has at once, about.
_BUCKET_ROWS = 20_000
_BUCKET = "bucket"


class RayEngine:
    """See :class:`~shopbot_refine.engines.Engine`. Ray runs already; ``local`` does what one process must."""

    def __init__(self, local: LocalEngine) -> None:
        self.folder = local.folder
        self._local = local

    def each(self, rows: Iterable[Row], work: EachWork) -> Table:
        given, table = self._local.keep(rows, work.reads), self._local.new_table(work.gives)
        if not len(given):
            return table
        dataset = _read(given).map_batches(
            _work_on_batch, fn_kwargs={"work": work}, batch_size=BATCH, batch_format="pyarrow"
        )
        with _explained():
            dataset.write_parquet(str(table.folder))
        if len(table) != len(given):
            raise StageError(f"Of {len(given)} rows, Ray gave {len(table)} back.", remedy="Resume the run.")
        return table

    def together(self, rows: Iterable[Row], key: str, work: GroupWork) -> Table:
        keyed = (row for row in rows if row[key] is not None)
        given = self._local.keep(keyed, {key: str, **work.reads})
        if not len(given):
            return self._local.keep((), work.gives)
        divide = {"key": key, "buckets": len(given) // _BUCKET_ROWS + 1}
        dataset = (
            _read(given)
            .map_batches(_divide, fn_kwargs=divide, batch_size=BATCH, batch_format="pyarrow")
            .groupby(_BUCKET)
            .map_groups(_work_on_bucket, fn_kwargs={"key": key, "work": work}, batch_format="pyarrow")
        )
        with _explained():
            found = dataset.iter_batches(batch_size=BATCH, batch_format="pyarrow")
            return self._local.sort(chain.from_iterable(batch.to_pylist() for batch in found), work.gives)


def _work_on_batch(batch: Any, work: EachWork) -> Any:
    return pack(work(batch.to_pylist()), work.gives)


def _divide(batch: Any, key: str, buckets: int) -> Any:
    """The rows with the number of their bucket: those of one key are in one."""
    import pyarrow as pa

    numbers = [zlib.crc32(value.encode()) % buckets for value in batch.column(key).to_pylist()]
    return batch.append_column(_BUCKET, pa.array(numbers, pa.int64()))


def _work_on_bucket(bucket: Any, key: str, work: GroupWork) -> Any:
    """All keys of a bucket, one after the other."""
    ordered = bucket.sort_by([(key, "ascending"), (PLACE, "ascending")])
    rows = chain.from_iterable(batch.to_pylist() for batch in ordered.to_batches(max_chunksize=BATCH))
    return pack(chain.from_iterable(work(group) for _, group in groupby(rows, key=itemgetter(key))), work.gives)


@contextmanager
def open_ray(folder: Path) -> Iterator[RayEngine]:
    """Ray on this box for as long as the block runs, or the cluster at RAY_ADDRESS; with a folder below ``folder``.

    Raises :class:`ConfigError` where Ray does not start.
    """
    with open_local(folder) as local, TemporaryDirectory(prefix="ray-") as session:
        _start(local.folder, session)
        import ray

        try:
            yield RayEngine(local)
        finally:
            ray.shutdown()


def _start(spilled: Path, session: str) -> None:
    """Ray that talks on the loopback interface alone, to who has this run's token, and tells nobody that it runs."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_DATA_LOG_LEVEL", "ERROR")
    has_cluster = bool(os.environ.get("RAY_ADDRESS"))
    if not has_cluster:
        # Ray binds to all interfaces unless it believes that it cannot be a cluster
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    import ray

    logging.getLogger("ray").setLevel(logging.ERROR)
    own: dict[str, Any] = {
        "address": "local",
        "num_cpus": len(os.sched_getaffinity(0)),
        "object_store_memory": _OBJECT_STORE,
        "object_spilling_directory": str(spilled),
        "include_dashboard": False,
        "_node_ip_address": "127.0.0.1",
        "_temp_dir": session,
    }
    try:
        ray.init(**({} if has_cluster else own), log_to_driver=False, configure_logging=False)
    except Exception as error:
        raise ConfigError(
            f"Ray does not start ({type(error).__name__}).", remedy="Look at RAY_ADDRESS, or take the engine 'local'."
        ) from error
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    # this way of shuffling keeps no state in a worker, so that one may die
    context.shuffle_strategy = ray.data.context.ShuffleStrategy.SORT_SHUFFLE_PULL_BASED


def _read(table: Table) -> Any:
    import ray.data

    return ray.data.read_parquet(str(table.folder))


@contextmanager
def _explained() -> Iterator[None]:
    """A failure of Ray's in words that hold no row."""
    from ray.exceptions import RayError

    try:
        yield
    except RayError as error:
        cause = getattr(error, "cause", None)
        if isinstance(cause, OSError):
            raise cause from error
        raise StageError(
            f"A worker failed ({type(cause or error).__name__}).", remedy="Resume the run, or take the engine 'local'."
        ) from error
