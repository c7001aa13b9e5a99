"""Salesforce, as a value."""

from __future__ import annotations

from datetime import date
from typing import Final

from connector.crm import Day, Tasks
from connector.destinations.salesforce import link
from connector.destinations.salesforce.settings import VERSION, SalesforceSettings
from connector.destinations.salesforce.setup_steps import STEPS
from connector.destinations.vendor import OnFirstUse, Vendor
from connector.destinations.versions import Versions

_GONE, _NEXT = date(2025, 6, 1), date(2027, 6, 1)  # Summer '25 and Summer '27
# https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/api_rest_eol.htm
_VERSIONS: Final = Versions(
    "Salesforce",
    default=VERSION,
    ends={f"{number}.0": _GONE if number < 31 else _NEXT for number in range(7, 41)},
)

SALESFORCE: Final = Vendor(
    name="salesforce",
    title="Salesforce",
    account="Salesforce org",
    address="https://login.salesforce.com",
    id_field="Id",
    id_pattern="[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?",
    stamp_fields=("CreatedDate", "LastModifiedDate"),
    author_fields=("CreatedById", "LastModifiedById"),
    name_fields=dict.fromkeys(("contact", "lead", "account"), ("FirstName", "LastName")),
    users="User",
    tasks=Tasks("Task", done=("Status", "Completed"), call=("TaskSubtype", "Call")),
    user_prefix="005",
    active_field="IsActive",
    about_unique="an External ID alone also needs the permission View All Data: tick Unique as well",
    day=Day(until_midnight=False),
    login_path="/oauth2/",
    unaccounted=frozenset({"UNREADABLE_REPLY", "HTTP_500"}),
    gone=frozenset(
        {"ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY", "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"}
    ),
    taken=frozenset({"DUPLICATE_VALUE"}),
    too_long=frozenset({"STRING_TOO_LONG", "MAX_TASK_DESCRIPTION_EXCEEEDED", "MAX_TASK_DESCRIPTION_EXCEEDED"}),
    duplicated=frozenset({"DUPLICATE_EXTERNAL_ID"}),
    settings=SalesforceSettings,
    auth_key="flow",
    connect=OnFirstUse("connector.destinations.salesforce.account"),
    record_address=lambda settings, account, kind, crm_id: link.record_address(settings.auth, kind, crm_id),
    record_ids=link.record_ids,
    versions=_VERSIONS,
    setup=STEPS,
)
