"""A HubSpot portal and the destination that writes to it. Salesforce's tests have their own pairs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connector.destinations.hubspot.account import HubSpot
from connector.sandbox.hubspot import HubSpotSandbox
from tests.destinations.hubspot_fixtures import sandbox_and_destination

HubSpotPair = tuple[HubSpotSandbox, HubSpot]


@pytest.fixture
def naps() -> list[float]:
    """The seconds the destination slept, one for each time."""
    return []


@pytest.fixture
def hubspot_pair(naps: list[float]) -> Iterator[HubSpotPair]:
    with sandbox_and_destination(sleep=naps.append, index_lag=0.0) as both:
        yield both


@pytest.fixture
def portal(hubspot_pair: HubSpotPair) -> HubSpotSandbox:
    return hubspot_pair[0]


@pytest.fixture
def hubspot(hubspot_pair: HubSpotPair) -> HubSpot:
    return hubspot_pair[1]
