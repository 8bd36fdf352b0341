"""``shopbot refine``: what a person types and what it leaves on disk."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
import pytest
import shopbot_refine
from click.testing import CliRunner
from shopbot_refine.cli import refine
from shopbot_refine.dataset import DatasetError, Example, parse_example
from shopbot_refine.sets import training_sets

from shopbot import ConfigError, Invocation


def test_the_plugin_adds_its_command() -> None:
    cli = click.Group()
    shopbot_refine.shopbot_register_commands(cli)
    assert set(cli.commands) == {"refine"}


def test_seed_prints_examples_and_counts() -> None:
    runner = CliRunner()
    rows = runner.invoke(refine, ["seed", "--rows", "1"])
    assert rows.exit_code == 0, rows.output
    lines = rows.stdout.splitlines()
    stats = json.loads(runner.invoke(refine, ["seed", "--rows", "1", "--stats"]).stdout)
    assert stats["examples"] == len(lines)
    assert parse_example(lines[0], "line 1").acts


def test_files_can_be_added_to_the_seed_set(few_examples: list[Example], tmp_path: Path) -> None:
    data = tmp_path / "rows.jsonl"
    data.write_text("\n".join(example.to_json() for example in few_examples), encoding="utf-8")
    alone, _ = training_sets([data], seed=0)
    together, held_out = training_sets([data], seed=0, with_seed_set=True)
    assert set(alone) <= set(together)
    assert len(together) + len(held_out) > 5_000 > len(alone)


def test_training_sets_hold_out_some_and_teach_unknown_tools() -> None:
    examples, held_out = training_sets([], seed=0)
    shown = [example for example in examples if example.demonstrations]
    assert 0.01 < len(held_out) / len(examples) < 0.1
    assert shown, "no examples with demonstrations"


def test_train_writes_the_adapter_and_prints_the_report(
    tiny_base: Path, few_examples: list[Example], tmp_path: Path
) -> None:
    pytest.importorskip("torch", reason="training needs the extra 'train'")
    data = tmp_path / "rows.jsonl"
    data.write_text("\n".join(example.to_json() for example in few_examples), encoding="utf-8")
    given = ["train", "--data", str(data), "--base", str(tiny_base), "--output", str(tmp_path / "out")]
    given += ["--max-steps", "2", "--threads", "1", "--json"]
    done = CliRunner().invoke(refine, given, catch_exceptions=False)
    report = json.loads(done.stdout)
    assert (report["lora"], report["steps"], report["stopped"]) == ("lora.gguf", 2, "steps")
    assert json.loads((tmp_path / "out" / "train.json").read_text(encoding="utf-8")) == report
    assert (tmp_path / "out" / "lora.gguf").is_file()
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["name"], manifest["training_set"]) == ("out", report["fingerprint"])
    assert manifest["tools"] == ["down", "go", "in", "left", "out", "right", "stop", "up"]
    assert not manifest["gate"]["passed"], "it has not been evaluated"
    assert "step 2 of 2" in done.stderr
    assert json.loads(CliRunner().invoke(refine, given, catch_exceptions=False).stdout) == report


def test_train_names_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    done = CliRunner().invoke(refine, ["train", "--data", str(tmp_path / "empty.jsonl"), "--output", str(tmp_path)])
    assert done.exit_code != 0
    assert "empty.jsonl" in str(done.exception)


def test_a_stage_without_a_run_says_how_to_start_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPBOT_HOME", str(tmp_path))
    done = CliRunner().invoke(refine, ["clean"])
    assert "no refine run on this box yet" in str(done.exception)
    assert json.loads(CliRunner().invoke(refine, ["status", "--json"]).stdout) == []
    assert json.loads(CliRunner().invoke(refine, ["ledger", "--json"]).stdout)["calls"] == []


def test_a_run_without_anything_to_learn_from_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPBOT_HOME", str(tmp_path))
    done = CliRunner().invoke(refine, ["run"])
    assert "nothing to learn from" in str(done.exception)
    assert not (tmp_path / "refine" / "runs").exists()


def test_a_log_that_cannot_be_read_leaves_no_run_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPBOT_HOME", str(tmp_path / "home"))
    log = tmp_path / "log.jsonl"
    log.write_text('{"text": "where is it", "acts": ["order_status()"]}\nno json\n', encoding="utf-8")
    done = CliRunner().invoke(refine, ["run", "--log", str(log)], obj=Invocation())
    assert isinstance(done.exception, DatasetError), done.exception
    assert f"{log}:2" in str(done.exception)
    assert json.loads(CliRunner().invoke(refine, ["status", "--json"]).stdout) == []


def test_a_teacher_without_a_key_is_told_of_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPBOT_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    log = tmp_path / "log.jsonl"
    log.write_text('{"text": "where is it", "acts": ["order_status()"]}\n', encoding="utf-8")
    done = CliRunner().invoke(refine, ["run", "--log", str(log), "--teacher", "live"], obj=Invocation())
    assert isinstance(done.exception, ConfigError), done.exception
    assert "OPENAI_API_KEY" in str(done.exception.remedy)
    assert not (tmp_path / "home" / "refine").exists()


@pytest.mark.parametrize("arguments", [["run"], ["resume"], ["clean"], ["train"], ["report"]])
def test_a_missing_library_is_named_with_the_command_that_installs_it(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOPBOT_HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, "py3langid", None)
    for module in ("shopbot_refine.pipeline", "shopbot_refine.clean"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    done = CliRunner().invoke(refine, arguments)
    assert isinstance(done.exception, ConfigError), done.exception
    assert "py3langid" in str(done.exception)
    assert "plugins/shopbot-refine[run]" in str(done.exception.remedy)
