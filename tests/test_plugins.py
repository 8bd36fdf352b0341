"""The plugin manager: a broken plugin is named and fails alone; nothing depends on the order of loading."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import shopbot_orders
import shopbot_returns

from shopbot import Answer, Context, Tool, hookimpl, tool
from shopbot.errors import ConfigError, DuplicateNameError, PluginError
from shopbot.plugins import PluginManager
from shopbot.types import Handoff, Reply, Report


@tool(effect="read", examples=["hi", "hello"])
def greet(ctx: Context) -> Answer:
    "Greet."
    return Answer("Hi.")


@tool(effect="read", examples=["bye", "so long"])
def part(ctx: Context) -> Answer:
    "Say goodbye."
    return Answer("Bye.")


class Offers:
    """A plugin whose ``shopbot_register_tools`` returns, or raises, what it is given."""

    def __init__(self, offered: Any) -> None:
        self._offered = offered

    @hookimpl
    def shopbot_register_tools(self) -> Any:
        if isinstance(self._offered, BaseException):
            raise self._offered
        return self._offered


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put a distribution with one module and one entry point on the path, as an installer would."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(name: str, source: str, *, module: str = "", version: str = "1.2") -> None:
        module = module or f"test_plugin_{name}"
        (tmp_path / f"{module}.py").write_text(source, encoding="utf-8")
        folder = tmp_path / f"{module}-{version}.dist-info"
        folder.mkdir()
        metadata = f"Metadata-Version: 2.1\nName: {module}\nVersion: {version}\n"
        (folder / "METADATA").write_text(metadata, encoding="utf-8")
        (folder / "entry_points.txt").write_text(f"[shopbot]\n{name} = {module}\n", encoding="utf-8")

    return write


GOOD = """
from shopbot import Answer, hookimpl, tool

@tool(effect="read", examples=["a", "b"])
def shop_motto(ctx):
    "The motto."
    return Answer("Always.")

@hookimpl
def shopbot_register_tools(config):
    return [shop_motto]
"""
BROKEN = {
    "import": "import no_such_module_at_all",
    "syntax": "def",
    "exit": "raise SystemExit(3)",
    "raises": "raise ValueError('no luck')",
    "stranger": GOOD.replace("(config)", "(settings)"),
    "unknown": GOOD + "\n@hookimpl\ndef shopbot_no_such_hook():\n    pass\n",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_plugin_is_named_and_left_out(install: Callable[..., None], kind: str) -> None:
    install("bad", BROKEN[kind], module=f"test_bad_{kind}")
    install("good", GOOD, module=f"test_good_beside_{kind}")
    plugins = PluginManager.installed(only=["bad", "good"])
    assert set(plugins.tools()) == {"shop_motto"}
    statuses = {status.name: status for status in plugins.statuses()}
    assert statuses["bad"].error, statuses
    assert statuses["good"].error is None
    assert (statuses["good"].version, statuses["good"].tools) == ("1.2", ("shop_motto",))
    assert plugins.names == ("good",)


@pytest.mark.parametrize("kind", BROKEN)
def test_strict_means_strict(install: Callable[..., None], kind: str) -> None:
    install("bad", BROKEN[kind], module=f"test_strict_{kind}")
    with pytest.raises(PluginError, match="'bad'"):
        PluginManager.installed(only=["bad"], is_strict=True).tools()


def test_two_distributions_of_one_name(install: Callable[..., None]) -> None:
    install("twin", GOOD, module="test_twin_one")
    install("twin", GOOD, module="test_twin_two")
    plugins = PluginManager.installed(only=["twin"])
    assert "taken" in plugins.failures["twin"]
    assert set(plugins.tools()) == {"shop_motto"}


@pytest.mark.parametrize(
    ("offered", "why"),
    [
        ([greet, "part"], "'part' is no Tool"),
        ([lambda ctx: Answer("")], "is no Tool"),
        (42, "not iterable"),
        (ConfigError("bad table"), "bad table"),
        (ZeroDivisionError("oops"), "oops"),
    ],
)
def test_what_is_no_tool_is_refused(offered: Any, why: str) -> None:
    plugins = PluginManager()
    plugins.register(Offers(offered), "bad")
    plugins.register(Offers([part]), "good")
    assert set(plugins.tools()) == {"part"}
    assert why in plugins.failures["bad"]
    strict = PluginManager(is_strict=True)
    strict.register(Offers(offered), "bad")
    with pytest.raises(PluginError, match="'bad'"):
        strict.tools()


def test_a_name_that_two_plugins_claim_names_both() -> None:
    plugins = PluginManager()
    plugins.register(Offers([greet]), "one")
    plugins.register(Offers([greet]), "two")
    with pytest.raises(DuplicateNameError, match=r"'one' and 'two'.*'greet'"):
        plugins.tools()


def test_a_dialogue_act_is_no_tools_name() -> None:
    from dataclasses import replace

    plugins = PluginManager()
    plugins.register(Offers([replace(greet, name="affirm")]), "sly")
    with pytest.raises(DuplicateNameError, match=r"'sly'.*'affirm'"):
        plugins.tools()


def test_one_plugin_cannot_be_registered_twice() -> None:
    plugins = PluginManager()
    plugins.register(Offers([greet]), "one")
    plugins.register(Offers([part]), "one")
    assert "one" in plugins.failures
    assert set(plugins.tools()) <= {"greet"}


class Named:
    """A plugin that offers one tool, one backend, one store, and says its name at hand-offs."""

    def __init__(self, name: str, offered: Tool, log: list[str]) -> None:
        self.name, self.offered, self.log = name, offered, log

    @hookimpl
    def shopbot_register_tools(self) -> list[Tool]:
        return [self.offered]

    @hookimpl
    def shopbot_register_backends(self) -> dict[str, Any]:
        return {self.name: self}

    @hookimpl
    def shopbot_register_stores(self) -> dict[str, Any]:
        return {self.name: self}

    @hookimpl
    def shopbot_after_turn(self, reply: Any) -> None:
        self.log.append(self.name)

    @hookimpl
    def shopbot_handoff(self, reason: str) -> str:
        return f"{self.name} takes over: {reason}"


def test_nothing_depends_on_the_order_of_loading() -> None:
    seen = []
    for order in itertools.permutations(("anna", "bert")):
        log: list[str] = []
        plugins = PluginManager()
        for name in order:
            plugins.register(Named(name, {"anna": greet, "bert": part}[name], log), name)
        plugins.after_turn(None, Reply("", handoff=Handoff("", "", "")))  # type: ignore[arg-type]
        seen.append(
            (list(plugins.tools()), sorted(plugins.backends()), sorted(plugins.stores()), plugins.names, tuple(log))
        )
        assert plugins.handoff(None, "why", "") == "anna takes over: why"  # type: ignore[arg-type]
    assert seen[0] == seen[1]
    assert seen[0][-1] == ("anna", "bert")


def test_two_backends_of_one_name() -> None:
    class Backends:
        @hookimpl
        def shopbot_register_backends(self) -> dict[str, Any]:
            return {"puppet": None}

    plugins = PluginManager()
    plugins.register(Backends(), "one")
    plugins.register(Backends(), "two")
    with pytest.raises(DuplicateNameError, match="'one' and 'two' both offer a backend 'puppet'"):
        plugins.backends()


def test_a_plugin_gets_its_own_table() -> None:
    plugins = PluginManager({"orders": {"allow_cancel": False}, "returns": {"window_days": 10}}, is_strict=True)
    plugins.register(shopbot_orders, "orders")
    plugins.register(shopbot_returns, "returns")
    assert plugins.owner("cancel_order") == "orders"
    assert plugins.owner("no_such_tool") is None
    wrong = PluginManager({"orders": {"window_days": 10}})
    wrong.register(shopbot_orders, "orders")
    assert wrong.tools() == {}
    assert "window_days" in wrong.failures["orders"]


def test_a_sentence_that_is_none_is_not_said() -> None:
    class Desk:
        def __init__(self, sentence: Any) -> None:
            self.sentence = sentence

        @hookimpl
        def shopbot_handoff(self) -> Any:
            return self.sentence

    plugins = PluginManager()
    for name, sentence in (("a", None), ("b", "  "), ("c", 42), ("d", "We take over."), ("e", "Too late.")):
        plugins.register(Desk(sentence), name)
    assert plugins.handoff(None, "", "") == "We take over."  # type: ignore[arg-type]


def test_reports_are_listed_newest_first_whatever_a_plugin_gives() -> None:
    naive, aware = datetime(2026, 6, 1), datetime(2026, 6, 2, tzinfo=timezone.utc)  # noqa: DTZ001 - as a plugin may

    def plugin(offer: Callable[[], Any]) -> object:
        return SimpleNamespace(shopbot_reports=hookimpl(offer, specname="shopbot_reports"))

    def fail() -> Any:
        raise OSError("no such folder")

    plugins = PluginManager()
    for name, offer in {
        "broken": fail,
        "none": lambda: None,
        "old": lambda: [Report("a", "A", "done", naive), "no report"],
        "new": lambda: (Report("b", "B", "done", aware),),
        "stream": lambda: iter([Report("c", "C", "done", aware)]),
    }.items():
        plugins.register(plugin(offer), name)
    assert [(name, report.name) for name, report in plugins.reports()] == [("new", "b"), ("old", "a")]
