"""How much memory this process may still take, as the system and the container's limit say, and how it gives back what
it does not need."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
#: cgroup v1 writes a huge number where there is no limit.
_NO_LIMIT = 1 << 60
_M_ARENA_MAX = -8  # in glibc's malloc.h


def available_bytes() -> int | None:
    """Bytes that can be used without swapping, within the cgroup's limit; None where the system does not tell."""
    known = [amount for amount in (_system_bytes(), _cgroup_bytes()) if amount is not None]
    return min(known) if known else None


def return_unused_memory() -> None:
    """Give the holes in glibc's heap back to the system, which it keeps otherwise; elsewhere do nothing."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def use_few_arenas() -> None:
    """Have glibc keep two heaps, not eight a core: a service that opens engines in ever new threads then stays as small
    after fifty of them as after the first. Call it before threads are started; elsewhere it does nothing."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


def _system_bytes() -> int | None:
    if sys.platform == "win32":
        return _windows_bytes()
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    # macOS keeps no such file; its whole memory is the best bound there is without a subprocess.
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _windows_bytes() -> int | None:
    if sys.platform != "win32":
        return None

    class Status(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            ("total", ctypes.c_ulonglong),
            ("available", ctypes.c_ulonglong),
            ("rest", ctypes.c_ulonglong * 5),
        )

    status = Status(length=ctypes.sizeof(Status))
    if not ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
        return None
    return int(status.available)


def _cgroup_bytes() -> int | None:
    """What is left below the limits of this process's cgroup and of those around it."""
    left = [amount for folder, version in _cgroup_folders() if (amount := _left_in(folder, version)) is not None]
    return min(left) if left else None


def _cgroup_folders() -> list[tuple[Path, int]]:
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    found: list[tuple[Path, int]] = []
    for line in lines:
        _, controllers, inside = [*line.split(":", 2), "", ""][:3]
        if controllers == "":
            found += [(folder, 2) for folder in _upwards(_CGROUP, inside)]
        elif "memory" in controllers.split(","):
            found += [(folder, 1) for folder in _upwards(_CGROUP / "memory", inside)]
    return found


def _upwards(root: Path, inside: str) -> list[Path]:
    folder = root / inside.strip("/")
    folders = [root]
    while folder != root and root in folder.parents:
        folders.append(folder)
        folder = folder.parent
    return folders


def _left_in(folder: Path, version: int) -> int | None:
    names = ("memory.max", "memory.current", "inactive_file")
    if version == 1:
        names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    try:
        limit = (folder / names[0]).read_text(encoding="ascii").strip()
        if limit == "max" or int(limit) >= _NO_LIMIT:
            return None
        used = int((folder / names[1]).read_text(encoding="ascii"))
        stat = dict(line.split(None, 1) for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines())
        # The page cache counts as used, but the kernel gives it back when asked.
        return max(0, int(limit) - used + int(stat.get(names[2], 0)))
    except (OSError, ValueError):
        return None
