"""The shop that the examples are for, as the work of a stage needs it, in this process or on a worker."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cached_property
from typing import Any

from pydantic import SecretStr

from shopbot import Case, Config, ConfigError, PluginManager, Tool, demo_stores
from shopbot_refine.records import Candidate
from shopbot_refine.sandbox import Sandbox


class Shop:
    """The shop's tools, and a sandbox of it, which is opened where it is needed first and kept until :meth:`close`.

    A shop can be pickled: it travels as its configuration, without the secret that signs customers in, and the names of
    its plugins. It is put together from those that are installed where it arrives, once in a process. Raises
    :class:`ConfigError` there where one is not.
    """

    def __init__(self, config: Config, plugins: PluginManager) -> None:
        self.config, self.plugins = config, plugins
        self._open = ExitStack()

    @cached_property
    def tools(self) -> dict[str, Tool]:
        return dict(self.plugins.tools())

    @cached_property
    def cases(self) -> list[Case]:
        """The plugins' golden cases."""
        return [case for _, case in self.plugins.cases()]

    def play(self, candidate: Candidate) -> str:
        """What is wrong with a candidate whose acts are played, or ""; see :meth:`Sandbox.play`."""
        return self._sandbox.play(candidate)

    def close(self) -> None:
        """Close the sandbox, if there is one."""
        self._open.close()

    @cached_property
    def _sandbox(self) -> Sandbox:
        make_store = self._open.enter_context(demo_stores())
        return self._open.enter_context(Sandbox(make_store(), self.plugins, self.config, self.cases))

    def __reduce__(self) -> tuple[Any, ...]:
        identity = self.config.identity.model_copy(update={"token_secret": SecretStr("")})
        return _arrive, (self.config.model_copy(update={"identity": identity}), self.plugins.names)


_arrived: list[Shop] = []


def _arrive(config: Config, names: tuple[str, ...]) -> Shop:
    """The shop in a worker; the next batch finds it open."""
    for shop in _arrived:
        if (shop.config, shop.plugins.names) == (config, names):
            return shop
    plugins = PluginManager.installed(config.plugins, only=names)
    missing = set(names) - set(plugins.names)
    if missing:
        raise ConfigError(
            f"Not installed where the rows are worked on: the plugins {', '.join(sorted(missing))}.",
            remedy="Install them there, or use the engine 'local'.",
        )
    _arrived.append(Shop(config, plugins))
    return _arrived[-1]
