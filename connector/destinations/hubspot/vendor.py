"""HubSpot, as a value."""

from __future__ import annotations

from typing import Final

from connector.crm import Day
from connector.destinations.hubspot import link
from connector.destinations.hubspot.settings import HubSpotSettings
from connector.destinations.vendor import Vendor, on_first_use

HUBSPOT: Final = Vendor(
    name="hubspot",
    title="HubSpot",
    account="HubSpot portal",
    address="https://api.hubapi.com",
    # Lengths and times: https://developers.hubspot.com/docs/api-reference/crm-properties-v3/guide
    longest_text=65_536,
    takes_milliseconds=True,
    associates=True,
    unsubscribes=True,
    address_field="email",
    more_addresses=("hs_additional_emails",),
    stamp_fields=("createdate", "lastmodifieddate"),
    name_fields=dict.fromkeys(("contacts", "0-1"), ("firstname", "lastname")),
    keeps_keys_unique=False,
    day=Day(until_midnight=True, limit=250_000),  # of the free tier and Starter
    unaccounted=frozenset({"UNACCOUNTED"}),
    gone=frozenset({"OBJECT_NOT_FOUND", "ASSOCIATION"}),
    taken=frozenset({"CONFLICTING_UNIQUE_VALUE"}),
    too_long=frozenset({"PROPERTY_VALUE_TOO_LONG"}),
    redirects=True,
    settings=HubSpotSettings,
    auth_key="access_token",
    connect=on_first_use("connector.destinations.hubspot.account"),
    record_address=lambda settings, kind, crm_id: link.record_address(settings.portal, kind, crm_id),
)
