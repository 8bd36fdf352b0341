"""Pulling from a Hugging Face repository, played by a server on the loopback address."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("huggingface_hub") is None, reason="huggingface_hub is not installed"
)


@pytest.fixture
def hub(tiny_model: Path) -> Iterator[str]:
    """The address of a hub with one repository ``owner/tiny`` and one file in it."""
    content = tiny_model.read_bytes()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(has_body=False)

        def do_GET(self) -> None:
            self._answer(has_body=True)

        def _answer(self, *, has_body: bool) -> None:
            is_known = self.path.startswith("/owner/tiny/resolve/main/models/tiny.gguf")
            self.send_response(200 if is_known else 404)
            self.send_header("X-Repo-Commit", "0" * 40)
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            if not is_known:
                self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", str(len(content)) if is_known else "0")
            self.end_headers()
            if has_body and is_known:
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def _pull(source: str, hub: str, home: Path) -> subprocess.CompletedProcess[str]:
    """In a process of its own, because huggingface_hub reads its endpoint when it is imported."""
    environment = {**os.environ, "SHOPBOT_HOME": str(home), "HF_ENDPOINT": hub, "HF_HUB_DISABLE_XET": "1"}
    environment |= {"SHOPBOT_OFFLINE": "", "HF_HOME": str(home / "hf"), "PYTHONPATH": os.pathsep.join(sys.path)}
    environment |= {"NO_PROXY": "127.0.0.1", "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_TELEMETRY": "1"}
    command = [sys.executable, "-c", "import sys; from shopbot.cli import main; main(sys.argv[1:])", "model", "pull"]
    return subprocess.run([*command, source], env=environment, capture_output=True, text=True, check=False)


def test_pull(hub: str, tiny_model: Path, shopbot_home: Path) -> None:
    done = _pull("hf:owner/tiny/models/tiny.gguf", hub, shopbot_home)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).read_bytes() == tiny_model.read_bytes()
    assert sorted(path.name for path in (shopbot_home / "models").glob("*.gguf")) == ["tiny.gguf"]


def test_absent_file(hub: str, shopbot_home: Path) -> None:
    done = _pull("hf:owner/tiny/models/absent.gguf", hub, shopbot_home)
    assert done.returncode == 1
    assert "does not exist" in done.stderr, done.stderr
