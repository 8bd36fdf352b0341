"""``shopbot serve``."""

from __future__ import annotations

from contextlib import ExitStack, closing

import click

from shopbot.cli.invocation import Invocation, pass_invocation, say


@click.command()
@click.option("--host", help="The address to listen on; 0.0.0.0 for the whole network.  [default: server.host]")
@click.option("--port", type=click.IntRange(0, 65535), help="The port; 0 for any free one.  [default: server.port]")
@pass_invocation
def serve(invocation: Invocation, host: str | None, port: int | None) -> None:
    """Serve the chat page and the HTTP API.

    The first start fetches the default model and creates the demo store; later ones need no network.
    """
    from shopbot import logs, memory
    from shopbot.deferral import NEVER_DEFERS, SET_THRESHOLD
    from shopbot.server.app import create_app
    from shopbot.server.guard import allowed_hosts
    from shopbot.server.run import Server, bind, url_of
    from shopbot.systemd.readiness import notify
    from shopbot.tracing import connect

    memory.use_few_arenas()
    config = invocation.config
    as_json = config.server.log_format == "json"
    logs.configure(is_verbose=invocation.is_verbose, is_server=True, as_json=as_json)
    host = config.server.host if host is None else host
    with ExitStack() as stack:
        bound = stack.enter_context(bind(host, config.server.port if port is None else port))
        bot = stack.enter_context(invocation.open_bot())
        if config.telemetry.otlp_endpoint:
            bot.observe(stack.enter_context(closing(connect(config.telemetry.otlp_endpoint))))
        for name, why in bot.plugins.failures.items():
            say(f"Plugin '{name}' is left out: {why}")
        if bot.never_defers:
            say(f"{NEVER_DEFERS} {SET_THRESHOLD}")
        app = create_app(bot, hosts=allowed_hosts(host, config.server.allowed_hosts))

        def ready() -> None:
            click.echo(f"Ready: {url_of(bound)}")
            notify("READY=1")

        Server(app, ready, on_stopping=lambda: notify("STOPPING=1")).run_until_signal(bound)
    say("Stopped.")
