"""The process that compiles: a library's description on its standard input, an object file out."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from shopbot.backends.mlc.config import ModelConfig
from shopbot.backends.mlc.interface import load_interface
from shopbot.backends.mlc.quantization import QUANTIZATIONS
from shopbot.backends.mlc.targets import TARGETS, Target, machine
from shopbot.backends.mlc.weights import require_indexable

_LINUX_TRIPLE = "aarch64-unknown-linux-gnu"


def compile_object(description: dict[str, Any], path: Path) -> None:
    """Compile the model of a library's ``description`` to the object file ``path``."""
    target = TARGETS[description["target"]]
    config = ModelConfig(**description["model"], context_window_size=1)
    quantization = QUANTIZATIONS[description["quantization"]]
    require_indexable(config, quantization)
    load_interface()
    sys.modules["torch"] = None  # type: ignore[assignment]  # TVM would import it, too
    import tvm

    from shopbot.backends.mlc.model import NAME, forward

    function = forward(config, quantization, target.kernels)
    module = tvm.tirx.build(tvm.IRModule({NAME: function}), target=tvm.target.Target(_llvm(target)), pipeline="tirx")
    module.write_to_file(str(path), "o")


def _llvm(target: Target) -> dict[str, Any]:
    """The target as TVM takes it. Another machine's code is for Linux."""
    there = {} if target.machine == machine() else {"mtriple": _LINUX_TRIPLE}
    return {"kind": "llvm", "mcpu": target.cpu, "mattr": list(target.features), **there}


if __name__ == "__main__":
    compile_object(json.load(sys.stdin), Path(sys.argv[1]))
