"""How much a conversion lost: the logits of the stored weights beside those of the exact ones.

A smoke test cannot see it. "The capital of France is Paris" comes out right of four bits made from other four bits,
when the perplexity has grown by half. So every conversion is measured on a text, in numpy, apart from any engine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shopbot.backends.mlc.config import ModelConfig
from shopbot.backends.mlc.convert import Parameters
from shopbot.backends.mlc.forward import logits
from shopbot.backends.mlc.quantization import Array
from shopbot.errors import ModelCorruptError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

#: Eight bits of the default model reach 0.9997, four bits 0.91 to 0.95; eight of random weights 0.998.
MIN_COSINE = 0.995
MAX_PERPLEXITY_RATIO = 1.03
MAX_TOKENS = 256
_TEXT = """\
Most things can be returned within thirty days of delivery, in the condition in which they arrived. Tell us which order
it is and why the item goes back, and we send you a label for the parcel. Once it has reached our warehouse and has been
checked, the money is on its way to the card, or to the gift card, that you paid with; a bank may take five more working
days until it shows. Shoes may be tried on indoors. Headphones, once opened, cannot be taken back for reasons of
hygiene, unless they are broken. If you would rather have another size or colour, ask for an exchange instead: the new
item leaves as soon as the old one is scanned by the carrier.

"Where is my order? It should have been here on Tuesday," she wrote. The lamp had left Rotterdam on the 14th, number
W5947477, and had not been scanned since. He apologised, opened a claim for 121.62 euros and sent another lamp the same
day by express. Two days later both of them arrived, and she kept the blue one.
"""


@dataclass(frozen=True, slots=True)
class Quality:
    """Stored weights against exact ones, on ``tokens`` tokens of one text.

    ``cosine``: of the logits, in the mean; ``same_top``: the share of places where both think the same token the
    likeliest.
    """

    tokens: int
    perplexity: float
    exact_perplexity: float
    cosine: float
    same_top: float

    @property
    def is_good(self) -> bool:
        return self.cosine >= MIN_COSINE and self.perplexity <= MAX_PERPLEXITY_RATIO * self.exact_perplexity

    def sentence(self) -> str:
        """The numbers, as an operator reads them."""
        return (
            f"perplexity {self.perplexity:.2f}, {self.exact_perplexity:.2f} with the exact weights; cosine of the "
            f"logits {self.cosine:.4f}; the same likeliest token in {self.same_top:.0%} of {self.tokens} places"
        )

    def as_json(self) -> dict[str, Any]:
        numbers = {"perplexity": self.perplexity, "exact_perplexity": self.exact_perplexity}
        numbers |= {"cosine": self.cosine, "same_top": self.same_top}
        return {"tokens": self.tokens, **{name: round(number, 5) for name, number in numbers.items()}}


def text_tokens(tokenizer: Tokenizer) -> list[int]:
    """The text that is judged by, at most :data:`MAX_TOKENS` tokens of it."""
    return list(tokenizer.encode(_TEXT).ids[:MAX_TOKENS])


def compare(exact: Parameters, stored: Parameters, config: ModelConfig, tokens: list[int]) -> Quality:
    """Run both weights over ``tokens``, one after the other.

    Raises :class:`ModelCorruptError` where the weights give no numbers, or the text has fewer than two tokens.
    """
    limit = min(len(tokens), config.context_window_size)
    if limit < 2:
        raise ModelCorruptError("The tokenizer knows nothing of an English text.", remedy="Use another model.")
    tokens = tokens[:limit]
    with np.errstate(over="ignore", invalid="ignore"):  # what comes of it is looked at below
        wanted, found = logits(exact, config, tokens), logits(stored, config, tokens)
    if not (np.isfinite(wanted).all() and np.isfinite(found).all()):
        raise ModelCorruptError("The weights give values that are no numbers.", remedy="Fetch the model again.")
    lengths = np.linalg.norm(wanted, axis=1) * np.linalg.norm(found, axis=1)
    cosines = np.divide((wanted * found).sum(axis=1), lengths, out=np.ones_like(lengths), where=lengths > 0)
    return Quality(
        tokens=limit,
        perplexity=_perplexity(found, tokens),
        exact_perplexity=_perplexity(wanted, tokens),
        cosine=float(cosines.mean()),
        same_top=float((wanted.argmax(axis=1) == found.argmax(axis=1)).mean()),
    )


def _perplexity(scores: Array, tokens: list[int]) -> float:
    """Of each token after the first, given those before it."""
    shifted = scores[:-1] - scores[:-1].max(axis=1, keepdims=True)
    totals = np.log(np.exp(shifted).sum(axis=1))
    losses = totals - shifted[np.arange(len(shifted)), tokens[1:]]
    return math.exp(min(float(losses.mean()), 700.0))
