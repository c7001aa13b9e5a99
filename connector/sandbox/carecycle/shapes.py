"""Customers and calls as the REST API shows them: other names than the webhooks', and much that these lack."""

from __future__ import annotations

from typing import Any, Final

Fields = dict[str, Any]

_CUSTOMER: Final = {"externalId": "clientCustomerId", "phoneNumber": "callerId", "hasMedicaid": "medicaid"}
FLAGS: Final = ("doNotCall", "doNotSMS", "doNotEmail", "doNotMail")

_CLIENT: Final = "0a6b8f52-1d3c-4e7f-8b90-5c4d3e2f1a00"
SECRET: Final = "987-65-4329"  # noqa: S105  # no real number: what must never be kept
_ALONE: Final = {
    "createdBy": None,
    "updatedBy": None,
    "clientId": _CLIENT,
    "qualificationStatus": "In Progress",
    "intent": "Medium",
    "isDecisionMaker": True,
    "customData": {"note": "only in the API"},
}
_DETAILS: Final = {
    "policies": [],
    "prescriptions": [{"id": "rx-1", "name": "Sampril", "status": "Active"}],
    "dependents": [{"id": "d-1", "firstName": "Sam", "relationshipType": "Child", "ssn": SECRET}],
    "customFields": [],
}


def customer_shape(customer: Fields, *, shows_flags: bool, details: bool) -> Fields:
    """A customer as the API shows it, in a list or with all details."""
    shown = {_CUSTOMER.get(name, name): value for name, value in customer.items()}
    shown["testFlag"] = shown.pop("testCustomer", False)
    if str(shown.get("agentNpn") or "").isdigit():
        shown["agentNpn"] = int(shown["agentNpn"])
    if not shows_flags:
        for flag in FLAGS:
            shown.pop(flag, None)
    return {**shown, **_ALONE, **(_DETAILS if details else {})}


def call_shape(call: Fields, *, recording: str | None) -> Fields:
    """A call as the API shows it. recording: the address of its recording, once there is one."""
    left_out = ("phoneNumber", "callSid", "startTime", "endTime", "endedReason", "campaign")
    shown = {name: value for name, value in call.items() if name not in left_out}
    return {
        **shown,
        "campaignId": (call.get("campaign") or {}).get("id"),
        "callerId": call.get("phoneNumber"),
        "twilioSid": f"CA{call['id'][:8]}",
        "service": "vapi",
        "testFlag": False,
        "isTestNumber": False,
        "recordingUrl": recording,
        "recordingId": None,
        "stereoRecordingUrl": None,
        "mainRecordingUrl": recording,
        "assistantType": "outbound_existing",
        "successEvaluation": None,
        "sourceName": None,
    }
