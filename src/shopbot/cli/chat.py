"""``shopbot chat``: talk to the bot in the terminal."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from shopbot.cli.invocation import Invocation, pass_invocation, printable
from shopbot.types import Reply

_HELP = "/explain shows or hides what was understood, /session names this session, /quit ends the chat."
_HISTORY_LINES = 500


@click.command()
@click.option("--session", "session_id", metavar="ID", help="Go on with a session instead of starting one.")
@click.option("--customer-token", metavar="TOKEN", help="A signed token that says who the customer is.")
@click.option("--explain", is_flag=True, help="Show acts, confidence and timings from the start.")
@pass_invocation
def chat(invocation: Invocation, session_id: str | None, customer_token: str | None, explain: bool) -> None:
    """Talk to the bot in the terminal.

    With a pipe on stdin, each line is a message and each reply is printed to stdout.
    """
    talk = Console(stderr=True, highlight=False)
    with invocation.open_bot() as bot:
        session = bot.session(session_id, customer_token=customer_token)
        talk.print(Text(f"Session {session.id}. {_HELP}", style="dim"))
        with _line_editing():
            for message in _messages():
                if message in ("/quit", "/exit"):
                    break
                if message == "/explain":
                    explain = not explain
                    talk.print(Text(f"Explanations are {'on' if explain else 'off'}.", style="dim"))
                elif message == "/session":
                    talk.print(Text(session.id, style="dim"))
                elif message == "/help":
                    talk.print(Text(_HELP, style="dim"))
                else:
                    reply = session.ask(message)
                    _show(reply)
                    if explain:
                        talk.print(Text(_explain(reply), style="dim"))


def _messages() -> Iterator[str]:
    """What is typed, or the lines of a pipe, without empty ones, until the end of input."""
    is_terminal = sys.stdin.isatty()
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")  # bytes that are no text must not end the chat
    while True:
        try:
            line = input("you> ") if is_terminal else sys.stdin.readline()
        except EOFError:
            return
        if not line and not is_terminal:
            return
        if line.strip():
            yield line.strip()


def _show(reply: Reply) -> None:
    """The reply, with the choices a customer may name by number where the text does not list them itself."""
    out = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    out.print(Text.assemble(("bot> ", "bold green") if sys.stdout.isatty() else "", printable(reply.text)))
    for number, choice in enumerate(reply.awaiting.choices if reply.awaiting else (), start=1):
        if choice not in reply.text:
            out.print(Text(f"  {number}. {printable(choice)}"))


def _explain(reply: Reply) -> str:
    acts = "; ".join(f"{act} {act.confidence:.0%}" for act in reply.acts) or "nothing understood"
    calls = "; ".join(f"{call.tool} ({call.effect})" for call in reply.tool_calls)
    times = ", ".join(f"{stage} {ms:.0f} ms" for stage, ms in reply.timings_ms.items())
    lines = [f"acts: {acts}", *([f"tools: {calls}"] if calls else []), f"time: {times}"]
    return printable("\n".join(f"     {line}" for line in lines))


@contextlib.contextmanager
def _line_editing() -> Iterator[None]:
    """Arrow keys and history while typing, kept in the home folder; none where there is no terminal or no readline."""
    if not sys.stdin.isatty():
        yield
        return
    try:
        import readline
    except ImportError:  # Windows: the console edits lines itself
        yield
        return
    from shopbot.config import home

    file: Path = home() / "chat_history"
    with contextlib.suppress(OSError):
        readline.read_history_file(file)
    readline.set_history_length(_HISTORY_LINES)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            file.touch(mode=0o600)
            readline.write_history_file(file)
