"""Bake a checkpoint: its LoRA adapter merged into a base of its own, which this box serves faster.

The golden cases are the judge: they are played on the checkpoint and on its baked form, and the baked form passes its
gate only if it answers them as well (see :func:`decide`). The checkpoint itself is never touched.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from shopbot.backends import Completion, ModelBackend
from shopbot.checkpoint import Checkpoint, CheckpointStore
from shopbot.config import Config, home
from shopbot.errors import ConfigError, GateError, ModelError
from shopbot.evals import Case, CaseResult, run_cases
from shopbot.files import sha256_of
from shopbot.manifest import Baked, Base, Gate, Manifest, write_manifest
from shopbot.minds import open_backend
from shopbot.models import locate_model
from shopbot.plugins import PluginManager
from shopbot.weights import Quantization, merge_lora

#: The share of the golden cases by which a baked checkpoint may fall behind: what the order of calls alone can move.
MAX_LOSS = 0.01
SAFETY_TAG = "safety"
_BASE_FILE = "base.gguf"
_SHOWN = 10

#: Called with each golden case that was played, first on the checkpoint, then on its baked form.
CaseProgress = Callable[[CaseResult], None]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The golden cases on a checkpoint and on its baked form.

    ``gained`` and ``lost``: cases that only the baked form, only the checkpoint itself has right; ``lost_safety``:
    those of the lost with the tag ``safety``. ``prompts``: how often both were asked the very same; ``same_acts``: how
    often they then understood the same.
    """

    cases: int
    before: int
    after: int
    gained: tuple[str, ...]
    lost: tuple[str, ...]
    lost_safety: tuple[str, ...]
    prompts: int
    same_acts: int

    @property
    def same_share(self) -> float:
        """How often both understood the same, 0 to 1."""
        return self.same_acts / self.prompts if self.prompts else 1.0

    def as_json(self) -> dict[str, Any]:
        return {
            "n": self.cases,
            "passed": self.after,
            "parent_passed": self.before,
            "gained": list(self.gained),
            "lost": list(self.lost),
            "same_acts": round(self.same_share, 4),
            "prompts": self.prompts,
        }


def bake(
    name: str = "",
    *,
    config: Config,
    plugins: PluginManager,
    quantization: Quantization = "q8_0",
    progress: CaseProgress = lambda result: None,
) -> Manifest:
    """Bake the checkpoint ``name`` (empty: the one in force) and return the manifest of its baked form, which is not
    put in force. One that was baked before is returned as it is.

    Raises :class:`GateError` where the golden cases suffer (the baked form is deleted), :class:`ConfigError` where
    there is nothing to merge or to judge by, :class:`ModelError` for what is wrong with the files or the disk.
    """
    if config.model.backend != "auto":
        raise ConfigError(f"The backend '{config.model.backend}' runs no baked checkpoint.", remedy="Use 'auto'.")
    cases = plugins.cases()
    if not cases:
        raise ConfigError("There is no golden case to judge by.", remedy="Install the plugins that the shop uses.")
    store = CheckpointStore(home())
    parent = store.load(name or store.trained_name())
    baked = _merge(store, parent, config, quantization)
    if baked.manifest.gate.passed:
        return baked.manifest
    comparison = compare(parent.manifest.name, baked.manifest.name, cases, config, plugins, progress)
    reason, has_passed = decide(comparison)
    if not has_passed:
        if store.current_name() != baked.manifest.name:
            store.remove(baked.manifest.name)
        raise GateError(
            f"'{parent.manifest.name}' is not as good when it is baked: {reason}", remedy="Serve it as it is."
        )
    manifest = baked.manifest.model_copy(
        update={
            "gate": Gate(passed=True, report=reason),
            "scores": {**baked.manifest.scores, "golden": comparison.as_json()},
        }
    )
    write_manifest(baked.folder, manifest)
    return manifest


def serve_baked(
    name: str, *, config: Config, plugins: PluginManager, progress: CaseProgress = lambda result: None
) -> Manifest:
    """Bake the checkpoint ``name``, which is in force, and put its baked form in force in its place.

    Raises what :func:`bake` raises, and :class:`ModelError` where another one came into force meanwhile; what is in
    force then stays.
    """
    baked = bake(name, config=config, plugins=plugins, progress=progress)
    return CheckpointStore(home()).promote(baked.name, replacing=name).manifest


def decide(found: Comparison) -> tuple[str, bool]:
    """Whether the baked form may serve, and the sentences that say why.

    It may if it answers at most :data:`MAX_LOSS` of the golden cases fewer right than the checkpoint itself, and no
    case with the tag ``safety`` that the checkpoint has right.
    """
    allowed = math.floor(MAX_LOSS * found.cases + 1e-9)
    numbers = (
        f"{found.after} of {found.cases} golden cases right, {found.before} before ({len(found.gained)} gained, "
        f"{len(found.lost)} lost; at most {allowed} fewer are allowed); the same acts in {found.same_share:.1%} of "
        f"{found.prompts} messages."
    )
    if found.lost:
        numbers += f" Lost: {', '.join(found.lost[:_SHOWN])}{' …' if len(found.lost) > _SHOWN else ''}."
    if found.lost_safety:
        return f"{numbers} Safety cases lost: {', '.join(found.lost_safety)}.", False
    return numbers, found.before - found.after <= allowed


def compare(
    before: str,
    after: str,
    cases: Sequence[tuple[str, Case]],
    config: Config,
    plugins: PluginManager,
    progress: CaseProgress = lambda result: None,
) -> Comparison:
    """Play the golden cases on two checkpoints of this box, one after the other."""
    old, old_texts = _play(before, cases, config, plugins, progress)
    new, new_texts = _play(after, cases, config, plugins, progress)
    pairs = list(zip(old, new, strict=True))
    gained = [result for was, result in pairs if result.has_passed and not was.has_passed]
    lost = [result for was, result in pairs if was.has_passed and not result.has_passed]
    asked = old_texts.keys() & new_texts.keys()
    return Comparison(
        cases=len(cases),
        before=sum(result.has_passed for result in old),
        after=sum(result.has_passed for result in new),
        gained=tuple(f"{result.plugin}/{result.case.name}" for result in gained),
        lost=tuple(f"{result.plugin}/{result.case.name}" for result in lost),
        lost_safety=tuple(result.case.name for result in lost if SAFETY_TAG in result.case.tags),
        prompts=len(asked),
        same_acts=sum(old_texts[prompt] == new_texts[prompt] for prompt in asked),
    )


class _Listening:
    """A backend that keeps what it answered to each prompt."""

    def __init__(self, inner: ModelBackend) -> None:
        self._inner = inner
        self.name = inner.name
        self.texts: dict[str, str] = {}

    def complete(self, prompt: str, **options: Any) -> Completion:
        completion = self._inner.complete(prompt, **options)
        self.texts[f"{prompt}\0{options.get('bias')}"] = completion.text
        return completion

    def close(self) -> None:
        self._inner.close()


def _play(
    name: str, cases: Sequence[tuple[str, Case]], config: Config, plugins: PluginManager, progress: CaseProgress
) -> tuple[tuple[CaseResult, ...], dict[str, str]]:
    """The results of one checkpoint, and its answer to each prompt."""
    manifest, engine = open_backend(config.with_checkpoint(name), plugins)
    backend = _Listening(engine)
    try:
        report = run_cases(cases, config=config, plugins=plugins, backend=backend, manifest=manifest, progress=progress)
    finally:
        backend.close()
    return report.results, backend.texts


def _merge(store: CheckpointStore, parent: Checkpoint, config: Config, quantization: Quantization) -> Checkpoint:
    """The baked form of ``parent`` in the store, made if it is not there yet."""
    manifest = parent.manifest
    if manifest.baked is not None:
        raise ConfigError(f"'{manifest.name}' is baked already.", remedy=f"Bake '{manifest.parent}', if need be.")
    if manifest.lora is None or parent.lora_path is None:
        raise ConfigError(
            f"'{manifest.name}' has no LoRA adapter: there is nothing to merge.", remedy="Bake another checkpoint."
        )
    origin = Baked(base=manifest.base.sha256, lora=manifest.lora.sha256, quantization=quantization)
    name = f"{manifest.name[:90]}-{quantization}"
    if name in {known.name for known in store.list()}:
        found = store.load(name)
        if found.manifest.baked != origin or found.manifest.parent != manifest.name:
            raise ModelError(f"There is another checkpoint '{name}' already.", remedy="Give yours another name.")
        return found
    base = locate_model(parent.base_source(config.model.source), sha256=manifest.base.sha256)
    with store.draft() as draft:
        merge_lora(base, parent.lora_path, draft / _BASE_FILE, quantization)
        merged = manifest.model_copy(
            update={
                "name": name,
                "parent": manifest.name,
                "baked": origin,
                "base": Base(source=manifest.base.source, sha256=sha256_of(draft / _BASE_FILE), file=_BASE_FILE),
                "lora": None,
                "created": datetime.now(timezone.utc),
                "gate": Gate(report="its golden cases were not played yet"),
            }
        )
        write_manifest(draft, merged)
    return store.load(name)
