"""The rows as Ray Data pipelines over Parquet: all cores of this box, or a cluster that the operator has (RAY_ADDRESS).

A worker that dies is started anew and its part done again: the work is pure, and what it gives has a place.
"""

from __future__ import annotations

import logging
import os
import secrets
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from shopbot import ConfigError, ShopbotError
from shopbot_refine.engines import EachWork, GroupWork
from shopbot_refine.engines.local import LocalEngine, open_local
from shopbot_refine.engines.tables import BATCH, PLACE, Row, Table, pack
from shopbot_refine.stages import StageError

#: What Ray holds of rows in shared memory, in bytes; the rest goes to disk.
_OBJECT_STORE = 384 << 20
#: Rows of all keys that one worker has at once, about.
_BUCKET_ROWS = 20_000
_BUCKET = "bucket"
#: Ray reads these when it is imported. It tells nobody that it runs, and says in the log only what is wrong.
_QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DATA_LOG_LEVEL": "ERROR"}
#: It listens on the loopback interface alone where it believes that it cannot be a cluster; there, to who has a token.
_ALONE = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": "token"}


class RayEngine:
    """See :class:`~shopbot_refine.engines.Engine`. Ray runs already; ``local`` does what one process must."""

    def __init__(self, local: LocalEngine) -> None:
        self.folder = local.folder
        self._local = local

    def each(self, rows: Iterable[Row], work: EachWork) -> Table:
        given, table = self._local.keep(rows, work.reads), self._local.new_table(work.gives)
        if not len(given):
            return table
        table.folder.mkdir(parents=True)
        folders = {"given": given.folder, "found": table.folder}
        with _explained():
            _names(given).map(_work_on_part, fn_kwargs={"work": _share(work), **folders}).materialize()
        if len(table) != len(given):
            raise StageError(f"Of {len(given)} rows, Ray gave {len(table)} back.", remedy="Resume the run.")
        return table

    def together(self, rows: Iterable[Row], key: str, work: GroupWork) -> Table:
        keyed = (row for row in rows if row[key] is not None)
        given = self._local.keep(keyed, {key: str, **work.reads})
        if not len(given):
            return self._local.keep((), work.gives)
        divide = {"given": given.folder, "key": key, "buckets": len(given) // _BUCKET_ROWS + 1}
        dataset = (
            _names(given)
            .map_batches(_divide, fn_kwargs=divide, batch_size=1, batch_format="pyarrow")
            .groupby(_BUCKET)
            .map_groups(_work_on_bucket, fn_kwargs={"key": key, "work": _share(work)}, batch_format="pyarrow")
        )
        with _explained():
            found = dataset.iter_batches(batch_size=BATCH, batch_format="pyarrow")
            return self._local.sort(chain.from_iterable(batch.to_pylist() for batch in found), work.gives)


def _share(work: EachWork | GroupWork) -> Any:
    """The work as workers ask for it: it may hold a model, which is too large to go with every batch."""
    import ray

    return ray.put(work)


@lru_cache(maxsize=1)
def _fetch(work: Any) -> Any:
    """The shared work, on a worker; the next batch finds it there."""
    import ray

    return ray.get(work)


def _work_on_part(part: dict[str, str], work: Any, given: Path, found: Path) -> dict[str, str]:
    """Write what the work makes of one part, whole or not at all: it may be done a second time."""
    import pyarrow.parquet as pq

    each: EachWork = _fetch(work)
    name = part["name"]
    rows = each(pq.read_table(given / name).to_pylist())
    draft = found / f"{name}.{secrets.token_hex(4)}"
    pq.write_table(pack(rows, each.gives), draft)
    draft.replace(found / name)
    return part


def _divide(part: Any, given: Path, key: str, buckets: int) -> Any:
    """The rows of a part with the number of their bucket: those of one key are in one."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = pq.read_table(given / part.column("name")[0].as_py())
    numbers = [zlib.crc32(value.encode()) % buckets for value in rows.column(key).to_pylist()]
    return rows.append_column(_BUCKET, pa.array(numbers, pa.int64()))


def _work_on_bucket(bucket: Any, key: str, work: Any) -> Any:
    """All keys of a bucket, one after the other."""
    found: GroupWork = _fetch(work)
    ordered = bucket.sort_by([(key, "ascending"), (PLACE, "ascending")])
    rows = chain.from_iterable(batch.to_pylist() for batch in ordered.to_batches(max_chunksize=BATCH))
    return pack(chain.from_iterable(found(group) for _, group in groupby(rows, key=itemgetter(key))), found.gives)


@contextmanager
def open_ray(folder: Path) -> Iterator[RayEngine]:
    """Ray on this box for as long as the block runs, or the cluster at RAY_ADDRESS; with a folder below ``folder``.

    A program that has started Ray itself keeps it. Raises :class:`ConfigError` where Ray does not start.
    """
    with open_local(folder) as local, TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as session:
        is_ours = _start(local.folder, session)
        import ray

        context = ray.data.DataContext.get_current()
        context.execution_options.preserve_order = True
        context.enable_progress_bars = False
        # this way of shuffling keeps no state in a worker, so that one may die
        context.shuffle_strategy = ray.data.context.ShuffleStrategy.SORT_SHUFFLE_PULL_BASED
        try:
            yield RayEngine(local)
        finally:
            if is_ours:
                ray.shutdown()


def _start(spilled: Path, session: str) -> bool:
    """Start Ray, or connect to the cluster; whether it was we who did."""
    has_cluster = bool(os.environ.get("RAY_ADDRESS"))
    os.environ.update({name: value for name, value in _QUIET.items() if name not in os.environ})
    if not has_cluster and "ray" not in sys.modules:
        os.environ.update(_ALONE, RAY_AUTH_TOKEN=secrets.token_hex(32))
    import ray
    import ray.data

    if ray.is_initialized():
        return False
    if not has_cluster and any(os.environ.get(name) != value for name, value in _ALONE.items()):
        raise ConfigError(
            "This program has loaded Ray, but not started it: it would listen to the whole network.",
            remedy="Call ray.init() before, or leave the import of Ray to shopbot.",
        )
    logging.getLogger("ray").setLevel(logging.ERROR)
    cpus = os.cpu_count() or 1
    own: dict[str, Any] = {
        "address": "local",
        "num_cpus": cpus,
        "object_store_memory": _OBJECT_STORE,
        "object_spilling_directory": str(spilled),
        "include_dashboard": False,
        "runtime_env": {"env_vars": {"TMPDIR": session}},
        "_node_ip_address": "127.0.0.1",
        "_temp_dir": session,
        # Ray Data's own actors take up what is allowed by default; then each task would wait for a new process
        "_system_config": {"num_workers_soft_limit": cpus + 4, "idle_worker_killing_time_threshold_ms": 60_000},
    }
    try:
        ray.init(**({} if has_cluster else own), log_to_driver=False, configure_logging=False)
    except Exception as error:
        ray.shutdown()
        raise ConfigError(
            f"Ray does not start ({type(error).__name__}).",
            remedy="Try again on a less busy machine, look at RAY_ADDRESS if you set it, or take the engine 'local'.",
        ) from error
    return True


def _names(table: Table) -> Any:
    """The names of the parts, for workers to read: Ray's own reading keeps no order between parts, and has an actor of
    100 MB for each few of them."""
    import ray.data

    return ray.data.from_items([{"name": path.name} for path in table.parts()])


@contextmanager
def _explained() -> Iterator[None]:
    """A failure of Ray's in words that hold no row."""
    from ray.exceptions import RayError

    try:
        yield
    except RayError as error:
        cause = getattr(error, "cause", None)
        if isinstance(cause, OSError | ShopbotError):
            raise cause from error  # it says what is to be done
        raise StageError(
            f"A worker failed ({type(cause or error).__name__}).", remedy="Resume the run, or take the engine 'local'."
        ) from error
