"""What a Salesforce org needs, in the order of docs/salesforce.md."""

from __future__ import annotations

from typing import Final

from connector.destinations import guide
from connector.destinations.guide import CREDENTIALS, FIELDS, KEYS, SetupStep

ADDRESS: Final = SetupStep(
    "address",
    "My Domain",
    "Setup → My Domain: copy the Current My Domain URL into domain in the agency file.",
)
APP: Final = SetupStep(
    CREDENTIALS,
    "An external client app",
    "Setup → External Client App Manager → New External Client App: enable OAuth, add the scope Manage user data via "
    "APIs (api), and select Enable Client Credentials Flow (for flow: jwt, Enable JWT Bearer Flow with a certificate). "
    "Then Settings → OAuth Settings → Consumer Key and Secret: copy both into the environment variables that the "
    "agency file names.",
)
RUN_AS: Final = SetupStep(
    "run_as",
    "The app's Run As user",
    "Setup → External Client App Manager → the app → Policies → Edit: select Enable Client Credentials Flow, and enter "
    "the connector's user as Run As. For flow: jwt, set Permitted Users to Admin approved users are pre-authorized, "
    "and add the connector's permission set.",
)
USER: Final = SetupStep(
    "user",
    "A user that may use the API",
    "Setup → Users → the connector's user: select Active. Setup → Permission Sets → the connector's → System "
    "Permissions → Edit: select API Enabled. If logins are limited to IP ranges, Setup → Profiles → the user's → Login "
    "IP Ranges: add this machine's.",
)
LICENSE: Final = SetupStep(
    "license",
    "The license of an integration user",
    "Setup → Users → the connector's user → Permission Set License Assignments → Edit Assignments: select Salesforce "
    "API Integration. Assign the permission set after that.",
)
TASKS: Final = SetupStep(
    "tasks",
    "Edit Tasks",
    "Setup → Permission Sets → the connector's → System Permissions → Edit: select Edit Tasks.",
)
OBJECTS: Final = SetupStep(
    guide.OBJECTS,
    "The objects",
    "Setup → Permission Sets → the connector's → Object Settings → the object → Edit: select Read, Create and Edit. "
    "If the object does not exist, correct its name in the mapping.",
)
_FIELDS: Final = SetupStep(
    FIELDS,
    "The fields",
    "Hidden or read-only: Setup → Permission Sets → the connector's → Object Settings → the object → Edit → Field "
    "Permissions: select Edit Access. Missing: connector provision -c agency.yaml --apply, or Setup → Object Manager → "
    "the object (Activity for a task) → Fields & Relationships → New.",
)
_KEYS: Final = SetupStep(
    KEYS,
    "The key fields",
    "Setup → Object Manager → the object (Activity for a task) → Fields & Relationships → the field → Edit: select "
    "External ID and Unique.",
)

STEPS: Final = (ADDRESS, APP, RUN_AS, USER, LICENSE, TASKS, OBJECTS, _FIELDS, _KEYS)
