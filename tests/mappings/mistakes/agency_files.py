"""Thirty mistakes in an agency file: what it is, the right lines, and what somebody wrote in their place."""

from __future__ import annotations

from typing import Final

RIGHT: Final = """\
agency: sunrise
webhook:
  secrets:
    - ${CARECYCLE_WEBHOOK_SECRET}
timezone: America/Phoenix
destinations:
  salesforce:
    mapping: salesforce-contact
    auth:
      flow: client_credentials
      client_id: ${SALESFORCE_CLIENT_ID}
      client_secret: ${SALESFORCE_CLIENT_SECRET}
      domain: sunrise.my.salesforce.com
    budget: 20%
    renew_by: 2027-03-31
  hubspot:
    mapping: hubspot
    auth:
      access_token: ${HUBSPOT_ACCESS_TOKEN}
    partitions: 2
retention:
  payloads: 30
alarms:
  mail:
    to:
      - admin@sunrise.example
    sender: connector@sunrise.example
    server: smtp.sunrise.example:587
    security: starttls
  every: 60
reveal_values: false
"""

ENVIRONMENT: Final = {
    "CARECYCLE_WEBHOOK_SECRET": "whsec_AAAA",
    "SALESFORCE_CLIENT_ID": "id",
    "SALESFORCE_CLIENT_SECRET": "secret",
    "HUBSPOT_ACCESS_TOKEN": "pat-na1-1",
}

SECRET: Final = "    - ${CARECYCLE_WEBHOOK_SECRET}"
TOKEN: Final = "      access_token: ${HUBSPOT_ACCESS_TOKEN}"
DOMAIN: Final = "domain: sunrise.my.salesforce.com"

MISTAKES: Final[dict[str, tuple[str, str]]] = {
    # Names
    "a name with spaces and capitals": ("agency: sunrise", "agency: Sunrise"),
    "a setting with a capital": ("timezone: America/Phoenix", "Timezone: America/Phoenix"),
    "a block's name in the plural": ("webhook:", "webhooks:"),
    "a setting in the singular": ("  secrets:", "  secret:"),
    "a setting in camel case": ("client_id:", "clientId:"),
    "another vendor's word for the token": ("access_token:", "api_key:"),
    "a mapping by another file name": ("mapping: salesforce-contact", "mapping: salesforce_contact"),
    "a flow with a dash": ("flow: client_credentials", "flow: client-credentials"),
    # Secrets
    "a reference without braces": (SECRET, "    - $CARECYCLE_WEBHOOK_SECRET"),
    "a variable's name alone": (TOKEN, "      access_token: HUBSPOT_ACCESS_TOKEN"),
    "a reference with a default": (TOKEN, "      access_token: ${HUBSPOT_ACCESS_TOKEN:-none}"),
    "a reference as Windows writes it": (SECRET, "    - %CARECYCLE_WEBHOOK_SECRET%"),
    "braces without a dollar": (TOKEN, "      access_token: {HUBSPOT_ACCESS_TOKEN}"),
    "a reference not closed": (TOKEN, "      access_token: ${HUBSPOT_ACCESS_TOKEN"),
    "the secret itself": (TOKEN, "      access_token: pat-na1-0123-4567-89ab"),
    "one secret that is no list": ("  secrets:\n" + SECRET, "  secrets: ${CARECYCLE_WEBHOOK_SECRET}"),
    # Values
    "a zone's abbreviation": ("timezone: America/New_York", "timezone: EST"),
    "a state for a zone": ("timezone: America/Phoenix", "timezone: Arizona"),
    "days with their unit": ("payloads: 30", "payloads: 30 days"),
    "a share without its sign": ("budget: 20%", "budget: 20"),
    "a date as people write it": ("renew_by: 2027-03-31", "renew_by: 03/31/2027"),
    "an address copied from the browser": (DOMAIN, "domain: https://sunrise.lightning.force.com/lightning/page/home"),
    "a server without its port": ("server: smtp.sunrise.example:587", "server: smtp.sunrise.example"),
    "one recipient that is no list": (
        "    to:\n      - admin@sunrise.example",
        "    to: admin@sunrise.example",
    ),
    "no for false": ("reveal_values: false", "reveal_values: no"),
    "a number in words": ("partitions: 2", "partitions: two"),
    # YAML and nesting
    "a tab": ("    mapping: hubspot", "\tmapping: hubspot"),
    "no space after the colon": ("timezone: America/Phoenix", "timezone:America/Phoenix"),
    "a login not indented": (
        "    auth:\n" + TOKEN,
        "    auth:\n" + TOKEN.replace("      ", "    "),
    ),
    "quotation marks from Word": ("timezone: America/Phoenix", "timezone: \u201cAmerica/Phoenix\u201d"),
}
