"""``shopbot transcripts``: read, export and purge what customers and the bot said, redacted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shopbot.cli.invocation import Invocation, json_option, pass_invocation, print_json, printable, say

if TYPE_CHECKING:
    from shopbot.transcript import Transcripts


def _moment(ctx: click.Context, param: click.Parameter, value: str | None) -> datetime | None:
    """A day (``2026-06-15``), a time (``2026-06-15T09:30``), or how long ago (``7d``, ``12h``, ``30m``)."""
    if value is None:
        return None
    ago = re.fullmatch(r"(\d{1,5})([dhm])", value)
    try:
        if ago:
            unit = {"d": "days", "h": "hours", "m": "minutes"}[ago[2]]
            return datetime.now(timezone.utc) - timedelta(**{unit: int(ago[1])})
        return datetime.fromisoformat(value).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        hint = f"'{printable(value)}' is no time; write 2026-06-15, 2026-06-15T09:30, 7d, 12h or 30m."
        raise click.BadParameter(hint, ctx, param) from None


_since = click.option("--since", callback=_moment, metavar="WHEN", help="Only from then on: 2026-06-15, 7d, 12h, 30m.")


@click.group()
def transcripts() -> None:
    """List, show, export and purge transcripts. They hold placeholders, no personal data."""


@transcripts.command("list")
@_since
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="At most so many sessions.")
@json_option
@pass_invocation
def list_(invocation: Invocation, since: datetime | None, limit: int, as_json: bool) -> None:
    """List sessions, newest first."""
    found = _open(invocation).sessions(since, limit)
    if as_json:
        print_json(found)
        return
    for one in found:
        turns = f"{one['turns']} turn{'s' if one['turns'] != 1 else ''}"
        click.echo(f"{one['session_id']}  {one['last_at'][:16].replace('T', ' ')}  {turns:9}  {one['outcome']}")
    if not found:
        say("There are no transcripts.")


@transcripts.command()
@click.argument("session")
@click.option("--since", callback=_moment, metavar="WHEN", help="Only the turns from then on.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the last so many turns.")
@json_option
@pass_invocation
def show(invocation: Invocation, session: str, since: datetime | None, limit: int | None, as_json: bool) -> None:
    """Show one session; SESSION as 'list' names it, or as the HTTP API did."""
    from shopbot.transcript_file import stamp

    turns = _open(invocation).turns(session)
    if not turns:
        raise click.ClickException(f"There is no transcript of session '{printable(session)}'.")
    turns = [turn for turn in turns if since is None or turn["at"] >= stamp(since)]
    turns = turns[-limit:] if limit else turns
    if as_json:
        print_json(turns)
        return
    for turn in turns:
        click.echo(printable("\n".join(_lines(turn))))


@transcripts.command()
@_since
@click.option("--limit", type=click.IntRange(min=1), help="At most so many turns, oldest first.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write here instead of stdout.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of one JSON object a line.")
@pass_invocation
def export(
    invocation: Invocation, since: datetime | None, limit: int | None, output: Path | None, as_json: bool
) -> None:
    """Export turns as JSON lines, oldest first."""
    from itertools import islice

    turns = islice(_open(invocation).export(since), limit)
    pieces = _array(turns) if as_json else (f"{_dumped(turn)}\n" for turn in turns)
    if output is None:
        for piece in pieces:
            click.echo(piece, nl=False)
    else:
        _write(output, pieces)
        say(f"Written: {output}")


@transcripts.command()
@click.option("--older-than", type=click.FloatRange(min=0), metavar="DAYS", help="Turns older than so many days.")
@click.option("--session", metavar="ID", help="One session.")
@click.option("--customer", metavar="ID", help="Every session of one customer (an erasure request); the store's id.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@json_option
@pass_invocation
def purge(
    invocation: Invocation,
    older_than: float | None,
    session: str | None,
    customer: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Erase turns for good: old ones, one session's, or every session of a customer.

    What the store keeps of the conversation, so that it can go on, is erased with a session or a customer.
    """
    if sum(choice is not None for choice in (older_than, session, customer)) != 1:
        raise click.UsageError("Give exactly one of --older-than, --session and --customer.")
    if not yes:
        click.confirm("Erase these turns for good?", abort=True, err=True)
    gone = _open(invocation).purge(older_than_days=older_than, session=session, customer=customer)
    ended = _forget(invocation, session, customer)
    if as_json:
        print_json({"purged": gone, "sessions": ended})
    else:
        sessions = f", and {ended} session{'s' if ended != 1 else ''} in the store" if ended else ""
        say(f"{gone} turn{'s' if gone != 1 else ''} erased{sessions}.")


def _open(invocation: Invocation) -> Transcripts:
    from shopbot.transcript import Transcripts

    return Transcripts(invocation.config.transcripts_path)


def _forget(invocation: Invocation, session: str | None, customer: str | None) -> int:
    """End the session, or all of the customer's, in the store, if there is a store; how many."""
    from shopbot.config import home
    from shopbot.plugins import PluginManager
    from shopbot.stores.sql import open_store

    config = invocation.config
    if (session is None and customer is None) or not (config.store.url or (home() / "store.db").exists()):
        return 0
    others = PluginManager.installed(config.plugins).stores()
    with closing(others.get(config.store_url.partition(":")[0], open_store)(config.store_url)) as store:
        return store.forget_customer(customer) if customer is not None else int(store.forget_session(session))


def _lines(turn: dict[str, Any]) -> list[str]:
    """One turn as a person reads it."""
    lines = [f"[{turn['at'][:19].replace('T', ' ')}] customer: {turn['message']}"]
    for act in turn["acts"]:
        said = ", ".join(f"{key}={_dumped(value)}" for key, value in act["arguments"].items())
        lines.append(f"  understood: {act['name']}({said})  {act['confidence']:.2f}")
    for call in turn["tool_calls"]:
        done = f"failed: {call['error']}" if call["error"] else f"done ({call['effect']})"
        lines.append(f"  tool: {call['tool']} {_dumped(call['arguments'])} {done}")
    lines.append(f"  bot: {turn['reply']}")
    if turn["feedback"]:
        lines.append(f"  customer thought: {turn['feedback']['rating']} {turn['feedback']['text']}".rstrip())
    return [*lines, ""]


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _array(turns: Iterable[dict[str, Any]]) -> Iterator[str]:
    separator = "["
    for turn in turns:
        yield f"{separator}\n{_dumped(turn)}"
        separator = ","
    yield "[]\n" if separator == "[" else "\n]\n"


def _write(path: Path, pieces: Iterable[str]) -> None:
    """Write beside the file and then put it in its place: a reader sees all of it or the old one."""
    import os
    import tempfile

    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
