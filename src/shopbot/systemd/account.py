"""The user that a service of the whole system runs as: it must be there, reach the interpreter, and own the home."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from shopbot.errors import ShopbotError
from shopbot.systemd.unit import Service


def prepare_home(service: Service) -> None:
    """Make the home where it is missing. :class:`~shopbot.errors.ShopbotError` where the user could not start there."""
    if service.user is not None:
        _require_user(service.user, service.home)
        for path in (service.interpreter, service.interpreter.resolve()):
            _require_reachable(path, service.user)
    is_new = not service.home.exists()
    service.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if service.user is not None and is_new:
        shutil.chown(service.home, service.user)


def _require_user(user: str, home: Path) -> None:
    import pwd  # not on Windows

    try:
        pwd.getpwnam(user)
    except KeyError:
        remedy = f"Make one: useradd --system --home-dir {home} --shell /usr/sbin/nologin {user}"
        raise ShopbotError(f"There is no user '{user}'.", remedy=remedy) from None


def _require_reachable(path: Path, user: str) -> None:
    """A folder on the way that is closed to others would end the start with a status that tells nobody why."""
    for folder in path.absolute().parents:
        found = os.stat(folder)
        if not found.st_mode & stat.S_IXOTH and _owner(found) != user:
            raise ShopbotError(
                f"The user '{user}' cannot get to {path}: {folder} is closed to others.",
                remedy="Install shopbot where all can read it, /opt/shopbot for instance.",
            )


def _owner(found: os.stat_result) -> str:
    import pwd

    try:
        return pwd.getpwuid(found.st_uid).pw_name
    except KeyError:
        return ""
