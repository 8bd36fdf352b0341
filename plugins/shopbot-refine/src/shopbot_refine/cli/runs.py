"""``shopbot refine run``, ``resume``, ``status``, ``report``, ``ledger``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shopbot import GateError, Invocation, json_option, pass_invocation, print_json
from shopbot_refine.cli.extras import require_run, require_train
from shopbot_refine.cli.progress import watching
from shopbot_refine.cli.stages import describe, open_pipeline
from shopbot_refine.config import RefineConfig
from shopbot_refine.dataset import DatasetError
from shopbot_refine.stages import STAGES

if TYPE_CHECKING:
    from shopbot_refine.config import EngineName
    from shopbot_refine.pipeline import Pipeline

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_TEACHERS = ("live", "batch", "recorded")
_ENGINES = ("local", "ray")


@click.command()
@click.option(
    "--log", "logs", type=_FILE, multiple=True, metavar="FILE", help="A foreign log (JSON Lines) to learn from."
)
@click.option("--no-transcripts", is_flag=True, help="Leave this box's own transcripts out.")
@click.option("--teacher", type=click.Choice(_TEACHERS), help="Who answers; without it plugins.refine.teacher.")
@click.option(
    "--engine", type=click.Choice(_ENGINES), help="What works through the rows; without it plugins.refine.engine."
)
@click.option("--recording", "recordings", type=_FILE, multiple=True, metavar="FILE", help="More recorded answers.")
@click.option("--eval-set", "eval_sets", type=_FILE, multiple=True, metavar="FILE", help="Cases to judge on, too.")
@click.option(
    "--replay", default=4000, show_default=True, type=click.IntRange(min=0), help="Seed examples learnt again."
)
@click.option("--epochs", default=1.0, show_default=True, help="How often every example is seen.")
@click.option("--lr", default=4e-4, show_default=True, help="The highest learning rate.")
@click.option(
    "--keep",
    default=0.0,
    show_default=True,
    type=click.FloatRange(0, 1, max_open=True),
    help="The parent's share in the new weights: the more, the less is forgotten, and learnt.",
)
@click.option("--max-steps", type=click.IntRange(min=1), help="Stop training after this many steps.")
@click.option(
    "--seed", default=0, show_default=True, help="The same seed, logs and answers give the same training set."
)
@click.option("--until", "last", type=click.Choice(STAGES), help="Stop after this stage; 'resume' goes on.")
@click.option(
    "--generations", default=1, show_default=True, type=click.IntRange(min=1), help="Runs that each steer the next one."
)
@click.option(
    "--shrink",
    is_flag=False,
    flag_value=0.5,
    default=0.0,
    metavar="SHARE",
    type=click.FloatRange(0, 1, max_open=True),
    help="Then a student with this share of the layers; alone, half of them.",
)
@click.option(
    "--shrink-loss",
    default=0.02,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="What the student may lose against its parent, as a share of the cases.",
)
@json_option
@pass_invocation
def run(
    invocation: Invocation,
    logs: tuple[Path, ...],
    no_transcripts: bool,
    teacher: str | None,
    engine: EngineName | None,
    recordings: tuple[Path, ...],
    eval_sets: tuple[Path, ...],
    replay: int,
    epochs: float,
    lr: float,
    keep: float,
    max_steps: int | None,
    seed: int,
    last: str | None,
    generations: int,
    shrink: float,
    shrink_loss: float,
    as_json: bool,
) -> None:
    """Refine: from this box's conversations to a better checkpoint, or, with exit code 3, the old one stays.

    Stop it when you like, or pull the cable: 'shopbot refine resume' goes on, and asks nothing twice.
    """
    require_run()
    from shopbot_refine.engines import require_engine
    from shopbot_refine.runs import RunSettings, forget_run, start_run
    from shopbot_refine.teachers.endpoint import check_endpoint

    refine = RefineConfig.of(invocation.config.plugins.get("refine", {}))
    require_engine(engine or refine.engine)
    if (teacher or refine.teacher) != "recorded":
        check_endpoint(refine)
    wanted = RunSettings(
        logs=_paths(logs),
        transcripts=not no_transcripts,
        teacher=teacher or "",
        engine=engine or "",
        recordings=_paths(recordings),
        eval_sets=_paths(eval_sets),
        replay=replay,
        epochs=epochs,
        lr=lr,
        keep=keep,
        max_steps=max_steps,
        seed=seed,
        generations=generations,
        shrink=shrink,
        shrink_loss=shrink_loss,
    )
    started = start_run(invocation.config, wanted)
    try:
        _go_on(invocation, started.name, last, as_json)
    except DatasetError:
        if started.next_stage == STAGES[0]:  # its logs cannot be read: there is nothing to go on with
            forget_run(started)
        raise


@click.command()
@click.option("--run", "name", help="The run; without it the newest one.")
@click.option("--until", "last", type=click.Choice(STAGES), help="Stop after this stage.")
@click.option("--engine", type=click.Choice(_ENGINES), help="What works through the rows; without it the run's own.")
@json_option
@pass_invocation
def resume(
    invocation: Invocation, name: str | None, last: str | None, engine: EngineName | None, as_json: bool
) -> None:
    """Go on with a run that was stopped, or that waited for the teacher."""
    _go_on(invocation, name, last, as_json, engine)


@click.command()
@json_option
def status(as_json: bool) -> None:
    """The runs on this box: what is done of each, what is left."""
    from shopbot_refine.overview import describe_run
    from shopbot_refine.runs import list_runs

    runs = [describe_run(one) for one in list_runs()]
    if as_json:
        print_json(runs)
        return
    for one in runs:
        click.echo(f"{one['name']}: {one['state']}")
        for stage in one["stages"]:
            click.echo(f"  {stage['stage']:9} {stage['kept']:7} kept  {sum(stage['rejected'].values()):6} left out")
    if not runs:
        click.echo("There is no refine run on this box yet. Start one with 'shopbot refine run'.", err=True)


@click.command()
@click.option("--run", "name", help="The run; without it the newest one.")
@pass_invocation
def report(invocation: Invocation, name: str | None) -> None:
    """Draw the report of a run, finished or not, and print where it is."""
    from shopbot_refine.report import write_report

    pipeline = open_pipeline(invocation, name)
    click.echo(write_report(pipeline.folder, costs=pipeline.costs()))


@click.command()
@click.option("--run", "name", help="Only the calls of this run.")
@json_option
def ledger(name: str | None, as_json: bool) -> None:
    """What teachers were asked and paid."""
    from shopbot_refine.overview import read_ledger

    rows, totals = read_ledger(name)
    if as_json:
        print_json({"calls": rows, "totals": totals})
        return
    for row in rows:
        click.echo(
            f"{row['sent_at'][:16]}  {row['run']}  {row['kind']:6} {row['state']:9} {row['cost']:10.6f}  {row['model']}"
        )
    click.echo(
        f"{totals['answered']} answered, {totals['sent']} under way, {totals['failed']} failed; "
        f"spent {totals['spent']:.6f}, reserved {totals['held']:.6f}; "
        f"{totals['input_tokens']} + {totals['output_tokens']} tokens"
    )


def _paths(files: tuple[Path, ...]) -> tuple[str, ...]:
    """As a run keeps them: they must be found from any folder."""
    return tuple(str(file.resolve()) for file in files)


def _go_on(
    invocation: Invocation, name: str | None, last: str | None, as_json: bool, engine: EngineName | None = None
) -> None:
    """Do the stages that are left, draw the report, promote behind the gate; and so on up the staircase."""
    pipeline = open_pipeline(invocation, name, engine)
    settings = pipeline.run.settings
    if last is None and (settings.generations > 1 or settings.shrink):
        _climb(pipeline, as_json)
    else:
        _finish(pipeline, last, as_json)


def _climb(pipeline: Pipeline, as_json: bool) -> None:
    """All generations, and the student."""
    require_train()
    from shopbot_refine.threads import calm_threads

    calm_threads()
    from shopbot_refine.staircase import climb

    staircase = climb(
        pipeline.run,
        pipeline.config,
        plugins=pipeline.plugins,
        watch=watching,
        tell=lambda report: click.echo(describe(report), err=True),
    )
    if as_json:
        print_json(staircase.as_json())
    else:
        click.echo(staircase.as_table())
    if staircase.stopped:
        raise GateError(staircase.stopped)


def _finish(pipeline: Pipeline, last: str | None, as_json: bool) -> None:
    """One run's stages, up to ``last``."""
    from shopbot_refine.overview import describe_run
    from shopbot_refine.report import write_report

    is_trained = last is None or STAGES.index(last) >= STAGES.index("train")
    if is_trained:
        require_train()
    try:
        with watching(pipeline):
            for stage, work in pipeline.stages():
                click.echo(describe(work()), err=True)
                if stage == last:
                    break
    finally:
        path = write_report(pipeline.folder, costs=pipeline.costs())
        click.echo(f"The report: {path}", err=True)
    result: dict[str, Any] = {**describe_run(pipeline.run), "report": str(path)}
    if as_json:
        print_json(result)
    else:
        click.echo(f"{pipeline.run.name}: {result['state']}")
    if last in (None, STAGES[-1]):
        pipeline.promote()
