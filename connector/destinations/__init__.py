"""The one place that names the CRMs. CONTRIBUTING.md says how to add one."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sized
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from connector.crm import Crm
from connector.destinations.base import CallLog, Destination
from connector.destinations.hubspot.vendor import HUBSPOT
from connector.destinations.salesforce.vendor import SALESFORCE
from connector.destinations.settings import DestinationSettings
from connector.destinations.vendor import OnFirstUse, Vendor
from connector.errors import FixConfiguration

VENDORS: Final[dict[str, Vendor]] = {}
"""Every CRM, by name."""


def register(vendor: Vendor) -> None:
    """Make a CRM known to mappings and agency files."""
    VENDORS[vendor.name] = vendor


register(SALESFORCE)
register(HUBSPOT)


def read_settings(block: Any) -> DestinationSettings:
    """Read a destination's block of an agency file as the settings of the CRM its credentials belong to.

    Raises pydantic.ValidationError.
    """
    auth = block.get("auth") if isinstance(block, dict) else None
    if not isinstance(auth, dict):
        return DestinationSettings.model_validate(block)  # its error names what is missing
    vendor = vendor_by(auth)
    if vendor is None:
        keys = ", ".join(f"{known.auth_key}: ({known.title})" for known in VENDORS.values())
        raise _misplaced("auth", f"are no CRM's credentials; expected one of {keys}{_likely(block, auth)}")
    for other in VENDORS.values():
        if other.name in block and other is not vendor and other.name in other.settings.model_fields:
            problem = f"is for a {other.title} destination, but these credentials are for {vendor.title}"
            raise _misplaced(other.name, problem)
    return vendor.settings.model_validate(block)


def _likely(block: Mapping[str, Any], auth: Sized) -> str:
    """What the only key of these credentials was meant to be, by the mapping's name; empty if that is not clear."""
    near = [vendor.auth_key for vendor in VENDORS.values() if str(block.get("mapping")).startswith(vendor.name)]
    return f"; did you mean {near[0]}?" if near and len(auth) == 1 else ""


def vendor_by(auth: Container[str]) -> Vendor | None:
    """The CRM that these keys under `auth:` are for."""
    return next((vendor for vendor in VENDORS.values() if vendor.auth_key in auth), None)


def _misplaced(key: str, problem: str) -> ValidationError:
    details = InitErrorDetails(
        type=PydanticCustomError("crm", "{problem}", {"problem": problem}), loc=(key,), input=None
    )
    return ValidationError.from_exception_data("destination", [details], hide_input=True)


def vendor_of(settings: DestinationSettings) -> Vendor:
    """The CRM these settings are for."""
    return next(vendor for vendor in VENDORS.values() if isinstance(settings, vendor.settings))


def preload(settings: DestinationSettings) -> None:
    """Import what calls this CRM, so that forks of this process share it."""
    if isinstance(way := vendor_of(settings).connect, OnFirstUse):
        way.load()


def connect(crm: Crm, settings: DestinationSettings, on_call: CallLog) -> Destination:
    """Open the account that the settings describe, for a mapping of `crm`, without calling the CRM.

    Raises FixConfiguration when the settings are for another CRM.
    """
    vendor = vendor_of(settings)
    if vendor.name != crm.name:
        raise FixConfiguration("auth", f"the mapping is for {crm.title}, but these credentials are for {vendor.title}")
    return vendor.connect(settings, on_call)
