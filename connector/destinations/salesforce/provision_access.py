"""A permission set that lets the connector's user edit the fields a mapping writes.

A new custom field is hidden from everybody, administrators too, until somebody is given a permission on it:
https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_fieldpermissions.htm
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from connector.destinations.salesforce import errors
from connector.destinations.salesforce.client import Client
from connector.destinations.salesforce.errors import ApiError
from connector.destinations.salesforce.provision_fields import PERMISSION_LABEL, PERMISSION_SET, Address
from connector.destinations.salesforce.reads import Reader
from connector.errors import DestinationUnusable, PauseReason

_SETS: Final = (
    "the connector's user may not give permissions: give it Manage Profiles and Permission Sets, or have an "
    f"administrator deploy what --metadata writes and assign the permission set {PERMISSION_SET} to it"
)
_ASSIGN: Final = (
    f"the connector's user may not assign permission sets: have an administrator assign {PERMISSION_SET} to it, or "
    "give it Assign Permission Sets"
)


class Access:
    """Grants edit on fields, by one permission set of ours."""

    def __init__(self, client: Client, reader: Reader) -> None:
        self._client, self._reader = client, reader

    def grant(self, fields: Iterable[Address]) -> dict[str, str]:
        """Let the connector's user edit these fields; those it still may not -> why. Raises DestinationUnusable."""
        wanted = {one.permission: one for one in fields}
        if not wanted:
            return {}
        try:
            own, problem = self._set()
            problems = dict.fromkeys(wanted, problem) if problem else self._allow(own, wanted)
            left = [name for name in wanted if not problems.get(name)]
            if left and (problem := self._assign(own)):
                problems |= dict.fromkeys(left, problem)
        except DestinationUnusable as error:
            if error.reason is not PauseReason.CONFIGURATION:
                raise
            return dict.fromkeys(wanted, _SETS)  # the permission sets are hidden from this user
        return problems

    def _set(self) -> tuple[str, str]:
        """The id of our permission set, made where it is not there, or why it cannot be."""
        if found := self._found():
            return found, ""
        made, problem = self._made("PermissionSet", {"Name": PERMISSION_SET, "Label": PERMISSION_LABEL}, _SETS)
        return (made or ("" if problem else self._found())), problem

    def _found(self) -> str:
        found = self._reader.find("PermissionSet", "Name", [PERMISSION_SET], [])[PERMISSION_SET]
        return found[0].id if found else ""

    def _allow(self, own: str, wanted: Mapping[str, Address]) -> dict[str, str]:
        read = ["Field", "PermissionsEdit"]
        found = self._reader.find("FieldPermissions", "ParentId", [own], read)[own]
        rows = {str(one.values["Field"]): one for one in found}
        problems = {}
        for name, field in wanted.items():
            row = rows.get(name)
            if row is not None and row.values["PermissionsEdit"] is True:
                continue
            rights = {"PermissionsRead": True, "PermissionsEdit": True}
            if row is not None:
                reply = self._client.call("PATCH", f"sobjects/FieldPermissions/{row.id}", json=rights)
                problems[name] = _told(reply, _SETS)
            else:
                body = {"ParentId": own, "SobjectType": field.object, "Field": name, **rights}
                _, problems[name] = self._made("FieldPermissions", body, _SETS)
        return problems

    def _assign(self, own: str) -> str:
        """Assign our permission set to the connector's user; why not."""
        user = self._user()
        held = self._reader.find("PermissionSetAssignment", "AssigneeId", [user], ["PermissionSetId"])[user]
        if any(str(one.values["PermissionSetId"])[:15] == own[:15] for one in held):
            return ""
        body = {"AssigneeId": user, "PermissionSetId": own}
        return self._made("PermissionSetAssignment", body, _ASSIGN)[1]

    def _user(self) -> str:
        """The id of the user we are: the last part of the identity address that the API's root tells."""
        # https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_discoveryresource.htm
        reply = self._client.call("GET", "")
        identity = reply.get("identity") if isinstance(reply, Mapping) else None
        if not isinstance(identity, str):
            raise DestinationUnusable(
                "Salesforce", PauseReason.CONFIGURATION, "Salesforce does not tell which user we are"
            )
        return identity.rstrip("/").rpartition("/")[2]

    def _made(self, kind: str, body: Mapping[str, Any], not_allowed: str) -> tuple[str, str]:
        """Create a record; its id, or why it was not made. A twin made by a call whose reply was lost is as good."""
        reply = self._client.call("POST", f"sobjects/{kind}", json=dict(body))
        problem = _told(reply, not_allowed)
        return (str(reply.get("id")), "") if isinstance(reply, Mapping) and not problem else ("", problem)


def _told(reply: Any, not_allowed: str) -> str:
    if not isinstance(reply, ApiError) or reply.code in ("DUPLICATE_VALUE", "DUPLICATE_DEVELOPER_NAME"):
        return ""
    if reply.code.startswith("INSUFFICIENT_ACCESS") or reply.code in ("NOT_FOUND", "INVALID_TYPE"):
        return not_allowed
    return f"Salesforce refuses it: {errors.described(reply, errors.rule_for(reply))} ({reply.code})"
