"""The engine 'ray': what the local one gives, also where a worker dies, and open to nobody."""

from __future__ import annotations

import hashlib
import ipaddress
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import pytest

pytest.importorskip("sklearn", reason="a refine run needs the extra 'run'")

from click.testing import CliRunner
from shopbot_refine.cli import refine
from shopbot_refine.engines import PLACE, Columns, Engine, Row, open_engine
from shopbot_refine.engines.tables import BATCH
from shopbot_refine.pipeline import Pipeline
from shopbot_refine.runs import Run, RunSettings, create_run

from shopbot import Config, ConfigError, PluginManager

#: What Ray warns of in Ray.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="this engine needs the extra 'ray'")
DEMO = Path(__file__).resolve().parents[3] / "examples" / "refine_log.jsonl"
DATA_STAGES = ("collect", "redact", "clean", "teach", "check", "export")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with open_engine("ray", tmp_path_factory.mktemp("ray")) as engine:
        from ray import cloudpickle

        cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the workers do not know this file
        yield engine


@dataclass(frozen=True)
class Deadly:
    """Doubles a number. The first worker that gets the row ``deadly`` is killed in the middle of its batch."""

    mark: Path
    deadly: int = BATCH + 7
    reads: ClassVar[Columns] = {"number": int}
    gives: ClassVar[Columns] = {"number": int}

    def __call__(self, rows: Sequence[Row] | Iterator[Row]) -> Iterator[Row]:
        for row in rows:
            if row[PLACE] == self.deadly and not self.mark.exists():
                self.mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            yield {PLACE: row[PLACE], "number": 2 * row["number"]}


def numbers() -> list[Row]:
    return [{PLACE: place, "number": place, "key": str(place % 50)} for place in range(2 * BATCH)]


@needs_ray
@pytest.mark.slow
def test_a_killed_worker_costs_nothing(engine: Engine, tmp_path: Path) -> None:
    doubled = [{PLACE: place, "number": 2 * place} for place in range(2 * BATCH)]
    assert list(engine.each(numbers(), Deadly(tmp_path / "each")).read()) == doubled
    assert list(engine.together(numbers(), "key", Deadly(tmp_path / "together")).read()) == doubled
    assert {path.name for path in tmp_path.iterdir()} == {"each", "together"}, "nobody was killed"


@dataclass(frozen=True)
class Copy:
    """Gives the text back."""

    reads: ClassVar[Columns] = {"text": str}
    gives: ClassVar[Columns] = {"text": str}

    def __call__(self, rows: Sequence[Row] | Iterator[Row]) -> Iterator[Row]:
        yield from rows


@needs_ray
@pytest.mark.slow
def test_many_parts_stay_in_order(engine: Engine) -> None:
    def text(place: int) -> str:  # as long as a message with its acts, and as hard to compress
        return 2 * hashlib.sha512(str(place).encode()).hexdigest()

    many = 50 * BATCH
    found = engine.each(({PLACE: place, "text": text(place)} for place in range(many)), Copy())
    assert all(row["text"] == text(place) for place, row in enumerate(found.read())) and len(found) == many


@needs_ray
@pytest.mark.slow
def test_nothing_in_gives_nothing_out(engine: Engine, tmp_path: Path) -> None:
    assert list(engine.each([], Deadly(tmp_path)).read()) == []
    assert list(engine.together([{PLACE: 0, "number": 1, "key": None}], "key", Deadly(tmp_path)).read()) == []


@needs_ray
@pytest.mark.slow
def test_ray_listens_to_this_box_alone(engine: Engine) -> None:
    psutil = pytest.importorskip("psutil", reason="it looks at Ray's processes")
    own = psutil.Process()
    open_to = {
        connection.laddr.ip
        for process in (own, *own.children(recursive=True))
        for connection in process.net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert open_to, "Ray listens nowhere"
    addresses = [ipaddress.ip_address(found) for found in open_to]
    assert [one for one in addresses if not (getattr(one, "ipv4_mapped", None) or one).is_loopback] == []


@needs_ray
@pytest.mark.slow
def test_both_engines_make_the_same_training_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPBOT_HOME", str(tmp_path))
    plugins = PluginManager.installed(only=("faq", "orders", "returns"), is_strict=True)
    settings = RunSettings(parent="first-party", logs=(str(DEMO),), transcripts=False, teacher="recorded")
    results = []
    for name in ("local", "ray"):
        run: Run = create_run(replace(settings, engine=name))  # type: ignore[arg-type]
        pipeline = Pipeline(run, Config(), plugins=plugins)
        reports = [work() for stage, work in pipeline.stages() if stage in DATA_STAGES]
        results.append([(report.stage, report.fingerprint, report.rejected) for report in reports])
        assert not [path for path in run.folder.iterdir() if path.name.startswith(".")], "something is left"
    assert results[0] == results[1]


def test_without_ray_the_remedy_is_named_before_anything_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOPBOT_HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match="not installed"), open_engine("ray", tmp_path):
        pass
    done = CliRunner().invoke(refine, ["run", "--engine", "ray", "--log", str(DEMO)])
    assert isinstance(done.exception, ConfigError), done.exception
    assert "plugins/shopbot-refine[ray]" in str(done.exception.remedy)
    assert not (tmp_path / "refine").exists()


def test_an_engine_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"plugins\.refine\.engine"):
        Pipeline(
            Run(Path("."), RunSettings()),
            Config(plugins={"refine": {"engine": "spark"}}),
            plugins=PluginManager(is_strict=True),
        )
