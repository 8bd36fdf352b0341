"""Published artefacts are taken in as checkpoints; the hub is played by a server on the loopback address."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from shopbot.checkpoint import CheckpointStore
from shopbot.cli import main
from shopbot.errors import ModelCorruptError, ModelError
from shopbot.published import take_in
from tests.mlc.artefacts import as_stored, publish, random_weights, small_config

pytest.importorskip("huggingface_hub")


@pytest.fixture
def artefact(tmp_path: Path) -> Path:
    config = small_config("qwen2")
    folder = publish(tmp_path / "Tiny-q4f16_1-MLC", config, as_stored(random_weights(config), "q4f16_1"), "q4f16_1")
    (folder / "README.md").write_text("not a part of it")
    return folder


@pytest.fixture
def run(shopbot_home: Path) -> Callable[..., Result]:
    return lambda *words: CliRunner().invoke(main, [str(word) for word in words])


def test_a_folder_is_taken_in(artefact: Path, run: Callable[..., Result], shopbot_home: Path) -> None:
    done = run("checkpoint", "add", artefact, "--json")
    assert done.exit_code == 0, done.output
    manifest = json.loads(done.stdout)
    assert (manifest["name"], manifest["format"], manifest["parent"]) == ("Tiny-q4f16_1-MLC", "mlc", None)
    assert set(manifest["compiled"]["files"]) == {path.name for path in artefact.iterdir()} - {"README.md"}
    assert "README.md" not in {path.name for path in (shopbot_home / "checkpoints" / manifest["name"]).iterdir()}
    refused = run("checkpoint", "promote", manifest["name"])
    assert refused.exit_code == 3 and "golden cases were not played" in refused.output
    assert run("checkpoint", "promote", manifest["name"], "--force", "--no-bake").exit_code == 0
    shown = json.loads(run("checkpoint", "show", "--json").stdout)
    assert shown["is_current"] and shown["compiled"]["quantization"] == "q4f16_1"
    again = run("checkpoint", "add", artefact)
    assert again.exit_code == 1 and "There is a checkpoint 'Tiny-q4f16_1-MLC' already" in again.output


@pytest.mark.parametrize(("folder", "name"), [("...", "artefact"), ("my model (1)", "mymodel1"), ("-x", "x")])
def test_a_folder_of_an_odd_name(folder: str, name: str, artefact: Path, shopbot_home: Path) -> None:
    assert take_in(artefact.rename(artefact.with_name(folder))).name == name


def test_a_damaged_folder_is_not_taken_in(artefact: Path, shopbot_home: Path) -> None:
    shard = artefact / "params_shard_1.bin"
    shard.write_bytes(bytes(shard.stat().st_size))
    with pytest.raises(ModelCorruptError, match=r"params_shard_1.bin is not the file that the index was made for"):
        take_in(artefact)
    assert not list((shopbot_home / "checkpoints").glob("Tiny*"))


class Hub(ThreadingHTTPServer):
    """One repository, ``mlc-ai/<the folder's name>``, at one commit."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.asked = folder, list[str]()
        super().__init__(("127.0.0.1", 0), Answers)


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        repository = f"mlc-ai/{self.server.folder.name}"
        self.server.asked.append(self.path)
        path = self.path.partition("?")[0]
        files = sorted(self.server.folder.iterdir())
        if path.startswith(f"/api/models/{repository}/tree/"):
            rows = [{"type": "file", "path": file.name, "oid": "0" * 40, "size": file.stat().st_size} for file in files]
            self._answer(json.dumps(rows).encode())
        elif path.startswith(f"/api/models/{repository}"):
            named = [{"rfilename": file.name} for file in files]
            self._answer(json.dumps({"id": repository, "sha": "0" * 40, "siblings": named}).encode())
        elif path.startswith(f"/{repository}/resolve/"):
            self._answer((self.server.folder / path.rpartition("/")[2]).read_bytes())
        else:
            self._answer(None)

    def _answer(self, content: bytes | None) -> None:
        self.send_response(404 if content is None else 200)
        if content is None:
            self.send_header("X-Error-Code", "RepoNotFound")
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("ETag", f'"{hashlib.sha256(content or b"").hexdigest()}"')
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content or b"")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        pass


@pytest.fixture
def hub(artefact: Path) -> Iterator[Hub]:
    server = Hub(artefact)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def pull(hub: Hub, home: Path, source: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own, because huggingface_hub reads its endpoint when it is imported."""
    environment = {**os.environ, "SHOPBOT_HOME": str(home), "HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}"}
    environment |= {"HF_HUB_DISABLE_XET": "1", "HF_HOME": str(home / "hf"), "PYTHONPATH": os.pathsep.join(sys.path)}
    environment |= {"NO_PROXY": "127.0.0.1", "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_TELEMETRY": "1"}
    command = [sys.executable, "-c", "import sys; from shopbot.cli import main; main(sys.argv[1:])", "model", "pull"]
    environment |= {"SHOPBOT_OFFLINE": "", **settings}
    return subprocess.run([*command, source], env=environment, capture_output=True, text=True, check=False)


def test_pull(hub: Hub, artefact: Path, shopbot_home: Path) -> None:
    done = pull(hub, shopbot_home, "hf:mlc-ai/Tiny-q4f16_1-MLC")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Taken in: Tiny-q4f16_1-MLC.")
    taken = CheckpointStore(shopbot_home).load("Tiny-q4f16_1-MLC")
    assert taken.manifest.base.source == "hf:mlc-ai/Tiny-q4f16_1-MLC"
    for path in artefact.glob("*.bin"):
        assert (taken.folder / path.name).read_bytes() == path.read_bytes()
    assert not any(path.endswith("README.md") for path in hub.asked)
    assert not list((shopbot_home / "models").glob(".*.part"))
    hub.asked.clear()
    assert pull(hub, shopbot_home, "hf:mlc-ai/Tiny-q4f16_1-MLC").returncode == 0
    assert not hub.asked, "what is here is not fetched again"


def test_a_damaged_download_is_not_taken_in(hub: Hub, artefact: Path, shopbot_home: Path) -> None:
    shard = artefact / "params_shard_1.bin"
    whole = shard.read_bytes()
    shard.write_bytes(bytes(len(whole)))
    done = pull(hub, shopbot_home, "hf:mlc-ai/Tiny-q4f16_1-MLC")
    assert done.returncode == 1 and "is not the file that the index was made for" in done.stderr
    assert not CheckpointStore(shopbot_home).list()[1:], "nothing but what is shipped"
    shard.write_bytes(whole)
    assert pull(hub, shopbot_home, "hf:mlc-ai/Tiny-q4f16_1-MLC").returncode == 0, "the next pull starts anew"


@pytest.mark.parametrize(
    ("source", "settings", "said"),
    [
        ("hf:mlc-ai/absent", {}, "does not exist, or is private"),
        ("hf:mlc-ai/Tiny-q4f16_1-MLC", {"SHOPBOT_OFFLINE": "1"}, "needs the network"),
        ("hf:mlc-ai/..", {}, "is no model source"),
        ("hf:mlc-ai/", {}, "is no model source"),
    ],
)
def test_what_cannot_be_pulled(source: str, settings: dict[str, Any], said: str, hub: Hub, shopbot_home: Path) -> None:
    done = pull(hub, shopbot_home, source, **settings)
    assert done.returncode == 1 and said in done.stderr, done.stderr


def test_an_artefact_has_no_single_hash(run: Callable[..., Result]) -> None:
    done = run("model", "pull", "hf:mlc-ai/Tiny", "--sha256", "0" * 64)
    assert done.exit_code == 2 and "no one hash" in done.output


def test_a_model_that_is_no_artefact(tmp_path: Path, shopbot_home: Path) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(ModelError, match="mlc-chat-config"):
        take_in(tmp_path / "other")
