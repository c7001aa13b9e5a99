"""Compile who a record's customer is, and where the CRM has it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from connector.crm import Crm
from connector.mapping import checks_match, event_paths, values
from connector.mapping.compiled import PersonProgram
from connector.mapping.schema import Record
from connector.mapping.schema_sources import Key, Source
from connector.mapping.values import Setting
from connector.model import FactKind, PersonFields

_PARTS: Final[Mapping[str, str]] = {
    "first": "customer.firstName",
    "middle": "customer.middleName",
    "last": "customer.lastName",
    "suffix": "customer.suffix",
    "preferred": "customer.preferredName",
    "born": "customer.dateOfBirth",
    "external_id": "customer.externalId",
}
_KINDS: Final[Mapping[str, FactKind]] = {
    "customer.firstName": FactKind.FIRST_NAME,
    "customer.lastName": FactKind.LAST_NAME,
    "customer.dateOfBirth": FactKind.BIRTH_DATE,
    "customer.email": FactKind.EMAIL,
    "customer.phoneNumber": FactKind.PHONE,
    "call.phoneNumber": FactKind.PHONE,
    "customer.externalId": FactKind.EXTERNAL_ID,
}


def kind_of(key: Key) -> FactKind:
    """Return what a fact of an `also_match` step is."""
    is_whole = key.as_source().keeps  # the first letter of a name is no name
    return _KINDS.get(key.from_[0], FactKind.TEXT) if key.from_ and is_whole else FactKind.TEXT


def compiled(record: Record, setting: Setting) -> PersonProgram | None:
    """Compile who a record's customer is; None for a record that is no person's."""
    if not checks_match.is_of_customer(record):
        return None
    parts = {part: values.path(path, setting.event) for part, path in _PARTS.items()}
    return PersonProgram(parts, _fields(record, setting.crm))


def _fields(record: Record, crm: Crm) -> PersonFields:
    places = {part: next(_places(record, path), "") for part, path in _PARTS.items()}
    first, last = crm.name_fields.get(record.object.lower(), ("", ""))
    if not (places["first"] or places["last"]) and (whole := _whole_name(record)):
        first, last = "", whole
    return PersonFields(
        first=places["first"] or first,
        middle=places["middle"],
        last=places["last"] or last,
        suffix=places["suffix"],
        born=places["born"],
        placeholders=frozenset(_placeholders(record)),
    )


def _whole_name(record: Record) -> str:
    """Return the target field that gets first and last name as one text; empty if there is none."""
    whole = [_PARTS["first"], _PARTS["last"]]
    return next((target for target, field in record.fields.items() if list(_joined(field)) == whole), "")


def _joined(field: Source) -> Iterable[str]:
    return field.join or event_paths.of_template(field.template or "")


def _places(record: Record, path: str) -> Iterator[str]:
    """List the target fields that tell exactly this event field, or are compared with it by a step."""
    for target, field in record.fields.items():
        if field.from_ == [path] and field.table is None and field.keeps:
            yield target
    for step in record.also_match:
        yield from (target for target, key in step.items() if key.from_ == [path] and key.as_source().keeps)


def _placeholders(record: Record) -> Iterator[str]:
    names = ([_PARTS["first"]], [_PARTS["last"]])
    for field in record.fields.values():
        if field.from_ in names and isinstance(field.default, str):
            yield field.default
