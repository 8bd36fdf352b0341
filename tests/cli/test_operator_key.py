"""``shopbot operator-key new``: the key once, its hash for the configuration."""

from __future__ import annotations

import json
from typing import Any

from shopbot.config import load
from shopbot.keys import is_key


def test_the_line_it_prints_lets_the_key_in(program: Any, tmp_path: Any) -> None:
    made = program.run("operator-key", "new", "kim")
    assert made.returncode == 0, made.stderr
    key = made.stdout.strip()
    assert key not in made.stderr
    file = tmp_path / "own.toml"
    file.write_text(made.stderr[made.stderr.index("[server.operator_keys]") :])
    config = load(file, environ={})
    assert list(config.server.operator_keys) == ["kim"]
    assert is_key(key, config.server.operator_keys["kim"])


def test_it_prints_json_for_programs(program: Any) -> None:
    made = json.loads(program.run("operator-key", "new", "--json").stdout)
    assert list(made) == ["name", "key", "hash"]
    assert is_key(made["key"], made["hash"])


def test_a_name_is_a_word(program: Any) -> None:
    for name in ("", "a b", "x" * 41, "[server]", "ä"):
        refused = program.run("operator-key", "new", name)
        assert refused.returncode == 2, name
        assert "is no name for a key" in refused.stderr
