"""OpenTelemetry spans of receiving, delivering and CRM calls, if it is installed and an exporter is configured."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from connector.errors import FixConfiguration

_EXTRA = "pip install 'carecycle-crm-connector[otel]'"


class _Traced:
    """The tracer that receives spans; None until one is configured."""

    tracer: Any = None


def configure(environment: Mapping[str, str]) -> None:
    """Export over OTLP/HTTP if OTEL_EXPORTER_OTLP_ENDPOINT is set. Raises FixConfiguration without the otel extra."""
    if not environment.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise FixConfiguration(
            "OTEL_EXPORTER_OTLP_ENDPOINT", "is set, but OpenTelemetry is not installed", _EXTRA
        ) from None
    export(BatchSpanProcessor(OTLPSpanExporter()))


def export(processor: Any) -> None:
    """Send spans to an OpenTelemetry span processor."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    provider = TracerProvider(resource=Resource.create({"service.name": "carecycle-connector"}))
    provider.add_span_processor(processor)
    _Traced.tracer = provider.get_tracer("connector")


def stop() -> None:
    """Stop sending spans."""
    _Traced.tracer = None


@contextmanager
def span(name: str, **attributes: str | int) -> Iterator[None]:
    """Put everything inside into one span."""
    if _Traced.tracer is None:
        yield
        return
    # An exception's text may contain payload values: keep it out of the span's events and status.
    quiet = {"record_exception": False, "set_status_on_exception": False}
    with _Traced.tracer.start_as_current_span(name, attributes=attributes, **quiet):
        yield


def past(name: str, duration_ms: float, **attributes: str | int) -> None:
    """Record a span that ended just now."""
    if _Traced.tracer is not None:
        end = time.time_ns()
        started = _Traced.tracer.start_span(name, start_time=end - int(duration_ms * 1e6), attributes=attributes)
        started.end(end)


def note(name: str, **attributes: str) -> None:
    """Add an event to the current span."""
    if _Traced.tracer is not None:
        from opentelemetry.trace import get_current_span

        get_current_span().add_event(name, attributes)
