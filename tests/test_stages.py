"""The stages of a turn are timed and watched."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from shopbot.stages import Observer, Stages


def test_stages_are_watched_in_the_order_they_open_and_close() -> None:
    seen: list[str] = []

    class Watch(Observer):
        @contextmanager
        def stage(self, name: str) -> Iterator[None]:
            seen.append(f"{name} begins")
            try:
                yield
            finally:
                seen.append(f"{name} ends")

    stages = Stages([Watch()])
    with pytest.raises(ValueError, match="broken"), stages("plan"), stages("act"):
        raise ValueError("broken")
    assert seen == ["plan begins", "act begins", "act ends", "plan ends"]
    assert sorted(stages.spent_ms) == ["act", "plan"], "also of a stage that failed"


def test_time_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 1.0, 3.0, 10.0, 20.0, 21.0])
    monkeypatch.setattr("shopbot.stages.perf_counter", lambda: next(clock))
    stages = Stages()
    with stages("plan"), stages("act"):
        pass
    with stages("act"):
        pass
    assert stages.spent_ms == {"act": 3_000.0, "plan": 8_000.0}
