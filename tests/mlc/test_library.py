"""Compiled libraries: made once, for this TVM and this processor, with or without a linker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from shopbot.backends.mlc import extra
from shopbot.backends.mlc.artefact import Artefact
from shopbot.backends.mlc.interface import load_interface
from shopbot.backends.mlc.library import DESCRIPTION, compiled_library, open_library
from shopbot.backends.mlc.targets import machine, native_target, parse_target
from shopbot.errors import BackendError, ConfigError

Make = Callable[..., tuple[Artefact, object]]


@pytest.fixture(scope="module")
def library(make_artefact: Make, code_home: Path) -> Path:
    artefact, _ = make_artefact()
    return compiled_library(artefact.config, artefact.quantization, cache=code_home / "code")


@pytest.fixture
def a_copy(library: Path, tmp_path: Path) -> Path:
    for path in library.parent.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path / library.name


def test_made_once(make_artefact: Make, code_home: Path, library: Path) -> None:
    artefact, _ = make_artefact()
    steps: list[str] = []
    written = library.stat().st_mtime_ns
    again = compiled_library(artefact.config, artefact.quantization, cache=code_home / "code", progress=steps.append)
    assert (again, again.stat().st_mtime_ns, steps) == (library, written, [])


def test_another_shape_is_another_library(make_artefact: Make, code_home: Path, library: Path) -> None:
    artefact, _ = make_artefact("llama", "q0f32", num_hidden_layers=1)
    assert compiled_library(artefact.config, artefact.quantization, cache=code_home / "code") != library


def test_it_says_what_it_was_made_for(library: Path) -> None:
    made = json.loads((library.parent / DESCRIPTION).read_text())
    assert (made["tvm"], made["target"], made["quantization"]) == (extra.tvm_version(), native_target().name, "q0f32")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tvm": "0.26.0"}, "compiled with TVM 0.26.0"),
        ({"target": "aarch64" if machine() == "x86_64" else "x86-64-v4"}, "this processor cannot run"),
        ({"target": "z80"}, "this processor cannot run"),
    ],
)
def test_a_library_for_another_box(a_copy: Path, change: dict[str, str], words: str) -> None:
    description = a_copy.parent / DESCRIPTION
    description.write_text(json.dumps(json.loads(description.read_text()) | change))
    with pytest.raises(BackendError, match=words):
        open_library(a_copy)


def test_a_library_that_says_nothing(a_copy: Path) -> None:
    (a_copy.parent / DESCRIPTION).write_text("{")
    with pytest.raises(BackendError, match="does not say what it was made for"):
        open_library(a_copy)


def test_damage(a_copy: Path) -> None:
    a_copy.write_bytes(a_copy.read_bytes()[:100])
    with pytest.raises(BackendError, match="cannot be loaded"):
        open_library(a_copy)


def test_a_library_without_the_function(a_copy: Path) -> None:
    a_copy.write_bytes(a_copy.read_bytes().replace(b"__tvm_ffi_forward", b"__tvm_ffi_fxxxxxx"))
    with pytest.raises(BackendError, match="has no function 'forward'"):
        open_library(a_copy)


def test_no_such_target() -> None:
    with pytest.raises(ConfigError, match="Known: native, x86-64-v2"):
        parse_target("pentium")


def test_both_tvm_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    # Two packages that overwrite each other's files cannot be installed for a test.
    monkeypatch.setattr("shopbot.backends.mlc.extra.foreign_tvm", lambda: "mlc-ai-nightly")
    with pytest.raises(BackendError, match="both installed"):
        load_interface()


@pytest.mark.slow
@pytest.mark.parametrize("target", ["aarch64", "aarch64-dot"])
@pytest.mark.parametrize("quantization", ["q8", "q0f16"])
def test_code_for_another_machine(make_artefact: Make, tmp_path: Path, target: str, quantization: str) -> None:
    artefact, _ = make_artefact("llama", quantization)
    code = compiled_library(artefact.config, artefact.quantization, target, cache=tmp_path).read_bytes()
    assert code[:4] == b"\x7fELF"
    assert int.from_bytes(code[18:20], "little") == 183, "it is no code for AArch64"


_WITHOUT_A_PATH = """
import sys, time
from pathlib import Path
from shopbot.backends import BackendSettings
from shopbot.backends.mlc.backend import MLCBackend
backend = MLCBackend(BackendSettings(Path(sys.argv[1]), context=128, threads=1))
print(backend.complete("hello", grammar='root ::= "yes" | "no"').text)
print("tvm" in sys.modules, "torch" in sys.modules)
backend.close()
"""


def test_no_compiler_and_no_linker(make_artefact: Make, code_home: Path, tmp_path: Path) -> None:
    artefact, _ = make_artefact()
    environment = {**os.environ, "PATH": "", "SHOPBOT_HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_A_PATH, str(artefact.folder)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answer, modules = done.stdout.splitlines()
    assert answer in ("yes", "no")
    assert modules == "False False", "the compiler and PyTorch are no part of a process that serves"
    assert [path.name for path in tmp_path.rglob("forward.*")] == ["forward.o"]


def test_a_compiler_that_fails_says_why(make_artefact: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    artefact, _ = make_artefact()
    broken = tmp_path / "broken" / "tvm"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise RuntimeError('no such processor')")
    monkeypatch.setenv("PYTHONPATH", str(broken.parent))
    began = time.monotonic()
    with pytest.raises(BackendError, match=r"The compiler failed .*no such processor"):
        compiled_library(artefact.config, artefact.quantization, cache=tmp_path / "code")
    assert time.monotonic() - began < 120
    assert not list((tmp_path / "code").glob("*draft*")), "a draft was left behind"
