"""The shop's folder of Markdown files, read again whenever a file changes."""

from __future__ import annotations

import logging
import os
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shopbot.errors import ConfigError
from shopbot_faq.markdown import Passage, parse_markdown
from shopbot_faq.search import PassageIndex

EXAMPLE_FOLDER = Path(__file__).with_name("example_faq")
MAX_FILE_BYTES = 128 * 1024
MAX_FILES = 500
MAX_PASSAGES = 1_000
MAX_TOTAL_BYTES = 2 * 1024 * 1024
_MAX_ENTRIES = 5_000
_MAX_DEPTH = 4
_log = logging.getLogger(__name__)

#: What tells that a file changed: modified, status changed (ns), size (bytes), inode.
Stamp = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Problem:
    """A file, or a part of one, that is left out, and why."""

    file: str
    why: str


@dataclass(frozen=True, slots=True)
class _Parsed:
    stamp: Stamp
    passages: tuple[Passage, ...]
    problem: str = ""


class FaqFolder:
    """All passages of ``folder`` and its subfolders (``*.md``), searchable.

    Every look compares the files' stamps first (about 0.1 ms for 20 files) and parses only what changed. A file that
    cannot be read is logged by name and left out. Raises :class:`ConfigError` when there is no such folder.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder.expanduser()
        if not self.path.is_dir():
            raise ConfigError(
                f"The FAQ folder '{self.path}' does not exist.", remedy="Create it, or set 'folder' in [plugins.faq]."
            )
        self._lock = threading.Lock()
        self._stamps: dict[str, Stamp] = {}
        self._parsed: dict[str, _Parsed] = {}
        self._skipped: tuple[Problem, ...] = ()
        self._index = PassageIndex(())
        self._refresh()

    @property
    def index(self) -> PassageIndex:
        """The index over what the files say now; immutable, so a search is not disturbed by a reload."""
        with self._lock:
            self._refresh()
            return self._index

    def problems(self) -> list[Problem]:
        """What is left out now, by file."""
        with self._lock:
            self._refresh()
            broken = [Problem(name, parsed.problem) for name, parsed in self._parsed.items() if parsed.problem]
        return sorted((*broken, *self._skipped), key=lambda problem: problem.file)

    def _refresh(self) -> None:
        root = self.path.resolve()
        stamps = dict(_stamps(root))
        if stamps == self._stamps:
            return
        for name in sorted(stamps):
            known = self._parsed.get(name)
            if known is None or known.stamp != stamps[name]:
                self._parsed[name] = _parse(root, name, stamps[name])
                if self._parsed[name].problem:
                    _log.warning("FAQ file left out: %r: %s", name, self._parsed[name].problem)
        self._parsed = {name: self._parsed[name] for name in sorted(stamps)}
        passages, self._skipped = _within_limits(self._parsed)
        for problem in self._skipped:
            _log.warning("FAQ file left out: %r: %s", problem.file, problem.why)
        self._index = PassageIndex(passages)
        self._stamps = stamps


def _stamps(root: Path, below: str = "", depth: int = 0) -> Iterator[tuple[str, Stamp]]:
    """(name, stamp) of the Markdown files; a link that leads out of the folder is no file of the shop's."""
    try:
        with os.scandir(root / below) as found:
            entries = sorted(
                (entry for entry, _ in zip(found, range(_MAX_ENTRIES), strict=False)), key=lambda e: e.name
            )
    except OSError as error:
        _log.warning("FAQ folder cannot be read: %r: %s", below or ".", error.strerror)
        return
    count = 0
    for entry in entries:
        name = f"{below}/{entry.name}" if below else entry.name
        if entry.name.startswith("."):
            continue
        try:
            if entry.is_dir(follow_symlinks=False) and depth < _MAX_DEPTH:
                yield from _stamps(root, name, depth + 1)
            elif entry.name.lower().endswith(".md") and count < MAX_FILES:
                if entry.is_symlink() and not (root / name).resolve().is_relative_to(root):
                    continue
                status = entry.stat()
                if stat.S_ISREG(status.st_mode):
                    count += 1
                    yield name, (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
        except OSError:  # it went away while we looked
            continue


def _parse(root: Path, name: str, stamp: Stamp) -> _Parsed:
    if stamp[2] > MAX_FILE_BYTES:
        return _Parsed(stamp, (), f"larger than {MAX_FILE_BYTES // 1024} KiB; split it")
    try:
        with (root / name).open("rb") as file:
            source = file.read(MAX_FILE_BYTES + 1).decode("utf-8-sig")
        passages = tuple(parse_markdown(source, name))
    except OSError as error:
        return _Parsed(stamp, (), f"cannot be read ({error.strerror})")
    except UnicodeDecodeError:
        return _Parsed(stamp, (), "not UTF-8; save it as UTF-8")
    except Exception as error:  # a hostile file must not stop the others
        return _Parsed(stamp, (), f"cannot be parsed ({type(error).__name__})")
    return _Parsed(stamp, passages, "" if passages else "no heading with text below it")


def _within_limits(parsed: dict[str, _Parsed]) -> tuple[list[Passage], tuple[Problem, ...]]:
    passages: list[Passage] = []
    skipped: list[Problem] = []
    size = 0
    for number, (name, file) in enumerate(parsed.items()):
        size += file.stamp[2]
        if number >= MAX_FILES or size > MAX_TOTAL_BYTES or len(passages) + len(file.passages) > MAX_PASSAGES:
            skipped.append(
                Problem(name, f"the folder holds more than {MAX_PASSAGES} passages, {MAX_FILES} files or 2 MiB")
            )
            continue
        passages += file.passages
    return passages, tuple(skipped)
