"""``shopbot model compile``: from a checkpoint with a LoRA adapter to one that serves, and what stands in the way."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result

from shopbot import compiling
from shopbot.backends.mlc.quantization import QUANTIZATIONS
from shopbot.bot import Bot
from shopbot.checkpoint import CheckpointStore
from shopbot.cli import main
from shopbot.config import Config
from shopbot.files import sha256_of
from shopbot.manifest import Base, Gate, Lora, Manifest, write_manifest
from shopbot.minds import make_understanding, open_backend
from shopbot.plugins import PluginManager
from tests.mlc.gguf_files import write_model
from tests.mlc.test_convert import write_lora

pytest.importorskip("tvm")


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with the checkpoint ``mine``, a LoRA adapter on a small base, in force. Compiled code is kept between the
    tests."""
    home = tmp_path_factory.mktemp("box")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHOPBOT_HOME", str(home))
        base = write_model(home / "base.gguf", spread=0.1)
        folder = home / "made" / "mine"
        folder.mkdir(parents=True)
        lora = write_lora(folder / "lora.gguf")
        manifest = Manifest(
            name="mine",
            base=Base(source=str(base), sha256=sha256_of(base)),
            lora=Lora(file=lora.name, sha256=sha256_of(lora)),
            prompt_format=1,
            tools=("faq",),
            scores={"eval_loss": 0.5},
            threshold=0.1,
            bias={"out_of_scope": 1.0},
            created=datetime(2026, 11, 24, tzinfo=timezone.utc),
            gate=Gate(passed=True),
        )
        write_manifest(folder, manifest)
        store = CheckpointStore(home)
        store.add(folder)
        store.promote("mine")
        yield home


@pytest.fixture
def run(box: Path) -> Callable[..., Result]:
    """Run the command; what was compiled before is gone, the code excepted."""
    for made in (box / "checkpoints").glob("mine-mlc-*"):
        shutil.rmtree(made)
    CheckpointStore(box).promote("mine")
    return lambda *words: CliRunner().invoke(main, list(words))


def test_a_compiled_checkpoint_serves_and_goes_back(run: Callable[..., Result], box: Path) -> None:
    done = run("model", "compile", "--format", "mlc", "--json")
    assert done.exit_code == 0, done.output
    store, manifest = CheckpointStore(box), json.loads(done.stdout)
    assert (manifest["name"], manifest["format"], manifest["parent"]) == ("mine-mlc-q8", "mlc", "mine")
    made, parent = store.load("mine-mlc-q8"), store.load("mine")
    assert made.manifest.compiled is not None and made.manifest.lora is None and parent.manifest.lora is not None
    origin = (made.manifest.compiled.base, made.manifest.compiled.lora)
    assert origin == (parent.manifest.base.sha256, parent.manifest.lora.sha256)
    assert set(made.manifest.compiled.files) == {path.name for path in made.folder.iterdir()} - {"manifest.json"}
    kept = ("tools", "bias", "threshold", "prompt_format")
    assert [getattr(made.manifest, key) for key in kept] == [getattr(parent.manifest, key) for key in kept]
    assert made.manifest.gate.passed and made.manifest.scores["conversion"]["cosine"] > 0.995
    assert made.manifest.scores["eval_loss"] == 0.5
    assert store.current_name() == "mine", "compiling puts nothing in force"

    assert run_again(box).stdout == done.stdout, "what is compiled is not compiled again"
    assert CliRunner().invoke(main, ["checkpoint", "promote", "mine-mlc-q8"]).exit_code == 0
    with Bot.open(Config(transcripts={"enabled": False}, store={"url": f"sqlite:///{box / 'store.db'}"})) as bot:
        assert bot.backend.name == "mlc" and bot.manifest == made.manifest
        assert bot.session().ask("hello").text
    assert store.trained_name() == "mine"
    assert store.rollback().manifest.name == "mine"


def run_again(box: Path) -> Result:
    return CliRunner().invoke(main, ["model", "compile", "mine", "--json"])


@pytest.mark.slow
def test_too_few_bits_do_not_pass_the_gate(run: Callable[..., Result], box: Path) -> None:
    done = run("model", "compile", "mine", "--quantization", "q4f32_1")
    assert done.exit_code == 0, done.output
    assert "q4f32_1 on a base that has few bits already costs a lot of quality" in done.stderr
    assert "loses too much" in done.stdout and "did not pass its gate" in done.stderr
    refused = CliRunner().invoke(main, ["checkpoint", "promote", "mine-mlc-q4f32_1"])
    assert refused.exit_code == 3 and "loses too much" in refused.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["absent"], 1, "no checkpoint 'absent'"),
        (["mine", "--quantization", "q3"], 2, "Known: q8, q0f16, q0f32, q4f32_1"),
        (["mine", "--target", "pdp-11"], 2, "pdp-11"),
        (["mine", "--format", "onnx"], 2, "onnx"),
    ],
)
def test_wrong_words(words: list[str], code: int, said: str, run: Callable[..., Result], box: Path) -> None:
    done = run("model", "compile", *words)
    assert done.exit_code == code and said in done.output
    assert not list((box / "checkpoints").glob("mine-mlc-*"))


def test_a_compiled_checkpoint_is_not_compiled(run: Callable[..., Result]) -> None:
    assert run("model", "compile").exit_code == 0
    done = CliRunner().invoke(main, ["model", "compile", "mine-mlc-q8"])
    assert done.exit_code == 2 and "is compiled already" in done.output


def test_another_checkpoint_of_that_name_stays(run: Callable[..., Result], box: Path) -> None:
    assert run("model", "compile").exit_code == 0
    path = box / "checkpoints" / "mine-mlc-q8" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["compiled"]["lora"] = "0" * 64
    path.write_text(json.dumps(manifest))
    done = run_again(box)
    assert done.exit_code == 1 and "There is another checkpoint 'mine-mlc-q8' already" in done.output


def test_too_little_memory_and_disk_are_told_before(
    run: Callable[..., Result], box: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # neither can be filled in a test
    with monkeypatch.context() as patch:
        patch.setattr(compiling.memory, "available_bytes", lambda: 1000)
        done = run("model", "compile")
    assert done.exit_code == 1 and "MiB of memory, 0 MiB are free" in done.output
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1 << 20))
        done = run("model", "compile")
    assert done.exit_code == 1 and "too full: 256 MiB are needed, 1 MiB are free" in done.output
    assert not list((box / "checkpoints").glob(".draft-*"))


def test_ctrl_c_leaves_nothing(run: Callable[..., Result], box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(compiling.quality, "compare", stop)
    done = run("model", "compile")
    assert done.exit_code == 130
    assert sorted(path.name for path in (box / "checkpoints").iterdir() if path.is_dir()) == ["mine"]


def test_two_packages_with_one_module(run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    both = [SimpleNamespace(metadata={"Name": name}) for name in ("apache-tvm", "mlc_ai_nightly_cpu", "numpy")]
    monkeypatch.setattr(metadata, "distributions", lambda: both)  # installing both would spoil this environment
    done = run("model", "compile")
    assert done.exit_code == 1
    assert "mlc-ai-nightly-cpu and apache-tvm are both installed" in done.output and "pip uninstall" in done.output


@pytest.mark.model
@pytest.mark.slow
def test_the_shipped_checkpoint_understands_the_same(shopbot_home: Path, real_model: Path) -> None:
    plugins = PluginManager.installed(only=["orders", "returns", "faq"])
    tools = plugins.tools()
    config = Config(model={"source": str(real_model)})
    manifest = compiling.compile_checkpoint(config=config, quantization=QUANTIZATIONS["q8"])
    assert manifest.gate.passed, manifest.gate.report
    found = []
    for name in (manifest.parent, manifest.name):
        opened, backend = open_backend(config.with_checkpoint(name), plugins)
        understand = make_understanding(opened, backend, tools.values())
        found.append([understand(tool.examples[0], "-").acts for tool in tools.values()])
        backend.close()
    pairs = zip(tools, *found, strict=True)
    differing = [
        (name, one, other)
        for name, one, other in pairs
        if [(act.name, act.arguments) for act in one] != [(act.name, act.arguments) for act in other]
    ]
    assert len(tools) > 10
    assert len(differing) <= 1, differing
