"""Two real ``shopbot serve`` processes with homes of their own, on one real PostgreSQL, behind a real nginx."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.cli.conftest import Program, install_plugin, program  # noqa: F401 - fixtures
from tests.stores.cluster import Cluster
from tests.stores.conftest import postgresql  # noqa: F401 - a fixture

from .boxes import PLUGIN, Boxes
from .nginx import client_of, running_nginx


@pytest.fixture
def is_sticky() -> bool:
    """Whether a session stays with a process, as documented; if not, each request goes to the other one."""
    return True


@pytest.fixture
def boxes(
    program: Program,  # noqa: F811
    install_plugin: Callable[[str, str], Path],  # noqa: F811
    postgresql: Cluster,  # noqa: F811
    tmp_path: Path,
    is_sticky: bool,
) -> Iterator[Boxes]:
    install_plugin("boxes", PLUGIN)
    url = postgresql.new_schema()
    door = tmp_path / "door"
    door.mkdir()
    settings = {
        "DOOR": str(door),
        "SHOPBOT_STORE__URL": url,
        "SHOPBOT_MODEL__BACKEND": "boxes",
        "SHOPBOT_SERVER__ALLOWED_HOSTS": '["bot.example"]',
        "SHOPBOT_SERVER__TRUSTED_PROXIES": '["127.0.0.1"]',
    }
    made = program.run("store", "init", **settings)
    assert made.returncode == 0, made.stderr
    with ExitStack() as stack:
        started = []
        for name in ("first", "second"):
            environment = {**program.environment, **settings, "SHOPBOT_HOME": str(tmp_path / name)}
            started.append(stack.enter_context(_serve(program, environment, tmp_path / f"{name}.log")))
        addresses = [address for _, address in started]
        port, certificate = stack.enter_context(running_nginx(addresses, is_sticky=is_sticky))
        client = stack.enter_context(client_of(port, certificate))
        http = stack.enter_context(httpx.Client(timeout=120, trust_env=False))
        yield Boxes([process for process, _ in started], addresses, client, http, door, url)


@contextmanager
def _serve(program: Program, environment: dict[str, str], log: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:  # noqa: F811
    """A process and its address. The log goes to a file: a pipe that nobody reads would stop the process."""
    command = [*program.command, "serve", "--port", "0"]
    with (
        log.open("w", encoding="utf-8") as file,
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=file, encoding="utf-8") as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("Ready: "), log.read_text(encoding="utf-8")
            yield process, line.removeprefix("Ready: ").strip()
        finally:
            process.kill()
