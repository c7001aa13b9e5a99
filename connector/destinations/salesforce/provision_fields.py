"""A custom field as Salesforce defines it, for the Tooling API and as files to deploy.

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
_SHOWN: Final = {"boolean": "check box", "datetime": "date and time", "phone": "phone", "int": "whole number"}
_NAMESPACE: Final = 'xmlns="http://soap.sforce.com/2006/04/metadata"'
_FOLDER: Final = "force-app/main/default"


class Address(NamedTuple):
    """Where a field is defined, and by which names its permission goes."""

    owner: str
    name: str
    object: str

    @property
    def permission(self) -> str:
        return f"{self.object}.{self.name}"


def is_custom(name: str) -> bool:
    """Whether a field of this name is the agency's own: Salesforce's have no such ending."""
    return name.endswith(("__c", "__pc"))


def address(object: str, field: str) -> Address:
    """A task's fields are defined on activities; a person account's `__pc` ones are the contact's."""
    if object in _ACTIVITIES:
        return Address("Activity" if is_custom(field) else object, field, object)
    if field.endswith("__pc"):
        return Address("Contact", f"{field.removesuffix('__pc')}__c", "Contact")
    return Address(object, field, object)


def impossible(demand: Demand) -> tuple[str, str]:
    """Why we do not make this field, and what to do; empty when we can."""
    wanted, where = demand.wanted, address(demand.object, demand.field)
    if not _CUSTOM.fullmatch(demand.field) or len(where.name) > 43:
        return "is no name Salesforce takes", "letters, digits and single underscores, at most 40, then __c"
    if wanted.type == "reference":
        return (
            "is to point at a record",
            "create the look-up field in Setup and choose what it points at",
        )
    if _is_long(wanted) and where.owner == "Activity":
        return (
            "may get more than 255 characters",
            "activities hold no custom long text: map it to Description, or cut it",
        )
    return "", ""


def about(wanted: TargetField) -> str:
    """The type in plain words."""
    if wanted.type == "picklist":
        return f"picklist of {len(wanted.options)} values: {', '.join(one.value for one in wanted.options)}"
    if wanted.type in _SIMPLE:
        return _SHOWN.get(wanted.type, wanted.type) + _identity(wanted)
    return ("long text" if _is_long(wanted) else f"text of {wanted.length} characters") + _identity(wanted)


def _identity(wanted: TargetField) -> str:
    return ", unique, external id" if wanted.unique else ""


def _is_long(wanted: TargetField) -> bool:
    return wanted.type == "string" and (wanted.length or 0) > LONGEST_TEXT


def metadata(demand: Demand) -> dict[str, Any]:
    """The field's `Metadata`, as the Tooling API takes it."""
    wanted, label = demand.wanted, _label(address(demand.object, demand.field).name)
    made: dict[str, Any] = {"label": label, **_typed(wanted)}
    if wanted.unique:
        made |= {"externalId": True, "unique": True}
        made |= {"caseSensitive": False} if made["type"] == "Text" else {}
    return made


def _typed(wanted: TargetField) -> dict[str, Any]:
    if wanted.type == "picklist":
        # Not restricted: a value added to the mapping's table later is no reason to refuse a record.
        values = [{"valueName": one.value, "label": one.value, "default": False} for one in wanted.options]
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
    made, allowed = list(fields), sorted({one.permission for one in editable})
    where = [address(one.object, one.field) for one in made]
    found = {
        f"{_FOLDER}/objects/{at.owner}/fields/{at.name}.field-meta.xml": _field_file(at.name, metadata(one))
        for at, one in zip(where, made, strict=True)
    }
    if allowed:
        found[f"{_FOLDER}/permissionsets/{PERMISSION_SET}.permissionset-meta.xml"] = _permission_file(allowed)
    project = {"packageDirectories": [{"path": "force-app", "default": True}], "sourceApiVersion": api_version}
    found["sfdx-project.json"] = json.dumps(project, indent=2) + "\n"
    members = {"CustomField": sorted(f"{at.owner}.{at.name}" for at in where)}
    members |= {"PermissionSet": [PERMISSION_SET]} if allowed else {}
    found["package.xml"] = _package_file(members, api_version)
    return found


def _field_file(name: str, made: dict[str, Any]) -> str:
    return _document("CustomField", [f"    <fullName>{escape(name)}</fullName>", *_lines(made, 1)])


def _lines(made: Mapping[str, Any], depth: int) -> Iterator[str]:
    """Nested elements; a file calls a picklist's value fullName where the Tooling API calls it valueName."""
    pad = "    " * depth
    for name, value in sorted(made.items()):
        tag = "fullName" if name == "valueName" else name
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict):
                yield from (f"{pad}<{tag}>", *_lines(one, depth + 1), f"{pad}</{tag}>")
            else:
                text = str(one).lower() if isinstance(one, bool) else escape(str(one))
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
