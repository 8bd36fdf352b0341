"""The compiled library: code for one shape of model and one kind of processor, made once and kept.

A folder for each: ``forward.so`` where a linker is installed, elsewhere ``forward.o``, which is linked in memory when
it is loaded; and ``library.json``, which says what it was made for.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shopbot.backends.mlc.config import ModelConfig
from shopbot.backends.mlc.extra import INSTALL, require_extra, tvm_version
from shopbot.backends.mlc.interface import load_runtime
from shopbot.backends.mlc.quantization import Quantization
from shopbot.backends.mlc.targets import NATIVE, TARGETS, Target, can_run, machine, parse_target
from shopbot.config import home
from shopbot.errors import BackendError, ModelError
from shopbot.files import locked, sync, write_atomic

FUNCTION = "forward"
DESCRIPTION = "library.json"
#: Counts up whenever the kernels or the compiled function's arguments change.
REVISION = 5
COMPILE_TIMEOUT_S = 900.0
_REMEDY = "Delete the folder; it is made anew when it is needed."


def code_folder() -> Path:
    """Where compiled libraries are kept."""
    return home() / "models" / ".compiled"


def compiled_library(
    config: ModelConfig,
    quantization: Quantization,
    target: str = NATIVE,
    *,
    cache: Path,
    progress: Callable[[str], None] = lambda step: None,
) -> Path:
    """The library for such a model, below the folder ``cache``; compiled if it is not there yet.

    Raises :class:`ConfigError` for a target that is not known, :class:`BackendError` where the extra is missing or the
    compiler fails, :class:`ModelError` where the disk refuses.
    """
    require_extra()
    chip = parse_target(target)
    description = _describe(config, quantization, chip)
    folder = cache / _fingerprint(description)
    try:
        with locked(cache / ".lock"):
            found = _library_in(folder)
            if found is None:
                progress(f"compiling for {chip.name}")
                found = _make(folder, description, chip)
        return found
    except OSError as error:
        raise ModelError(f"{folder} cannot be written: {error}.", remedy="Check the disk.") from error


def open_library(path: Path) -> Callable[..., None]:
    """The compiled function of a library that :func:`compiled_library` made.

    Raises :class:`BackendError` where it was made for another TVM or another processor, or is damaged.
    """
    _require_fitting(path)
    interface = load_runtime()
    try:
        module = _orcjit().load_module(str(path)) if path.suffix == ".o" else interface.load_module(str(path))
        function: Callable[..., None] = module.get_function(FUNCTION)
        return function
    except AttributeError:
        raise BackendError(f"{path} has no function '{FUNCTION}'.", remedy=_REMEDY) from None
    except (RuntimeError, OSError, ValueError) as error:
        raise BackendError(f"{path} cannot be loaded: {str(error)[:200]}.", remedy=_REMEDY) from error


def _describe(config: ModelConfig, quantization: Quantization, target: Target) -> dict[str, Any]:
    # the context's length is that of the cache which the code is given
    shape = {key: value for key, value in config.to_json().items() if key != "context_window_size"}
    made_with = {"tvm": tvm_version(), "target": target.name, "system": sys.platform, "revision": REVISION}
    return {**made_with, "quantization": quantization.name, "model": shape}


def _fingerprint(description: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()[:32]


def _library_in(folder: Path) -> Path | None:
    if not (folder / DESCRIPTION).is_file():
        return None
    return next(
        (folder / f"{FUNCTION}{suffix}" for suffix in (".so", ".o") if (folder / f"{FUNCTION}{suffix}").is_file()), None
    )


def _make(folder: Path, description: dict[str, Any], target: Target) -> Path:
    """Compile and link into a draft, which is moved to ``folder`` when it is whole."""
    draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".draft-"))
    try:
        code = draft / f"{FUNCTION}.o"
        _compile(description, code)
        library = _link(code, target)
        sync(library)
        write_atomic(draft / DESCRIPTION, json.dumps(description, indent=1).encode())
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
        return folder / library.name
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _compile(description: dict[str, Any], code: Path) -> None:
    """Run the compiler in a process of its own: it takes 300 MB, which a process that serves shall not keep."""
    paths = [str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}
    command = [sys.executable, "-m", "shopbot.backends.mlc.compiler", str(code)]
    try:
        done = subprocess.run(
            command,
            input=json.dumps(description),
            env=environment,
            capture_output=True,
            text=True,
            timeout=COMPILE_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BackendError(f"The compiler took longer than {COMPILE_TIMEOUT_S:.0f} s.", remedy=INSTALL) from None
    if done.returncode != 0 or not code.is_file():
        raise BackendError(
            f"The compiler failed (exit status {done.returncode}): {_reason(done.stderr)}.", remedy=INSTALL
        )


def _reason(stderr: str) -> str:
    """The line of what a process said in which an error is named, the last one such."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    named = [line for line in lines if re.match(r"[\w.]+(Error|Exception)\b", line)]
    return ([*lines, *named] or ["it said nothing"])[-1][:300]


def _link(code: Path, target: Target) -> Path:
    """Make a shared library of the object file where there is a linker for it; else the object file stays."""
    linker = shutil.which("ld") if sys.platform == "linux" and target.machine == machine() else None
    if linker is None:
        return code
    library = code.with_suffix(".so")
    command = [linker, "-shared", "-o", str(library), str(code)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return code
    code.unlink()
    return library


def _require_fitting(path: Path) -> None:
    try:
        made = json.loads((path.parent / DESCRIPTION).read_text(encoding="utf-8"))
        version, name = made["tvm"], made["target"]
    except (OSError, ValueError, KeyError, TypeError):
        raise BackendError(f"{path} does not say what it was made for.", remedy=_REMEDY) from None
    if version != tvm_version():
        raise BackendError(f"{path} was compiled with TVM {version}, this is {tvm_version()}.", remedy=_REMEDY)
    if name not in TARGETS or not can_run(TARGETS[name]):
        raise BackendError(f"{path} was compiled for {name}, which this processor cannot run.", remedy=_REMEDY)


def _orcjit() -> Any:
    """What links an object file in memory."""
    try:
        import tvm_ffi_orcjit
    except ImportError as error:
        raise BackendError(
            "There is no linker, and apache-tvm-ffi-orcjit, which does without, is not installed.",
            remedy="Install it, or a linker (on Debian and Ubuntu: apt-get install binutils).",
        ) from error
    return tvm_ffi_orcjit.default_session()
