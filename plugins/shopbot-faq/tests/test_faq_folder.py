"""The folder is read again when files change; broken files are left out by name."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

import pytest
from shopbot_faq import folder as faq_folder
from shopbot_faq.folder import FaqFolder

from shopbot.errors import ConfigError


def write(path: Path, title: str, text: str = "Some text.") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"# {title}\n{text}\n", encoding="utf-8")


def titles(folder: FaqFolder) -> list[str]:
    return [passage.title for passage in folder.index.passages]


def test_added_changed_and_removed_files_are_seen_at_once(tmp_path: Path) -> None:
    write(tmp_path / "a.md", "First")
    folder = FaqFolder(tmp_path)
    assert titles(folder) == ["First"]
    write(tmp_path / "sub" / "b.md", "Second")
    assert titles(folder) == ["First", "Second"]
    write(tmp_path / "a.md", "Other")
    assert titles(folder) == ["Other", "Second"]
    (tmp_path / "a.md").unlink()
    assert titles(folder) == ["Second"]


def test_an_unchanged_folder_keeps_its_index(tmp_path: Path) -> None:
    write(tmp_path / "a.md", "First")
    folder = FaqFolder(tmp_path)
    assert folder.index is folder.index


def test_a_broken_file_is_named_and_the_rest_works(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path / "good.md", "Good")
    (tmp_path / "latin.md").write_bytes(b"# caf\xe9\ntext")
    (tmp_path / "empty.md").write_text("")
    (tmp_path / "huge.md").write_bytes(b"# x\n" + b"y" * faq_folder.MAX_FILE_BYTES)
    with caplog.at_level(logging.WARNING):
        folder = FaqFolder(tmp_path)
    assert titles(folder) == ["Good"]
    assert [problem.file for problem in folder.problems()] == ["empty.md", "huge.md", "latin.md"]
    assert all(name in caplog.text for name in ("empty.md", "huge.md", "latin.md"))
    write(tmp_path / "latin.md", "Repaired")
    assert titles(folder) == ["Good", "Repaired"]


def test_only_markdown_files_of_the_folder_are_read(tmp_path: Path) -> None:
    inside, outside = tmp_path / "faq", tmp_path / "secret"
    write(inside / "a.md", "Inside")
    write(outside / "b.md", "Secret")
    write(inside / ".hidden.md", "Hidden")
    (inside / "notes.txt").write_text("# Notes\ntext")
    (inside / "folder.md").mkdir()
    try:
        (inside / "link.md").symlink_to(outside / "b.md")
        (inside / "tree").symlink_to(outside, target_is_directory=True)
    except OSError:
        pytest.skip("this system does not let us make symbolic links")
    if hasattr(os, "mkfifo"):
        os.mkfifo(inside / "pipe.md")
    assert titles(FaqFolder(inside)) == ["Inside"]


def test_a_huge_folder_is_cut_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faq_folder, "MAX_PASSAGES", 3)  # the real limit would make the test slow
    for number in range(6):
        write(tmp_path / f"{number}.md", f"Title {number}")
    folder = FaqFolder(tmp_path)
    assert len(folder.index.passages) == 3
    assert [problem.file for problem in folder.problems()] == ["3.md", "4.md", "5.md"]


def test_a_missing_folder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"folder.*plugins\.faq"):
        FaqFolder(tmp_path / "nowhere")


def test_a_folder_that_goes_away_leaves_nothing_to_find(tmp_path: Path) -> None:
    write(tmp_path / "faq" / "a.md", "First")
    folder = FaqFolder(tmp_path / "faq")
    (tmp_path / "faq" / "a.md").unlink()
    (tmp_path / "faq").rmdir()
    assert folder.index.search("first") == []


def test_searching_while_files_change_is_safe(tmp_path: Path) -> None:
    write(tmp_path / "a.md", "Opening hours", "We open at nine.")
    folder = FaqFolder(tmp_path)
    failures: list[BaseException] = []

    def search() -> None:
        try:
            for _ in range(30):
                assert folder.index.search("when do you open")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=search) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(20):
        write(tmp_path / "b.md", f"Extra {number}", "x" * number)
    for thread in threads:
        thread.join()
    assert failures == []
    assert "Extra 19" in titles(folder)
