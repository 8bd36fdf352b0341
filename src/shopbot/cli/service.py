"""``shopbot service``: ``shopbot serve`` as a service of systemd."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shopbot.cli.invocation import Invocation, pass_invocation, printable, say

if TYPE_CHECKING:
    from shopbot.systemd.unit import Service

_SYSTEM_HOME, _SYSTEM_USER = "/var/lib/shopbot", "shopbot"


def _system_option(function: Callable[..., Any]) -> Callable[..., Any]:
    help_text = "A service of the whole machine, for root; without it, of your own."
    return click.option("--system", "is_system", is_flag=True, help=help_text)(function)


@click.group()
def service() -> None:
    """Run 'shopbot serve' as a service of systemd: started at boot, restarted after a crash."""


@service.command()
@_system_option
@click.option("--user", help=f"With --system: the user that it runs as.  [default: {_SYSTEM_USER}]")
@click.option("--dry-run", "is_dry", is_flag=True, help="Print the unit, and change nothing.")
@pass_invocation
def install(invocation: Invocation, is_system: bool, user: str | None, is_dry: bool) -> None:
    """Write the unit for this interpreter, home and configuration, and start it.

    Settings from the environment are not taken over: they belong into shopbot.toml or, where they are secret, into
    service.env in the home.
    """
    from shopbot.systemd.account import prepare_home
    from shopbot.systemd.control import Systemd
    from shopbot.systemd.unit import ENVIRONMENT_FILE, unit_text

    if user and not is_system:
        raise click.UsageError("--user goes with --system; without it, the service runs as you.")
    systemd = Systemd(is_system=is_system)
    made = _service(invocation, (user or _SYSTEM_USER) if is_system else None)
    text = unit_text(made)
    systemd.verify(text)
    _name_settings_left_out(made.home / ENVIRONMENT_FILE)
    if is_dry:
        click.echo(text, nl=False)
        return
    systemd.require()
    prepare_home(made)
    systemd.install(text)
    say(f"Installed as {systemd.file}, and started. To change it: {systemd.command} edit shopbot")
    if not is_system:
        say("It stops when you log out, unless you say: loginctl enable-linger")


@service.command()
@_system_option
def uninstall(is_system: bool) -> None:
    """Stop it and remove the unit. Your data stays."""
    from shopbot.systemd.control import Systemd

    systemd = Systemd(is_system=is_system)
    systemd.require()
    say(f"Removed {systemd.file}." if systemd.uninstall() else "It was not installed.")


@service.command()
@_system_option
@click.pass_context
def status(ctx: click.Context, is_system: bool) -> None:
    """Print how it is, as 'systemctl status' does; the exit code is 0 if it runs."""
    from shopbot.systemd.control import Systemd

    systemd = Systemd(is_system=is_system)
    systemd.require()
    told, code = systemd.status()
    click.echo(printable(told), nl=False)
    ctx.exit(min(code, 1))


@service.command()
@_system_option
def show(is_system: bool) -> None:
    """Print the unit that is installed."""
    from shopbot.errors import ShopbotError
    from shopbot.systemd.control import Systemd

    file = Systemd(is_system=is_system).file
    if not file.is_file():
        raise ShopbotError("It is not installed.", remedy="Do so with 'shopbot service install'.")
    click.echo(printable(file.read_text(encoding="utf-8")), nl=False)


def _service(invocation: Invocation, user: str | None) -> Service:
    """What is to run. A service of the system has its home in /var/lib, unless SHOPBOT_HOME says otherwise."""
    from shopbot.config import find_file, home
    from shopbot.systemd.unit import Service

    if user is not None:
        os.environ.setdefault("SHOPBOT_HOME", _SYSTEM_HOME)
    file = find_file(invocation.file)
    return Service(invocation.config, home().absolute(), file.absolute() if file else None, user)


def _name_settings_left_out(file: Path) -> None:
    left_out = sorted(name for name in os.environ if name.startswith("SHOPBOT_") and "__" in name)
    if left_out:
        say(f"Set here, but not for the service: {', '.join(left_out)}. Put them into shopbot.toml or {file}.")
