"""Recorded answers: a teacher without a network, and the recorder that makes such files of another teacher's answers.

A file is JSON Lines, ``{"request": key, "prompt": what it was recorded under, "teacher": name, "answer": {...}}``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from shopbot_refine.dataset import DatasetError
from shopbot_refine.teachers import Answer, Request, Teacher

_REMEDY = 'Give one object a line: {"request": "...", "prompt": "...", "teacher": "...", "answer": {...}}.'


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """One line of a file of recorded answers."""

    request: str
    prompt: str
    teacher: str
    answer: dict[str, Any]


class RecordedTeacher:
    """Gives recorded answers; raises :class:`DatasetError` for a file that is none, naming file and line.

    ``paths`` None: the files that the package ships. An answer recorded under today's prompt comes before others, a
    later line before an earlier one. ``earlier_prompt`` counts the answers given that were recorded under another.
    """

    name = "recorded"

    def __init__(self, paths: Iterable[Path] | None = None) -> None:
        self.earlier_prompt = 0
        self._answers: dict[str, RecordedAnswer] = {}
        self._exact: dict[tuple[str, str], RecordedAnswer] = {}
        for path in shipped_recordings() if paths is None else paths:
            for recorded in read_recording(path):
                self._answers[recorded.request] = recorded
                self._exact[recorded.request, recorded.prompt] = recorded

    def answer(self, requests: Sequence[Request]) -> Iterator[Answer]:
        """One answer for each request, in their order; ``not_recorded`` where there is none."""
        for request in requests:
            key, prompt = request.key, request.prompt
            found = self._exact.get((key, prompt)) or self._answers.get(key)
            if found is None:
                yield Answer(request, self.name, failure="not_recorded")
                continue
            self.earlier_prompt += found.prompt != prompt
            yield Answer(request, found.teacher, json.dumps(found.answer, ensure_ascii=False), is_cached=True)


class Recording:
    """A teacher whose good answers are also appended to a file, each once. A line is on disk before it is given out.

    A last line that a crash cut short is taken away. Raises :class:`DatasetError` where the file is otherwise damaged
    or cannot be written.
    """

    def __init__(self, path: Path, teacher: Teacher) -> None:
        self._path, self._teacher = path, teacher
        _mend(path)
        rows = read_recording(path) if path.exists() else []
        self._known = {(row.request, row.prompt) for row in rows}

    @property
    def name(self) -> str:
        return self._teacher.name

    def answer(self, requests: Sequence[Request]) -> Iterator[Answer]:
        """The teacher's answers."""
        for answer in self._teacher.answer(requests):
            self._append(answer)
            yield answer

    def _append(self, answer: Answer) -> None:
        request = answer.request
        value = None if answer.failure else json.loads(answer.content)
        if not isinstance(value, dict) or (request.key, request.prompt) in self._known:
            return
        row = {"request": request.key, "prompt": request.prompt, "teacher": answer.teacher, "answer": value}
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab") as file:
                file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise DatasetError(f"Cannot write {self._path} ({error}).", remedy="Free some disk space.") from error
        self._known.add((request.key, request.prompt))


def shipped_recordings() -> list[Path]:
    """The files of recorded answers in the package."""
    folder = Path(str(resources.files("shopbot_refine"))) / "recorded"
    return sorted(folder.glob("*.jsonl"))


def read_recording(path: Path) -> list[RecordedAnswer]:
    """The lines of a file of recorded answers; blank ones are skipped. Raises :class:`DatasetError`."""
    try:
        with path.open(encoding="utf-8") as file:
            return [_parse(line, f"{path}:{number}") for number, line in enumerate(file, 1) if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"Cannot read {path} ({error}).", remedy="Check the path; the file is UTF-8.") from error


def _parse(line: str, where: str) -> RecordedAnswer:
    try:
        row = json.loads(line)
        json.dumps(row, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{where} is not JSON ({type(error).__name__}).", remedy=_REMEDY) from error
    names = ("request", "prompt", "teacher")
    if not isinstance(row, dict) or row.keys() != {*names, "answer"}:
        raise DatasetError(f"{where} has not the keys request, prompt, teacher and answer.", remedy=_REMEDY)
    if not all(isinstance(row[name], str) and row[name] for name in names) or not isinstance(row["answer"], dict):
        raise DatasetError(f"{where}: request, prompt and teacher are strings, answer an object.", remedy=_REMEDY)
    return RecordedAnswer(**row)


def _mend(path: Path) -> None:
    """Take a last line away that has no end: a crash cut it."""
    if not path.exists():
        return
    try:
        with path.open("r+b") as file:
            content = file.read()
            whole = content.rfind(b"\n") + 1
            if whole < len(content):
                file.truncate(whole)
    except OSError as error:
        raise DatasetError(f"Cannot write {path} ({error}).", remedy="Check the path.") from error
