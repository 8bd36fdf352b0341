"""A real nginx with the documented configuration."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

CONFIG = Path(__file__).resolve().parents[2] / "examples" / "nginx" / "shopbot.conf"
#: Debian has nginx where only root looks.
PATH = f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin"


@contextmanager
def running_nginx(addresses: list[str], *, is_sticky: bool) -> Iterator[tuple[int, Path]]:
    """The documented configuration with our addresses, ports and certificate; the port and the certificate."""
    for program in ("nginx", "openssl"):
        if shutil.which(program, path=PATH) is None:
            pytest.skip(f"there is no {program} on this machine")
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
    process = subprocess.Popen(command, env={**os.environ, "PATH": PATH})
    try:
        deadline = time.monotonic() + 120
        while not _listens(port):
            assert process.poll() is None and time.monotonic() < deadline, (folder / "error.log").read_text()
        yield port, certificate
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def client_of(port: int, certificate: Path) -> httpx.Client:
    """Speaks to nginx as to https://bot.example."""
    context = ssl.create_default_context(cafile=str(certificate))
    extensions = {"sni_hostname": "bot.example"}

    def name_it(request: httpx.Request) -> None:
        request.extensions = {**request.extensions, **extensions}

    return httpx.Client(
        base_url=f"https://127.0.0.1:{port}",
        headers={"Host": "bot.example"},
        verify=context,
        timeout=120,
        trust_env=False,
        event_hooks={"request": [name_it]},
    )


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
