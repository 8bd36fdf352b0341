"""The unit that runs ``shopbot serve``: this interpreter, this home, this configuration, and few rights."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shopbot.config import Config
from shopbot.errors import ConfigError
from shopbot.server.run import MAX_STOP_S
from shopbot.stores.connect import parse_url

#: Settings that must stay secret; systemd reads them before it drops its rights, and the unit is readable by all.
ENVIRONMENT_FILE = "service.env"
_FIRST_START_MINUTES = 30
_KILL_AFTER_S = MAX_STOP_S + 10
_PRIVILEGED_PORTS = 1024


@dataclass(frozen=True, slots=True)
class Service:
    """What the unit is made from. ``file``: the configuration that is named; None: the one it finds by itself.

    ``user``: whom a service of the whole system runs as; None: a service of the user who installs it.
    """

    config: Config
    home: Path
    file: Path | None = None
    user: str | None = None
    interpreter: Path = Path(sys.executable)

    @property
    def is_system(self) -> bool:
        return self.user is not None


def unit_text(service: Service) -> str:
    """The whole unit. :class:`~shopbot.errors.ConfigError` for a path that no unit can name."""
    command = [str(service.interpreter), "-m", "shopbot"]
    if service.file is not None:
        command += ["--config", str(service.file)]
    sections = {
        "Unit": [
            "Description=shopbot, a shop's assistant",
            *(["Wants=network-online.target", "After=network-online.target"] if service.is_system else []),
            "StartLimitIntervalSec=5min",
            "StartLimitBurst=5",
        ],
        "Service": [
            *([f"User={service.user}"] if service.is_system else []),
            "# ready once it accepts connections; the first start fetches the model",
            "Type=notify",
            f"TimeoutStartSec={_FIRST_START_MINUTES}min",
            f"ExecStart={' '.join(_word(one, is_command=True) for one in [*command, 'serve'])}",
            f"WorkingDirectory={_path(service.home)}",
            f"Environment={_word(f'SHOPBOT_HOME={service.home}')}",
            "# NAME=value, one a line, readable by its owner alone: secrets, a database's password",
            f"EnvironmentFile=-{_path(service.home / ENVIRONMENT_FILE)}",
            "# it finishes the turns it has begun; systemd waits for longer than it does",
            "KillMode=mixed",
            f"TimeoutStopSec={_KILL_AFTER_S}s",
            "# a wrong configuration (2) does not get better by trying again",
            "Restart=on-failure",
            "RestartSec=2s",
            "RestartPreventExitStatus=2",
            "MemoryMax=2G",
            "TasksMax=256",
            "LimitNOFILE=8192",
            *_rights(service),
        ],
        "Install": [f"WantedBy={'multi-user.target' if service.is_system else 'default.target'}"],
    }
    return "\n\n".join("\n".join([f"[{name}]", *lines]) for name, lines in sections.items()) + "\n"


def writable_folders(service: Service) -> list[Path]:
    """Where the service writes: its home, and the folders of SQLite files that the configuration has elsewhere."""
    folders = [service.home, service.config.transcripts_path.parent]
    store = parse_url(service.config.store.url) if service.config.store.url else None
    if store is not None and store.get_backend_name() == "sqlite":
        folders.append(Path(store.database or "").absolute().parent)
    return sorted({folder for folder in folders if not _is_below(folder, service.home)} | {service.home})


def _rights(service: Service) -> Sequence[str]:
    everywhere = [
        "UMask=0077",
        "NoNewPrivileges=yes",
        "LockPersonality=yes",
        "RestrictRealtime=yes",
        "RestrictSUIDSGID=yes",
        "RestrictNamespaces=yes",
        "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK",
        "SystemCallArchitectures=native",
    ]
    if not service.is_system:  # what follows needs name spaces, which a user's services have on some systems only
        return everywhere
    capability = "CAP_NET_BIND_SERVICE" if 0 < service.config.server.port < _PRIVILEGED_PORTS else ""
    return [
        *everywhere,
        "ProtectSystem=strict",
        "ProtectHome=read-only",
        f"ReadWritePaths={' '.join(_word(str(folder)) for folder in writable_folders(service))}",
        "PrivateTmp=yes",
        "ProtectKernelTunables=yes",
        "ProtectKernelModules=yes",
        "ProtectKernelLogs=yes",
        "ProtectControlGroups=yes",
        "ProtectClock=yes",
        "ProtectHostname=yes",
        "ProtectProc=invisible",
        f"CapabilityBoundingSet={capability}",
        *([f"AmbientCapabilities={capability}"] if capability else []),
    ]


def _word(text: str, *, is_command: bool = False) -> str:
    """One word of a unit, whatever is in it. In a command, ``$`` would name a variable."""
    text = _checked(text).replace("\\", "\\\\").replace('"', '\\"')
    text = text.replace("$", "$$") if is_command else text
    return f'"{text}"'


def _path(path: Path) -> str:
    """A path that is a line's whole value: not quoted there."""
    return _checked(str(path))


def _checked(text: str) -> str:
    if not text.isprintable():
        raise ConfigError(f"A systemd unit cannot name {text!a}.", remedy="Use a folder with a plain name.")
    return text.replace("%", "%%")


def _is_below(folder: Path, home: Path) -> bool:
    return home == folder or home in folder.parents
