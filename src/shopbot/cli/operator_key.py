"""``shopbot operator-key``."""

from __future__ import annotations

import re

import click

from shopbot.cli.invocation import json_option, print_json, say
from shopbot.errors import ConfigError


@click.group("operator-key")
def operator_key() -> None:
    """Keys to the operator's part of the HTTP API."""


@operator_key.command()
@click.argument("name", default="operator")
@json_option
def new(name: str, as_json: bool) -> None:
    """Make a key for NAME and print it, with the line for shopbot.toml that lets it in.

    The key is shown this once. shopbot.toml holds only its hash; a key whose line is deleted opens nothing any more.
    """
    from shopbot.keys import hash_key, new_key

    if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", name):
        raise ConfigError(f"'{name}' is no name for a key.", remedy="Use up to 40 letters, digits, - and _.")
    key = new_key()
    if as_json:
        print_json({"name": name, "key": key, "hash": hash_key(key)})
        return
    click.echo(key)
    line = f'{name} = "{hash_key(key)}"'
    say(f"Keep this key; it is not shown again. Add to shopbot.toml:\n\n[server.operator_keys]\n{line}")
