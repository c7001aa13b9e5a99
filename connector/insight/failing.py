"""A lane that is paused or whose CRM fails, in words: since when and how. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from connector.errors import PauseReason
from connector.insight.words import age
from connector.settlement.listings import LaneStatus

_HOW: Final[Mapping[str, str]] = {
    PauseReason.AUTH: "{crm} has refused the connector's login for {age}",
    PauseReason.ANOTHER_ACCOUNT: "{crm} has been another account than before for {age}",
    PauseReason.PERMISSIONS: "{crm} has refused a permission the connector needs for {age}",
    PauseReason.NETWORK: "{crm} has not been reachable for {age}",
    PauseReason.UNREACHABLE: "{crm} has not answered for {age}",
    PauseReason.OUTAGE: "{crm} has not answered properly for {age}",
    PauseReason.MAINTENANCE: "{crm} has been in maintenance for {age}",
    PauseReason.LOCKED: "{crm} has been locked for {age}",
    PauseReason.BUSY: "{crm} has been too busy for {age}",
    PauseReason.RATE: "{crm} has asked the connector to slow down for {age}",
    PauseReason.QUOTA: "{crm} has had no API calls left for {age}",
    PauseReason.STORAGE: "{crm} has had no storage left for {age}",
    PauseReason.BUDGET: "The connector has used up its own budget of {crm} calls for {age}",
    PauseReason.TESTS: "The mapping of {crm} has not passed its own tests for {age}",
    PauseReason.SENSITIVE: "Fields of {crm} have not been confirmed as sensitive for {age}",
    PauseReason.OPERATOR: "{lane} has been paused by hand for {age}",
    PauseReason.HISTORY: "{lane} waits until what the database lacks has been replayed",
    PauseReason.REFUSED: "{crm} has rejected every record for {age}",
}


def how_it_fails(lane: LaneStatus, crm: str, now: int) -> str:
    """Say how a lane fails and for how long. crm: the CRM's name. now: epoch ms.

    >>> lane = LaneStatus("sunrise/hubspot/0", "sunrise/hubspot", pause_code="unreachable", stopped_since=1)
    >>> how_it_fails(lane, "HubSpot", 240_001)
    'HubSpot has not answered for 4 minutes'
    """
    how = _HOW.get(lane.pause_code, "{crm} has not accepted what is written for {age}")
    if not lane.stopped_since:
        how = how.replace(" for {age}", "")
    return how.format(crm=crm, lane=lane.name, age=age(max(0, now - lane.stopped_since)))
