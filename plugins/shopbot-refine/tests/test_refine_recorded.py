from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from shopbot_refine.dataset import DatasetError
from shopbot_refine.teachers import Answer, Request
from shopbot_refine.teachers.recorded import RecordedTeacher, Recording, shipped_recordings


def ask(number: int, system: str = "You judge turns.") -> Request:
    return Request("judge", system, f"turn {number}", {}, 40)


class Echo:
    """A teacher that answers with the question, and one in three times not at all."""

    name = "echo"

    def __init__(self) -> None:
        self.asked = 0

    def answer(self, requests: Sequence[Request]) -> Iterator[Answer]:
        for request in requests:
            self.asked += 1
            is_bad = request.user.endswith("2")
            content = "" if is_bad else json.dumps({"why": f"„{request.user}“ {request.system}"})
            yield Answer(request, self.name, content, "malformed" if is_bad else "")


def test_a_cassette_gives_back_what_it_recorded(tmp_path: Path) -> None:
    path, requests = tmp_path / "made" / "cassette.jsonl", [ask(n) for n in range(4)]
    recorded = list(Recording(path, Echo()).answer([*requests, requests[0]]))
    assert len(recorded) == 5 and len(path.read_text(encoding="utf-8").splitlines()) == 3
    size = path.stat().st_size
    list(Recording(path, Echo()).answer(requests))
    assert path.stat().st_size == size
    teacher = RecordedTeacher([path])
    answers = list(teacher.answer(requests))
    assert [a.failure for a in answers] == ["", "", "not_recorded", ""]
    assert [json.loads(a.content or "0") for a in answers] == [json.loads(a.content or "0") for a in recorded[:4]]
    assert {a.teacher for a in answers if not a.failure} == {"echo"} and teacher.earlier_prompt == 0


def test_answers_of_an_earlier_prompt_are_given_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "cassette.jsonl"
    list(Recording(path, Echo()).answer([ask(0), ask(1), ask(0, "New."), ask(0, "Newer.")]))
    teacher = RecordedTeacher([path])
    given = [json.loads(a.content)["why"] for a in teacher.answer([ask(0), ask(0, "New."), ask(0, "?"), ask(1, "?")])]
    assert [why.split("“ ")[1] for why in given] == ["You judge turns.", "New.", "Newer.", "You judge turns."]
    assert teacher.earlier_prompt == 2


def test_a_line_that_a_crash_cut_is_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "cassette.jsonl"
    list(Recording(path, Echo()).answer([ask(0), ask(1)]))
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    list(Recording(path, Echo()).answer([ask(0), ask(1)]))
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    "line",
    [
        "no json",
        "[]",
        "{}",
        '{"request": "k", "prompt": "p", "teacher": "t", "answer": "text"}',
        '{"request": 1, "prompt": "p", "teacher": "t", "answer": {}}',
        '{"request": "k", "prompt": "p", "teacher": "", "answer": {}}',
        '{"request": "k", "prompt": "p", "teacher": "t", "answer": {}, "more": 1}',
        '{"request": "k", "prompt": "p", "teacher": "\\ud800", "answer": {}}',
        "[" * 100_000,
    ],
)
def test_a_malformed_file_is_named_with_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text('\n{"request": "k", "prompt": "p", "teacher": "t", "answer": {}}\n' + line + "\n")
    with pytest.raises(DatasetError, match=r"bad\.jsonl:3 ?"):
        RecordedTeacher([path])
    with pytest.raises(DatasetError):
        Recording(path, Echo())


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "bytes.jsonl").write_bytes(b"\xff\n")
    for path in (tmp_path / "bytes.jsonl", tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(DatasetError, match="Cannot read"):
            RecordedTeacher([path])


def test_the_shipped_files_are_recordings() -> None:
    answers = list(RecordedTeacher().answer([ask(0)]))
    assert [a.failure for a in answers] == ["not_recorded"]
    assert all(path.suffix == ".jsonl" for path in shipped_recordings())
