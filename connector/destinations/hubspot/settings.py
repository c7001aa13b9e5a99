"""The settings of a HubSpot portal in an agency file."""

from __future__ import annotations

from pydantic import Field

from connector.destinations.hubspot.auth import HubSpotAuth
from connector.destinations.settings import DestinationSettings


class HubSpotSettings(DestinationSettings):
    """One HubSpot portal."""

    auth: HubSpotAuth
    api_version: str | None = Field(None, pattern=r"^\d{4}-\d{2}$", description="for example 2026-03")
