"""``shopbot ask`` and ``shopbot chat`` as a user runs them."""

from __future__ import annotations

import json
import os
import re
import select
import sys
from typing import Any

import pytest

REPLY_KEYS = ["reply", "acts", "tool_calls", "cards", "awaiting", "handoff", "timings_ms", "tokens", "explain"]


def test_ask_prints_the_reply_and_names_the_session(program: Any) -> None:
    first = program.run("ask", "when do you open?")
    assert first.returncode == 0, first.stderr
    assert first.stdout == "From 9 to 18.[31m\n", "what could steer a terminal is left out"
    session = re.fullmatch(r"session: (\S+)", first.stderr.splitlines()[-1])
    assert session, first.stderr

    second = program.run("ask", "when do you open?", "--session", session[1], "--json")
    assert list(json.loads(second.stdout)) == REPLY_KEYS, second.stdout
    assert second.stderr.endswith(f"session: {session[1]}\n")


def test_ask_with_a_wrong_session_or_token(program: Any) -> None:
    for arguments in (["--session", "nobody"], ["--session", ""], ["--customer-token", "rubbish"]):
        wrong = program.run("ask", "hello", *arguments)
        assert wrong.returncode == 1, arguments
        assert wrong.stdout == ""
        assert wrong.stderr.startswith("shopbot: "), wrong.stderr
        assert wrong.stderr.count("\n") == 1, wrong.stderr


def test_chat_reads_a_pipe_line_by_line(program: Any) -> None:
    typed = "when do you open?\n\n   \n/explain\nwhen do you open?\n/session\n/help\n/quit\nwhen do you open?\n"
    chat = program.run("chat", typed=typed)
    assert chat.returncode == 0, chat.stderr
    assert chat.stdout == "From 9 to 18.[31m\n" * 2, "replies only, nothing after /quit"
    assert "acts: puppet_hours() 100%" in chat.stderr
    assert chat.stderr.count("acts:") == 1


def test_chat_goes_on_with_a_session_and_ends_with_its_input(program: Any) -> None:
    first = program.run("chat", typed="when do you open?")
    session = re.search(r"Session (\S+)\.", first.stderr)
    assert session, first.stderr
    again = program.run("chat", "--session", session[1], typed="when do you open?\n")
    assert (again.returncode, again.stdout) == (0, "From 9 to 18.[31m\n"), again.stderr


def test_chat_survives_bytes_that_are_no_text(program: Any) -> None:
    import subprocess

    done = subprocess.run(
        [*program.command, "chat"],
        env=program.environment,
        input=b"\xff\xfe\x00\nwhen do you open?\n",
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().endswith("From 9 to 18.[31m\n")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals on Windows")
def test_chat_in_a_terminal(program: Any) -> None:
    """A prompt, the answer, and Ctrl-C as the way out."""
    import pty

    child, terminal = pty.fork()
    if child == 0:
        os.execve(program.command[0], [*program.command, "chat"], {**program.environment, "TERM": "dumb"})
    seen = read_until(terminal, b"you> ")
    os.write(terminal, b"when do you open?\r")
    seen += read_until(terminal, b"18.", b"you> ")
    seen += press_until(terminal, b"\x03", b"Stopped.")
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    assert b"bot> From 9 to 18." in seen, seen
    assert os.waitstatus_to_exitcode(status) == 130, seen
    assert "when do you open?" in (program.home / "chat_history").read_text(encoding="utf-8")
    assert (program.home / "chat_history").stat().st_mode & 0o077 == 0, "what was typed is the owner's"


def press_until(terminal: int, key: bytes, end: bytes) -> bytes:
    """Press a key, and again while nothing comes of it: Python loses a Ctrl-C between the prompt and reading."""
    seen = b""
    for _ in range(20):
        os.write(terminal, key)
        while end not in seen and select.select([terminal], [], [], 5)[0]:
            seen += os.read(terminal, 4096)
        if end in seen:
            break
    return seen


def read_until(terminal: int, *ends: bytes) -> bytes:
    """What comes until each of ``ends`` has come, in their order; several may come at once."""
    seen, place = b"", 0
    for end in ends:
        while (found := seen.find(end, place)) < 0:
            seen += read_part(terminal, end, seen)
        place = found + len(end)
    return seen


def read_part(terminal: int, awaited: bytes, seen: bytes) -> bytes:
    try:
        part = os.read(terminal, 4096)
    except OSError:  # the program ended
        part = b""
    assert part, f"ended before {awaited!r}: {seen!r}"
    return part
