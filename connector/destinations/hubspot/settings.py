"""The settings of a HubSpot portal in an agency file."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from connector.destinations.hubspot.auth import HubSpotAuth
from connector.destinations.settings import DestinationSettings

LEGACY: Final = "legacy"
"""The paths with v3 and v4 in place of a date."""
VERSION: Final = "2026-03"
"""The version used where the agency file names none: 2026-09 also enforces the portal's rules for people's forms."""


class HubSpotSettings(DestinationSettings):
    """One HubSpot portal."""

    auth: HubSpotAuth
    api_version: str | None = Field(
        None, pattern=r"^(\d{4}-\d{2}|legacy)$", description="for example 2026-03, or legacy"
    )
