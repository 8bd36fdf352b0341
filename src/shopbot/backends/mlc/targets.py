"""The kinds of processor that code is compiled for, and which of them this box is."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shopbot.errors import ConfigError

NATIVE = "native"


@dataclass(frozen=True, slots=True)
class Target:
    """``cpu`` and ``features`` as LLVM names them; ``kernels``: the form of kernels that these can run."""

    name: str
    machine: str
    cpu: str
    kernels: str
    features: tuple[str, ...] = ()
    #: What Linux must say of a processor that can run this, in its own words.
    flags: frozenset[str] = frozenset()


_V2 = frozenset({"cx16", "popcnt", "sse4_1", "sse4_2", "ssse3"})
_V3 = _V2 | {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe"}
_V4 = _V3 | {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}
#: From the plainest to the fastest of each machine.
TARGETS: Mapping[str, Target] = {
    target.name: target
    for target in (
        Target("x86-64-v2", "x86_64", "x86-64-v2", "any", flags=_V2),
        Target("x86-64-v3", "x86_64", "x86-64-v3", "avx2", flags=_V3),
        Target("x86-64-v4", "x86_64", "x86-64-v4", "avx2", flags=_V4),
        Target("x86-64-v4-vnni", "x86_64", "x86-64-v4", "vnni", ("+avx512vnni",), _V4 | {"avx512_vnni"}),
        Target("aarch64", "aarch64", "generic", "any", ("+neon",)),
        Target("aarch64-dot", "aarch64", "generic", "neon-dot", ("+neon", "+dotprod"), frozenset({"asimddp"})),
    )
}
_OTHER_NAMES = {"amd64": "x86_64", "arm64": "aarch64"}


def parse_target(text: str) -> Target:
    """A target by the name that an operator gives; ``native``: the fastest that this box can run.

    Raises :class:`ConfigError` for a name that is not known.
    """
    name = text.strip().lower()
    if name == NATIVE:
        return native_target()
    if name not in TARGETS:
        raise ConfigError(f"There is no target '{text}'.", remedy=f"Known: {NATIVE}, {', '.join(TARGETS)}.")
    return TARGETS[name]


def native_target() -> Target:
    """The fastest target that this box can run. Raises :class:`ConfigError` on a machine of another kind."""
    fitting = [target for target in TARGETS.values() if can_run(target)]
    if not fitting:
        raise ConfigError(f"No code is compiled for {machine()}.", remedy="Serve the checkpoint that it is made from.")
    return fitting[-1]


def can_run(target: Target) -> bool:
    """Whether this box can run code for ``target``; where the system does not say, only what every such box can."""
    return target.machine == machine() and target.flags <= _flags(target.machine)


def machine() -> str:
    """The kind of machine, as Linux names it."""
    name = platform.machine().lower()
    return _OTHER_NAMES.get(name, name)


def _flags(kind: str) -> frozenset[str]:
    if sys.platform == "linux":
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        words = next((line.partition(":")[2] for line in lines if line.startswith(("flags", "Features"))), "")
        return frozenset(words.split())
    if sys.platform == "darwin" and kind == "aarch64":
        return frozenset({"asimddp"})  # every Mac with such a processor
    return _V2
