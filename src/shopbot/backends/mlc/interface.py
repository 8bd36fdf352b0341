"""TVM at run time: its foreign-function interface and its small runtime library, without its compiler.

``import tvm`` would bring the compiler's 260 MB library and take seconds. To run compiled code, ``tvm_ffi`` and the
library that has the threads are enough: about 10 MB.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from shopbot.backends.mlc.extra import INSTALL, require_extra
from shopbot.errors import BackendError

_guard = threading.Lock()
_runtime: Any = None


def load_interface() -> Any:
    """The module ``tvm_ffi``. Raises :class:`BackendError` where the extra is missing or not in order."""
    require_extra()
    # Threads that are bound to cores wait for them when another process has one.
    os.environ.setdefault("TVM_BIND_THREADS", "0")
    try:
        with _without_torch():
            import tvm_ffi
    except Exception as error:  # mismatched packages fail in many ways
        raise BackendError(f"TVM cannot be loaded: {str(error)[:200]}.", remedy=INSTALL) from error
    return tvm_ffi


def load_runtime() -> Any:
    """``tvm_ffi`` with TVM's runtime library loaded. Raises :class:`BackendError`."""
    global _runtime
    interface = load_interface()
    with _guard:
        if _runtime is None:
            spec = importlib.util.find_spec("tvm")
            if spec is None or spec.origin is None:
                raise BackendError("apache-tvm is damaged.", remedy=INSTALL)
            folder = Path(spec.origin).parent / "lib"
            try:
                _runtime = interface.libinfo.load_lib_ctypes(
                    "apache-tvm", "tvm_runtime", "RTLD_GLOBAL", extra_lib_paths=[folder]
                )
            except Exception as error:  # RuntimeError where it is missing, OSError where it does not load
                raise BackendError(f"TVM's runtime cannot be loaded: {error}.", remedy=INSTALL) from error
    return interface


def use_threads(count: int) -> None:
    """Have compiled code that this thread calls use ``count`` threads. To be called before it calls any."""
    interface = load_runtime()
    with _guard:  # the number is read from the environment when a thread's pool is made
        os.environ["TVM_NUM_THREADS"] = str(count)
        number: Callable[[], int] = interface.get_global_func("runtime.NumThreads")
        number()


@contextmanager
def _without_torch() -> Iterator[None]:
    """``tvm_ffi`` imports PyTorch where it is installed: seconds and 200 MB that nothing here needs."""
    if "torch" in sys.modules or "tvm_ffi" in sys.modules:
        yield
        return
    sys.modules["torch"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        sys.modules.pop("torch", None)
