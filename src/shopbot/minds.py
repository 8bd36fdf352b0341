"""A checkpoint at work: the backend that runs it, how it reads messages, and the engine that plays what it read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from shopbot.backends import BackendFactory, BackendSettings, ModelBackend
from shopbot.backends.absent import AbsentBackend
from shopbot.checkpoint import CheckpointStore, Manifest
from shopbot.config import Config, home
from shopbot.engine import Engine, Shop
from shopbot.errors import ConfigError
from shopbot.plugins import PluginManager
from shopbot.session import SessionState, SessionView
from shopbot.store import Store
from shopbot.tools import Tool
from shopbot.understand import PROMPT_FORMAT, Calibration, Understanding

#: A checkpoint's manifest, if it has one, and the backend that runs it.
Opened = tuple[Manifest | None, ModelBackend]


@dataclass(frozen=True, slots=True)
class Mind:
    """A checkpoint at work: what it is, what runs it, and what its confidence means to the engine."""

    manifest: Manifest | None
    backend: ModelBackend
    understanding: Understanding
    engine: Engine


def make_mind(
    opened: Opened, *, config: Config, store: Store, plugins: PluginManager, today: Callable[[], date]
) -> Mind:
    """The checkpoint at work on this store, with the tools of these plugins."""
    manifest, backend = opened
    tools, threshold = plugins.tools(), config.understanding.threshold

    def handoff_sentence(state: SessionState, reason: str, summary: str) -> str | None:
        return plugins.handoff(SessionView.of(state), reason, summary)

    shop = Shop(
        store=store,
        tools=tools,
        tables={name: config.plugins.get(plugins.owner(name) or "", {}) for name in tools},
        accept=config.identity.accept,
        threshold=threshold if threshold >= 0 else manifest.threshold if manifest else 0.0,
        today=today,
        handoff_sentence=handoff_sentence,
    )
    return Mind(manifest, backend, make_understanding(manifest, backend, tools.values()), Engine(shop))


def make_understanding(
    manifest: Manifest | None,
    backend: ModelBackend,
    tools: Iterable[Tool],
    bias: Mapping[str, float] | None = None,
) -> Understanding:
    """How that checkpoint reads messages where these are the tools. ``bias`` counts beside the checkpoint's own."""
    return Understanding(
        backend,
        tools,
        trained=manifest.tools if manifest else (),
        calibration=Calibration(**manifest.calibration) if manifest and manifest.calibration else None,
        bias={**(manifest.bias or {} if manifest else {}), **(bias or {})},
    )


def open_backend(config: Config, plugins: PluginManager) -> Opened:
    """The configured backend with the configured, promoted or shipped checkpoint."""
    from shopbot.models import locate_model

    threads = config.model.threads or min(4, os.cpu_count() or 1)
    name = config.model.backend
    factories = plugins.backends()
    if name in factories:
        settings = BackendSettings(None, threads=threads, slots=config.model.slots, context=config.model.context)
        return None, factories[name](settings)
    if name == "none":
        return None, AbsentBackend()
    if name != "auto":
        known = ", ".join(sorted([*factories, "auto", "none"]))
        raise ConfigError(f"There is no backend '{name}'.", remedy=f"Known: {known}.")
    checkpoints = CheckpointStore(home())
    checkpoint = checkpoints.load(config.model.checkpoint) if config.model.checkpoint else checkpoints.current()
    if checkpoint.manifest.prompt_format != PROMPT_FORMAT:
        raise ConfigError(
            f"Checkpoint '{checkpoint.manifest.name}' is of another prompt format.", remedy="Update shopbot."
        )
    manifest = checkpoint.manifest
    if manifest.compiled is None:
        model = locate_model(checkpoint.base_source(config.model.source), sha256=manifest.base.sha256)
    else:
        model = checkpoint.folder
    settings = BackendSettings(
        model, checkpoint.lora_path, threads=threads, slots=config.model.slots, context=config.model.context
    )
    return manifest, _engine_of(manifest)(settings)


def _engine_of(manifest: Manifest) -> BackendFactory:
    """The backend that a checkpoint of this box is made for."""
    if manifest.compiled is not None:
        from shopbot.backends.mlc.backend import MLCBackend

        return MLCBackend
    from shopbot.backends.gguf import GgufBackend

    return GgufBackend
