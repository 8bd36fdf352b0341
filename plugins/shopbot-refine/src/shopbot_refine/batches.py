"""Examples as token batches: rendered, tokenised, and grouped by length so that little is spent on padding."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import tokenizers
import torch

from shopbot_refine.dataset import Example

Render = Callable[..., str]  # (state, text[, demonstrations]) → the prompt, up to where the model goes on
END = "<|im_end|>"


@dataclass(frozen=True, slots=True)
class Row:
    """One example in tokens: ``tokens[answer:]`` is what the model learns to say."""

    tokens: list[int]
    answer: int


@dataclass(frozen=True, slots=True)
class Batch:
    """``tokens`` (rows, length) padded at the right; ``where`` (n,) the positions whose next token is learnt, counted
    over the columns that are not shared by all rows; ``target`` (n,) those tokens; ``used`` how many tokens are no
    padding."""

    tokens: torch.Tensor
    where: torch.Tensor
    target: torch.Tensor
    used: int


def encode(
    examples: Sequence[Example], tokenizer: tokenizers.Tokenizer, render: Render, *, max_tokens: int
) -> list[Row]:
    """Tokenise prompt and answer apart, as they are when the model is asked. Rows over ``max_tokens`` are left out."""
    prompts = tokenizer.encode_batch([_prompt(example, render) for example in examples])
    answers = tokenizer.encode_batch(["\n".join(example.acts) + END for example in examples])
    rows = [Row(p.ids + a.ids, len(p.ids)) for p, a in zip(prompts, answers, strict=True)]
    return [row for row in rows if len(row.tokens) <= max_tokens]


def _prompt(example: Example, render: Render) -> str:
    shown = (example.demonstrations,) if example.demonstrations else ()
    return render(example.state, example.text, *shown)


def plan_batches(lengths: Sequence[int], *, token_budget: int, rng: random.Random) -> list[list[int]]:
    """Indices in batches of at most ``token_budget`` tokens, padding included; a longer row stands alone.

    Rows are shuffled, sorted by length within a window of many batches, cut, and the batches shuffled: about 3 %
    padding, and no batch is always the same company.
    """
    order = list(range(len(lengths)))
    rng.shuffle(order)
    window = max(1, 64 * token_budget // (1 + sum(lengths) // max(1, len(lengths))))
    batches: list[list[int]] = []
    for start in range(0, len(order), window):
        batch: list[int] = []
        for index in sorted(order[start : start + window], key=lambda n: lengths[n]):
            if batch and lengths[index] * (len(batch) + 1) > token_budget:
                batches.append(batch)
                batch = []
            batch.append(index)
        batches.append(batch)
    rng.shuffle(batches)
    return batches


def collate(rows: Sequence[Row], *, shared: int = 0) -> Batch:
    """Pad at the right; ``shared`` is the number of tokens that all rows begin with.

    Attention is causal, so no position that counts ever sees the padding, and no mask is needed.
    """
    length = max(len(row.tokens) for row in rows)
    tokens = torch.zeros(len(rows), length, dtype=torch.long)
    where: list[int] = []
    target: list[int] = []
    for number, row in enumerate(rows):
        start = number * (length - shared) - shared
        tokens[number, : len(row.tokens)] = torch.tensor(row.tokens)
        where += range(start + row.answer - 1, start + len(row.tokens) - 1)
        target += row.tokens[row.answer :]
    return Batch(tokens, torch.tensor(where), torch.tensor(target), sum(len(row.tokens) for row in rows))
