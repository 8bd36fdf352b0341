"""How training's threads wait for one another."""

from __future__ import annotations

import os


def calm_threads() -> None:
    """Have OpenMP's threads sleep soon where they wait; what the environment says stays.

    Threads that spin for long stall training when another process wants the cores. OpenMP reads this once, when torch
    is imported: call it before.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
