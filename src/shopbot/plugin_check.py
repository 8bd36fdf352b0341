"""What a plugin must have before others rely on it: a ladder of rungs, each done, to do, or exempt with a reason.

A plugin exempts itself in its pyproject.toml::

    [tool.shopbot.check.exempt]
    cases = "the shop it talks to has no test account"
"""

from __future__ import annotations

import ast
import importlib
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import tomli

import shopbot
from shopbot.errors import ConfigError, PluginError
from shopbot.plugins import ENTRY_POINT_GROUP, PluginManager
from shopbot.tools import Tool

MIN_EXAMPLES = 8
MIN_CASES = 10
_MAX_PARENTS = 4


@dataclass(frozen=True, slots=True)
class Rung:
    """One rung; ``detail`` is what to do, or why it need not be done."""

    name: str
    state: Literal["done", "todo", "exempt"]
    detail: str = ""


@dataclass
class Project:
    """A plugin's folder with its pyproject.toml, read once; its code is imported when a rung asks for it."""

    folder: Path
    document: Mapping[str, Any]

    @property
    def metadata(self) -> Mapping[str, Any]:
        found = self.document.get("project")
        return found if isinstance(found, dict) else {}

    @property
    def entry_points(self) -> Mapping[str, str]:
        found = self.metadata.get("entry-points", {}).get(ENTRY_POINT_GROUP, {})
        return found if isinstance(found, dict) else {}

    @cached_property
    def manager(self) -> PluginManager:
        """The plugin, loaded alone and strictly; raises whatever it raises."""
        manager = PluginManager(is_strict=True)
        with _importable(self.folder):
            for name, value in self.entry_points.items():
                module, _, attribute = value.partition(":")
                plugin: Any = importlib.import_module(module)
                for part in filter(None, attribute.split(".")):
                    plugin = getattr(plugin, part)
                manager.register(plugin, name)
        return manager

    @cached_property
    def tools(self) -> dict[str, Tool]:
        with _importable(self.folder):
            return self.manager.tools()

    @cached_property
    def cases(self) -> list[Any]:
        with _importable(self.folder):
            return [case for _, case in self.manager.cases()]

    @property
    def sources(self) -> list[Path]:
        """The Python files of the package, without its tests."""
        root = self.folder / "src"
        files = (root if root.is_dir() else self.folder).rglob("*.py")
        return sorted(
            file for file in files if not {"tests", "build", "dist"} & set(file.relative_to(self.folder).parts)
        )


def check_plugin(target: str | Path) -> tuple[str, list[Rung]]:
    """Check a plugin's folder, or an installed plugin by its name; gives its name and the rungs, lowest first.

    :class:`~shopbot.errors.PluginError` if there is no such plugin, :class:`~shopbot.errors.ConfigError` if its
    pyproject.toml cannot be read or exempts it from a rung that there is not.
    """
    project = open_project(target)
    exempt = _exemptions(project)
    rungs = []
    for name, rung in RUNGS.items():
        try:
            missing = rung(project)
        except (Exception, SystemExit) as error:  # the plugin's own code ran
            missing = f"{type(error).__name__}: {error}"
        if missing is None:
            rungs.append(Rung(name, "done"))
        elif name in exempt:
            rungs.append(Rung(name, "exempt", exempt[name]))
        else:
            rungs.append(Rung(name, "todo", missing))
    return next(iter(project.entry_points), project.folder.name), rungs


def open_project(target: str | Path) -> Project:
    """The folder of a plugin: the path itself, or where an installed plugin of that name was installed from."""
    folder = Path(target)
    if not (folder / "pyproject.toml").is_file():
        folder = _installed_from(str(target))
    try:
        return Project(folder.resolve(), tomli.loads((folder / "pyproject.toml").read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomli.TOMLDecodeError) as error:
        raise ConfigError(f"{folder / 'pyproject.toml'} cannot be read: {error}.") from None


def _installed_from(name: str) -> Path:
    remedy = "Give the plugin's folder, the one with its pyproject.toml."
    found = list(metadata.entry_points(group=ENTRY_POINT_GROUP, name=name)) if name else []
    if not found:
        raise PluginError(f"There is no plugin '{name}', neither a folder nor installed.", remedy=remedy)
    try:
        module = importlib.import_module(found[0].module)
    except Exception as error:
        raise PluginError(f"Plugin '{name}' cannot be imported: {error}.", remedy=remedy) from error
    parents = list(Path(module.__file__ or ".").resolve().parents)[:_MAX_PARENTS]
    folder = next((parent for parent in parents if (parent / "pyproject.toml").is_file()), None)
    if folder is None:
        raise PluginError(f"Plugin '{name}' is installed without its sources.", remedy=remedy)
    return folder


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """The plugin's package can be imported from its folder."""
    root = folder / "src" if (folder / "src").is_dir() else folder
    sys.path.insert(0, str(root))
    try:
        yield
    finally:
        sys.path.remove(str(root))


def _exemptions(project: Project) -> dict[str, str]:
    table: Any = project.document.get("tool", {})
    for key in ("shopbot", "check", "exempt"):
        table = table.get(key, {}) if isinstance(table, dict) else {}
    for name, reason in dict(table).items():
        if name not in RUNGS or name in _NEEDED:
            remedy = f"Known: {', '.join(sorted(set(RUNGS) - _NEEDED))}."
            raise ConfigError(f"tool.shopbot.check.exempt: nothing can be exempt from '{name}'.", remedy=remedy)
        if not isinstance(reason, str) or len(reason.split()) < 2:
            raise ConfigError(f"tool.shopbot.check.exempt: '{name}' has no reason.", remedy="Say why in some words.")
    return dict(table)


def _metadata(project: Project) -> str | None:
    wanted = ("name", "version", "description", "requires-python", "readme")
    dynamic = project.metadata.get("dynamic", [])
    missing = [key for key in wanted if key not in project.metadata and key not in dynamic]
    return f"Add to [project] in pyproject.toml: {', '.join(missing)}." if missing else None


def _entry_point(project: Project) -> str | None:
    if project.entry_points:
        return None
    return f'Add [project.entry-points.{ENTRY_POINT_GROUP}] with NAME = "your_package" to pyproject.toml.'


def _dependency(project: Project) -> str | None:
    names = [re.split(r"[^\w.-]", str(entry).strip())[0].lower() for entry in project.metadata.get("dependencies", [])]
    return None if "shopbot" in names else 'Add "shopbot" to the dependencies in pyproject.toml.'


def _loads(project: Project) -> str | None:
    return None if project.manager.names else "Give it an entry point first."


def _hooks(project: Project) -> str | None:
    hooks = [hook for name in project.manager.names for hook in project.manager.hooks(name)]
    return None if hooks else "Mark at least one function with @hookimpl; the hooks are in shopbot/hookspecs.py."


def _tools(project: Project) -> str | None:
    return None if project.tools or _has_no_tools(project) else "shopbot_register_tools returns no tool."


def _has_no_tools(project: Project) -> bool:
    return not any("shopbot_register_tools" in project.manager.hooks(name) for name in project.manager.names)


def _examples(project: Project) -> str | None:
    few = [
        f"{tool.name} has {len(said)}"
        for tool in project.tools.values()
        if len(said := {" ".join(example.casefold().split()) for example in tool.examples}) < MIN_EXAMPLES
    ]
    return f"Give every tool {MIN_EXAMPLES} different examples: {', '.join(few)}." if few else None


def _writes(project: Project) -> str | None:
    bare = [
        tool.name for tool in project.tools.values() if tool.effect == "write" and not (tool.policy and tool.confirm)
    ]
    return f"Every write needs a policy and a read-back (confirm): {', '.join(bare)}." if bare else None


def _cases(project: Project) -> str | None:
    if _has_no_tools(project):
        return None
    if len(project.cases) < MIN_CASES:
        return f"Write {MIN_CASES} golden cases or more (there are {len(project.cases)}), one per way to ask at least."
    played = {name for case in project.cases for turn in case.turns for name in turn.tools or ()}
    played |= {write["tool"] for case in project.cases for write in case.writes}
    missing = sorted(set(project.tools) - played)
    return f"No golden case plays {', '.join(missing)}." if missing else None


def _readme(project: Project) -> str | None:
    files = [file for file in project.folder.glob("README*") if file.stat().st_size > 200]
    return None if files else "Write a README: what it does, its settings, an example."


def _tests(project: Project) -> str | None:
    return None if any(project.folder.glob("tests/**/test_*.py")) else "Write tests/test_….py; see shopbot.testing."


def _typed(project: Project) -> str | None:
    packages = {file.parent for file in project.sources if file.name == "__init__.py"}
    tops = [folder for folder in packages if folder.parent not in packages]
    missing = [folder.name for folder in tops if not (folder / "py.typed").is_file()]
    return f"Put an empty py.typed into {', '.join(sorted(missing))}." if missing or not tops else None


def _imports(project: Project) -> str | None:
    """Names that are not public may change in any release."""
    private = []
    for file in project.sources:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"), filename=str(file))):
            line = getattr(node, "lineno", 0)
            private += [f"{file.name}:{line} {name}" for name in _private_names(node)]
    return f"Use only names in shopbot.__all__: {', '.join(private[:10])}." if private else None


def _private_names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").split(".")[0] == "shopbot":
        yield from (alias.name for alias in node.names if alias.name not in shopbot.__all__)
    elif isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name.startswith("shopbot."))


#: Name → what is missing, or None; lowest rung first.
RUNGS: Mapping[str, Callable[[Project], str | None]] = {
    "metadata": _metadata,
    "entry-point": _entry_point,
    "dependency": _dependency,
    "loads": _loads,
    "hooks": _hooks,
    "tools": _tools,
    "examples": _examples,
    "writes": _writes,
    "imports": _imports,
    "typed": _typed,
    "readme": _readme,
    "tests": _tests,
    "cases": _cases,
}
_NEEDED = frozenset(("entry-point", "loads", "hooks", "tools", "writes"))
