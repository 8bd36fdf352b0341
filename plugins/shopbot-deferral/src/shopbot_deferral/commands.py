"""``shopbot deferral``: what it has cost."""

from __future__ import annotations

import click

from shopbot import Invocation, json_option, pass_invocation, print_json


@click.command()
@json_option
@pass_invocation
def deferral(invocation: Invocation, as_json: bool) -> None:
    """Show what asking the cloud model has cost this month, and what is left."""
    from shopbot_deferral.ledger import MICROS, read_spent
    from shopbot_deferral.settings import Settings

    settings = Settings.of(invocation.config.plugins.get("deferral", {}))
    spent = read_spent()
    if as_json:
        print_json(
            {
                "enabled": settings.enabled,
                "calls": spent.calls,
                "spent": spent.micros / MICROS,
                "budget": settings.budget,
                "tokens": spent.tokens,
                "budget_tokens": settings.budget_tokens,
                "open_calls": spent.open_calls,
                "open": spent.open_micros / MICROS,
            }
        )
        return
    click.echo(f"Deferral is {'on: ' + settings.model if settings.enabled else 'off'}.")
    click.echo(
        f"This month: {spent.calls} calls, {spent.micros / MICROS:.4f} of {settings.budget:g},"
        f" {spent.tokens:,} of {settings.budget_tokens:,} tokens."
    )
    if spent.open_calls:
        click.echo(f"Of these, {spent.open_calls} whose end is not known count {spent.open_micros / MICROS:.4f}.")
