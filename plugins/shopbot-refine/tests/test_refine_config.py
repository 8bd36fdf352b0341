"""``[plugins.refine]``: what the docs show is what the code takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import tomli
from shopbot_refine.config import RefineConfig

from shopbot import ConfigError

DOCS = Path(__file__).parents[3] / "docs" / "refine.md"


def test_the_documented_table_holds_every_key_and_its_default() -> None:
    blocks = re.findall(r"```toml\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    [table] = [tomli.loads(block)["plugins"]["refine"] for block in blocks if "gate_tool_loss" in block]
    assert RefineConfig.of(table) == RefineConfig()
    assert set(table) == set(RefineConfig.model_fields)


def test_an_unknown_key_is_named_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"plugins\.refine\.budgett") as caught:
        RefineConfig.of({"budgett": 3})
    assert "budget_tokens" in str(caught.value.remedy)
