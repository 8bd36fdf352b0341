"""``shopbot faq``: look at a folder of FAQ files the way the bot does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from shopbot_faq.folder import EXAMPLE_FOLDER, FaqFolder
from shopbot_faq.search import THRESHOLD


@click.group()
def faq() -> None:
    """Check and search the shop's FAQ files."""


@faq.command()
@click.argument("folder", type=click.Path(path_type=Path), default=EXAMPLE_FOLDER)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def check(folder: Path, as_json: bool) -> None:
    """List the passages of FOLDER and what is left out; exit code 1 if something is."""
    opened = FaqFolder(folder)
    passages = opened.index.passages
    problems = opened.problems()
    if as_json:
        _print_json(
            {
                "passages": [{"id": p.id, "title": p.title, "questions": len(p.questions)} for p in passages],
                "left_out": [{"file": problem.file, "why": problem.why} for problem in problems],
            }
        )
    else:
        for passage in passages:
            click.echo(f"{passage.id}  {passage.title}  ({len(passage.questions)} questions)")
        for problem in problems:
            click.echo(f"left out: {problem.file!r}: {problem.why}", err=True)
    if problems:
        raise SystemExit(1)


@faq.command()
@click.argument("text")
@click.option("--folder", type=click.Path(path_type=Path), default=EXAMPLE_FOLDER, help="Default: the example files.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def search(text: str, folder: Path, as_json: bool) -> None:
    """The passages nearest to TEXT, best first, and whether the bot would answer from the first."""
    hits = FaqFolder(folder).index.search(text)
    found = [
        {"id": h.passage.id, "title": h.passage.title, "score": round(h.score, 3), "is_answer": h.score >= THRESHOLD}
        for h in hits
    ]
    if as_json:
        _print_json(found)
        return
    for row in found:
        click.echo(f"{row['score']:.2f}  {'answer' if row['is_answer'] else '-     '}  {row['id']}  {row['title']}")


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))
