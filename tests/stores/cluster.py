"""A real PostgreSQL server in a temporary folder."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

_SCHEMAS = itertools.count(1)


@dataclass(frozen=True)
class Cluster:
    """A server that is reached by a socket in ``folder``, and the user it runs as."""

    folder: Path
    programs: Path
    who: dict[str, Any]

    def new_schema(self) -> str:
        """The URL of an empty schema, which costs less than a database."""
        import psycopg  # an extra

        name = f"shop_{next(_SCHEMAS)}"
        with psycopg.connect(f"host={self.folder} user=shop dbname=postgres", autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}")
        return f"postgresql://shop@/postgres?host={self.folder}&options=-csearch_path%3D{name}"

    def make(self) -> None:
        data = ["-D", str(self.folder / "data")]
        self._call("initdb", *data, "-U", "shop", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")

    def start(self) -> None:
        settings = f"-k {self.folder} -c listen_addresses= -c fsync=off -c max_connections=120"
        self._control("-l", str(self.folder / "log"), "-o", settings, "start")

    def stop(self) -> None:
        """At once, as in a crash: every connection is cut."""
        self._control("-m", "immediate", "stop")

    def _control(self, *arguments: str) -> None:
        self._call("pg_ctl", "-D", str(self.folder / "data"), "-w", *arguments)

    def _call(self, program: str, *arguments: str) -> None:
        # the server keeps what it inherits open: no pipes, or we would wait for its end
        with (self.folder / "calls.txt").open("a+b") as log:
            command = [str(self.programs / program), *arguments]
            done = subprocess.run(
                command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **self.who
            )
            log.seek(0)
            if done.returncode:
                pytest.skip(f"PostgreSQL does not start here: {log.read().decode(errors='replace')[-400:]}")


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """A new one; skips, with the reason, where none can be started."""
    programs = _programs()
    if programs is None:
        pytest.skip("no PostgreSQL programs (initdb, pg_ctl) on this machine")
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # not below tmp_path: its parents are closed to other users
    try:
        who: dict[str, Any] = {}
        if hasattr(os, "geteuid") and os.geteuid() == 0:  # the server refuses to run as root
            who = _other_user()
            os.chown(folder, who["user"], who["group"])
        cluster = Cluster(folder, programs, who)
        cluster.make()
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path | None:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name.zfill(4))
    on_path = shutil.which("initdb")
    candidates = [*reversed(folders), *([Path(on_path).resolve().parent] if on_path else [])]
    return next((path for path in candidates if (path / "initdb").exists() and (path / "pg_ctl").exists()), None)


def _other_user() -> dict[str, Any]:
    import pwd

    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
    pytest.skip("PostgreSQL does not run as root, and there is no other user to run it as")
