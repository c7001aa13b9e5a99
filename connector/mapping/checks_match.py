"""Check the steps of `also_match`: whether they can tell two people of one household, or of one name, apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from connector.mapping import event_paths
from connector.mapping.schema import Record
from connector.mapping.schema_sources import Key
from connector.mapping.scope import Scope

_PHONES: Final = frozenset({"customer.phoneNumber", "call.phoneNumber"})
_OF_ONE_PERSON: Final = frozenset(
    f"customer.{name}"
    for name in (
        "id",
        "externalId",
        "dateOfBirth",
        "mbiNumber",
        "medicaidNumber",
        "vaNumber",
        "carrierAssignedCustomerId",
    )
)
_PERSONAL: Final = _OF_ONE_PERSON | {"customer.firstName", "customer.preferredName"}
"""What partners do not share; they share addresses, phones and last names."""
_OF_FEW: Final = _OF_ONE_PERSON | _PHONES | {"customer.email", "customer.address"}
"""What two people of one name do not share by chance; they may well live in one city."""


def check(scope: Scope, record: Record, step: Mapping[str, Key]) -> None:
    """Report a step that would match both partners of a couple, or everybody of one name."""
    used = _paths(step)
    if used and used <= _PHONES:
        hint = "add another field that must also match"
        scope.add("M230", "a phone number alone does not identify a person: households share numbers", hint)
    elif not used or not is_of_customer(record):
        return
    elif not used & _PERSONAL:
        first, _ = scope.file.crm.name_fields.get(record.object.lower(), ("<first name>", ""))
        message = "this step cannot tell a couple apart: they may share all of its fields"
        scope.add("M233", message, f"add a field they do not share, such as  {first}: customer.firstName")
    elif not used & _OF_FEW:
        message = "this step cannot tell two people of one name apart"
        scope.add("M233", message, "add their email, phone number, date of birth or external ID")


def _paths(keys: Mapping[str, Key]) -> set[str]:
    return {path for key in keys.values() for path in event_paths.of_source(key.as_source())}


def is_of_customer(record: Record) -> bool:
    """Whether a record is a customer's own: its key comes from the customer."""
    return any(path.startswith("customer.") for path in _paths(record.key))
