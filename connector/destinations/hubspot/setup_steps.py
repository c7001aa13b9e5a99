"""What a HubSpot portal needs, in the order of docs/hubspot.md."""

from __future__ import annotations

from typing import Final

from connector.destinations.guide import CREDENTIALS, FIELDS, KEYS, SetupStep

TOKEN: Final = SetupStep(
    CREDENTIALS,
    "A service key",
    "Settings → Integrations → Service keys (in some accounts Development → Keys → Service keys) → Create service key: "
    "copy it into the environment variable that the agency file names.",
)
SCOPES: Final = SetupStep(
    "scopes",
    "The key's scopes",
    "Settings → Integrations → Service keys → the key → Scopes: add those missing. For a private app: Settings → "
    "Integrations → Private Apps → the app → Scopes.",
)
_PROPERTIES: Final = SetupStep(
    FIELDS,
    "The properties",
    "connector provision -c agency.yaml --apply, or Settings → Properties → the object → Create property.",
)
_KEYS: Final = SetupStep(
    KEYS,
    "The key properties",
    "Settings → Properties → the object → Create property → Rules: select Require unique values for this property. An "
    "existing property cannot be made unique: delete it if it is empty, or name another in the mapping.",
)

STEPS: Final = (TOKEN, SCOPES, _PROPERTIES, _KEYS)
