"""Which examples a training run gets: the seed set or given files, divided into train and eval."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from shopbot_refine.dataset import DatasetError, Example, load_examples, split_examples
from shopbot_refine.demonstrations import renamed
from shopbot_refine.seed import split_seed

EVAL_SHARE = 0.03
DEMONSTRATION_SHARE = 0.06  # of the examples, added: tools the model has never seen, shown by demonstrations


def training_sets(
    data: Sequence[Path], *, seed: int, with_seed_set: bool = False
) -> tuple[list[Example], list[Example]]:
    """(train, eval) from the files, from the seed set where there are none, or from both.

    Raises :class:`DatasetError`.
    """
    examples: list[Example] = []
    held_out: list[Example] = []
    if data:
        examples, held_out = split_examples(load_examples(data), eval_share=EVAL_SHARE, seed=seed)
        if not examples:
            raise DatasetError(f"No examples in {', '.join(map(str, data))}.", remedy="Give files that hold some.")
    if with_seed_set or not data:
        own, own_held_out = split_seed(eval_share=EVAL_SHARE, seed=seed)
        own += renamed(own, count=round(len(own) * DEMONSTRATION_SHARE), seed=seed)
        examples, held_out = examples + own, held_out + own_held_out
    return examples, held_out


def refined_sets(
    data: Path, *, replay: int, seed: int, earlier: Sequence[Path] = ()
) -> tuple[list[Example], list[Example]]:
    """(train, eval) of a refine run: the refined examples, what ``earlier`` generations had beside them, and
    ``replay`` of the seed set's against forgetting.

    Raises :class:`DatasetError`.
    """
    refined = load_examples([data])
    known = {(example.state, example.text) for example in refined}
    refined += [one for one in dict.fromkeys(load_examples(earlier)) if (one.state, one.text) not in known]
    examples, held_out = split_examples(refined, eval_share=EVAL_SHARE, seed=seed)
    own, own_held_out = split_seed(eval_share=EVAL_SHARE, seed=seed)
    own += renamed(own, count=round(len(own) * DEMONSTRATION_SHARE), seed=seed)
    rng = random.Random(f"{seed}:replay")  # noqa: S311 - reproducible, not secret
    own = rng.sample(own, min(replay, len(own)))
    return examples + own, held_out + (own_held_out if replay else [])
