"""How long a CRM supports the versions of its API, and what to do before the one in use ends. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

SOON: Final = timedelta(days=183)
"""How long before the end of a version its users are warned: half a year."""


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions of one CRM's API.

    default: the one in use where the agency file names none. ends: version, oldest first -> the day from which the CRM
    no longer supports it; the end of any other is not announced. remarks: version -> what else to know before using it.
    """

    title: str
    default: str
    ends: Mapping[str, date] = field(default_factory=dict)
    remarks: Mapping[str, str] = field(default_factory=dict)

    def about(self, named: str | None) -> str:
        """The version in use and how long it is supported. named: in the agency file."""
        end = self.ends.get(named or self.default)
        return f"{named or self.default}, " + (f"supported until {end}" if end else "whose end is not announced")

    def notice(self, named: str | None, today: date) -> str:
        """What to do because the version in use has ended or ends soon; empty if there is nothing to do."""
        end = self.ends.get(named or self.default)
        if end is None or today < end - SOON:
            return ""
        about = f"{self.title} ends support of version {named or self.default} of its API on {end}"
        if today >= end:
            about = f"{self.title} has not supported version {named or self.default} of its API since {end}"
        return f"{about}: {self._instead(named, end)}"

    def _instead(self, named: str | None, end: date) -> str:
        """What to write in the agency file to use a version that ends later."""
        if named and self._outlasts(self.default, end):
            return f"remove `api_version` from the agency file, which then means {self.default}"
        later = next((version for version in reversed(list(self.ends)) if self._outlasts(version, end)), "")
        if not later:
            return "update the connector, which then uses a newer one"
        remark = self.remarks.get(later, "")
        return f"write `api_version: {later}` in the agency file" + (f" ({remark})" if remark else "")

    def _outlasts(self, version: str, end: date) -> bool:
        return version not in self.ends or self.ends[version] > end
