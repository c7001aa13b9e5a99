"""Builders whose defaults are valid: a test states only what matters to it."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from svix.webhooks import Webhook

from connector.carecycle import recognise
from connector.settlement import DeliveryState, Refusal
from connector.store.inbox import Arrival, Owed

SECRET = "whsec_" + base64.b64encode(b"a secret of the tests, 32 bytes!").decode()
DATA_KEY = base64.b64encode(b"k" * 32).decode()
CUSTOMER = "b1f7c0e2-3a4d-4e5f-8a9b-0c1d2e3f4a5b"
NOBODYS = f"v1,{'A' * 43}="
"""A signature in the right form."""

LANE = "sunrise/salesforce/0"
DESTINATION = "sunrise/salesforce"
NOON = 1_781_784_000_000  # 2026-06-18T12:00:00Z

_numbers = itertools.count(1)


def a_message_id() -> str:
    return f"msg_{next(_numbers):06d}"


def a_customer(**changes: Any) -> dict[str, Any]:
    """A customer.updated payload; keyword arguments change its fields."""
    return {
        "event_type": "customer.updated",
        "id": CUSTOMER,
        "createdAt": "2026-06-17T19:07:23.709Z",
        "updatedAt": "2026-06-18T12:00:00.000Z",
        "status": "Lead",
        "firstName": "Marcus",
        "lastName": "Delacroix",
        "phoneNumber": "+13128471928",
        "lineType": "mobile",
        "email": "marcus.delacroix@example.com",
        "state": "AZ",
        "timezone": "America/Phoenix",
        "assignedUser": None,
        "doNotCall": False,
        "doNotSMS": False,
        "doNotEmail": False,
        "doNotMail": False,
        "testCustomer": False,
        **changes,
    }


def a_call(customer: Mapping[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """A call.completed payload; `customer` is put inside without its event type."""
    inside = None if customer is None else {key: value for key, value in customer.items() if key != "event_type"}
    return {
        "event_type": "call.completed",
        "id": "dca4a483-af54-4899-a804-766ee5812537",
        "createdAt": "2026-06-18T12:05:00.000Z",
        "phoneNumber": "+13128471928",
        "callSid": "f2a91c0b",
        "direction": "inbound",
        "disposition": "Enrolled",
        "durationMs": 247000,
        "startTime": "2026-06-18T12:00:00.000Z",
        "endTime": "2026-06-18T12:04:07.000Z",
        "endedReason": "completed",
        "summary": None,
        "transcript": None,
        "campaign": None,
        "customer": inside,
        **changes,
    }


def signed(
    payload: Any, *, secret: str = SECRET, message_id: str = "", at: datetime | None = None, family: str = "svix"
) -> tuple[bytes, dict[str, str]]:
    """A body and the headers careCycle would send with it."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    message_id = message_id or a_message_id()
    moment = at or datetime.now(UTC)
    signature = Webhook(secret).sign(message_id, moment, body.decode("latin-1")) if _is_text(body) else NOBODYS
    headers = {"id": message_id, "timestamp": str(int(moment.timestamp())), "signature": signature}
    return body, {f"{family}-{name}": value for name, value in headers.items()}


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def an_odd_arrival(message_id: str = "", **changes: Any) -> Arrival:
    """An arrival of a customer whose subsidy has decimals; keyword arguments change its fields."""
    payload = a_customer(**{"subsidyAmount": 148.5, **changes})
    reading = recognise.read(payload, "m")
    assert reading is not None
    return an_arrival(message_id, payload, odd=reading.odd, raised=reading.raised)


def an_arrival(message_id: str = "", payload: Mapping[str, Any] | None = None, **changes: Any) -> Arrival:
    """A message on its way into the inbox of agency `sunrise`, owed to one destination."""
    body = json.dumps(payload or a_customer()).encode()
    state = DeliveryState(changes.pop("state", DeliveryState.READY))
    why = Refusal(changes.pop("code", ""), changes.pop("reason", ""))
    values: dict[str, Any] = {
        "agency": "sunrise",
        "message_id": message_id or a_message_id(),
        "type": "customer.updated",
        "customer_id": CUSTOMER,
        "source_time": NOON,
        "received_at": NOON,
        "body": body,
        "owed": (Owed(DESTINATION, LANE),),
        "state": state,
        "why": why,
    }
    return Arrival(**{**values, **changes})
