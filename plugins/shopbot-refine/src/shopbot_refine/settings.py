"""How to train, what is reported on the way, and what comes out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from shopbot import ConfigError
from shopbot_refine.dataset import file_fingerprint

#: Four times as coarse as the engines' own: what learns with it hangs less on their last bits, and is no worse
#: (benchmarks/RESULTS.md, "The same acts").
ACTIVATION_BITS = 6


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """How to train. ``token_budget`` counts tokens in one step; ``warmup`` is a share of all steps; ``patience`` counts
    evaluations without a better loss before training stops; ``eval_every`` and ``save_every`` count steps.

    ``keep`` is the share of ``init_lora`` in the weights that are saved, the rest is what was learnt: the mean of a
    model and its fine-tuned child forgets less than the child (Wortsman et al., "Robust fine-tuning of zero-shot
    models", 2022). The losses that are reported are those before it.

    ``activation_bits``: what a matrix is multiplied with is rounded to so many bits, as engines round it to 8, while an
    adapter is trained (as in Jacob et al., "Quantization and training of neural networks for efficient
    integer-arithmetic-only inference", 2018, for activations alone); None: nothing is rounded.
    """

    rank: int = 8
    alpha: float = 16.0
    lr: float = 1e-3
    epochs: float = 3.0
    max_steps: int | None = None
    warmup: float = 0.03
    final_lr: float = 0.05
    clip: float = 1.0
    token_budget: int = 2048
    max_tokens: int = 512
    eval_every: int | None = None
    patience: int = 3
    save_every: int = 50
    seed: int = 0
    threads: int | None = None
    device: str = "auto"
    init_lora: Path | None = None
    keep: float = 0.0
    activation_bits: int | None = None

    def check(self) -> None:
        """Raises :class:`ConfigError` for a setting that cannot work."""
        for name in ("rank", "alpha", "lr", "epochs", "clip", "token_budget", "max_tokens", "patience", "save_every"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name)}.", remedy="Give a number above 0.")
        if not 0 <= self.keep < 1:
            raise ConfigError(f"keep is {self.keep}.", remedy="Give a share from 0 up to, not including, 1.")
        if self.activation_bits is not None and not 2 <= self.activation_bits <= 16:
            raise ConfigError(
                f"activation_bits is {self.activation_bits}.", remedy="Give 2 to 16, or nothing to round nothing."
            )

    def identity(self) -> dict[str, Any]:
        """What decides the result (so neither threads nor how often to save), as JSON values."""
        kept = asdict(self)
        for name in ("threads", "device", "save_every"):
            del kept[name]
        kept["init_lora"] = file_fingerprint(self.init_lora) if self.init_lora else None
        return kept


@dataclass(frozen=True, slots=True)
class Progress:
    """Where training stands: ``loss`` is the mean over the last steps, ``eval_loss`` the newest one measured."""

    step: int
    steps: int
    loss: float
    eval_loss: float | None
    tokens_per_s: float
    left_s: float


@dataclass(frozen=True, slots=True)
class TrainReport:
    """What came out: ``lora`` is the name of the file in the output folder (the adapter's, or the student's);
    ``dropped`` counts examples that were too long; ``seconds`` and ``tokens`` include the runs before a resume;
    ``stopped`` is "steps" or "patience"."""

    lora: str
    fingerprint: str
    settings: dict[str, Any]
    examples: int
    eval_examples: int
    dropped: int
    steps: int
    best_step: int
    tokens: int
    seconds: float
    train_loss: float
    eval_losses: list[tuple[int, float]]
    stopped: str

    def as_json(self) -> dict[str, Any]:
        """What stands in ``train.json``."""
        return asdict(self)
