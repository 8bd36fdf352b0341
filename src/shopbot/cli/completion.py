"""``shopbot completion SHELL``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "fish", "zsh"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that completes commands in your shell.

    \b
    bash:  add to ~/.bashrc   eval "$(shopbot completion bash)"
    zsh:   add to ~/.zshrc    eval "$(shopbot completion zsh)"
    fish:  shopbot completion fish > ~/.config/fish/completions/shopbot.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    template = kind(ctx.find_root().command, {}, "shopbot", "_SHOPBOT_COMPLETE")
    click.echo(template.source_template % template.source_vars())
