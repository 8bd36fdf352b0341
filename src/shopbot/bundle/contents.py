"""What a bundle says of itself (``bundle.json``), and which paths it may hold."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import pydantic

from shopbot.errors import BundleError, ConfigError
from shopbot.manifest import Base, Name, Sha256, Text

MANIFEST = "bundle.json"
CHECKPOINT = "checkpoint"
GOLDEN = "golden.json"
PLUGINS = "plugins"
MAX_FILES = 2_000
MAX_BUNDLE_BYTES = 256 << 20
MAX_MANIFEST_BYTES = 1 << 20
_MAX_PATH, _MAX_DEPTH = 200, 8
_DRIVE_OR_CONTROL = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|]')
_REMEDY = "Do not use it; have it built again."
_RENAME = "Rename it where the bundle is made, and have it built again."

_NAME, _VERSION = r"^[a-z0-9][a-z0-9-]{0,39}$", r"^[0-9]{1,6}(\.[0-9]{1,6}){0,3}$"
BundleName = Annotated[str, pydantic.StringConstraints(pattern=_NAME)]
VersionText = Annotated[str, pydantic.StringConstraints(pattern=_VERSION)]


class _Part(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class FileEntry(_Part):
    """A file in the bundle: bytes and hash."""

    size: int = pydantic.Field(ge=0, le=MAX_BUNDLE_BYTES)
    sha256: Sha256


class PluginVersion(_Part):
    """A plugin that the bundle was built and judged with."""

    name: Name
    distribution: Name
    version: Annotated[str, pydantic.StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.!+_-]{0,99}$")]


class BundleManifest(_Part):
    """What a bundle is. ``base``: the base model that must be on the box, which does not travel; ``cases``: how many
    golden cases it brings; ``files``: every other file in it."""

    format: Literal[1] = 1
    name: BundleName
    version: VersionText
    shopbot: Text
    prompt_format: int = pydantic.Field(ge=1, le=1000)
    base: Base
    plugins: tuple[PluginVersion, ...] = pydantic.Field(max_length=200)
    cases: int = pydantic.Field(ge=1)
    files: dict[str, FileEntry] = pydantic.Field(max_length=MAX_FILES)

    @property
    def id(self) -> str:
        """Name and version: its folder's name on a box, and its checkpoint's."""
        return f"{self.name}-{self.version}"

    @property
    def order(self) -> tuple[int, ...]:
        """Compares as versions do: 1.10 is newer than 1.9, and 1.0 is 1."""
        numbers = [int(part) for part in self.version.split(".")]
        while len(numbers) > 1 and numbers[-1] == 0:
            numbers.pop()
        return tuple(numbers)


def read_manifest(content: bytes) -> BundleManifest:
    """Read ``bundle.json``. Raises :class:`BundleError` for what is no manifest, or names a path that must not be."""
    try:
        manifest = BundleManifest.model_validate_json(content)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])[:200] or "the file"
        raise BundleError(f"{MANIFEST}: {where}: {first['msg'][:200]}.", remedy=_REMEDY) from None
    require_paths(manifest.files)
    return manifest


def require_name(name: str, version: str) -> None:
    """Raise :class:`ConfigError` unless they can be a bundle's."""
    if not re.fullmatch(_NAME, name):
        raise ConfigError(f"'{name}' is no bundle's name.", remedy="Use small letters, digits and '-', 40 at most.")
    if not re.fullmatch(_VERSION, version):
        raise ConfigError(f"'{version}' is no version.", remedy="Use numbers with points between, such as 1 or 1.4.2.")


def require_paths(paths: dict[str, FileEntry]) -> None:
    """Raise :class:`BundleError` unless every path is relative, plain, and another one on any file system."""
    seen: set[str] = set()
    for path in paths:
        parts = path.split("/")
        is_plain = all(part and part == part.strip(" ") and part[0] != "." and part[-1] != "." for part in parts)
        is_bounded = len(path) <= _MAX_PATH and len(parts) <= _MAX_DEPTH and path.isprintable()
        if not is_plain or not is_bounded or _DRIVE_OR_CONTROL.search(path) or path == MANIFEST:
            raise BundleError(f"{path[:100]!r} is no path that a bundle may hold.", remedy=_RENAME)
        if path.casefold() in seen:
            raise BundleError(f"{path!r} is there twice, in capitals and small letters.", remedy=_RENAME)
        seen.add(path.casefold())
    folders = {path.casefold().rsplit("/", n)[0] for path in paths for n in range(1, path.count("/") + 1)}
    if folders & seen:
        raise BundleError(f"{sorted(folders & seen)[0]!r} is a file and a folder.", remedy=_RENAME)
