"""Two real ``shopbot serve`` processes with homes of their own, on one real PostgreSQL, behind a real nginx."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import httpx
import psycopg
import pytest

from shopbot.stores.sql import open_store
from tests.cli.conftest import Program, install_plugin, program  # noqa: F401 - fixtures
from tests.stores.conftest import new_schema, postgresql  # noqa: F401 - a fixture

CONFIG = Path(__file__).resolve().parents[2] / "examples" / "nginx" / "shopbot.conf"
#: What the tests' shop can do beside the demo shop's plugins; it waits, where DOOR says so, until the door is open.
PLUGIN = """
import os, time
from dataclasses import replace
from pathlib import Path

from shopbot import Answer, hookimpl, tool
from shopbot.backends.scripted import ScriptedBackend

DOOR = Path(os.environ["DOOR"])

def wait(place):
    if (DOOR / place).exists():
        (DOOR / f"{place}.{os.getpid()}").touch()
        while (DOOR / place).exists():
            time.sleep(0.01)

@tool(effect="read", examples=["hold on a minute please", "please wait for me here"])
def wait_here(ctx):
    "Wait until the door is open."
    wait("reading")
    return Answer("Here you are.")

@tool(effect="write", identity="customer", confirm=lambda ctx: "I will give $1 of your gift card to the trees.",
      examples=["give a dollar to the trees", "plant a tree with my gift card"])
def plant_tree(ctx):
    "Give $1 of the gift card to the trees."
    customer = ctx.write.customer(ctx.me.id)
    methods = [replace(one, balance=one.balance - 1) if one.kind == "gift_card" else one
               for one in customer.payment_methods]
    ctx.write.save_customer(replace(customer, payment_methods=tuple(methods)))
    wait("writing")
    return Answer("A tree is planted.")

@hookimpl
def shopbot_register_tools(config):
    return [wait_here, plant_tree]

@hookimpl
def shopbot_after_turn(session, reply):
    wait("answering")

@hookimpl
def shopbot_register_backends():
    script = {"hold on": "wait_here()", "plant a tree": "plant_tree()", "": "out_of_scope()"}
    return {"boxes": lambda settings: ScriptedBackend(script)}
"""


@dataclass(frozen=True)
class Boxes:
    """``processes`` and the addresses they have; ``client`` speaks to nginx, ``http`` to the processes themselves."""

    processes: list[subprocess.Popen[str]]
    addresses: list[str]
    client: httpx.Client
    http: httpx.Client
    door: Path
    database: str

    def close_door(self, place: str) -> None:
        """Have turns wait there: ``reading``, ``writing`` (in the transaction), ``answering`` (all is saved)."""
        (self.door / place).touch()

    def open_door(self, place: str) -> None:
        (self.door / place).unlink()

    def kill_whoever_waits(self, place: str) -> int:
        """Kill the process whose turn waits there; its number. Waits for it to get there."""
        deadline = time.monotonic() + 30
        while not (waiting := sorted(self.door.glob(f"{place}.*"))):
            assert time.monotonic() < deadline, f"no turn came to '{place}'"
            self.client.get("/widget.js")
        number = [process.pid for process in self.processes].index(int(waiting[0].suffix[1:]))
        self.processes[number].send_signal(signal.SIGKILL)
        self.processes[number].wait(30)
        return number

    def turns(self) -> list[float]:
        """How many turns each process has taken."""
        lines = [self.http.get(f"{address}/metrics").text.splitlines() for address in self.addresses]
        return [
            sum(float(line.split()[-1]) for line in one if line.startswith("shopbot_turns_total{")) for one in lines
        ]

    def ledger(self, session_id: str) -> list[str]:
        """The tools whose writes of the session the database has."""
        query = "SELECT tool FROM writes WHERE session_id = %s"
        with psycopg.connect(self.database) as connection:
            return [tool for (tool,) in connection.execute(query, (session_id,))]

    def gift_card(self) -> Decimal:
        """Ada's balance."""
        with closing(open_store(self.database)) as store:
            ada = store.customer_by_email("ada@example.com")
        assert ada is not None
        return next(one.balance for one in ada.payment_methods if one.kind == "gift_card" and one.balance is not None)


@pytest.fixture
def boxes(
    program: Program,  # noqa: F811
    install_plugin: Callable[[str, str], Path],  # noqa: F811
    postgresql: Path,  # noqa: F811
    tmp_path: Path,
    is_sticky: bool,
) -> Iterator[Boxes]:
    for name in ("nginx", "openssl"):
        if shutil.which(name, path=_PATH) is None:
            pytest.skip(f"there is no {name} on this machine")
    install_plugin("boxes", PLUGIN)
    url = new_schema(postgresql)
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
        processes, addresses = [], []
        for name in ("first", "second"):
            home = {"SHOPBOT_HOME": str(tmp_path / name)}
            process = stack.enter_context(program.start("serve", "--port", "0", **settings, **home))
            stack.callback(process.kill)
            assert process.stdout is not None and process.stderr is not None
            line = process.stdout.readline()
            assert line.startswith("Ready: "), process.stderr.read()
            processes.append(process)
            addresses.append(line.removeprefix("Ready: ").strip())
        port, certificate = stack.enter_context(_nginx(addresses, is_sticky=is_sticky))
        client = stack.enter_context(_client(port, certificate))
        http = stack.enter_context(httpx.Client(timeout=30, trust_env=False))
        yield Boxes(processes, addresses, client, http, door, url)


@pytest.fixture
def is_sticky() -> bool:
    """Whether a session stays with a process, as documented; if not, each request goes to the other one."""
    return True


#: Debian has nginx where only root looks.
_PATH = f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin"


@contextmanager
def _nginx(addresses: list[str], *, is_sticky: bool) -> Iterator[tuple[int, Path]]:
    """The documented configuration with our addresses, ports and certificate; the port and the certificate."""
    folder = Path(tempfile.mkdtemp(prefix="nginx-"))
    port, other = _free_port(), _free_port()
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"]
    name = ["-subj", "/CN=bot.example", "-addext", "subjectAltName=DNS:bot.example"]
    command = ["openssl", "req", "-x509", *curve, *name, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    replaced = {
        "listen 80;": f"listen 127.0.0.1:{other};",
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "10.0.0.11:8000": addresses[0].removeprefix("http://"),
        "10.0.0.12:8000": addresses[1].removeprefix("http://"),
        "/etc/ssl/certs/bot.example.pem": str(certificate),
        "/etc/ssl/private/bot.example.key": str(key),
        **({} if is_sticky else {"    hash $shopbot_place consistent;\n": ""}),
    }
    text = CONFIG.read_text(encoding="utf-8")
    for documented, ours in replaced.items():
        assert documented in text, f"{CONFIG} has no '{documented}' any more"
        text = text.replace(documented, ours)
    (folder / "shopbot.conf").write_text(text, encoding="utf-8")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    user = "user root;\n" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{user}daemon off;\npid {folder}/pid;\nworker_processes 1;\nerror_log {folder}/error.log;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{paths}include {folder}/shopbot.conf;\n}}\n",
        encoding="utf-8",
    )
    command = ["nginx", "-e", str(folder / "error.log"), "-p", str(folder), "-c", str(folder / "nginx.conf")]
    process = subprocess.Popen(command, env={**os.environ, "PATH": _PATH})
    try:
        deadline = time.monotonic() + 30
        while not _listens(port):
            assert process.poll() is None and time.monotonic() < deadline, (folder / "error.log").read_text()
        yield port, certificate
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _client(port: int, certificate: Path) -> httpx.Client:
    """Speaks to nginx as to https://bot.example."""
    context = ssl.create_default_context(cafile=str(certificate))
    extensions = {"sni_hostname": "bot.example"}

    def name_it(request: httpx.Request) -> None:
        request.extensions = {**request.extensions, **extensions}

    return httpx.Client(
        base_url=f"https://127.0.0.1:{port}",
        headers={"Host": "bot.example"},
        verify=context,
        timeout=30,
        trust_env=False,
        event_hooks={"request": [name_it]},
    )


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
