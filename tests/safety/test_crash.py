"""Kill -9 during a write turn: once or not at all, and the customer is told which."""

from __future__ import annotations

import os

import pytest

from benchmarks.crash.run import crash

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the test forks")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_killed_write_is_done_once_or_not_at_all() -> None:
    counts = crash(12, seed=3)
    assert sum(counts.values()) == 12
    assert not [what for what in counts if what.startswith("broken")], counts
