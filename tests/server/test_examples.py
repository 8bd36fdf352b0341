"""What docs/http-api.md shows is run as it stands, against a running service."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "http-api.md").read_text(encoding="utf-8")
DEFAULT = "http://127.0.0.1:8000"


def example(language: str, address: str) -> str:
    """The page's first block of a language, for the service at ``address``."""
    [block, *_] = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert DEFAULT in block
    return str(block).replace(DEFAULT, address)


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="curl and jq are not installed")
def test_the_shell_example(visitor: Any, tmp_path: Path) -> None:
    address = str(visitor.http.base_url).rstrip("/")
    script = "set -e\n" + example("sh", address)
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    reply, *_ = done.stdout.splitlines()
    assert reply.startswith("I can't help with that")
    assert "event: reply\n" in done.stdout
    assert '"rating": "up"' in done.stdout
    session = json.loads((tmp_path / "session.json").read_text())
    assert visitor.ask("GET", session["session_id"]).status_code == 404, "it was ended"


def test_the_python_example(visitor: Any) -> None:
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        exec(compile(example("python", str(visitor.http.base_url).rstrip("/")), "http-api.md", "exec"), {})
    assert told.getvalue().startswith("I can't help with that")


def test_every_error_code_is_documented() -> None:
    import shopbot.server as package

    folder = Path(str(package.__file__)).parent
    written = "\n".join((folder / name).read_text(encoding="utf-8") for name in ("errors.py", "guard.py"))
    codes = set(re.findall(r'(?:Problem|Refused)\(\s*\d{3}, "([a-z_]+)"', written))
    codes |= set(re.findall(r'^    \d{3}: "([a-z_]+)"', written, flags=re.MULTILINE))
    table = PAGE[PAGE.index("| status | codes |") : PAGE.index("Every response names")]
    missing = sorted(code for code in codes if f"`{code}`" not in table)
    assert not missing, f"docs/http-api.md does not name {missing}"
