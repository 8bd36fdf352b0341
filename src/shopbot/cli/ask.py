"""``shopbot ask TEXT``."""

from __future__ import annotations

import click

from shopbot.cli.invocation import Invocation, json_option, pass_invocation, print_json, printable, say


@click.command()
@click.argument("text")
@click.option("--session", "session_id", metavar="ID", help="Go on with a session instead of starting one.")
@click.option("--customer-token", metavar="TOKEN", help="A signed token that says who the customer is.")
@json_option
@pass_invocation
def ask(invocation: Invocation, text: str, session_id: str | None, customer_token: str | None, as_json: bool) -> None:
    """Ask the bot one thing and print its reply. The session to go on with is named on stderr."""
    with invocation.open_bot() as bot:
        session = bot.session(session_id, customer_token=customer_token)
        reply = session.ask(text)
    if as_json:
        print_json(reply.as_json())
    else:
        click.echo(printable(reply.text))
    say(f"session: {session.id}")
