"""The properties API: definitions and groups of each object."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from connector.sandbox.hubspot.portal import CUSTOM, Property
from connector.sandbox.hubspot.replies import Refusal, not_found, problem

SENSITIVITIES = ("non_sensitive", "sensitive", "highly_sensitive")
TYPES = ("string", "number", "date", "datetime", "enumeration", "bool", "phone_number")
MOST_UNIQUE = 10
_CREATED = "2024-01-08T09:00:00.000Z"
Schema = dict[str, dict[str, Property]]


class Definitions:
    """The portal's property definitions and groups.

    archived: those that were deleted. restores_unique: whether one that is made again keeps its values unique.
    """

    def __init__(self, schema: Schema, *, sensitive_data: bool, unique_calls: bool) -> None:
        self.schema, self.sensitive_data, self.unique_calls = schema, sensitive_data, unique_calls
        self.archived: dict[tuple[str, str], Property] = {}
        self.restores_unique = True
        self.pipelines: dict[str, dict[str, tuple[str, ...]]] = {}
        standard: dict[str, Any] = {
            "name": "contactinformation",
            "label": "Contact information",
            "displayOrder": 0,
            "archived": False,
        }
        self.groups: dict[str, dict[str, dict[str, Any]]] = {name: {standard["name"]: standard} for name in schema}

    def list(self, kind: str, sensitivity: str) -> dict[str, Any]:
        """List the properties of one sensitivity; HubSpot's default is the non-sensitive ones."""
        if sensitivity not in SENSITIVITIES:
            raise Refusal(400, "dataSensitivity is not one of the known values")
        return {"results": [shown(p) for p in self.schema[kind].values() if p.sensitivity == sensitivity]}

    def list_pipelines(self, kind: str) -> dict[str, Any]:
        """List the pipelines of an object: the default one, unless others were given."""
        stages = next((own.options for own in self.schema[kind].values() if own.name == "dealstage"), ("1", "2", "3"))
        pipelines = {"default": stages} | self.pipelines.get(kind, {})
        return {"results": [_pipeline(name, own) for name, own in pipelines.items()]}

    def get(self, kind: str, name: str) -> dict[str, Any]:
        if name not in self.schema[kind]:
            raise Refusal(404, f"Property {name} does not exist", "OBJECT_NOT_FOUND")
        return shown(self.schema[kind][name])

    def create(self, kind: str, body: Any) -> dict[str, Any]:
        """Add a property. As in HubSpot, its uniqueness and sensitivity cannot change later."""
        wanted = _read(body)
        if wanted.name in self.schema[kind]:
            text, cause = f"A property named '{wanted.name}' already exists.", "Properties.PROPERTY_WITH_NAME_EXISTS"
            raise Refusal(409, text, "OBJECT_ALREADY_EXISTS", subCategory=cause)
        self._refuse(kind, wanted)
        if former := self.archived.pop((kind, wanted.name), None):
            wanted = replace(former, unique=former.unique and self.restores_unique)
        self.schema[kind][wanted.name] = wanted
        return shown(wanted)

    def archive(self, kind: str, name: str) -> tuple[int, None]:
        """Delete a property; its name brings the same one back."""
        if name not in self.schema[kind]:
            raise Refusal(404, f"Property {name} does not exist", "OBJECT_NOT_FOUND")
        self.archived[kind, name] = self.schema[kind].pop(name)
        return 204, None

    def _refuse(self, kind: str, wanted: Property) -> None:
        if wanted.group not in self.groups[kind]:
            raise Refusal(400, "The property group does not exist", errors=[{"code": "PROPERTY_GROUP_NOT_FOUND"}])
        if wanted.type == "bool" and set(wanted.options) != {"true", "false"}:
            text = "A bool property needs exactly the options true and false"
            raise Refusal(400, text, errors=[problem(wanted.name, "INVALID_BOOLEAN_OPTION", text)])
        if wanted.sensitivity != "non_sensitive":
            self._refuse_sensitive(kind)
        if wanted.unique:
            self._refuse_unique(kind)

    def _refuse_sensitive(self, kind: str) -> None:
        if not self.sensitive_data:
            text = "The portal is not enabled for sensitive data"
            raise Refusal(400, text, subCategory="PORTAL_NOT_ENABLED_FOR_SENSITIVE_DATA")
        if kind == "calls":
            raise Refusal(400, "Calls cannot hold sensitive data")

    def _refuse_unique(self, kind: str) -> None:
        custom = [p for p in self.schema[kind].values() if p.unique and p.name != "email"]
        if len(custom) >= MOST_UNIQUE:
            raise Refusal(400, f"An object can have at most {MOST_UNIQUE} unique properties")
        if kind == "calls" and not self.unique_calls:
            raise Refusal(400, "Calls cannot have unique properties")

    def list_groups(self, kind: str) -> dict[str, Any]:
        return {"results": list(self.groups[kind].values())}

    def get_group(self, kind: str, name: str) -> dict[str, Any]:
        if name not in self.groups[kind]:
            raise not_found()
        return self.groups[kind][name]

    def create_group(self, kind: str, body: Any) -> dict[str, Any]:
        if not isinstance(body, dict) or not body.get("name") or not body.get("label"):
            raise Refusal(400, "Invalid input JSON: name and label are required")
        if body["name"] in self.groups[kind]:
            raise Refusal(409, f'A property group named "{body["name"]}" already exists.', "OBJECT_ALREADY_EXISTS")
        made = {"name": body["name"], "label": body["label"], "displayOrder": -1, "archived": False}
        self.groups[kind][body["name"]] = made
        return made


def _pipeline(name: str, stages: tuple[str, ...]) -> dict[str, Any]:
    shown = [
        {"id": stage, "label": stage, "displayOrder": number, "archived": False, "metadata": {}}
        for number, stage in enumerate(stages)
    ]
    return {"id": name, "label": name, "displayOrder": 0, "archived": False, "stages": shown}


def _read(body: Any) -> Property:
    needed = ("name", "label", "type", "fieldType", "groupName")
    if not isinstance(body, dict) or any(not isinstance(body.get(name), str) or not body[name] for name in needed):
        raise Refusal(400, "Invalid input JSON: required fields are " + ", ".join(needed))
    if body["type"] not in TYPES or not re.fullmatch(r"[a-z][a-z0-9_]{0,99}", body["name"]):
        raise Refusal(400, "Invalid input JSON: the type or the name is not acceptable")
    sensitivity = body.get("dataSensitivity", "non_sensitive")
    if sensitivity not in SENSITIVITIES:
        raise Refusal(400, "dataSensitivity is not one of the known values")
    return Property(
        name=body["name"],
        type=body["type"],
        field_type=body["fieldType"],
        group=body["groupName"],
        label=body["label"],
        options=tuple(option["value"] for option in body.get("options", [])),
        unique=bool(body.get("hasUniqueValue")),
        sensitivity=sensitivity,
    )


def shown(definition: Property) -> dict[str, Any]:
    """Build a definition as the API returns it."""
    options = [
        {"label": text, "value": text, "displayOrder": number, "hidden": False}
        for number, text in enumerate(definition.options)
    ]
    refers = {"referencedObjectType": definition.refers_to} if definition.refers_to else {}
    changes = {"archivable": True, "readOnlyDefinition": False, "readOnlyOptions": False}
    return {
        "name": definition.name,
        "label": definition.label or definition.name,
        "type": definition.type,
        "fieldType": definition.field_type,
        "description": "",
        "groupName": definition.group,
        "options": options,
        "hasUniqueValue": definition.unique,
        "externalOptions": bool(definition.refers_to),
        "hidden": False,
        "formField": True,
        "displayOrder": -1,
        "calculated": False,
        "createdAt": _CREATED,
        "updatedAt": _CREATED,
        "hubspotDefined": definition.group == "contactinformation" and definition.name not in CUSTOM,
        "dataSensitivity": definition.sensitivity,
        "modificationMetadata": {**changes, "readOnlyValue": definition.read_only},
        **refers,
    }
