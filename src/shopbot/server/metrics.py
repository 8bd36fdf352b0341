"""Metrics for Prometheus: counts and times, with labels of few known values and nothing personal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timezone
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

import shopbot
from shopbot.bot import Bot
from shopbot.stages import Observer
from shopbot.transcript import outcome
from shopbot.types import DIALOGUE_ACTS, Reply

_SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics(Observer):
    """What one application counts, in a registry of its own; it watches the turns of its bot."""

    def __init__(self, bot: Bot) -> None:
        self.registry = CollectorRegistry()
        self.started_at = datetime.now(timezone.utc)
        self._bot = bot
        self._acts_known = frozenset({*bot.tools, *DIALOGUE_ACTS})
        self._turns = self._counter("shopbot_turns", "Turns by what they came to.", "outcome")
        self._acts = self._counter("shopbot_acts", "Acts that were understood.", "act")
        self._tokens = self._counter("shopbot_tokens", "Tokens that were read, cached and written.", "kind")
        self._deferrals = self._counter(
            "shopbot_deferrals",
            "Messages below the confidence threshold, by what came of asking a cloud model.",
            "outcome",
        )
        self._requests = self._counter("shopbot_requests", "HTTP requests.", "method", "route", "status")
        self._stages = Histogram(
            "shopbot_stage_seconds", "Time of the stages.", ("stage",), registry=self.registry, buckets=_SECONDS
        )
        self._checkpoint = Gauge(
            "shopbot_checkpoint_info", "The checkpoint in force.", ("checkpoint", "version"), registry=self.registry
        )
        bot.observe(self)

    def stage(self, name: str) -> AbstractContextManager[Any]:
        return self._stages.labels(name).time()

    def replied(self, reply: Reply) -> None:
        self._turns.labels(outcome(reply)).inc()
        for act in reply.acts:
            self._acts.labels(act.name if act.name in self._acts_known else "other").inc()
        if reply.explain is not None and reply.explain.deferral != "sure":
            self._deferrals.labels(reply.explain.deferral).inc()
        for kind in ("read", "cached", "written"):
            self._tokens.labels(kind).inc(getattr(reply.tokens, kind))

    def responded(self, method: str, route: str, status: int) -> None:
        """Count a request; ``route`` is the route's pattern."""
        self._requests.labels(method, route, str(status)).inc()

    def watch(self, name: str, description: str, value: Callable[[], float]) -> None:
        """A gauge that is read when the metrics are."""
        Gauge(name, description, registry=self.registry).set_function(value)

    def render(self) -> bytes:
        """The metrics as Prometheus reads them."""
        self._checkpoint.clear()
        manifest = self._bot.manifest
        self._checkpoint.labels(manifest.name if manifest else "", shopbot.__version__).set(1)
        return generate_latest(self.registry)

    def read(self, name: str) -> Iterator[tuple[Mapping[str, str], float]]:
        """(labels, value) of every sample of that name so far."""
        for family in self.registry.collect():
            yield from ((sample.labels, sample.value) for sample in family.samples if sample.name == name)

    def mean_ms(self) -> dict[str, float]:
        """Stage → how long it took in the mean, in milliseconds."""
        counts = {labels["stage"]: value for labels, value in self.read("shopbot_stage_seconds_count")}
        sums = {labels["stage"]: value for labels, value in self.read("shopbot_stage_seconds_sum")}
        return {stage: round(1e3 * sums[stage] / count, 1) for stage, count in counts.items() if count}

    def _counter(self, name: str, description: str, *labels: str) -> Counter:
        return Counter(name, description, labels, registry=self.registry)
