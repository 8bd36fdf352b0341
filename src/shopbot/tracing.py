"""OpenTelemetry: one span for a turn, and one for each of its stages. Needs the extra ``otel``.

A span has a name, times and, where a stage failed, the type of the error: nothing of what was said.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from shopbot.errors import ConfigError
from shopbot.stages import Observer

_REMEDY = "Install them: pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http"


class Tracing(Observer):
    """Makes spans with ``provider``, an OpenTelemetry tracer provider: ``bot.observe(Tracing(provider))``."""

    def __init__(self, provider: Any) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("shopbot")

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        from opentelemetry.trace import Status, StatusCode

        # not recorded by OpenTelemetry itself: an error's message may quote a customer
        options = {"record_exception": False, "set_status_on_exception": False}
        with self._tracer.start_as_current_span(f"shopbot.{name}", **options) as span:
            try:
                yield
            except Exception as error:
                span.set_status(Status(StatusCode.ERROR, type(error).__name__))
                raise

    def close(self) -> None:
        """Send the spans that wait to be sent."""
        self._provider.shutdown()


def connect(endpoint: str) -> Tracing:
    """Tracing that sends its spans to ``endpoint``, the base address of an OTLP receiver over HTTP.

    :class:`~shopbot.errors.ConfigError` where OpenTelemetry's packages are missing.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise ConfigError("OpenTelemetry's packages are not installed.", remedy=_REMEDY) from None
    provider = TracerProvider(resource=Resource.create({"service.name": "shopbot"}))
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return Tracing(provider)
