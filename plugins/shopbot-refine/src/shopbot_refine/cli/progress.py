"""Progress bars of a refine run, on stderr: a bar for each stage that takes its time, with time and money left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shopbot_refine.pipeline import Pipeline, Progress


@contextmanager
def watching(pipeline: Pipeline) -> Iterator[None]:
    """Show what the pipeline does while the block runs."""
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.fields[left]}"),
    )
    with progress.Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, progress.TaskID] = {}

        def show(now: Progress) -> None:
            if now.stage not in tasks:
                tasks[now.stage] = bars.add_task(now.stage, total=now.total, left="")
            parts = [] if now.left_s is None else [f"{now.left_s / 60:.0f} min left"]
            if now.cost is not None:
                parts.append(f"{now.cost:.2f} spent, {max(0.0, pipeline.refine.budget - now.cost):.2f} left")
            bars.update(tasks[now.stage], completed=now.done, total=now.total, left=", ".join(parts))

        pipeline.watch = show
        yield
