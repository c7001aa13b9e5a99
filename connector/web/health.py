"""The admin listener's machine pages: /livez, /readyz and /metrics."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from flask import Blueprint, Flask, Response, jsonify
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from connector import telemetry
from connector.errors import StoreUnavailable
from connector.settlement.clocks import ProcessClock
from connector.settlement.gaps import Lost
from connector.settlement.listings import CallsToday, DeadCause, LaneOptOuts, OpenField
from connector.settlement.verification import Standing
from connector.store import Store
from connector.store.meaning import is_damage
from connector.store.writer import Writer
from connector.web.compared import compared
from connector.web.gate import ROOT
from connector.web.hosts import only_ours
from connector.web.readiness import PATIENCE, Readiness, Shared


def create_admin(
    store: Store,
    pages: Sequence[Blueprint] = (),
    writer: Writer | None = None,
    full: Callable[[], str] | None = None,
    *,
    hosts: frozenset[str] = frozenset(),
) -> Flask:
    """Build the Flask application of the admin port.

    pages: the console's, where it is on. writer: what keeps events, where events are received; full: whether its inbox
    is. Any other role tries the database with a writer of its own. hosts: names of this port, beside those only it can
    have.
    """
    app = Flask("connector.admin", static_folder=None)
    app.before_request(only_ours(hosts, ROOT if pages else ""))
    app.url_map.merge_slashes = False  # its redirect would name any host that a request names
    for page in pages:
        app.register_blueprint(page)
    readiness = Readiness(writer or Writer(store.inbox.accept, store.prove), full)
    gauges = _Gauges(store, readiness)

    @app.get("/livez")
    def livez() -> tuple[str, int]:
        return ("alive\n", 200) if readiness.lives() else ("the thread that writes events has ended\n", 503)

    @app.get("/readyz")
    def readyz() -> tuple[Response, int]:
        parts = readiness.parts()
        ready = parts["database"] == "ok"
        return jsonify(ready=ready, **parts), 200 if ready else 503

    @app.get("/metrics")
    def metrics() -> Response:
        registry = counters()
        registry.register(gauges)
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    return app


def counters() -> CollectorRegistry:
    """The counters of every process in this container, for gauges to be added."""
    registry = CollectorRegistry()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # prometheus_client leaves it untyped
    else:
        registry.register(_ThisProcess())
    return registry


class _ThisProcess(Collector):
    def collect(self) -> Iterator[Metric]:
        yield from REGISTRY.collect()


_KEPT: Final = 120.0
"""Seconds for which figures are shown again where the next take longer than a page may, as counting millions does."""


class _Gauges(Collector):
    """What the store holds; while the database does not answer, only that, and whether it is damaged."""

    def __init__(self, store: Store, readiness: Readiness) -> None:
        self._store, self._readiness = store, readiness
        reader = ThreadPoolExecutor(1, thread_name_prefix="gauges")
        self._read = Shared(lambda: reader.submit(lambda: (time.monotonic(), list(self._all()))), keeps=_KEPT)

    def describe(self) -> list[Metric]:
        """None, so that registering reads nothing."""
        return []

    def collect(self) -> Iterator[Metric]:
        began, gauges = time.monotonic(), list[Metric]()
        problem = self._readiness.problem()
        try:
            read_at, figures = self._read.ask(max(0.0, began + PATIENCE - time.monotonic()))
            gauges = [_age(time.monotonic() - read_at), *figures]
        except (StoreUnavailable, TimeoutError) as error:
            problem = problem or (error.problem if isinstance(error, StoreUnavailable) else "does not answer")
        if problem:
            telemetry.store_unavailable("metrics", problem)
        damaged = is_damage(problem) or bool(self._store.database.damage.remembered())
        yield from (_up(problem), _damaged(damaged), *gauges)

    def _all(self) -> Iterator[Metric]:
        lanes = self._store.desk.lanes()
        yield from _history(self._store.gaps.open())
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
        yield from _opt_outs(self._store.opt_outs.standing())
        yield from _usage(self._store.usage.all())
        yield from _compared(self._store.verifications.standing(), self._store.database.time())
        yield from _clocks(self._store.processes.all())
        yield _backup(self._store.backups.last(), self._store.database.time())
        waits = GaugeMetricFamily("connector_deletion_waits", "Whether retention waits for people to look")
        waits.add_metric([], float(self._store.retention.hold().matters))
        yield waits
        yield from compared(self._store)
        yield _by_code("connector_dead_letters", "Dead letters", self._store.desk.dead())
        left_out = self._store.open_items.fields()
        yield _by_code("connector_open_items", "Fields left out of records otherwise written", left_out)
        soon = GaugeMetricFamily(
            "connector_dead_letters_expiring", "Dead letters that will be discarded soon", labels=["agency"]
        )
        for agency, count in self._store.agencies.expiring().items():
            soon.add_metric([agency], count)
        yield soon


def _compared(standing: Sequence[Standing], now: int) -> Iterator[Metric]:
    """How many records differed from what was written when they were last compared with their CRM."""
    differing = GaugeMetricFamily(
        "connector_crm_differences", "Records that differ in the CRM", labels=["destination", "difference"]
    )
    complete = GaugeMetricFamily(
        "connector_crm_compared_seconds", "Time since every record had been compared", labels=["destination"]
    )
    for own in standing:
        for difference, count in own.differing.items():
            differing.add_metric([own.destination, difference], count)
        if own.complete_at is not None:
            complete.add_metric([own.destination], max(0, now - own.complete_at) / 1000)
    yield from (differing, complete)


def _age(seconds: float) -> Metric:
    age = GaugeMetricFamily("connector_figures_age_seconds", "Time since the figures of the database were read")
    age.add_metric([], round(seconds, 3))
    return age


def _backup(last: int | None, now: int) -> Metric:
    """None if no backup is noted."""
    age = GaugeMetricFamily("connector_backup_age_seconds", "Time since the last backup")
    if last is not None:
        age.add_metric([], max(0, now - last) / 1000)
    return age


def _history(lost: Lost | None) -> Iterator[Metric]:
    """What the database lacks since its history went back."""
    gap = GaugeMetricFamily("connector_history_gap", "Whether the database lacks what was acknowledged")
    gap.add_metric([], float(lost is not None))
    yield gap
    events = GaugeMetricFamily("connector_history_events_lost", "Events acknowledged that the database lacks")
    events.add_metric([], float(lost.events if lost else 0))
    yield events


class _Down(Collector):
    def __init__(self, problem: Callable[[], str]) -> None:
        self._problem = problem

    def collect(self) -> Iterator[Metric]:
        problem = self._problem()
        yield from (_up(problem), _damaged(is_damage(problem)))


def database_up(problem: Callable[[], str]) -> Collector:
    """Make the gauges of a database that is not open yet. problem: why; empty if it is."""
    return _Down(problem)


def _up(problem: str) -> Metric:
    up = GaugeMetricFamily("connector_database_up", "Whether the database answers and can be written")
    up.add_metric([], not problem)
    return up


def _damaged(damaged: bool) -> Metric:
    gauge = GaugeMetricFamily("connector_database_damaged", "Whether the database is known to be damaged")
    gauge.add_metric([], float(damaged))
    return gauge


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
        ("connector_opt_outs_lowered", "Opt-outs found lowered in the CRM", "lowered", 1),
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
