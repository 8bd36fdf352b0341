"""What the docs and the public surface promise."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import shopbot
from shopbot import hookspecs

DOCS = Path(__file__).resolve().parents[1] / "docs"
HOOKS = {name: value for name, value in vars(hookspecs).items() if name.startswith("shopbot_")}


@pytest.mark.parametrize("name", sorted(HOOKS))
def test_each_hook_is_documented_with_its_arguments(name: str) -> None:
    signature = f"{name}({', '.join(inspect.signature(HOOKS[name]).parameters)})"
    assert f"`{signature}`" in (DOCS / "plugins.md").read_text(encoding="utf-8"), f"docs/plugins.md lacks {signature}"
    assert inspect.getdoc(HOOKS[name]), f"{name} has no docstring"


def test_no_hook_is_documented_that_does_not_exist() -> None:
    named = set(re.findall(r"\bshopbot_[a-z_]+\b(?=\()", (DOCS / "plugins.md").read_text(encoding="utf-8")))
    assert named <= set(HOOKS), f"docs/plugins.md names hooks that do not exist: {sorted(named - set(HOOKS))}"


def test_the_public_surface_exists() -> None:
    assert len(set(shopbot.__all__)) == len(shopbot.__all__)
    missing = [name for name in shopbot.__all__ if not hasattr(shopbot, name)]
    assert not missing, f"shopbot.__all__ names what does not exist: {missing}"


@pytest.mark.parametrize("name", shopbot.__all__)
def test_each_public_name_says_what_it_is(name: str) -> None:
    value: Any = getattr(shopbot, name)
    if not (inspect.isclass(value) or inspect.isroutine(value)):
        return  # a marker object of another library
    written = inspect.getdoc(value)
    assert written and not written.startswith(f"{name}("), f"shopbot.{name} has no docstring"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Robot'"):
        _ = shopbot.Robot


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text(encoding="utf-8"))
    dead = [target for target in targets if not (page.parent / target).exists()]
    assert not dead, f"{page.name} links to what is not there: {dead}"
