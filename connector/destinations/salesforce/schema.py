"""Salesforce's description of an object, as the schema that mappings are checked against.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_sobject_describe.htm
"""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from connector.mapping.target import Option, TargetField, TargetObject

_TEXTS: Final = {"string", "textarea", "phone", "email"}
_KNOWN: Final = _TEXTS | {"picklist", "boolean", "int", "double", "currency", "date", "datetime", "reference"}
_TYPES: Final = {"id": "reference", "percent": "double", "long": "int"}
_COMPOUND: Final = frozenset({"address", "location", "base64", "complexvalue", "anyType"})


class _Choice(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")
    value: str
    active: bool = True


class Described(BaseModel):
    """The parts of a field's description that we read."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    name: str
    type: str
    length: int = 0
    createable: bool = False
    updateable: bool = False
    nillable: bool = True
    defaulted: bool = Field(default=False, alias="defaultedOnCreate")
    external_id: bool = Field(default=False, alias="externalId")
    id_lookup: bool = Field(default=False, alias="idLookup")
    unique: bool = False
    encrypted: bool = False
    filterable: bool = True
    permissionable: bool = False
    calculated: bool = False
    auto_number: bool = Field(default=False, alias="autoNumber")
    restricted: bool = Field(default=False, alias="restrictedPicklist")
    choices: list[_Choice] = Field(default=[], alias="picklistValues")

    @property
    def kind(self) -> str:
        """The type as a saved schema names it."""
        return self.type if self.type in _KNOWN else _TYPES.get(self.type, "string")

    @property
    def required(self) -> bool:
        """Whether a new record needs a value for it; a checkbox always has one."""
        return self.createable and not self.nillable and not self.defaulted and self.kind != "boolean"


class DescribedObject(BaseModel):
    """The reply of GET /sobjects/{X}/describe."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    name: str
    fields: list[Described]


def target(described: DescribedObject) -> TargetObject:
    """The fields that a mapping may write, look up or match by."""
    fields = {own.name: _field(own) for own in described.fields if own.type not in _COMPOUND}
    if "IsPersonAccount" in fields and "Name" in fields:  # a person's name is computed, whatever describe says
        fields["Name"] = fields["Name"].model_copy(update={"required": False})
    return TargetObject(fields=fields)


def _field(own: Described) -> TargetField:
    kind = own.kind
    return TargetField(
        type=kind,
        length=own.length or None if kind in _TEXTS else None,
        required=own.required,
        unique=own.unique and (own.external_id or own.id_lookup),
        writable=own.createable or own.updateable,
        sensitive=own.encrypted or own.type == "encryptedstring",
        restricted=own.restricted and kind == "picklist",
        options=_options(own.choices) if kind == "picklist" else (),
    )


def _options(choices: list[_Choice]) -> tuple[Option, ...]:
    return tuple(Option(value=choice.value) for choice in choices if choice.active)
