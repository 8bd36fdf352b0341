"""Putting the unit into force and out of it again, with systemd's own programs."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from shopbot.errors import ShopbotError
from shopbot.files import write_atomic

NAME = "shopbot.service"
_RUNNING = Path("/run/systemd/system")
_TIMEOUT_S = 60
#: Starting waits until the service is ready, and the first start fetches the model.
_START_TIMEOUT_S = 3600


class Systemd:
    """The system's units, or those of the user who asks."""

    def __init__(self, *, is_system: bool) -> None:
        self.is_system = is_system
        if is_system:
            folder = Path("/etc/systemd/system")
        else:
            folder = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "systemd" / "user"
        self.file = folder / NAME

    @property
    def command(self) -> str:
        """What an operator types for it."""
        return "systemctl" if self.is_system else "systemctl --user"

    def require(self) -> None:
        """Raise :class:`~shopbot.errors.ShopbotError` where systemd does not run, or is not ours to ask."""
        if shutil.which("systemctl") is None or not _RUNNING.is_dir():
            raise ShopbotError(
                "systemd does not run this machine.",
                remedy="Run 'shopbot serve' by what does; 'shopbot service install --dry-run' shows how.",
            )
        if self.is_system and os.geteuid() != 0:
            raise ShopbotError("Only root may install a service of the system.", remedy="Use sudo, or leave --system.")

    def verify(self, text: str) -> None:
        """Have systemd read the unit, if ``systemd-analyze`` is here. :class:`~shopbot.errors.ShopbotError` if it finds
        something wrong."""
        program = shutil.which("systemd-analyze")
        if program is None:
            return
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / NAME
            file.write_text(text, encoding="utf-8")
            scope = "--system" if self.is_system else "--user"
            # it asks for this folder, which a user has who is logged in
            environment = {"XDG_RUNTIME_DIR": folder, **os.environ}
            result = _call([program, scope, "--man=no", "verify", str(file)], environment=environment)
        complaints = [line.replace(f"{folder}{os.sep}", "") for line in result.stderr.splitlines() if NAME in line]
        if result.returncode and complaints:
            raise ShopbotError(f"systemd would not take the unit: {complaints[0].rstrip('.')}.")

    def install(self, text: str) -> None:
        """Write the unit, enable and start it; what was there before comes back if that fails before it is loaded."""
        before = self.file.read_bytes() if self.file.is_file() else None
        try:
            write_atomic(self.file, text.encode())
            self.file.chmod(0o644)
            self._ask("daemon-reload")
            self._ask("enable", NAME)
        except BaseException:
            if before is None:
                self.file.unlink(missing_ok=True)
            else:
                write_atomic(self.file, before)
            with contextlib.suppress(ShopbotError):
                self._ask("daemon-reload")
            raise
        self._ask("restart", NAME, timeout_s=_START_TIMEOUT_S)

    def uninstall(self) -> bool:
        """Stop it, disable it, remove the unit; False if there was none."""
        if not self.file.is_file():
            return False
        self._ask("disable", "--now", NAME)
        self.file.unlink()
        self._ask("daemon-reload")
        return True

    def status(self) -> tuple[str, int]:
        """What ``systemctl status`` prints, and its exit code."""
        result = _call([*self.command.split(), "status", "--no-pager", NAME])
        return result.stdout or result.stderr, result.returncode

    def _ask(self, *arguments: str, timeout_s: float = _TIMEOUT_S) -> None:
        result = _call([*self.command.split(), *arguments], timeout_s=timeout_s)
        if result.returncode:
            why = next((line for line in result.stderr.splitlines() if line.strip()), "no reason given")
            raise ShopbotError(
                f"systemd refuses '{arguments[0]}': {why.rstrip('.')}.",
                remedy=f"Look at 'journalctl {'' if self.is_system else '--user '}-u {NAME}'.",
            )


def _call(
    command: list[str], *, timeout_s: float = _TIMEOUT_S, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ShopbotError(f"'{' '.join(command[:3])}' did not end in {timeout_s:.0f} s.") from None
