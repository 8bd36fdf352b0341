"""``shopbot mcp``."""

from __future__ import annotations

import click

from shopbot.cli.invocation import Invocation, pass_invocation, say
from shopbot.errors import ShopbotError


@click.command()
@click.option(
    "--customer-token",
    envvar="SHOPBOT_CUSTOMER_TOKEN",
    metavar="TOKEN",
    help="Serve this customer and no other. Better in SHOPBOT_CUSTOMER_TOKEN: others on this machine see arguments.",
)
@click.option(
    "--confirm-by-client",
    is_flag=True,
    help="Change things on the client's word where it cannot ask its human; then its model could say yes by itself.",
)
@pass_invocation
def mcp(invocation: Invocation, customer_token: str | None, confirm_by_client: bool) -> None:
    """Offer the shop's tools to another model: an MCP server on stdin and stdout, for one customer.

    Without a token the client may say who the customer is, by the same rules as in the chat. Nothing is changed without
    the customer's yes to the action read back, which the client must ask its human for.
    """
    from shopbot import logs

    try:
        from shopbot.mcp.server import ToolServer, serve_stdio
    except ImportError as error:
        raise ShopbotError("The MCP SDK is not installed.", remedy="Run 'pip install mcp'.") from error
    logs.configure(is_verbose=invocation.is_verbose)
    with invocation.open_bot(has_model=False) as bot:
        for name, why in bot.plugins.failures.items():
            say(f"Plugin '{name}' is left out: {why}")
        server = ToolServer(bot, customer_token=customer_token, confirms_by_client=confirm_by_client)
        say("Ready: speaks MCP on stdin and stdout.")
        serve_stdio(server)
