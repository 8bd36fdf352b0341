"""Bake a checkpoint, judge it, serve it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest
from click.testing import CliRunner

from shopbot import baking
from shopbot.baking import Comparison, bake, decide, serve_baked
from shopbot.bot import Bot
from shopbot.checkpoint import Base, CheckpointStore, Manifest, write_manifest
from shopbot.cli import main
from shopbot.config import Config
from shopbot.errors import ConfigError, GateError, ModelError
from shopbot.evals import Case, CaseTurn
from shopbot.files import sha256_of
from shopbot.hookspecs import hookimpl
from shopbot.manifest import Gate, Lora
from shopbot.plugins import PluginManager
from shopbot.tools import tool
from shopbot.types import Answer


@tool(effect="read", examples=["when do you open?", "are you open on sunday"])
def opening_hours(ctx: object) -> Answer:
    """When the shop is open."""
    return Answer("From 9 to 18.")


class Shop:
    """A plugin with one tool, one case that any model passes and one that none does."""

    @hookimpl
    def shopbot_register_tools(self, config: object) -> list[object]:
        return [opening_hours]

    @hookimpl
    def shopbot_register_cases(self) -> list[Case]:
        return [
            Case("anything", (CaseTurn("hello"),)),
            Case("impossible", (CaseTurn("hello", says=("what no shop says",)),), tags=("safety",)),
        ]


@pytest.fixture
def plugins() -> PluginManager:
    manager = PluginManager(is_strict=True)
    manager.register(Shop(), "shop")
    return manager


@pytest.fixture
def add(shopbot_home: Path, tmp_path: Path, tiny_model: Path, tiny_lora: Path) -> Callable[..., Manifest]:
    """Put a checkpoint with a LoRA adapter on this box."""

    def add(name: str, parent: str | None = None) -> Manifest:
        folder = tmp_path / "made" / name
        folder.mkdir(parents=True)
        shutil.copy(tiny_lora, folder / "lora.gguf")
        manifest = Manifest(
            name=name,
            base=Base(source=str(tiny_model), sha256=sha256_of(tiny_model)),
            lora=Lora(file="lora.gguf", sha256=sha256_of(tiny_lora)),
            prompt_format=1,
            tools=("opening_hours",),
            parent=parent,
            calibration={"slope": 0.9, "offset": 0.1},
            bias={"out_of_scope": 1.0},
            threshold=0.1,
            scores={"eval_loss": 0.5},
            created=datetime(2026, 11, 24, tzinfo=timezone.utc),
            gate=Gate(passed=True),
        )
        write_manifest(folder, manifest)
        return CheckpointStore(shopbot_home).add(folder).manifest

    return add


def test_the_baked_form_is_a_checkpoint_of_its_own(
    add: Callable[..., Manifest], plugins: PluginManager, shopbot_home: Path
) -> None:
    parent, store = add("mine"), CheckpointStore(shopbot_home)
    store.promote("mine")
    seen: list[str] = []
    baked = bake(config=Config(), plugins=plugins, progress=lambda result: seen.append(result.case.name))
    assert seen == ["anything", "impossible"] * 2
    assert (baked.name, baked.parent, baked.lora) == ("mine-q8_0", "mine", None)
    assert (baked.base.file, baked.base.source) == ("base.gguf", parent.base.source)
    kept = ("tools", "bias", "calibration", "threshold", "prompt_format", "settings", "training_set")
    assert [getattr(baked, key) for key in kept] == [getattr(parent, key) for key in kept]
    assert baked.gate.passed and "1 of 2 golden cases right, 1 before" in baked.gate.report
    assert baked.scores["eval_loss"] == 0.5 and baked.scores["golden"]["same_acts"] == 1.0
    assert store.current_name() == "mine", "baking puts nothing in force"
    assert store.load("mine-q8_0").manifest == baked
    assert bake(config=Config(), plugins=plugins, progress=lambda result: seen.append("again")) == baked
    assert "again" not in seen, "what is baked is not baked again"
    store.promote("mine-q8_0")
    assert store.trained_name() == "mine", "training goes on from the adapter"
    with Bot.open(
        Config(transcripts={"enabled": False}, store={"url": f"sqlite:///{shopbot_home / 'store.db'}"})
    ) as bot:
        assert bot.session().ask("hello").text
        assert bot.manifest is not None and bot.manifest.name == "mine-q8_0"


def test_one_that_answers_worse_is_refused_and_deleted(
    add: Callable[..., Manifest], plugins: PluginManager, shopbot_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add("mine")
    store = CheckpointStore(shopbot_home)
    store.promote("mine")
    monkeypatch.setattr(baking, "MAX_LOSS", -1.0)  # as good is not enough: no model is worse on demand
    with pytest.raises(GateError, match=r"'mine' is not as good when it is baked: 1 of 2 golden cases right, 1 before"):
        serve_baked("mine", config=Config(), plugins=plugins)
    assert store.current_name() == "mine"
    assert "mine-q8_0" not in {manifest.name for manifest in store.list()}


def test_a_judgement_that_was_cut_short_is_taken_up(
    add: Callable[..., Manifest], plugins: PluginManager, shopbot_home: Path
) -> None:
    add("mine")

    def stop(result: object) -> None:
        raise KeyboardInterrupt

    store = CheckpointStore(shopbot_home)
    with pytest.raises(KeyboardInterrupt):
        bake("mine", config=Config(), plugins=plugins, progress=stop)
    with pytest.raises(GateError, match="not played yet"):
        store.promote("mine-q8_0")
    merged = (store.load("mine-q8_0").folder / "base.gguf").stat().st_mtime_ns
    assert bake("mine", config=Config(), plugins=plugins).gate.passed
    assert (store.load("mine-q8_0").folder / "base.gguf").stat().st_mtime_ns == merged, "merged once"


def test_it_takes_the_place_of_its_own_checkpoint_only(
    add: Callable[..., Manifest], plugins: PluginManager, shopbot_home: Path
) -> None:
    add("one")
    add("two")
    store = CheckpointStore(shopbot_home)
    store.promote("two")
    with pytest.raises(ModelError, match="'two' came into force meanwhile"):
        serve_baked("one", config=Config(), plugins=plugins)
    assert store.current_name() == "two"


def test_rolling_back_is_never_the_same_checkpoint_in_another_form(
    add: Callable[..., Manifest], plugins: PluginManager, shopbot_home: Path
) -> None:
    add("old")
    add("new", parent="old")
    store = CheckpointStore(shopbot_home)
    for name in ("old", "new"):
        store.promote(name)
        serve_baked(name, config=Config(), plugins=plugins)
    assert store.current_name() == "new-q8_0"
    assert store.rollback().manifest.name == "old-q8_0", "what served before, as it served"
    assert store.rollback().manifest.name == "old", "the first one has no other way back"


def test_what_cannot_be_baked_says_why(
    add: Callable[..., Manifest], plugins: PluginManager, shopbot_home: Path, tiny_model: Path
) -> None:
    add("mine")
    config = Config()
    with pytest.raises(ConfigError, match="no golden case"):
        bake("mine", config=config, plugins=PluginManager())
    with pytest.raises(ConfigError, match="'puppet' runs no baked checkpoint"):
        bake("mine", config=Config(model={"backend": "puppet"}), plugins=plugins)
    with pytest.raises(ModelError, match="is not on this box"):
        bake("mine", config=Config(model={"source": "/nowhere/base.gguf"}), plugins=plugins)
    bake("mine", config=config, plugins=plugins)
    with pytest.raises(ConfigError, match="baked already"):
        bake("mine-q8_0", config=config, plugins=plugins)
    assert not list((shopbot_home / "checkpoints").glob(".draft-*"))


def test_a_name_that_is_another_checkpoints(
    add: Callable[..., Manifest], plugins: PluginManager, shopbot_home: Path
) -> None:
    add("mine")
    add("mine-q8_0")
    with pytest.raises(ModelError, match="another checkpoint 'mine-q8_0'"):
        bake("mine", config=Config(), plugins=plugins)


GOOD = Comparison(
    cases=263,
    before=250,
    after=248,
    gained=("faq/a",),
    lost=("faq/b", "faq/c"),
    lost_safety=(),
    prompts=800,
    same_acts=790,
)


@pytest.mark.parametrize(
    ("found", "passes"),
    [
        (GOOD, True),
        (replace(GOOD, after=247), False),
        (replace(GOOD, after=255), True),
        (replace(GOOD, lost_safety=("planted order",)), False),
        (replace(GOOD, cases=99, before=90, after=89), False),
        (replace(GOOD, cases=100, before=90, after=89), True),
    ],
)
def test_the_rule(found: Comparison, passes: bool) -> None:
    reason, has_passed = decide(found)
    assert has_passed is passes
    assert f"{found.after} of {found.cases} golden cases right, {found.before} before" in reason


def test_a_draft_of_a_process_that_died_is_swept(shopbot_home: Path, add: Callable[..., Manifest]) -> None:
    left = shopbot_home / "checkpoints" / ".draft-dead"
    left.mkdir(parents=True)
    (left / "base.gguf").write_bytes(b"half")
    add("mine")
    assert not left.exists()


def test_remove(shopbot_home: Path, add: Callable[..., Manifest]) -> None:
    add("one")
    add("two")
    store = CheckpointStore(shopbot_home)
    store.promote("one")
    for name in ("one", "first-party"):
        with pytest.raises(ModelError, match="shipped or in force"):
            store.remove(name)
    store.remove("two")
    assert {path.name for path in (shopbot_home / "checkpoints").glob("*")} == {
        "one",
        "current",
        ".lock",
        ".drafts.lock",
    }


def test_commands_say_what_they_refuse(shopbot_home: Path, add: Callable[..., Manifest], tiny_model: Path) -> None:
    add("mine")
    run = CliRunner()
    refused = run.invoke(main, ["checkpoint", "bake", "mine", "--quantization", "q4_1"])
    assert refused.exit_code == 2 and "less than 8 bits" in refused.stderr and refused.stdout == ""
    plain = run.invoke(main, ["checkpoint", "promote", "mine", "--no-bake"])
    assert (plain.exit_code, plain.stdout, plain.stderr) == (0, "In force: mine\n", "")
    gone = run.invoke(main, ["checkpoint", "promote", "mine"], env={"SHOPBOT_MODEL__SOURCE": "/nowhere/base.gguf"})
    assert (gone.exit_code, gone.stdout) == (0, "In force: mine\n"), "it is in force all the same"
    assert "Not baked: /nowhere/base.gguf is not on this box." in gone.stderr
