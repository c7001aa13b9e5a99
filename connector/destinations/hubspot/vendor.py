"""HubSpot, as a value."""

from __future__ import annotations

from datetime import date
from typing import Final

from connector.crm import Day, Tasks
from connector.destinations.hubspot import link
from connector.destinations.hubspot.settings import LEGACY, VERSION, HubSpotSettings
from connector.destinations.hubspot.setup_steps import STEPS
from connector.destinations.vendor import OnFirstUse, Vendor
from connector.destinations.versions import Versions

# A dated version is supported for 18 months from its release, v4 until 2027-03-30 and v3 until September 2027:
# https://developers.hubspot.com/docs/developer-tooling/platform/versioning and .../changelog
_VERSIONS: Final = Versions(
    "HubSpot",
    default=VERSION,
    ends={LEGACY: date(2027, 3, 30), "2026-03": date(2027, 9, 30), "2026-09": date(2028, 3, 8)},
    remarks={"2026-09": "HubSpot then enforces the rules of your forms and conditional properties, too"},
)

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
    users="owners",
    forward_only=frozenset({"lifecyclestage"}),
    tasks=Tasks("tasks", done=("hs_task_status", "COMPLETED"), call=("hs_task_type", "CALL")),
    most_unique=10,
    keeps_keys_unique=False,
    day=Day(until_midnight=True, limit=250_000),  # of the free tier and Starter
    unaccounted=frozenset({"UNACCOUNTED"}),
    gone=frozenset({"OBJECT_NOT_FOUND", "ASSOCIATION"}),
    taken=frozenset({"CONFLICTING_UNIQUE_VALUE"}),
    too_long=frozenset({"PROPERTY_VALUE_TOO_LONG"}),
    redirects=True,
    settings=HubSpotSettings,
    auth_key="access_token",
    connect=OnFirstUse("connector.destinations.hubspot.account"),
    record_address=lambda settings, account, kind, crm_id: link.record_address(settings.portal, account, kind, crm_id),
    record_ids=link.record_ids,
    versions=_VERSIONS,
    setup=STEPS,
)
