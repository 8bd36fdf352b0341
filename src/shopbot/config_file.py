"""shopbot.toml as an operator sees it: every setting with where it comes from, and a commented file to start with.

Both are made from the schema, so that neither can go stale.
"""

from __future__ import annotations

import inspect
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydantic
import tomli

from shopbot.config import Config, home
from shopbot.errors import ConfigError
from shopbot.files import write_atomic
from shopbot.installed import installed

_SECRET = re.compile(r"secret|token|password|passwd|api_?key|credential", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"(?<=://)([^/@\s:]*):([^/\s]*)@")
MASK = "********"


@dataclass(frozen=True, slots=True)
class Setting:
    """One in force: ``section.key``, its value (secrets masked) and the file, ``environment``, the bundle or
    ``default``."""

    key: str
    value: Any
    origin: str


def effective(config: Config, file: Path | None, environ: Mapping[str, str] | None = None) -> list[Setting]:
    """Every setting in force. ``file`` is the one ``config`` was read from."""
    written = tomli.loads(file.read_text(encoding="utf-8")) if file else {}
    bundle = installed(home())
    bundled = bundle.settings() if bundle else {}
    named = {name.upper() for name in (os.environ if environ is None else environ)}

    def origin(section: str, key: str) -> str:
        if f"SHOPBOT_{section}__{key}".upper() in named:
            return "environment"
        if key in written.get(section, {}):
            return str(file)
        return f"bundle {bundle.id}" if bundle and key in bundled.get(section, {}) else "default"

    return [
        Setting(f"{section}.{key}", mask(key, value), origin(section, key)) for section, key, value in _flat(config)
    ]


def mask(key: str, value: Any) -> Any:
    """``value`` fit to be shown: JSON-able, without secrets, also inside tables and URLs."""
    if isinstance(value, Mapping):
        return {str(name): mask(str(name), inner) for name, inner in value.items()}
    if isinstance(value, pydantic.SecretStr):
        return MASK if value.get_secret_value() else ""
    if isinstance(value, str):
        return MASK if value and _SECRET.search(key) else _URL_PASSWORD.sub(rf"\1:{MASK}@", value)
    if isinstance(value, (list, tuple)):
        return [mask(key, inner) for inner in value]
    return value


def is_secret(key: str, value: Any) -> bool:
    """Whether a setting, as it stands in the file, holds what :func:`mask` hides. The name of an environment variable
    (``api_key_env = "SHOP_API_KEY"``) is no secret."""
    names_variable = key.endswith("_env") and isinstance(value, str) and re.fullmatch(r"[A-Z][A-Z0-9_]*", value)
    return not names_variable and bool(mask(key, value) != value)


def template() -> str:
    """A shopbot.toml in which every key stands with its default, commented out."""
    lines = [
        "# shopbot's settings. A key that is commented out has the value shown.",
        "# The environment overrides this file: SHOPBOT_SECTION__KEY, for example SHOPBOT_SERVER__PORT=8080.",
    ]
    for name, field in Config.model_fields.items():
        section = field.annotation
        if not (inspect.isclass(section) and issubclass(section, pydantic.BaseModel)):
            continue
        lines += ["", *(f"# {line}".rstrip() for line in (inspect.getdoc(section) or "").splitlines()), f"[{name}]"]
        lines += [f"# {key} = {_toml(inner.default)}" for key, inner in section.model_fields.items()]
    lines += ["", "# One table for each plugin; its README says what it takes.", "# [plugins.orders]"]
    return "\n".join(lines) + "\n"


def write_template(path: Path, *, overwrite: bool = False) -> None:
    """Write :func:`template` to ``path``, readable by its owner only: the file may come to hold secrets."""
    if path.exists() and not overwrite:
        raise ConfigError(f"There is a file '{path}' already.", remedy="Edit it, or overwrite it with --force.")
    write_atomic(path, template().encode())


def _flat(config: Config) -> Iterator[tuple[str, str, Any]]:
    for section in Config.model_fields:
        table = getattr(config, section)
        if isinstance(table, pydantic.BaseModel):
            yield from ((section, key, getattr(table, key)) for key in type(table).model_fields)
        else:
            yield from ((section, key, value) for key, value in table.items())


def _toml(value: Any) -> str:
    """Strings, numbers, booleans and lists of them are written in TOML as they are in JSON."""
    if isinstance(value, pydantic.SecretStr):
        value = value.get_secret_value()
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
