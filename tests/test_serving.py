"""Another checkpoint takes over while turns go on."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from shopbot.bot import Bot
from shopbot.checkpoint import MANIFEST, CheckpointStore
from shopbot.config import load
from shopbot.files import sha256_of
from shopbot.first_start import ensure_store
from shopbot.serving import Serving, Successor


@dataclass(eq=False)
class Engine:
    """What is served: it must never be used after it was closed."""

    name: str
    closed: threading.Event = field(default_factory=threading.Event)

    def answer(self) -> str:
        assert not self.closed.is_set(), f"{self.name} was used after it was closed"
        return self.name


class Box:
    """Which checkpoint is promoted, and every engine that was ever opened."""

    def __init__(self) -> None:
        self.promoted = "first"
        self.opened: list[Engine] = []

    def open(self) -> Engine:
        if self.promoted == "broken":
            raise OSError("the file is truncated")
        self.opened.append(Engine(self.promoted))
        return self.opened[-1]

    def serving(self) -> Serving[Engine]:
        return Serving(
            self.open(),
            close=lambda engine: engine.closed.set(),
            successor=Successor(lambda: self.promoted, self.open),
        )


def ask_until(serving: Serving[Engine], is_done: Callable[[str], bool]) -> str:
    for _ in range(1_000_000):
        with serving.turn() as engine:
            answer = engine.answer()
        if is_done(answer):
            return answer
    raise AssertionError("the new one never took over")


def test_the_next_turns_use_the_promoted_one_and_the_old_one_is_freed() -> None:
    box = Box()
    serving = box.serving()
    with serving.turn() as engine:
        assert engine.answer() == "first"
    box.promoted = "second"
    ask_until(serving, lambda answer: answer == "second")
    assert box.opened[0].closed.wait(10)
    serving.close()
    assert box.opened[1].closed.is_set()


def test_a_turn_keeps_the_one_it_began_with() -> None:
    box = Box()
    serving = box.serving()
    with serving.turn() as engine:
        box.promoted = "second"
        ask_until(serving, lambda answer: answer == "second")
        assert engine.answer() == "first"
    assert box.opened[0].closed.is_set()
    serving.close()


def test_one_that_cannot_be_opened_leaves_the_old_one_in_force(caplog: pytest.LogCaptureFixture) -> None:
    box = Box()
    serving = box.serving()
    box.promoted = "broken"
    with serving.turn() as engine:
        assert engine.answer() == "first"
    box.promoted = "third"
    ask_until(serving, lambda answer: answer == "third")
    serving.close()
    assert "the file is truncated" in caplog.text
    assert all(engine.closed.is_set() for engine in box.opened)


def test_fifty_swaps_under_load_fail_no_turn_and_leave_one_open() -> None:
    box = Box()
    serving = box.serving()
    is_over = threading.Event()

    def work() -> int:
        turns = 0
        while not is_over.is_set():
            with serving.turn() as engine:
                engine.answer()
            turns += 1
        return turns

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(work) for _ in range(4)]
        for number in range(50):
            box.promoted = f"number {number}"
            ask_until(serving, lambda answer, wanted=box.promoted: answer == wanted)
        is_over.set()
        assert all(future.result() > 0 for future in running)
    assert len(box.opened) == 51
    assert sum(not engine.closed.is_set() for engine in box.opened) <= 2, "the last but one may still be closing"
    serving.close()
    assert all(engine.closed.is_set() for engine in box.opened)


def test_a_running_bot_follows_promote_and_rollback(
    shopbot_home: Path, tmp_path: Path, tiny_model: Path, tiny_lora: Path
) -> None:
    checkpoints = CheckpointStore(shopbot_home)
    for name, parent in (("one", None), ("two", "one")):
        folder = tmp_path / name
        folder.mkdir()
        shutil.copy(tiny_lora, folder / "lora.gguf")
        manifest = {
            "name": name,
            "parent": parent,
            "base": {"source": str(tiny_model), "sha256": sha256_of(tiny_model)},
            "lora": {"file": "lora.gguf", "sha256": sha256_of(tiny_lora)},
            "prompt_format": 1,
            "created": "2026-11-24T02:00:00+00:00",
            "gate": {"passed": True},
        }
        (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
        checkpoints.add(folder)
    checkpoints.promote("one")
    config = load()
    ensure_store(config, say=lambda text: None)

    def name_after_turns(bot: Bot, wanted: str) -> str | None:
        session = bot.session()
        for _ in range(200):
            assert session.ask("hello").text
            if bot.manifest is not None and bot.manifest.name == wanted:
                break
            session = bot.session()
        return bot.manifest.name if bot.manifest else None

    with Bot.open(config) as bot:
        assert name_after_turns(bot, "one") == "one"
        checkpoints.promote("two")
        assert name_after_turns(bot, "two") == "two"
        checkpoints.rollback()
        assert name_after_turns(bot, "one") == "one"
