"""shopbot plugin ``deferral``: asks a cloud model about messages that the model on the box is not sure of.

Off until ``[plugins.deferral] enabled = true``. The core says when, redacts what leaves the box and checks what comes
back; here are the endpoint, its time, its money and its health.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shopbot import hookimpl

if TYPE_CHECKING:
    import click

    from shopbot import CloudModel


@hookimpl
def shopbot_register_cloud_model(config: Mapping[str, Any]) -> CloudModel | None:
    """The endpoint of ``[plugins.deferral]``, if that is switched on. Raises :class:`~shopbot.ConfigError`."""
    from shopbot_deferral.settings import Settings

    settings = Settings.of(config)
    if not settings.enabled:
        return None
    from shopbot_deferral.consultation import open_consultation

    return open_consultation(settings)


@hookimpl
def shopbot_register_commands(cli: click.Group) -> None:
    """``shopbot deferral``."""
    from shopbot_deferral.commands import deferral

    cli.add_command(deferral)
