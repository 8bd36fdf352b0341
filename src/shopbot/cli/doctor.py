"""``shopbot doctor``."""

from __future__ import annotations

from dataclasses import asdict

import click

from shopbot.cli.invocation import Invocation, json_option, pass_invocation, print_json, printable


@click.command()
@json_option
@pass_invocation
@click.pass_context
def doctor(ctx: click.Context, invocation: Invocation, as_json: bool) -> None:
    """Check everything the bot needs and name the remedies. Exit code 1 if something is wrong."""
    from shopbot.doctor import examine

    checks = []
    for check in examine(invocation.file):
        checks.append(check)
        if not as_json:
            click.echo(printable(f"{'ok  ' if check.is_ok else 'FAIL'}  {check.name}: {check.detail}"))
            if not check.is_ok:
                click.echo(printable(f"      → {check.remedy}"))
    if as_json:
        print_json([asdict(check) for check in checks])
    if not all(check.is_ok for check in checks):
        ctx.exit(1)
