"""The settings of a Salesforce org in an agency file."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from connector.destinations.salesforce.auth import Password, SalesforceAuth, SalesforceOptions
from connector.destinations.settings import DestinationSettings

VERSION: Final = "67.0"
"""The version used where the agency file names none: Summer '26, which every org runs by now."""


class SalesforceSettings(DestinationSettings):
    """One Salesforce org."""

    auth: SalesforceAuth
    api_version: str | None = Field(None, pattern=r"^\d+\.\d+$", description="for example 67.0")
    salesforce: SalesforceOptions | None = Field(None, description="how it treats what we write")

    @property
    def notice(self) -> str:
        """A warning if the login flow is deprecated."""
        return self.auth.notice if isinstance(self.auth, Password) else ""
