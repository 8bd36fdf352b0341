"""Which examples a training run gets: the seed set or given files, divided into train and eval."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from shopbot_refine.dataset import DatasetError, Example, load_examples, split_examples
from shopbot_refine.demonstrations import renamed
from shopbot_refine.seed import split_seed

EVAL_SHARE = 0.03
DEMONSTRATION_SHARE = 0.06  # of the examples, added: tools the model has never seen, shown by demonstrations


def training_sets(data: Sequence[Path], *, seed: int) -> tuple[list[Example], list[Example]]:
    """(train, eval) from the files, or from the seed set where there are none. Raises :class:`DatasetError`."""
    if data:
        examples, held_out = split_examples(load_examples(data), eval_share=EVAL_SHARE, seed=seed)
        if not examples:
            raise DatasetError(f"No examples in {', '.join(map(str, data))}.", remedy="Give files that hold some.")
        return examples, held_out
    examples, held_out = split_seed(eval_share=EVAL_SHARE, seed=seed)
    return examples + renamed(examples, count=round(len(examples) * DEMONSTRATION_SHARE), seed=seed), held_out
