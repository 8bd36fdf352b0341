"""``shopbot refine seed`` and ``train``: the seed set, and training outside of a refine run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from shopbot import Invocation, json_option, pass_invocation
from shopbot_refine.cli.extras import require_train
from shopbot_refine.cli.stages import do_stage
from shopbot_refine.settings import ACTIVATION_BITS

if TYPE_CHECKING:
    from shopbot_refine.settings import Progress

_READABLE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--rows", default=3, show_default=True, help="Examples from a template that has placeholders.")
@click.option("--seed", default=0, show_default=True, help="The same seed gives the same examples.")
@click.option("--stats", is_flag=True, help="Print how many examples there are of each act, not the examples.")
def seed(rows: int, seed: int, stats: bool) -> None:
    """Print the seed set, expanded, as JSON Lines."""
    from shopbot_refine.seed import count_acts, load_seed

    examples = load_seed(rows, seed)
    if stats:
        click.echo(json.dumps(count_acts(examples), indent=1))
        return
    for example in examples:
        click.echo(example.to_json())


@click.command()
@click.option(
    "--data",
    "data",
    type=_READABLE,
    multiple=True,
    metavar="FILE",
    help="Examples as JSON Lines; may be given again. Without it: the seed set.",
)
@click.option("--with-seed-set", is_flag=True, help="Train on the seed set too, not on --data alone.")
@click.option("--base", type=_READABLE, help="The base model, a GGUF. Without it: the default model on this box.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder that gets lora.gguf, train.json and manifest.json: a checkpoint. Without it: the stage of a run.",
)
@click.option("--run", "run_name", help="The run whose training set is trained on; without it the newest one.")
@click.option("--init-lora", type=_READABLE, help="A LoRA adapter to go on from, of the same base and rank.")
@click.option("--epochs", default=2.0, show_default=True, help="How often every example is seen.")
@click.option("--max-steps", type=click.IntRange(min=1), help="Stop after this many steps.")
@click.option("--lr", default=1e-3, show_default=True, help="The highest learning rate.")
@click.option("--rank", default=8, show_default=True, type=click.IntRange(1, 64), help="The adapter's rank.")
@click.option(
    "--activation-bits",
    default=ACTIVATION_BITS,
    show_default=True,
    type=click.IntRange(0, 16),
    help="Round activations to so many bits meanwhile, so that no act hangs on an engine's rounding; 0: do not.",
)
@click.option("--token-budget", default=2048, show_default=True, type=click.IntRange(min=64), help="Tokens a step.")
@click.option("--seed", default=0, show_default=True, help="The same seed, data and machine give the same adapter.")
@click.option("--threads", type=click.IntRange(1, 256), help="CPU threads; without it one for each core.")
@click.option("--resume/--fresh", default=True, help="Go on from an interrupted run in --output, or start again.")
@json_option
@pass_invocation
def train(
    invocation: Invocation,
    data: tuple[Path, ...],
    with_seed_set: bool,
    base: Path | None,
    output: Path | None,
    run_name: str | None,
    init_lora: Path | None,
    epochs: float,
    max_steps: int | None,
    lr: float,
    rank: int,
    activation_bits: int,
    token_budget: int,
    seed: int,
    threads: int | None,
    resume: bool,
    as_json: bool,
) -> None:
    """Train a LoRA adapter: of a refine run, or, with --output, on any examples.

    Stop it when you like: the same command goes on where it was.
    """
    if output is None:
        given = click.get_current_context().params.keys() - {"run_name", "as_json"}
        sources = {name: click.get_current_context().get_parameter_source(name) for name in given}
        if any(source is not ParameterSource.DEFAULT for source in sources.values()):
            raise click.UsageError("Training on other examples than a run's needs --output.")
        do_stage(invocation, "train", run_name, as_json=as_json)
        return
    require_train()
    from shopbot import locate_model, render_prompt
    from shopbot_refine.manifest import describe
    from shopbot_refine.sets import training_sets
    from shopbot_refine.settings import TrainSettings
    from shopbot_refine.threads import calm_threads

    calm_threads()
    from shopbot_refine.train import train as run_train

    settings = TrainSettings(
        rank=rank,
        epochs=epochs,
        max_steps=max_steps,
        lr=lr,
        token_budget=token_budget,
        seed=seed,
        threads=threads,
        init_lora=init_lora,
        activation_bits=activation_bits or None,
    )
    base = base or locate_model()
    examples, eval_examples = training_sets(data, seed=seed, with_seed_set=with_seed_set)
    report = run_train(
        examples,
        eval_examples=eval_examples,
        base=base,
        output=output,
        settings=settings,
        render=render_prompt,
        progress=_show,
        fresh=not resume,
    )
    manifest = describe(output, report, base=base, examples=examples, init_lora=init_lora)
    if as_json:
        click.echo(json.dumps(report.as_json(), indent=1, sort_keys=True))
    else:
        loss = f"{report.eval_losses[-1][1]:.4f}" if report.eval_losses else "not measured"
        click.echo(f"{output / report.lora}: {report.steps} steps in {report.seconds:.0f} s, eval loss {loss}")
        click.echo(f"Next: 'shopbot checkpoint add {output}' and 'shopbot eval --checkpoint {manifest.name}'.")


def _show(progress: Progress) -> None:
    """A line on stderr every ten steps."""
    if progress.step % 10 and progress.step != progress.steps:
        return
    measured = f", eval loss {progress.eval_loss:.4f}" if progress.eval_loss is not None else ""
    click.echo(
        f"step {progress.step} of {progress.steps}: loss {progress.loss:.4f}{measured}, "
        f"{progress.tokens_per_s:.0f} tokens/s, {progress.left_s / 60:.0f} min left",
        err=True,
    )
