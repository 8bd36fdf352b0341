"""``shopbot faq``: look at a folder of FAQ files the way the bot does.

The search is imported by the commands that need it: numpy would slow down every ``shopbot --help``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click


@click.group()
def faq() -> None:
    """Check and search the shop's FAQ files."""


@faq.command()
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def check(folder: Path | None, as_json: bool) -> None:
    """List the passages of FOLDER (default: the example files) and what is left out; exit code 1 if something is."""
    from shopbot_faq.folder import EXAMPLE_FOLDER, FaqFolder

    opened = FaqFolder(folder or EXAMPLE_FOLDER)
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
@click.option("--folder", type=click.Path(path_type=Path), help="Default: the example files.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def search(text: str, folder: Path | None, as_json: bool) -> None:
    """The passages nearest to TEXT, best first, and whether the bot would answer from the first or quote it."""
    from shopbot_faq.answers import find
    from shopbot_faq.folder import EXAMPLE_FOLDER, FaqFolder
    from shopbot_faq.search import THRESHOLD

    index = FaqFolder(folder or EXAMPLE_FOLDER).index
    hits, found = index.search(text), find(index, text, THRESHOLD)
    shown = {hit.passage.id: found.certainty for hit in found.shown}
    rows = [
        {
            "id": hit.passage.id,
            "title": hit.passage.title,
            "score": round(hit.score, 3),
            "is_answer": hit.score >= THRESHOLD,
            "certainty": shown.get(hit.passage.id, "none"),
        }
        for hit in hits
    ]
    if as_json:
        _print_json(rows)
        return
    for row in rows:
        click.echo(f"{row['score']:.2f}  {row['certainty']:5}  {row['id']}  {row['title']}")


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))
