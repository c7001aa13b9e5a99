"""A permission set that lets the connector's user edit the fields that a mapping writes.

A new custom field is hidden from everyone, administrators too, until a permission on it is granted:
https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_fieldpermissions.htm
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from connector.destinations.salesforce import errors
from connector.destinations.salesforce.api_error import ApiError
from connector.destinations.salesforce.client import Client
from connector.destinations.salesforce.provision_fields import PERMISSION_LABEL, PERMISSION_SET, Address
from connector.destinations.salesforce.reads import Reader
from connector.errors import DestinationUnusable, PauseReason

_SETS: Final = (
    "the connector's user may not grant permissions: give it Manage Profiles and Permission Sets, or have an "
    f"administrator deploy what --metadata writes and assign the permission set {PERMISSION_SET} to it"
)
_ASSIGN: Final = (
    f"the connector's user may not assign permission sets: have an administrator assign {PERMISSION_SET} to it, or "
    "give it Assign Permission Sets"
)


class Access:
    """Grants the right to edit fields through one permission set of our own."""

    def __init__(self, client: Client, reader: Reader) -> None:
        self._client, self._reader = client, reader

    def grant(self, fields: Iterable[Address]) -> dict[str, str]:
        """Let the connector's user edit these fields; permission -> why it failed. Raises DestinationUnusable."""
        wanted = {field.permission: field for field in fields}
        if not wanted:
            return {}
        try:
            set_id, problem = self._set()
            problems = dict.fromkeys(wanted, problem) if problem else self._allow(set_id, wanted)
            granted = [name for name in wanted if not problems.get(name)]
            if granted and (problem := self._assign(set_id)):
                problems |= dict.fromkeys(granted, problem)
        except DestinationUnusable as error:
            if error.reason is not PauseReason.CONFIGURATION:
                raise
            return dict.fromkeys(wanted, _SETS)  # the permission sets are hidden from this user
        return problems

    def _set(self) -> tuple[str, str]:
        """The id of our permission set, created if it is missing, or why it cannot be."""
        if set_id := self._set_id():
            return set_id, ""
        created, problem = self._create("PermissionSet", {"Name": PERMISSION_SET, "Label": PERMISSION_LABEL}, _SETS)
        return (created or ("" if problem else self._set_id())), problem

    def _set_id(self) -> str:
        sets = self._reader.records("PermissionSet", "Name", PERMISSION_SET, [])
        return sets[0].id if sets else ""

    def _allow(self, set_id: str, wanted: Mapping[str, Address]) -> dict[str, str]:
        """Add the fields to our permission set; permission -> why it failed."""
        read = ["Field", "PermissionsEdit"]
        rows = self._reader.records("FieldPermissions", "ParentId", set_id, read)
        by_field = {str(row.values["Field"]): row for row in rows}
        problems = {}
        for name, field in wanted.items():
            row = by_field.get(name)
            if row is not None and row.values["PermissionsEdit"] is True:
                continue
            rights = {"PermissionsRead": True, "PermissionsEdit": True}
            if row is not None:
                reply = self._client.call("PATCH", f"sobjects/FieldPermissions/{row.id}", json=rights)
                problems[name] = _problem(reply, _SETS)
            else:
                body = {"ParentId": set_id, "SobjectType": field.object, "Field": name, **rights}
                _, problems[name] = self._create("FieldPermissions", body, _SETS)
        return problems

    def _assign(self, set_id: str) -> str:
        """Assign our permission set to the connector's user; returns why it could not."""
        user = user_id(self._client)
        assigned = self._reader.records("PermissionSetAssignment", "AssigneeId", user, ["PermissionSetId"])
        if any(str(assignment.values["PermissionSetId"])[:15] == set_id[:15] for assignment in assigned):
            return ""
        body = {"AssigneeId": user, "PermissionSetId": set_id}
        return self._create("PermissionSetAssignment", body, _ASSIGN)[1]

    def _create(self, kind: str, body: Mapping[str, Any], not_allowed: str) -> tuple[str, str]:
        """Create a record; returns its id, or why it could not. An existing duplicate counts as success."""
        reply = self._client.call("POST", f"sobjects/{kind}", json=dict(body))
        problem = _problem(reply, not_allowed)
        made = reply.get("id") if isinstance(reply, Mapping) else None
        return (made, "") if isinstance(made, str) and not problem else ("", problem)


def _problem(reply: Any, not_allowed: str) -> str:
    if not isinstance(reply, ApiError) or reply.code in ("DUPLICATE_VALUE", "DUPLICATE_DEVELOPER_NAME"):
        return ""
    if reply.code.startswith("INSUFFICIENT_ACCESS") or reply.code in ("NOT_FOUND", "INVALID_TYPE"):
        return not_allowed
    return f"Salesforce rejected it: {errors.described(reply, errors.rule_for(reply))} ({reply.code})"


def user_id(client: Client) -> str:
    """The id of the connector's user: the last part of the identity URL that the API's root returns.

    Raises DestinationUnusable.
    """
    # https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_discoveryresource.htm
    reply = client.call("GET", "")
    identity = reply.get("identity") if isinstance(reply, Mapping) else None
    if not isinstance(identity, str):
        problem = "Salesforce does not return the identity of the connector's user"
        raise DestinationUnusable("Salesforce", PauseReason.CONFIGURATION, problem)
    return identity.rstrip("/").rpartition("/")[2]
