"""What checkpoints are judged on: the plugins' golden cases and the eval sets."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from shopbot import DIALOGUE_ACTS, Case, ConfigError, PluginManager
from shopbot_refine.acts import parse_act
from shopbot_refine.dataset import DatasetError, Example, fingerprint, load_examples
from shopbot_refine.scores import GOLDEN
from shopbot_refine.seed import split_seed
from shopbot_refine.sets import EVAL_SHARE

SEED_SET = "seed"


@dataclass(frozen=True, slots=True)
class Suite:
    """What is judged on: (plugin, case) of the golden cases, and name → rows of the eval sets.

    ``left_out``: name → how many rows ask for a tool that is not installed here.
    """

    golden: tuple[tuple[str, Case], ...]
    sets: Mapping[str, tuple[Example, ...]]
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The sets in their order, the golden one first."""
        return (*([GOLDEN] if self.golden else []), *self.sets)

    def ids_of(self, name: str) -> list[str]:
        """The ids of one set's cases, in order."""
        if name == GOLDEN:
            return [f"{plugin}/{case.name}" for plugin, case in self.golden]
        return [row_id(row) for row in self.sets[name]]

    def fingerprint_of(self, name: str) -> str:
        """SHA-256 of one set's cases, in order."""
        if name == GOLDEN:
            return fingerprint(json.dumps([plugin, asdict(case)], default=str) for plugin, case in self.golden)
        return fingerprint(example.to_json() for example in self.sets[name])


def build_suite(plugins: PluginManager, paths: Sequence[Path] = (), *, seed: int = 0) -> Suite:
    """The plugins' golden cases, the seed set's eval split of ``seed`` (the seed of training) and the files' rows.

    A set is called like its file. Raises :class:`DatasetError`, and :class:`ConfigError` for two of one name.
    """
    golden = tuple(plugins.cases())
    names = Counter(f"{plugin}/{case.name}" for plugin, case in golden)
    sets: dict[str, list[Example]] = {SEED_SET: []}
    for path in paths:
        if path.stem in (*sets, GOLDEN):
            raise ConfigError(f"There are two eval sets '{path.stem}'.", remedy="Give the files different names.")
        sets[path.stem] = load_examples([path])
        if not sets[path.stem]:
            raise DatasetError(f"There is no row in {path}.", remedy="Give a file that holds some.")
    if twice := next((name for name, count in names.items() if count > 1), ""):
        raise ConfigError(f"There are two golden cases '{twice}'.", remedy="Rename one of them.")
    sets[SEED_SET] = split_seed(eval_share=EVAL_SHARE, seed=seed)[1]
    known = {*plugins.tools(), *DIALOGUE_ACTS}
    kept = {name: tuple(row for row in rows if _is_judgeable(row, known)) for name, rows in sets.items()}
    left_out = {name: len(rows) - len(kept[name]) for name, rows in sets.items()}
    return Suite(golden, {name: tuple(dict.fromkeys(rows)) for name, rows in kept.items() if rows}, left_out)


def _is_judgeable(row: Example, known: set[str]) -> bool:
    """Whether the row can be answered here; one with demonstrations judges another prompt than the bot's."""
    try:
        return not row.demonstrations and {parse_act(act).name for act in row.acts} <= known
    except ValueError as error:
        raise DatasetError(f"{error} in an eval set.", remedy='Write name(argument="value").') from error


def row_id(row: Example) -> str:
    """The name of a row of an eval set (16 hex digits), by what it says."""
    return fingerprint([row.state, row.text, *row.acts])[:16]
