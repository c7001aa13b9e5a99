"""OpenTelemetry, where it is installed and an exporter is named: spans of receiving, delivering and calling a CRM."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from connector.errors import FixConfiguration

_EXTRA = "pip install 'carecycle-crm-connector[otel]'"


class _Traced:
    """Who takes the spans; nobody at first."""

    tracer: Any = None


def configure(environment: Mapping[str, str]) -> None:
    """Export by OTLP over HTTP where OTEL_EXPORTER_OTLP_ENDPOINT is set. Raises FixConfiguration without the extra."""
    if not environment.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise FixConfiguration(
            "OTEL_EXPORTER_OTLP_ENDPOINT", "is set, but OpenTelemetry is not there", _EXTRA
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
    """Send no more spans."""
    _Traced.tracer = None


@contextmanager
def span(name: str, **attributes: str | int) -> Iterator[None]:
    """Everything inside belongs to one span."""
    if _Traced.tracer is None:
        yield
        return
    # An exception's text may hold values: neither the span's events nor its status shall tell it.
    quiet = {"record_exception": False, "set_status_on_exception": False}
    with _Traced.tracer.start_as_current_span(name, attributes=attributes, **quiet):
        yield


def past(name: str, duration_ms: float, **attributes: str | int) -> None:
    """A span that is over: it ended now."""
    if _Traced.tracer is not None:
        end = time.time_ns()
        begun = _Traced.tracer.start_span(name, start_time=end - int(duration_ms * 1e6), attributes=attributes)
        begun.end(end)


def note(name: str, **attributes: str) -> None:
    """Something that happened within the span at hand."""
    if _Traced.tracer is not None:
        from opentelemetry.trace import get_current_span

        get_current_span().add_event(name, attributes)
