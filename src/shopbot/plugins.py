"""The plugin manager: a typed facade over pluggy. One broken plugin is named and left out; the bot goes on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any, TypeVar

import pluggy

from shopbot import hookspecs
from shopbot.errors import DuplicateNameError, PluginError
from shopbot.tools import Tool
from shopbot.types import DIALOGUE_ACTS, Reply, Report

if TYPE_CHECKING:
    import click

    from shopbot.cloud import CloudModel
    from shopbot.session import SessionView

ENTRY_POINT_GROUP = "shopbot"
_log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PluginStatus:
    """One plugin as ``shopbot plugins list`` shows it; ``error`` says why it was left out."""

    name: str
    distribution: str
    version: str
    tools: tuple[str, ...] = ()
    error: str | None = None


class PluginManager:
    """Loads plugins one by one and asks them for what they offer.

    ``config``: plugin name → its table. With ``is_strict`` the first broken plugin raises :class:`PluginError`.
    """

    def __init__(self, config: Mapping[str, Mapping[str, Any]] | None = None, *, is_strict: bool = False) -> None:
        self._config = dict(config or {})
        self._is_strict = is_strict
        self._pluggy = pluggy.PluginManager("shopbot")
        self._pluggy.add_hookspecs(hookspecs)
        self._origin: dict[str, tuple[str, str]] = {}
        self.failures: dict[str, str] = {}

    @classmethod
    def installed(
        cls,
        config: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        is_strict: bool = False,
        only: Iterable[str] | None = None,
    ) -> PluginManager:
        """Every installed plugin (entry points of the group ``shopbot``), by name; ``only`` restricts them."""
        manager = cls(config, is_strict=is_strict)
        wanted = None if only is None else set(only)
        for entry in sorted(metadata.entry_points(group=ENTRY_POINT_GROUP), key=lambda entry: entry.name):
            if wanted is not None and entry.name not in wanted:
                continue
            if entry.name in manager._origin or entry.name in manager.failures:
                other = manager._origin.get(entry.name, ("another distribution", ""))[0]
                manager._fail(entry.name, f"the name is taken by {other} already")
                continue
            distribution = entry.dist
            origin = (distribution.name, distribution.version) if distribution else ("", "")
            manager._attempt(entry.name, entry.load, origin)
        return manager

    def register(self, plugin: object, name: str) -> None:
        """Add a plugin by hand (tests, embedding)."""
        self._attempt(name, lambda: plugin, ("", ""))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._origin))

    def hooks(self, name: str) -> tuple[str, ...]:
        """The hooks that one plugin implements."""
        callers = self._pluggy.get_hookcallers(self._pluggy.get_plugin(name)) or []
        return tuple(sorted(caller.name for caller in callers))

    def statuses(self) -> list[PluginStatus]:
        """Every plugin found, working or not, by name."""
        offered: dict[str, list[str]] = {}
        for owner, tool in self._owned_tools():
            offered.setdefault(owner, []).append(tool.name)
        working = [
            PluginStatus(name, *self._origin[name], tools=tuple(sorted(offered.get(name, ())))) for name in self.names
        ]
        broken = [PluginStatus(name, "", "", error=why) for name, why in sorted(self.failures.items())]
        return sorted(working + broken, key=lambda status: status.name)

    def tools(self) -> dict[str, Tool]:
        """Name → tool of all plugins. :class:`DuplicateNameError` names both plugins that claim one name."""
        owners: dict[str, str] = {}
        tools: dict[str, Tool] = {}
        for owner, tool in self._owned_tools():
            if tool.name in owners:
                raise DuplicateNameError(
                    f"The plugins '{owners[tool.name]}' and '{owner}' both offer a tool '{tool.name}'.",
                    remedy="Uninstall one of them or rename the tool.",
                )
            if tool.name in DIALOGUE_ACTS:
                raise DuplicateNameError(f"Plugin '{owner}': '{tool.name}' is a dialogue act's name.")
            owners[tool.name], tools[tool.name] = owner, tool
        return dict(sorted(tools.items()))

    def owner(self, tool_name: str) -> str | None:
        """Name of the plugin that offers the tool."""
        return next((owner for owner, tool in self._owned_tools() if tool.name == tool_name), None)

    def backends(self) -> dict[str, Any]:
        """Backend name → factory."""
        return self._mapping("shopbot_register_backends", "backend")

    def stores(self) -> dict[str, Any]:
        """URL scheme → factory."""
        return self._mapping("shopbot_register_stores", "store")

    def cloud_model(self) -> CloudModel | None:
        """The large model for messages that the one on the box is not sure of; None: there is none. The caller closes
        it. :class:`DuplicateNameError` names both plugins that bring one."""
        found = [(name, model) for name, model in self._made("shopbot_register_cloud_model") if model is not None]
        if len(found) > 1:
            for _, model in found:
                model.close()
            names = "' and '".join(name for name, _ in found[:2])
            raise DuplicateNameError(
                f"The plugins '{names}' both bring a cloud model.", remedy="Switch one of them off in shopbot.toml."
            )
        return found[0][1] if found else None

    def cases(self) -> list[tuple[str, Any]]:
        """(plugin, case) of every golden case."""
        found = []
        for name, result in self._each("shopbot_register_cases"):
            found += [(name, case) for case in result or ()]
        return found

    def reports(self) -> list[tuple[str, Report]]:
        """(plugin, report) of everything that plugins have to show, the newest first."""
        found = []
        for name, offered in self._each("shopbot_reports"):
            reports = offered if isinstance(offered, Sequence) else ()
            found += [(name, report) for report in reports if isinstance(report, Report)]
        return sorted(found, key=lambda pair: pair[1].made_at.timestamp(), reverse=True)

    def register_commands(self, cli: click.Group) -> None:
        for _ in self._each("shopbot_register_commands", cli=cli):
            pass

    def before_turn(self, session: SessionView, message: str) -> None:
        for _ in self._each("shopbot_before_turn", session=session, message=message):
            pass

    def after_turn(self, session: SessionView, reply: Reply) -> None:
        for _ in self._each("shopbot_after_turn", session=session, reply=reply):
            pass

    def handoff(self, session: SessionView, reason: str, summary: str) -> str | None:
        """The first sentence a plugin offers, by plugin name."""
        sentences = self._each("shopbot_handoff", session=session, reason=reason, summary=summary)
        return next((sentence for _, sentence in sentences if isinstance(sentence, str) and sentence.strip()), None)

    def _attempt(self, name: str, load: Callable[[], object], origin: tuple[str, str]) -> None:
        try:
            plugin = load()
            self._pluggy.register(plugin, name)
            self._pluggy.check_pending()
        except (Exception, SystemExit) as error:  # a plugin may fail in any way; it must not take the bot with it
            if self._pluggy.has_plugin(name):
                self._pluggy.unregister(name=name)
            self._fail(name, f"{type(error).__name__}: {error}", error)
        else:
            self._origin[name] = origin

    def _fail(self, name: str, why: str, error: BaseException | None = None) -> None:
        self.failures[name] = why
        if self._is_strict:
            raise PluginError(f"Plugin '{name}' cannot be loaded: {why}") from error
        _log.warning("plugin left out: %s", name, extra={"plugin": name})

    def _each(self, hook: str, **arguments: Any) -> Iterable[tuple[str, Any]]:
        """Call one hook plugin by plugin, in order of name, so that one that raises fails alone."""
        implementations = {caller.plugin_name: caller for caller in getattr(self._pluggy.hook, hook).get_hookimpls()}
        for name in sorted(implementations):
            caller = implementations[name]
            try:
                yield name, caller.function(*(arguments[argument] for argument in caller.argnames))
            except Exception as error:
                if self._is_strict:
                    raise PluginError(f"Plugin '{name}' failed in {hook}: {type(error).__name__}: {error}") from error
                if hook.startswith("shopbot_register"):
                    self.failures[name] = f"{hook}: {type(error).__name__}: {error}"
                _log.warning("plugin failed in a hook: %s %s", name, hook, exc_info=True)

    def _owned_tools(self) -> list[tuple[str, Tool]]:
        if not hasattr(self, "_tool_cache"):
            self._tool_cache = list(self._collect_tools())
        return self._tool_cache

    def _collect_tools(self) -> Iterable[tuple[str, Tool]]:
        for name, offered in self._made("shopbot_register_tools", _checked_tools):
            yield from ((name, tool) for tool in offered)

    def _made(self, hook: str, check: Callable[[Any], Any] = lambda made: made) -> Iterable[tuple[str, Any]]:
        """What each plugin makes of its own table, after ``check``; one that raises is left out, and named."""
        implementations = {caller.plugin_name: caller for caller in getattr(self._pluggy.hook, hook).get_hookimpls()}
        for name in sorted(implementations):
            caller = implementations[name]
            table = dict(self._config.get(name, {}))
            try:
                made = check(caller.function(*(table for _ in caller.argnames)))
            except Exception as error:
                self._fail(name, f"{hook}: {type(error).__name__}: {error}", error)
                continue
            yield name, made

    def _mapping(self, hook: str, what: str) -> dict[str, Any]:
        owners: dict[str, str] = {}
        merged: dict[str, Any] = {}
        for name, result in self._each(hook):
            for key, factory in dict(result or {}).items():
                if key in owners:
                    raise DuplicateNameError(f"The plugins '{owners[key]}' and '{name}' both offer a {what} '{key}'.")
                owners[key], merged[key] = name, factory
        return merged


def _checked_tools(offered: Iterable[Any] | None) -> list[Tool]:
    tools = list(offered or ())
    strangers = [item for item in tools if not isinstance(item, Tool)]
    if strangers:
        raise TypeError(f"{strangers[0]!r} is no Tool; decorate it with @tool")
    return tools
