"""``shopbot faq check`` and ``shopbot faq search``."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
import shopbot_faq
from click.testing import CliRunner


@pytest.fixture
def cli() -> click.Group:
    group = click.Group()
    shopbot_faq.shopbot_register_commands(group)
    return group


def test_check_lists_passages_and_what_is_left_out(cli: click.Group, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# Hours\nquestions: when\nNine.\n", encoding="utf-8")
    result = CliRunner().invoke(cli, ["faq", "check", str(tmp_path), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {
        "passages": [{"id": "a.md#hours", "title": "Hours", "questions": 1}],
        "left_out": [],
    }
    (tmp_path / "b.md").write_bytes(b"\xff")
    result = CliRunner().invoke(cli, ["faq", "check", str(tmp_path)])
    assert result.exit_code == 1
    assert "b.md" in result.stderr


def test_search_says_what_the_bot_would_answer(cli: click.Group) -> None:
    result = CliRunner().invoke(cli, ["faq", "search", "do gift cards expire", "--json"])
    assert result.exit_code == 0, result.output
    first = json.loads(result.stdout)[0]
    assert first["id"] == "gift-cards.md#expiry-and-loss-of-gift-cards"
    assert first["is_answer"] is True
    assert "gift-cards.md#" in CliRunner().invoke(cli, ["faq", "search", "do gift cards expire"]).stdout
