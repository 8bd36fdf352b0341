"""The whole plugin contract on one screen.

A plugin is an installed distribution with an entry point in the group ``shopbot`` whose object (a module, usually) has
functions marked with :data:`hookimpl`. All hooks are optional. No behaviour depends on the order plugins load in.

Example, complete::

    from shopbot import Answer, Context, hookimpl, tool

    @tool(effect="read", examples=["when do you open?", "are you open on sunday"])
    def opening_hours(ctx: Context) -> Answer:
        "When the shop is open."
        return Answer("We are open every day from 9 to 18.")

    @hookimpl
    def shopbot_register_tools(config):
        return [opening_hours]
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    import click

    from shopbot.backends import BackendFactory
    from shopbot.cloud import CloudModel
    from shopbot.evals import Case
    from shopbot.session import SessionView
    from shopbot.stores import StoreFactory
    from shopbot.tools import Tool
    from shopbot.types import Reply, Report

hookspec = pluggy.HookspecMarker("shopbot")
hookimpl = pluggy.HookimplMarker("shopbot")


@hookspec
def shopbot_register_tools(config: Mapping[str, Any]) -> Iterable[Tool]:
    """Called once when a bot opens. ``config``: this plugin's own table in shopbot.toml (``[plugins.NAME]``), empty if
    none.

    Return the tools the plugin offers. Two plugins that offer one tool name are an error that names both.
    """
    raise AssertionError("specification only")


@hookspec
def shopbot_register_backends() -> Mapping[str, BackendFactory]:
    """Called once. Return name → factory; ``model.backend`` in shopbot.toml picks one (``auto`` and ``none`` are
    built in).
    """
    raise AssertionError("specification only")


@hookspec
def shopbot_register_stores() -> Mapping[str, StoreFactory]:
    """Called once. Return URL scheme → factory taking the URL; ``store.url`` picks one (``sqlite`` and ``postgresql``
    are built in).
    """
    raise AssertionError("specification only")


@hookspec
def shopbot_register_cloud_model(config: Mapping[str, Any]) -> CloudModel | None:
    """Called once when a bot opens. ``config`` as above. Return the large model that may be asked, redacted, about
    messages that the model on the box is not sure of; None: the operator did not switch it on.

    Two plugins that return one are an error that names both. See docs/deferral.md for what it is told and may say.
    """
    raise AssertionError("specification only")


@hookspec
def shopbot_register_commands(cli: click.Group) -> None:
    """Called when the command line starts. Add commands or groups to ``cli``; import heavy things inside them."""


@hookspec
def shopbot_register_cases() -> Iterable[Case]:
    """Called by ``shopbot eval`` and the gate. Return the plugin's golden cases; see docs/plugins.md for their form."""
    raise AssertionError("specification only")


@hookspec
def shopbot_reports() -> Sequence[Report]:
    """Called whenever an operator looks at the operator page. Return what the plugin has to show there. An exception is
    logged, and the other plugins' reports are shown all the same.
    """
    raise AssertionError("specification only")


@hookspec
def shopbot_before_turn(session: SessionView, message: str) -> None:
    """Called before a message is understood. ``session`` is read-only. An exception is logged and the turn goes on."""


@hookspec
def shopbot_after_turn(session: SessionView, reply: Reply) -> None:
    """Called when the reply is ready and recorded. An exception is logged and the reply is sent all the same."""


@hookspec(firstresult=True)
def shopbot_handoff(session: SessionView, reason: str, summary: str) -> str | None:
    """Called after the hand-off's ticket is stored. Return the sentence the customer reads, or None for the default."""
