"""Spans for whoever collects them: what happened, never a value."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import get_current_span

from connector import telemetry
from connector.errors import FixConfiguration
from connector.settlement import AttemptOutcome
from connector.telemetry import tracing


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    tracing.export(SimpleSpanProcessor(exporter))
    yield exporter
    tracing.stop()


def seen(spans: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {one.name: one for one in spans.get_finished_spans()}


class TestSpans:
    def test_a_call_to_a_crm_lies_within_its_batch(self, spans: InMemorySpanExporter) -> None:
        with telemetry.batch("sunrise/crm/0"):
            telemetry.crm_called("sunrise/crm", "POST", "/contacts", 200, 12.0)
        batch, call = seen(spans)["deliver"], seen(spans)["crm call"]
        assert call.parent is not None
        assert call.parent.span_id == batch.context.span_id

    def test_a_call_lasts_as_long_as_it_took(self, spans: InMemorySpanExporter) -> None:
        telemetry.crm_called("sunrise/crm", "POST", "/contacts", 200, 12.0)
        call = seen(spans)["crm call"]
        assert (call.end_time or 0) - (call.start_time or 0) == 12_000_000

    def test_an_event_is_found_by_its_message(self, spans: InMemorySpanExporter) -> None:
        telemetry.event_accepted("sunrise", "customer.created", "msg_1", 5.0, new=False)
        told = {"agency": "sunrise", "type": "customer.created", "message_id": "msg_1", "new": False}
        assert dict(seen(spans)["receive"].attributes or {}) == told

    def test_a_delivery_is_found_by_its_message(self, spans: InMemorySpanExporter) -> None:
        with telemetry.batch("sunrise/crm/0"):
            telemetry.delivery_settled("sunrise/crm", "msg_1", AttemptOutcome.DELIVERED, "", ("FirstName",))
        (event,) = seen(spans)["deliver"].events
        assert dict(event.attributes or {}) == {"message_id": "msg_1", "outcome": "delivered", "code": ""}

    def test_no_text_of_an_exception_is_told(self, spans: InMemorySpanExporter) -> None:
        with pytest.raises(ValueError, match="canary"), telemetry.batch("sunrise/crm/0"):
            raise ValueError("canary")
        assert "canary" not in seen(spans)["deliver"].to_json()

    def test_without_an_exporter_nothing_is_traced(self) -> None:
        tracing.configure({})
        with telemetry.batch("sunrise/crm/0"):
            assert not get_current_span().get_span_context().is_valid


class TestWithoutTheExtra:
    def test_an_exporter_that_is_named_but_not_installed_stops_the_start(self) -> None:
        program = (
            "import sys; sys.modules['opentelemetry.exporter'] = None\n"
            "from connector.telemetry import tracing\n"
            "tracing.configure({'OTEL_EXPORTER_OTLP_ENDPOINT': 'http://127.0.0.1:4318'})"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=False, env=os.environ
        )
        assert FixConfiguration.__name__ in done.stderr
        assert "carecycle-crm-connector[otel]" in done.stderr
