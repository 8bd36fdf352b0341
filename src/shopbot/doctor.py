"""Everything the bot needs on this box, checked one by one; what fails comes with its remedy."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from shopbot.config import Config, find_file, home, load
from shopbot.errors import ConfigError, ModelNotFoundError, ShopbotError

_OLDEST_PYTHON = (3, 10)
_MEBIBYTE = 1 << 20
#: The engine, the model and Python itself.
_MEMORY_BYTES = 400 * _MEBIBYTE
#: The model twice while it is fetched, and room for the store.
_DISK_BYTES = 500 * _MEBIBYTE
_EXTRAS = {"bundle": "cryptography", "hf": "huggingface_hub", "mlc": "tvm", "postgres": "psycopg", "train": "torch"}


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. ``remedy`` says what to do where ``is_ok`` is false."""

    name: str
    is_ok: bool
    detail: str
    remedy: str = ""


class _Failed(Exception):  # noqa: N818  (carries a finding)
    def __init__(self, detail: str, remedy: str) -> None:
        super().__init__(detail)
        self.remedy = remedy


def examine(file: Path | str | None = None) -> Iterator[Check]:
    """Run every check, one after the other. With a wrong configuration the rest is checked with the defaults."""
    yield _attempt("python", _python)
    config = Config()
    try:
        config = load(file)
        found = find_file(file)
        yield Check("configuration", True, str(found) if found else "defaults; there is no file")
    except ConfigError as error:
        yield Check("configuration", False, *_parts(error, "Correct it; 'shopbot config init' writes a right one."))
    for name, check in _CHECKS.items():
        yield _attempt(name, lambda check=check: check(config))  # type: ignore[misc]


def _attempt(name: str, check: Callable[[], str]) -> Check:
    try:
        return Check(name, True, check())
    except _Failed as failed:
        return Check(name, False, str(failed), failed.remedy)
    except ShopbotError as error:
        return Check(name, False, *_parts(error, "See 'shopbot --verbose' for more."))
    except Exception as error:  # whatever a check runs into is a finding about this box
        return Check(name, False, f"{type(error).__name__}: {error}", "See 'shopbot --verbose serve' for more.")


def _parts(error: ShopbotError, otherwise: str) -> tuple[str, str]:
    """Message and remedy apart."""
    return str(error).removesuffix(error.remedy).rstrip(), error.remedy or otherwise


def _python() -> str:
    if sys.version_info < _OLDEST_PYTHON:
        raise _Failed(platform.python_version(), "Install Python 3.10 or newer.")
    return f"{platform.python_version()} on {platform.system()} {platform.machine()}"


def _home(_config: Config) -> str:
    folder = home()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _Failed(f"{folder}: {error.strerror}", "Give this user write access, or set SHOPBOT_HOME.") from None
    return f"{folder} can be written"


def _disk(_config: Config) -> str:
    folder = home()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < _DISK_BYTES:
        raise _Failed(f"{free // _MEBIBYTE} MiB free", f"Free {_DISK_BYTES // _MEBIBYTE} MiB, or set SHOPBOT_HOME.")
    return f"{free // _MEBIBYTE} MiB free"


def _memory(_config: Config) -> str:
    from shopbot.memory import available_bytes

    available = available_bytes()
    if available is None:
        return "this system does not tell"
    if available < _MEMORY_BYTES:
        needed = f"{_MEMORY_BYTES // _MEBIBYTE} MiB"
        raise _Failed(f"{available // _MEBIBYTE} MiB available", f"Stop other programs: {needed} are needed.")
    return f"{available // _MEBIBYTE} MiB available"


def _processors(config: Config) -> str:
    cores, threads = os.cpu_count() or 1, config.model.threads
    if threads > cores:
        raise _Failed(f"{threads} threads on {cores} cores", "Set model.threads to 0 or to at most the cores.")
    return f"{cores} cores; {threads or 'as many as useful'} threads"


def _clock(_config: Config) -> str:
    """Delivery dates, return windows and tokens need today's date; boxes without a battery wake up in the past."""
    now = datetime.now().astimezone()
    if now.timestamp() < Path(__file__).stat().st_mtime - 24 * 3600:
        raise _Failed(f"{now:%Y-%m-%d %H:%M %Z} is before shopbot was installed", "Set this machine's clock.")
    return f"{now:%Y-%m-%d %H:%M %Z}"


def _plugins(config: Config) -> str:
    from shopbot.plugins import PluginManager

    manager = PluginManager.installed(config.plugins)
    tools = manager.tools()
    if manager.failures:
        broken = "; ".join(f"{name}: {why}" for name, why in sorted(manager.failures.items()))
        raise _Failed(
            broken,
            "Correct their settings, update or uninstall them; 'shopbot plugins check' says what is wrong.",
        )
    if not tools:
        raise _Failed("no plugin offers a tool", "Install some: pip install -r requirements.txt.")
    return f"{', '.join(manager.names)}: {len(tools)} tools"


def _store(config: Config) -> str:
    if not config.store.url and not (home() / "store.db").exists():
        return "none yet; 'shopbot serve' or 'shopbot store init' creates the demo store"
    from shopbot.plugins import PluginManager
    from shopbot.stores.sql import open_store

    others = PluginManager.installed(config.plugins).stores()
    store = others.get(config.store_url.partition(":")[0], open_store)(config.store_url)
    try:
        return f"{len(store.products())} products"
    finally:
        store.close()


def _transcripts(config: Config) -> str:
    if not config.transcripts.enabled:
        return "switched off"
    from shopbot.transcript import Transcripts

    path = config.transcripts_path
    problem = Transcripts(path).problem()
    if problem is not None:
        raise _Failed(problem, f"Make room on the disk and check the permissions of {path}; the next turn clears this.")
    return str(path) if path.exists() else "none yet"


def _model(config: Config) -> str:
    if config.model.backend != "auto":
        return f"not needed by the backend '{config.model.backend}'"
    from shopbot.first_start import base_of
    from shopbot.models import locate_model

    base = base_of(config)
    if base is None:
        return "not needed: the checkpoint in force is compiled"
    source, sha256 = base
    try:
        path = locate_model(source, sha256=sha256)
    except ModelNotFoundError as error:
        raise _Failed(*_parts(error, "Run 'shopbot model pull'.")) from None
    return f"{path.name}, {path.stat().st_size // _MEBIBYTE} MiB, SHA-256 {sha256[:12]}… is right"


def _checkpoint(config: Config) -> str:
    from shopbot.minds import open_backend
    from shopbot.plugins import PluginManager

    manifest, backend = open_backend(config, PluginManager.installed(config.plugins))
    backend.close()
    return f"{manifest.name} loads" if manifest else f"the backend '{backend.name}' opens"


def _cloud(config: Config) -> str:
    from shopbot.checkpoint import CheckpointStore
    from shopbot.deferral import NEVER_DEFERS, SET_THRESHOLD
    from shopbot.plugins import PluginManager

    manager = PluginManager.installed(config.plugins)
    cloud = manager.cloud_model()
    wrong = [why for why in manager.failures.values() if why.startswith("shopbot_register_cloud_model")]
    if wrong:
        raise _Failed("; ".join(wrong), "Correct it, or switch the cloud model off.")
    if cloud is None:
        return "off; no message leaves this box"
    cloud.close()
    checkpoints, threshold = CheckpointStore(home()), config.understanding.threshold
    if threshold < 0 and config.model.backend == "auto":
        name = config.model.checkpoint
        threshold = (checkpoints.load(name) if name else checkpoints.current()).manifest.threshold
    if threshold <= 0:
        raise _Failed(NEVER_DEFERS.rstrip("."), SET_THRESHOLD)
    return f"on, for messages understood with a confidence below {threshold:g}"


def _port(config: Config) -> str:
    from shopbot.server.run import bind

    host, port = config.server.host, config.server.port
    try:
        bind(host, port).close()
    except ShopbotError as error:
        if _serves_shopbot(host, port):
            return f"{host}:{port} is in use by a running 'shopbot serve'"
        raise _Failed(*_parts(error, "Set server.port.")) from None
    return f"{host}:{port} is free"


def _serves_shopbot(host: str, port: int) -> bool:
    import httpx

    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  (compared, not bound)
    try:
        answer = httpx.get(
            f"http://{f'[{shown}]' if ':' in shown else shown}:{port}/healthz", timeout=2, trust_env=False
        )
        return "checkpoint" in answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, TypeError):
        return False


def _extras(config: Config) -> str:
    there = {extra: importlib.util.find_spec(module) is not None for extra, module in _EXTRAS.items()}
    if config.store_url.startswith("postgres") and not there["postgres"]:
        raise _Failed("the store is PostgreSQL, psycopg is missing", "pip install 'psycopg[binary]'")
    if there["mlc"]:
        from shopbot.backends.mlc.extra import require_extra

        require_extra()
    return ", ".join(f"{extra}: {'there' if is_there else 'not installed'}" for extra, is_there in there.items())


_CHECKS: dict[str, Callable[[Config], str]] = {
    "home folder": _home,
    "disk": _disk,
    "memory": _memory,
    "processors": _processors,
    "clock": _clock,
    "plugins": _plugins,
    "store": _store,
    "transcripts": _transcripts,
    "model": _model,
    "checkpoint": _checkpoint,
    "cloud model": _cloud,
    "port": _port,
    "optional extras": _extras,
}
