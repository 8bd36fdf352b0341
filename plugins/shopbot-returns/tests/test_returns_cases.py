"""The golden cases, played with a model that understands every message rightly: what fails here is code or the case."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone

import pytest
import shopbot_returns

from shopbot.backends.scripted import ScriptedBackend
from shopbot.checkpoint import Base, Manifest
from shopbot.config import Config
from shopbot.evals import Case, judge
from shopbot.plugins import PluginManager
from shopbot.store import Store
from shopbot.understand import PROMPT_FORMAT

from .understood import UNDERSTOOD

CASES = list(shopbot_returns.shopbot_register_cases())


@pytest.fixture(scope="module")
def plugins() -> PluginManager:
    """What is installed: returns, and whatever takes over what it refuses."""
    return PluginManager.installed(only=("orders", "returns"), is_strict=True)


@pytest.fixture(scope="module")
def manifest(plugins: PluginManager) -> Manifest:
    return Manifest(
        name="scripted",
        base=Base(source="scripted", sha256="0" * 64),
        prompt_format=PROMPT_FORMAT,
        tools=tuple(plugins.tools()),
        created=datetime(2026, 6, 15, tzinfo=timezone.utc),
    )


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_passes_when_it_is_understood(
    case: Case, make_store: Callable[[], Store], plugins: PluginManager, manifest: Manifest
) -> None:
    offered = plugins.tools()
    missing = {write["tool"] for write in case.writes} - offered.keys()
    if missing:
        pytest.skip(f"no installed plugin offers {', '.join(sorted(missing))}")
    backend = ScriptedBackend(UNDERSTOOD)
    result = judge("returns", case, make_store, config=Config(), plugins=plugins, backend=backend, manifest=manifest)
    assert result.has_passed, "\n".join([*result.failures, result.transcript])


def test_the_set_is_large_and_varied_enough() -> None:
    assert len({case.name for case in CASES}) == len(CASES), "two cases have one name"
    assert len(CASES) >= 66
    several = [case for case in CASES if "multi-turn" in case.tags]
    assert len(several) >= 26
    assert all(len(case.turns) > 1 for case in several)
    used = {name for case in CASES for turn in case.turns for name in turn.tools or ()}
    assert {tool.name for tool in shopbot_returns.shopbot_register_tools({})} <= used
