"""What careCycle had and we had not, as gauges."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric

from connector.insight.overview import agencies_of
from connector.settlement.source import Counted
from connector.store import Store


def compared(store: Store) -> Iterator[Metric]:
    """The gauges of each agency's last comparison with careCycle. Raises StoreUnavailable."""
    missing = GaugeMetricFamily(
        "connector_source_missing", "What careCycle had and we had not when last compared", labels=["agency", "what"]
    )
    left = GaugeMetricFamily("connector_source_left", "How much of it was not fetched", labels=["agency"])
    ended = GaugeMetricFamily(
        "connector_source_compared_seconds", "Time since the last comparison ended", labels=["agency"]
    )
    for agency in agencies_of(store.desk.lanes()):
        known = store.runs.compared(agency)
        if known and known.done:
            for what in (Counted.UNKNOWN, Counted.NEWER, Counted.MISSING_CALLS):
                missing.add_metric([agency, what], float(known.done[what]))
            left.add_metric([agency], float(known.done.left))
            ended.add_metric([agency], max(0, store.database.moment() - known.ended_at) / 1000)
    yield from (missing, left, ended)
