"""Imports point down (see docs/architecture.md): an arrow that points up fails here."""

from __future__ import annotations

import ast
from pathlib import Path

import shopbot

ROOT = Path(shopbot.__file__).parent
#: From the bottom up; a module may import from its own row and from rows above it in this list.
ROWS = (
    (
        "types",
        "errors",
        "events",
        "keys",
        "stages",
        "tracing",
        "textindex",
        "files",
        "memory",
        "logs",
        "phrases",
        "personal_words",
        "installed",
    ),
    (
        "store",
        "backoffice",
        "cloud",
        "hookspecs",
        "config",
        "config_file",
        "postal",
        "postcodes",
        "personal_cues",
        "personal_data",
        "redact",
        "header",
        "weights",
        "manifest",
        "backends",
        "stores",
    ),
    (
        "tools",
        "plugins",
        "session",
        "confirmation",
        "identity",
        "references",
        "grammar",
        "hub",
        "sources",
        "download",
        "models",
    ),
    (
        "checkpoint",
        "compiling",
        "published",
        "binding",
        "merging",
        "understand",
        "transcript",
        "transcript_file",
        "serving",
    ),
    ("engine", "calls", "cards", "reading", "deferral", "minds", "turn", "sessions", "handoff"),
    ("bot", "async_bot", "evals"),
    ("baking",),
    ("bundle",),
    ("doctor", "first_start", "mcp", "server", "testing", "scaffold", "plugin_check"),
    ("systemd",),
    ("cli",),
)
LEVEL = {name: level for level, row in enumerate(ROWS) for name in row}
#: Looked up when they are needed, so that the plain import stays light; see the comments where they stand.
LAZY = {("stores", "cli")}


def test_every_module_has_its_row() -> None:
    found = {path.relative_to(ROOT).parts[0].removesuffix(".py") for path in ROOT.rglob("*.py")} - {
        "__init__",
        "__main__",
        "shipped",
    }
    assert found == found & set(LEVEL), f"without a row: {sorted(found - set(LEVEL))}"


def test_imports_point_down() -> None:
    arrows = [
        f"{path.relative_to(ROOT)} imports shopbot.{module}"
        for path in ROOT.rglob("*.py")
        for module in _imported(ast.parse(path.read_text(encoding="utf-8")))
        if _points_up(path.relative_to(ROOT).parts[0].removesuffix(".py"), module)
    ]
    assert not arrows, "\n".join(arrows)


def _points_up(own: str, module: str) -> bool:
    return own in LEVEL and module in LEVEL and LEVEL[module] > LEVEL[own] and (own, module) not in LAZY


def _imported(tree: ast.Module) -> set[str]:
    """shopbot's modules that are imported at the top level, not inside functions and not for type checking only."""
    found = set()
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "shopbot":
            parts = node.module.split(".")
            found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
    return found
