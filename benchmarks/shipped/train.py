"""How the shipped LoRA adapter was made: its sixth training round.

    python -m benchmarks.shipped.train OUTPUT --parent LORA [--only BITS]

From the fifth round's adapter (LORA; its SHA-256 stands as ``init_lora`` in the shipped manifest's settings, the file in
the history of this repository) three adapters are trained on the same examples, their activations rounded to 6, 5 and 4
bits. OUTPUT/lora.gguf is the mean of the four, parent and children, matrix by matrix ("Model soups" and "Robust
fine-tuning of zero-shot models", both Wortsman et al., 2022). ``--only``: train one of the three, so that they
can be trained side by side; without it those that are complete are taken as they are.
Seven minutes on an H200 side by side; on two cores some four hours each. Needs ``../shared/data``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from shopbot_refine.dataset import Example
from shopbot_refine.demonstrations import renamed
from shopbot_refine.lora_gguf import load_lora_gguf, save_lora_gguf
from shopbot_refine.seed import expand, split_templates
from shopbot_refine.settings import Progress, TrainSettings
from shopbot_refine.train import train

from benchmarks import shared_data
from shopbot.models import locate_model
from shopbot.understand import render_prompt

#: Bits of the activations → steps of 4,096 tokens: as many as fitted into a fixed time (794 are an epoch).
STEPS = {6: 1439, 5: 1350, 4: 1543}
SEEDS, RENAMED = (1, 2, 3), 2000
HEADS, KV_HEADS = 9, 3  # of the default base


def training_set() -> tuple[list[Example], list[Example]]:
    """(train, eval): the seed set filled three times with other values, the third-party rows of the part for training,
    and tools that do not exist. No template of the eval rows is among the first."""
    templates, held_out = split_templates()
    rows: dict[tuple[str, str], Example] = {}
    for seed in SEEDS:
        for row in expand(templates, rows_per_template=3, seed=seed):
            rows.setdefault((row.state, row.text), row)
    own = list(rows.values())
    foreign = [Example(row["state"], row["text"], tuple(row["acts"])) for row in shared_data.examples("train")]
    return own + foreign + renamed(own, count=RENAMED, seed=6), expand(held_out, rows_per_template=1, seed=0)


def train_one(examples: Sequence[Example], held_out: Sequence[Example], output: Path, parent: Path, bits: int) -> Path:
    """The adapter with activations of ``bits`` bits; one that is complete in ``output`` is returned as it is."""
    settings = TrainSettings(
        lr=4e-4, token_budget=4096, patience=99, init_lora=parent, activation_bits=bits, max_steps=STEPS[bits]
    )
    report = train(
        examples,
        eval_examples=held_out,
        base=locate_model(),
        output=output,
        settings=settings,
        render=render_prompt,
        progress=_show,
    )
    return output / report.lora


def average(paths: Sequence[Path], output: Path) -> None:
    """Write the mean of the adapters' matrices."""
    files = [load_lora_gguf(path, heads=HEADS, kv_heads=KV_HEADS) for path in paths]
    mean = {name: sum(file.weights[name] for file in files) / len(files) for name in files[0].weights}
    save_lora_gguf(output, mean, alpha=files[0].alpha, heads=HEADS, kv_heads=KV_HEADS, name="shopbot acts")


def _show(progress: Progress) -> None:
    if progress.step % 50 == 0 or progress.step == progress.steps:
        print(
            f"step {progress.step} of {progress.steps}: loss {progress.loss:.4f}, {progress.left_s / 60:.0f} min left"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("--parent", type=Path, required=True)
    parser.add_argument("--only", type=int, choices=STEPS)
    given = parser.parse_args()
    if not given.parent.is_file():
        parser.error(f"there is no {given.parent}")
    examples, held_out = training_set()
    trained = [
        train_one(examples, held_out, given.output / f"{bits}-bits", given.parent, bits)
        for bits in STEPS
        if given.only is None or bits == given.only
    ]
    if given.only is None:
        average([given.parent, *trained], given.output / "lora.gguf")


if __name__ == "__main__":
    main()
