"""Definitions of custom fields, for the Tooling API and as files to deploy.

https://developer.salesforce.com/docs/atlas.en-us.api_meta.meta/api_meta/customfield.htm
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple
from xml.sax.saxutils import escape

from connector.mapping.demands import LONGEST_TEXT, Demand
from connector.mapping.target import TargetField

PERMISSION_SET: Final = "careCycle_Connector"
PERMISSION_LABEL: Final = "careCycle connector"

_CUSTOM: Final = re.compile(r"[A-Za-z](?:_?[A-Za-z0-9])*__p?c")
_WORDS: Final = re.compile(r"(?<=[a-z])(?=[A-Z])|_")
_ACTIVITIES: Final = frozenset({"Task", "Event"})
_SIMPLE: Final[Mapping[str, dict[str, Any]]] = {
    "boolean": {"type": "Checkbox", "defaultValue": False},
    "date": {"type": "Date"},
    "datetime": {"type": "DateTime"},
    "phone": {"type": "Phone"},
    "int": {"type": "Number", "precision": 18, "scale": 0},
    "double": {"type": "Number", "precision": 18, "scale": 2},
}
_SHOWN: Final = {"boolean": "checkbox", "datetime": "date and time", "phone": "phone", "int": "whole number"}
_NAMESPACE: Final = 'xmlns="http://soap.sforce.com/2006/04/metadata"'
_FOLDER: Final = "force-app/main/default"


class Address(NamedTuple):
    """The object a field is defined on (owner), and the object and name that its permission uses."""

    owner: str
    name: str
    object: str

    @property
    def permission(self) -> str:
        return f"{self.object}.{self.name}"


def is_custom(name: str) -> bool:
    """Whether a field with this name is custom, by its ending."""
    return name.endswith(("__c", "__pc"))


def address(object: str, field: str) -> Address:
    """Where a field is defined: tasks' custom fields on Activity, person accounts' `__pc` fields on Contact."""
    if object in _ACTIVITIES:
        return Address("Activity" if is_custom(field) else object, field, object)
    if field.endswith("__pc"):
        return Address("Contact", f"{field.removesuffix('__pc')}__c", "Contact")
    return Address(object, field, object)


def impossible(demand: Demand) -> tuple[str, str]:
    """Why this field cannot be created, and what to do; empty if it can."""
    wanted, where = demand.wanted, address(demand.object, demand.field)
    if not _CUSTOM.fullmatch(demand.field) or len(where.name) > 43:
        problem = "is not a valid custom field name in Salesforce"
        return problem, "use at most 40 letters, digits and single underscores, then __c"
    if wanted.type == "reference":
        return "would have to refer to a record", "create the lookup field in Setup and choose the object it refers to"
    if _is_long(wanted) and where.owner == "Activity":
        return (
            "may get more than 255 characters",
            "activities cannot have custom long text fields: map it to Description, or add `cut: true`",
        )
    return "", ""


def about(wanted: TargetField) -> str:
    """The type in plain words."""
    if wanted.type == "picklist":
        return f"picklist of {len(wanted.options)} values: {', '.join(option.value for option in wanted.options)}"
    if wanted.type in _SIMPLE:
        return _SHOWN.get(wanted.type, wanted.type) + _identity(wanted)
    return ("long text" if _is_long(wanted) else f"text of {wanted.length} characters") + _identity(wanted)


def _identity(wanted: TargetField) -> str:
    return ", unique, external id" if wanted.unique else ""


def _is_long(wanted: TargetField) -> bool:
    return wanted.type == "string" and (wanted.length or 0) > LONGEST_TEXT


def metadata(demand: Demand) -> dict[str, Any]:
    """The field's `Metadata` for the Tooling API."""
    wanted, label = demand.wanted, _label(address(demand.object, demand.field).name)
    definition: dict[str, Any] = {"label": label, **_typed(wanted)}
    if wanted.unique:
        definition |= {"externalId": True, "unique": True}
        definition |= {"caseSensitive": False} if definition["type"] == "Text" else {}
    return definition


def _typed(wanted: TargetField) -> dict[str, Any]:
    if wanted.type == "picklist":
        # Not restricted, so that a value added to the mapping's table later is not rejected.
        values = [{"valueName": option.value, "label": option.value, "default": False} for option in wanted.options]
        return {
            "type": "Picklist",
            "valueSet": {"restricted": False, "valueSetDefinition": {"sorted": False, "value": values}},
        }
    if _is_long(wanted):
        return {"type": "LongTextArea", "length": 131_072, "visibleLines": 6}
    return dict(_SIMPLE.get(wanted.type) or {"type": "Text", "length": wanted.length or LONGEST_TEXT})


def _label(name: str) -> str:
    return _WORDS.sub(" ", name.removesuffix("__c"))[:40]


def files(fields: Iterable[Demand], editable: Iterable[Address], api_version: str) -> dict[str, str]:
    """A folder to deploy: the fields, and a permission set that lets its users edit them. Path -> text."""
    demands, allowed = list(fields), sorted({at.permission for at in editable})
    where = [address(demand.object, demand.field) for demand in demands]
    texts = {
        f"{_FOLDER}/objects/{at.owner}/fields/{at.name}.field-meta.xml": _field_file(at.name, metadata(demand))
        for at, demand in zip(where, demands, strict=True)
    }
    if allowed:
        texts[f"{_FOLDER}/permissionsets/{PERMISSION_SET}.permissionset-meta.xml"] = _permission_file(allowed)
    project = {"packageDirectories": [{"path": "force-app", "default": True}], "sourceApiVersion": api_version}
    texts["sfdx-project.json"] = json.dumps(project, indent=2) + "\n"
    members = {"CustomField": sorted(f"{at.owner}.{at.name}" for at in where)}
    members |= {"PermissionSet": [PERMISSION_SET]} if allowed else {}
    texts["package.xml"] = _package_file(members, api_version)
    return texts


def _field_file(name: str, definition: dict[str, Any]) -> str:
    return _document("CustomField", [f"    <fullName>{escape(name)}</fullName>", *_lines(definition, 1)])


def _lines(definition: Mapping[str, Any], depth: int) -> Iterator[str]:
    """Nested XML elements; files name a picklist value fullName, which the Tooling API calls valueName."""
    pad = "    " * depth
    for name, value in sorted(definition.items()):
        tag = "fullName" if name == "valueName" else name
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                yield from (f"{pad}<{tag}>", *_lines(item, depth + 1), f"{pad}</{tag}>")
            else:
                text = str(item).lower() if isinstance(item, bool) else escape(str(item))
                yield f"{pad}<{tag}>{text}</{tag}>"


def _permission_file(allowed: Iterable[str]) -> str:
    lines = [f"    <description>{_ABOUT}</description>"]
    for field in allowed:
        lines += ["    <fieldPermissions>", "        <editable>true</editable>", f"        <field>{field}</field>"]
        lines += ["        <readable>true</readable>", "    </fieldPermissions>"]
    return _document("PermissionSet", [*lines, f"    <label>{PERMISSION_LABEL}</label>"])


_ABOUT: Final = "Lets the careCycle connector's user edit the fields its mapping writes."


def _package_file(members: Mapping[str, list[str]], api_version: str) -> str:
    lines = []
    for kind, names in members.items():
        if names:
            lines += ["    <types>", *(f"        <members>{name}</members>" for name in names)]
            lines += [f"        <name>{kind}</name>", "    </types>"]
    return _document("Package", [*lines, f"    <version>{api_version}</version>"])


def _document(root: str, lines: Iterable[str]) -> str:
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', f"<{root} {_NAMESPACE}>", *lines, f"</{root}>"]) + "\n"
