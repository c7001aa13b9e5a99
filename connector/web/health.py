"""The admin listener's machine pages: /livez, /readyz and /metrics."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from flask import Blueprint, Flask, Response, jsonify
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from connector import telemetry
from connector.errors import StoreUnavailable
from connector.settlement.clocks import STEADY, ProcessClock
from connector.settlement.gaps import Lost
from connector.settlement.listings import CallsToday, DeadCause, LaneOptOuts, OpenField
from connector.store import Store


def create_admin(store: Store, pages: Sequence[Blueprint] = ()) -> Flask:
    """Build the Flask application of the admin port. pages: the console's, where it is on."""
    app = Flask("connector.admin", static_folder=None)
    for page in pages:
        app.register_blueprint(page)

    @app.get("/livez")
    def livez() -> Response:
        return Response("alive\n", mimetype="text/plain")

    @app.get("/readyz")
    def readyz() -> tuple[Response, int]:
        try:
            store.database.check()
        except StoreUnavailable as error:
            return jsonify(ready=False, database=error.problem), 503
        return jsonify(ready=True, database="ok"), 200

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(_registry(store)), content_type=CONTENT_TYPE_LATEST)

    return app


def _registry(store: Store) -> CollectorRegistry:
    """The counters of every process in this container, and gauges read from the store at each scrape."""
    registry = CollectorRegistry()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # prometheus_client leaves it untyped
    else:
        registry.register(_ThisProcess())
    registry.register(_Gauges(store))
    return registry


class _ThisProcess(Collector):
    def collect(self) -> Iterator[Metric]:
        yield from REGISTRY.collect()


class _Gauges(Collector):
    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("connector_database_up", "Whether the database answers")
        try:
            lanes, dead, usage = self._store.desk.lanes(), self._store.desk.dead(), self._store.usage.all()
            opt_outs, expiring = self._store.opt_outs.standing(), self._store.agencies.expiring()
            left_out, lost = self._store.open_items.fields(), self._store.gaps.open()
            processes, hold = self._store.processes.all(), self._store.retention.hold()
            up.add_metric([], 1)
        except StoreUnavailable as error:
            telemetry.store_unavailable("metrics", error.problem)
            lanes, dead, usage, opt_outs, left_out, expiring = [], [], [], [], [], {}
            processes, hold, lost = [], STEADY, None
            up.add_metric([], 0)
        yield up
        yield from _history(lost)
        for name, about, key in (
            ("connector_deliveries_ready", "Deliveries waiting", "ready"),
            ("connector_lane_paused", "Whether the lane is paused", "paused"),
        ):
            gauge = GaugeMetricFamily(name, about, labels=["lane"])
            for lane in lanes:
                gauge.add_metric([lane.name], float(getattr(lane, key)))
            yield gauge
        oldest = GaugeMetricFamily(
            "connector_oldest_delivery_seconds", "Age of the oldest delivery waiting", labels=["lane"]
        )
        for lane in lanes:
            oldest.add_metric([lane.name], (lane.oldest_ms or 0) / 1000)
        yield oldest
        yield from _opt_outs(opt_outs)
        yield from _usage(usage)
        yield from _clocks(processes)
        waits = GaugeMetricFamily("connector_deletion_waits", "Whether retention waits for people to look")
        waits.add_metric([], float(hold.matters))
        yield waits
        yield _by_code("connector_dead_letters", "Dead letters", dead)
        yield _by_code("connector_open_items", "Fields left out of records otherwise written", left_out)
        soon = GaugeMetricFamily(
            "connector_dead_letters_expiring", "Dead letters that will be discarded soon", labels=["agency"]
        )
        for agency, count in expiring.items():
            soon.add_metric([agency], count)
        yield soon


def _history(lost: Lost | None) -> Iterator[Metric]:
    """What the database lacks since its history went back."""
    gap = GaugeMetricFamily("connector_history_gap", "Whether the database lacks what was acknowledged")
    gap.add_metric([], float(lost is not None))
    yield gap
    events = GaugeMetricFamily("connector_history_events_lost", "Events acknowledged that the database lacks")
    events.add_metric([], float(lost.events if lost else 0))
    yield events


def _by_code(name: str, about: str, groups: Iterable[DeadCause | OpenField]) -> Metric:
    """What CRMs refuse, by destination and code."""
    gauge, counts = GaugeMetricFamily(name, about, labels=["destination", "code"]), Counter[tuple[str, str]]()
    for group in groups:
        counts[group.destination, group.code] += group.count
    for where, count in counts.items():
        gauge.add_metric(list(where), count)
    return gauge


def _opt_outs(standing: Sequence[LaneOptOuts]) -> Iterator[Metric]:
    for name, about, key, unit in (
        ("connector_opt_outs_waiting", "Opt-outs waiting", "waiting", 1),
        ("connector_opt_outs_refused", "Opt-outs the CRM refuses", "refused", 1),
        ("connector_oldest_opt_out_seconds", "Age of the oldest opt-out not yet applied", "oldest_ms", 1000),
    ):
        gauge = GaugeMetricFamily(name, about, labels=["lane"])
        for lane in standing:
            gauge.add_metric([lane.name], getattr(lane, key) / unit)
        yield gauge


def _clocks(processes: Sequence[ProcessClock]) -> Iterator[Metric]:
    """How far the clock of each process is off."""
    of = ["role", "process"]
    database = GaugeMetricFamily("connector_clock_offset_seconds", "Clock ahead of the database's", labels=of)
    crms = GaugeMetricFamily("connector_crm_clock_offset_seconds", "Clock ahead of the CRMs'", labels=of)
    halted = GaugeMetricFamily("connector_worker_halted", "Whether its clock keeps a worker from working", labels=of)
    for process in processes:
        whose = [process.role, process.name]
        database.add_metric(whose, process.offset_ms / 1000)
        if process.crm_offset_ms is not None:
            crms.add_metric(whose, process.crm_offset_ms / 1000)
        if process.role == "work":
            halted.add_metric(whose, float(process.halted))
    yield from (database, crms, halted)


def _usage(rows: Sequence[CallsToday]) -> Iterator[Metric]:
    """Each destination's API calls today, as far as the CRM reported them."""
    for name, about, key in (
        ("connector_crm_calls_used", "API calls today, by all programs", "used"),
        ("connector_crm_calls_limit", "API calls allowed per day", "limit"),
        ("connector_crm_calls_ours", "API calls today by the connector", "ours"),
    ):
        gauge = GaugeMetricFamily(name, about, labels=["destination"])
        for row in rows:
            if (calls := getattr(row, key)) is not None:
                gauge.add_metric([row.destination], float(calls))
        yield gauge
