"""``shopbot handoff``: the webhook that tells a program of yours of hand-offs."""

from __future__ import annotations

import click

from shopbot.cli.invocation import Invocation, json_option, pass_invocation, print_json, printable, say


@click.group()
def handoff() -> None:
    """The webhook that tells a program of yours of hand-offs."""


@handoff.command()
@json_option
def secret(as_json: bool) -> None:
    """Make a secret that signs webhooks and print it; the receiver needs the same one."""
    from shopbot.server.webhook import new_secret

    made = new_secret()
    if as_json:
        print_json({"secret": made})
        return
    click.echo(made)
    say('Give it to the receiver, and to this box:\n\n[handoff]\nwebhook_url = "https://…"\nwebhook_secret = "…"')


@handoff.command()
@json_option
@pass_invocation
def test(invocation: Invocation, as_json: bool) -> None:
    """Send an event to the configured webhook, once, and say what became of it."""
    import asyncio
    import secrets
    from datetime import datetime, timezone

    from shopbot.errors import ConfigError, ShopbotError
    from shopbot.server.announcements import event_body
    from shopbot.server.webhook import send

    settings = invocation.config.handoff
    if not settings.webhook_url:
        raise ConfigError("No webhook is configured.", remedy="Set handoff.webhook_url and handoff.webhook_secret.")
    moment = datetime.now(timezone.utc)
    event_id = f"test-{secrets.token_hex(6)}"
    body = event_body("handoff.test", moment, {"reason": "shopbot handoff test"})
    attempt = asyncio.run(send(settings, event_id, body, timestamp=int(moment.timestamp())))
    if attempt.error:
        raise ShopbotError(
            f"The webhook did not take the event: {attempt.error}.",
            remedy="Check handoff.webhook_url, and that the receiver has the same secret.",
        )
    if as_json:
        print_json({"event_id": event_id, "is_delivered": True})
    else:
        click.echo(printable(f"Delivered: event {event_id}."))
