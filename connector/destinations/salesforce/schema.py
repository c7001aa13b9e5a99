"""Salesforce's description of an object, as the schema that mappings are checked against.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_sobject_describe.htm
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

from connector.destinations.lenient import Entries, Lenient
from connector.mapping.target import Option, TargetField, TargetObject

_TEXTS: Final = {"string", "textarea", "phone", "email"}
_KNOWN: Final = _TEXTS | {"picklist", "boolean", "int", "double", "currency", "date", "datetime", "reference"}
_TYPES: Final = {"id": "reference", "percent": "double", "long": "int"}
_COUNTRY: Final = "Country"
_FEW: Final = 5
"""What a task is about, for one, may be any of hundreds of objects."""
_COMPOUND: Final = frozenset({"address", "location", "base64", "complexvalue", "anyType"})


def _active(choices: Any) -> Any:
    """The values of the active choices of a picklist: a model of each would take several times the memory."""
    if not isinstance(choices, list):
        return choices
    active = (
        choice.get("value") for choice in choices if isinstance(choice, dict) and choice.get("active") is not False
    )
    return [value for value in active if isinstance(value, str)]


class Described(Lenient):
    """The parts of a field's description that we read. An attribute of another type than Salesforce's is unknown.

    None: unknown, and taken for what stops nothing.
    """

    name: str
    label: str = ""
    type: str = ""
    length: int = 0
    createable: bool | None = None
    updateable: bool | None = None
    nillable: bool = True
    defaulted: bool = Field(default=False, alias="defaultedOnCreate")
    external_id: bool | None = Field(default=None, alias="externalId")
    id_lookup: bool = Field(default=False, alias="idLookup")
    unique: bool | None = None
    case_sensitive: bool = Field(default=False, alias="caseSensitive")
    encrypted: bool = False
    filterable: bool = True
    permissionable: bool = False
    calculated: bool = False
    auto_number: bool = Field(default=False, alias="autoNumber")
    restricted: bool = Field(default=False, alias="restrictedPicklist")
    refers_to: Entries[str] = Field(default=[], alias="referenceTo")
    choices: Annotated[list[str], BeforeValidator(_active)] = Field(default=[], alias="picklistValues")

    @property
    def kind(self) -> str:
        """The type as a saved schema names it; empty if it is unknown."""
        return self.type if self.type in _KNOWN | {""} else _TYPES.get(self.type, "string")

    @property
    def required(self) -> bool:
        """Whether a new record needs a value for it; a checkbox always has one."""
        demanded = bool(self.createable) and not self.nillable and not self.defaulted
        return demanded and self.kind != "boolean"

    @property
    def is_key(self) -> bool:
        """Whether records can be upserted by it."""
        return self.unique is not False and (self.external_id is not False or self.id_lookup)

    @property
    def is_writable(self) -> bool:
        """Whether a new or an existing record may be given a value for it."""
        return self.createable is not False or self.updateable is not False


class RecordType(Lenient):
    """One of an object's record types. available: whether the connector's user may use it."""

    id: str = Field(default="", alias="recordTypeId")
    name: str = ""
    available: bool | None = None


class DescribedObject(Lenient):
    """The reply of GET /sobjects/{X}/describe."""

    fields: Entries[Described]
    record_types: Entries[RecordType] = Field(default=[], alias="recordTypeInfos")
    createable: bool | None = None
    updateable: bool | None = None


def target(described: DescribedObject) -> TargetObject:
    """The fields that a mapping may write, look up or match by."""
    fields = {own.name: _field(own) for own in described.fields if own.type not in _COMPOUND}
    if "IsPersonAccount" in fields and "Name" in fields:  # a person's name is computed, whatever describe says
        fields["Name"] = fields["Name"].model_copy(update={"required": False})
    if own := fields.get("RecordTypeId"):
        fields["RecordTypeId"] = own.model_copy(update={"options": _usable(described.record_types)})
    return TargetObject(fields=fields | _from_lists(fields))


def _usable(record_types: Sequence[RecordType]) -> tuple[Option, ...]:
    """The record types that may be used; none if one of them cannot be read, which may be the one that is mapped."""
    if not all(own.id for own in record_types):
        return ()
    return tuple(Option(value=own.id, label=own.name) for own in record_types if own.available is not False)


def _from_lists(fields: Mapping[str, TargetField]) -> dict[str, TargetField]:
    """The fields of addresses whose states and countries are on the org's lists, which fields for codes show.

    https://help.salesforce.com/s/articleView?id=sf.admin_state_country_picklists_overview.htm
    """
    changed: dict[str, TargetField] = {}
    for name in fields:
        if name.endswith(_COUNTRY) and (code := f"{name}Code") in fields:
            state = f"{name.removesuffix(_COUNTRY)}State"
            changed[name] = fields[name].model_copy(update={"coded_in": code})
            for own, coded_in in ((state, f"{state}Code"), (f"{state}Code", "")):
                if own in fields:
                    changed[own] = fields[own].model_copy(update={"coded_in": coded_in, "within": name})
    return changed


def _field(own: Described) -> TargetField:
    kind = own.kind
    return TargetField(
        type=kind,
        length=own.length or None if kind in _TEXTS else None,
        required=own.required,
        unique=own.is_key,
        case_sensitive=own.is_key and own.case_sensitive,
        writable=own.is_writable,
        sensitive=own.encrypted or own.type == "encryptedstring",
        restricted=own.restricted and kind == "picklist",
        options=tuple(Option(value=value) for value in own.choices) if kind == "picklist" else (),
        native=own.type if own.type != kind else "",
        searchable=own.filterable,
        of_user="User" in own.refers_to,
        refers=tuple(sorted(own.refers_to)) if len(own.refers_to) <= _FEW else (),
        label=own.label,
    )


def described(known: TargetObject) -> DescribedObject:
    """The description that an object's kept fields come from, as far as deliveries need it."""
    fields = [
        Described(
            name=name,
            type=own.native or own.type,
            length=own.length or 0,
            createable=own.writable,
            updateable=own.writable,
            nillable=not own.required,
            externalId=own.unique,
            unique=own.unique,
            caseSensitive=own.case_sensitive,
            filterable=own.searchable,
        )
        for name, own in known.fields.items()
    ]
    return DescribedObject(fields=fields)
