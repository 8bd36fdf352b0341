"""Trains and judges one model of the table; each function runs in a process of its own."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shopbot_refine.acts import parse_act
from shopbot_refine.dataset import Example, load_examples

from benchmarks.refine.run import linear_model
from benchmarks.setup import plugins
from shopbot import DEFAULT_MODEL, DIALOGUE_ACTS, PROMPT_FORMAT
from shopbot.backends import BackendSettings, ModelBackend
from shopbot.backends.scripted import ScriptedBackend
from shopbot.checkpoint import Manifest
from shopbot.config import Config
from shopbot.models import locate_model
from shopbot.understand import Understanding, render_prompt

#: As a refine run trains a LoRA adapter from nothing, and as it shrinks one.
LORA = {"epochs": 2.0, "lr": 1e-3}
STUDENT = {"epochs": 6.0, "lr": 3e-4}
_PROMPT = re.compile(r"\[([^\]\n]*)\] ([^\n]*?)<\|im_end\|>$")
_NUMBER = re.compile(r"#?[A-Z]{0,4}-?\d[\w-]{2,}")


@dataclass(frozen=True, slots=True)
class Trained:
    """A model of the table: ``kind`` 135M, half or linear; ``data`` it was trained on; its files."""

    kind: str
    data: str
    seed: int
    base: str = ""
    lora: str = ""
    seconds: float = 0.0
    size: int = 0


def training_set(folder: Path, data: str, *, rows: int, replay: int) -> list[Example]:
    """The first ``rows`` of the logs' set, then the first ``replay`` of the seed set's."""
    return load_examples([folder / f"{data}.jsonl"])[:rows] + load_examples([folder / "replay.jsonl"])[:replay]


def train_lora(examples: Sequence[Example], data: str, seed: int, output: Path) -> Trained:
    """The 135M model with an adapter."""
    from shopbot_refine.settings import TrainSettings
    from shopbot_refine.train import train

    base = locate_model()
    settings = TrainSettings(**LORA, token_budget=2048, seed=seed, save_every=10_000)
    report = train(examples, eval_examples=[], base=base, output=output, settings=settings, render=render_prompt)
    lora = output / report.lora
    return Trained("135M", data, seed, str(base), str(lora), report.seconds, base.stat().st_size + lora.stat().st_size)


def train_half(examples: Sequence[Example], parent: Trained, output: Path) -> Trained:
    """A student with half the blocks of ``parent``, all weights trained."""
    from shopbot_refine.settings import TrainSettings
    from shopbot_refine.student import choose_blocks, count_blocks, train_student

    base = Path(parent.base)
    blocks = choose_blocks(count_blocks(base), count_blocks(base) // 2)
    settings = TrainSettings(**STUDENT, token_budget=2048, seed=parent.seed, save_every=10_000)
    report = train_student(
        examples,
        eval_examples=[],
        base=base,
        lora=Path(parent.lora),
        blocks=blocks,
        output=output,
        settings=settings,
        render=render_prompt,
    )
    file = output / report.lora
    return Trained("half", parent.data, parent.seed, str(file), "", report.seconds, file.stat().st_size)


def untrained_half(output: Path) -> Trained:
    """Half the blocks of the base as they are."""
    import torch
    from shopbot_refine.student import STUDENT_FILE, Student, choose_blocks, count_blocks

    base = locate_model()
    output.mkdir(parents=True)
    student = Student(base, None, choose_blocks(count_blocks(base), count_blocks(base) // 2), torch.device("cpu"))
    student.save(output / STUDENT_FILE, student.copy())
    return Trained("half", "untuned", 0, str(output / STUDENT_FILE), "", 0.0, (output / STUDENT_FILE).stat().st_size)


def untrained_whole() -> Trained:
    """The base as it is."""
    base = locate_model()
    return Trained("135M", "untuned", 0, str(base), "", 0.0, base.stat().st_size)


def linear_backend(examples: Sequence[Example]) -> ScriptedBackend:
    """The linear classifier behind the same engine: an act's name from the message and its state, and, where the tool
    takes a number, the first one in the message."""
    labelled = [
        Example("-", f"{_word(one.state)} {one.text}", one.acts)
        for one in examples
        if len(one.acts) == 1 and not one.demonstrations
    ]
    model = linear_model(labelled)
    tools = plugins().tools()

    def answer(prompt: str) -> str:
        found = _PROMPT.search(prompt.strip())
        state, text = found.groups() if found else ("-", prompt)
        name = str(model.predict([f"{_word(state)} {text}"])[0])
        number = _NUMBER.search(text)
        return f"{name}({_argument(tools, name, number.group() if number else '')})"

    return ScriptedBackend(answer)


def judge(part: str, one: Trained, folder: Path, examples: Sequence[Example] = ()) -> dict[str, Any]:
    """One column of the table: ``routing``, ``calls`` or ``golden``. ``examples``: what a linear model learns from."""
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    backend: ModelBackend
    if one.kind == "linear":
        backend = linear_backend(examples)
    else:
        from shopbot.backends.gguf import GgufBackend

        lora = Path(one.lora) if one.lora else None
        threads = int(os.environ.get("CLAIM_THREADS", "2"))
        backend = GgufBackend(BackendSettings(Path(one.base), lora, threads=threads, slots=1, context=1024))
    began = time.monotonic()
    try:
        right, total = _golden(backend) if part == "golden" else _rows(backend, part, folder)
    finally:
        backend.close()
    ms = round(1e3 * (time.monotonic() - began) / total, 1)
    return {"kind": one.kind, "data": one.data, "seed": one.seed, "part": part, "right": right, "of": total, "ms": ms}


def _rows(backend: ModelBackend, part: str, folder: Path) -> tuple[int, int]:
    tools = plugins().tools()
    understanding = Understanding(backend, tools.values(), trained=tools)
    rows = [json.loads(line) for line in (folder / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()]
    right = 0
    for row in rows:
        acts = understanding(row["text"], "-").acts
        if part == "routing":
            right += bool(acts) and acts[0].name in row["right"]
        else:
            wanted = parse_act(row["right"])
            right += bool(acts) and acts[0].name == wanted.name and dict(acts[0].arguments) == dict(wanted.arguments)
    return right, len(rows)


def _golden(backend: ModelBackend) -> tuple[int, int]:
    from datetime import datetime, timezone

    from shopbot import evals

    manager = plugins()
    manifest = Manifest.model_validate(
        {
            "name": "claim",
            "base": {"source": DEFAULT_MODEL.source, "sha256": DEFAULT_MODEL.sha256},
            "prompt_format": PROMPT_FORMAT,
            "tools": sorted(manager.tools()),
            "created": datetime.now(timezone.utc),
        }
    )
    report = evals.run_cases(manager.cases(), config=Config(), plugins=manager, backend=backend, manifest=manifest)
    return report.passed, len(report.results)


def _word(state: str) -> str:
    return re.sub(r"[^a-z0-9]", "_", state.casefold())


def _argument(tools: Mapping[str, Any], name: str, number: str) -> str:
    if not number or name in DIALOGUE_ACTS or name not in tools:
        return ""
    slot = next((p.name for p in tools[name].parameters if p.name in ("order", "number", "amount")), None)
    return f"{slot}={json.dumps(number)}" if slot else ""
