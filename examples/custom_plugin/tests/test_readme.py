"""The tutorial shows the plugin as it is."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHOWN = re.findall(
    r"^`([^`\n]+)`\n\n```\w+\n(.*?)\n```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S
)


@pytest.mark.parametrize(("path", "code"), SHOWN, ids=[path for path, _ in SHOWN])
def test_a_code_block_is_the_file(path: str, code: str) -> None:
    assert code == (ROOT / path).read_text(encoding="utf-8").rstrip(), f"README.md shows another {path}"


def test_every_file_of_the_plugin_is_shown() -> None:
    files = {file.relative_to(ROOT).as_posix() for file in (ROOT / "src").rglob("*") if file.suffix in (".py", ".toml")}
    assert files <= {path for path, _ in SHOWN}, "a file is missing in README.md"


def test_the_entry_point_leads_to_the_plugin() -> None:
    found = metadata.entry_points(group="shopbot", name="loyalty")
    if not found:
        pytest.skip("shopbot-loyalty is not installed here: pip install -e examples/custom_plugin")
    [entry] = found
    assert entry.load().__name__ == "shopbot_loyalty"
