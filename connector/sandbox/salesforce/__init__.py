"""A Salesforce org on loopback, with a token endpoint, for demonstrations and tests."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final, Literal

from connector.sandbox.salesforce.oauth import Consumer, Gate
from connector.sandbox.salesforce.rest import Rest
from connector.sandbox.salesforce.rows import Record, Written
from connector.sandbox.salesforce.saved import Saved, org_of, record_types_of
from connector.sandbox.salesforce.schema import Column, add_column, default_org
from connector.sandbox.salesforce.setup import RIGHTS, Setup
from connector.sandbox.salesforce.states import add_codes
from connector.sandbox.salesforce.store import Org

CLIENT: Final = ("careCycle.connector", "sandbox-client-secret")
"""The connected app's key and secret."""
LOGIN: Final = ("integration@youragency.com", "sandbox-password")
"""The connector's user name and password."""
INSTANCE_URL: Final = "https://youragency.my.salesforce.com"
ORG_ID: Final = "00DHs0000000001MAA"

_PEOPLE: Final = (
    ("Priya", "Raman", "priya@youragency.com"),
    ("Sam", "Ortega", "sam@youragency.com"),
    ("Dana", "Whitfield", "dana@youragency.com"),
)


class SalesforceSandbox(Rest):
    """An org. Configure it before it starts; plan faults at any time.

    token: an open session. people: the org's users. daily_limit: calls before the first 403.
    unknown_column: whether an unknown field rejects the whole request or its row.
    duplicate_rule: for the email addresses of contacts and leads.
    assign_leads: whether an assignment rule gives every lead to the first of `people`. page: rows per page of a query.
    public_key: the certificate of the connected app, in PEM, for the JWT flow.
    custom_fields: False for an org with Salesforce's own fields only.
    schema: a saved one, whose objects are served and no others.
    state_lists: whether State and Country accept only what is on the org's lists.
    org_id: with 15 or 18 characters. is_sandbox: whether the org is a sandbox of another one.
    rights: the connector's permissions in Setup. unique_activities: whether a task's field may be a unique external id.
    """

    def __init__(
        self,
        *,
        latency: float = 0.0,
        daily_limit: int = 100_000,
        unknown_column: Literal["request", "row"] = "row",
        duplicate_rule: Literal["", "alert", "block"] = "",
        assign_leads: bool = False,
        page: int = 2000,
        public_key: bytes = b"",
        custom_fields: bool = True,
        schema: Saved | None = None,
        state_lists: bool = False,
        rights: frozenset[str] = RIGHTS - {"edit all fields"},
        unique_activities: bool = True,
        org_id: str = ORG_ID,
        is_sandbox: bool = False,
    ) -> None:
        login = f"{'test' if is_sandbox else 'login'}.salesforce.com"
        gate = Gate({CLIENT[0]: Consumer(CLIENT[1], public_key)}, dict([LOGIN]), INSTANCE_URL, org_id, login)
        typical = default_org(custom_fields=custom_fields)
        org = Org(typical if schema is None else org_of(schema, typical))
        setup = Setup(org, rights, unique_activities=unique_activities)
        super().__init__(org, gate, setup, latency=latency, daily_limit=daily_limit, page=page)
        self.org.unknown_column, self.org.duplicate_rule = unknown_column, duplicate_rule
        if "view setup" not in rights:
            del org.tables["duplicaterule"]
        elif duplicate_rule:
            self._add_duplicate_rules()
        if state_lists:
            add_codes(org.tables.values())
        self.token = gate.open()
        self.people = [self._person(*person) for person in _PEOPLE]
        self.org.owner = self.setup.user = self._person("Integration", "User", LOGIN[0])["Id"]
        self.org.person = self.people[0]["Id"]
        self.org.assign_leads_to = self.people[0]["Id"] if assign_leads else ""
        self._row = self.org.store(self.org.table("Organization"), None, {"Id": org_id, "IsSandbox": is_sandbox})
        self.org.store(self.org.table("UserPermissionAccess"), None, {})
        self.let_edit_tasks()
        self.license("Salesforce Integration", "Salesforce API Integration")
        for record_type in record_types_of(schema or {}):
            self.put("RecordType", **record_type)
        self.org.writes.clear()
        self.org.history.changes.clear()

    def _add_duplicate_rules(self) -> None:
        for kind in ("Contact", "Lead"):
            self.put("DuplicateRule", SobjectType=kind, MasterLabel=f"Standard {kind} Duplicate Rule", IsActive=True)

    def _person(self, first: str, last: str, email: str) -> Record:
        return self.put("User", FirstName=first, LastName=last, Email=email, Username=email, IsActive=True)

    def records(self, object: str) -> list[Record]:
        """List an object's records, without deleted ones."""
        with self.lock:
            return [dict(row) for row in self.org.live(self.org.table(object))]

    def writes(self) -> list[Written]:
        """List every write through the API or by hand, in order."""
        with self.lock:
            return list(self.org.writes)

    def put(self, object: str, **fields: Any) -> Record:
        """Create a record by hand, without any check."""
        with self.lock:
            return dict(self.org.store(self.org.table(object), None, fields))

    def change(self, id: str, **fields: Any) -> None:
        """Edit a record by hand; IsConverted=True converts a lead."""
        with self.lock:
            table, row = self._found(id)
            self.org.store(table, row, fields)

    def delete(self, id: str) -> None:
        """Move a record to the recycle bin."""
        with self.lock:
            self.org.delete(*self._found(id))

    def restore(self, id: str) -> None:
        """Take a record out of the recycle bin by hand."""
        with self.lock:
            self.org.restore(*self._found(id))

    def purge(self, id: str) -> None:
        """Delete a record for good, as an emptied recycle bin does."""
        with self.lock:
            self.org.purge(*self._found(id))

    def count_deleted_keys(self) -> None:
        """Keep the unique values of records in the recycle bin taken from now on."""
        self.org.deleted_keys_count = True

    def merge(self, loser: str, winner: str) -> None:
        """Merge a record into another of its object by hand; the winner keeps its own values."""
        with self.lock:
            table, row = self._found(loser)
            self.org.merge(table, row, self._found(winner)[1])

    def hide(self, object: str, *fields: str) -> None:
        """Hide fields from the connector's user by field-level security."""
        self.org.table(object).hidden.update(fields)

    def keep_from_editing(self, object: str, *fields: str) -> None:
        """Make fields read-only for the connector's user."""
        self._mark("locked", object, fields)

    def keep_from_searching(self, object: str, *fields: str) -> None:
        """Encrypt fields so that no query can search by them."""
        self._mark("unsearchable", object, fields)

    def keep_unique(self, object: str, *fields: str) -> None:
        """Let no two records have the same value in a field."""
        self._mark("unique", object, fields)

    def _mark(self, mark: str, object: str, fields: Iterable[str]) -> None:
        table = self.org.table(object)
        for column in [table.columns[name.lower()] for name in fields]:
            add_column(table, replace(column, marks=column.marks | {mark}))

    def record_type(self, object: str, name: str, *, available: bool = True) -> str:
        """Add a record type to an object, and whether the connector's user may use it; return its id."""
        table = self.org.table(object)
        if "recordtypeid" not in table.columns:
            add_column(table, Column("RecordTypeId", "reference", 18, refers=("RecordType",)))
            for row in self.org.live(table):
                row["RecordTypeId"] = None
        names = {"Name": name, "DeveloperName": re.sub(r"\W+", "_", name)}
        record_type = self.put("RecordType", SobjectType=table.name, IsActive=True, **names)["Id"]
        table.record_types[record_type] = available
        return str(record_type)

    def let_edit_converted_leads(self, may: bool = True) -> None:
        """Give the connector's user the permission View and Edit Converted Leads, or take it away."""
        with self.lock:
            self.org.edits_converted = may
            (permissions,) = self.org.live(self.org.table("UserPermissionAccess"))
            permissions["PermissionsAllowViewEditConvertedLeads"] = may

    def let_edit_tasks(self, may: bool = True) -> None:
        """Give the connector's user the permission Edit Tasks, or take it away."""
        with self.lock:
            (permissions,) = self.org.live(self.org.table("UserPermissionAccess"))
            permissions["PermissionsEditTask"] = may

    def license(self, name: str, *of_sets: str) -> None:
        """Give the connector's user this license and these permission set licenses, and no others."""
        profile = self.put("Profile", Name="Integrations", UserLicenseId=self.put("UserLicense", Name=name)["Id"])
        self.change(self.setup.user, ProfileId=profile["Id"])
        for assigned in self.records("PermissionSetLicenseAssign"):
            self.delete(assigned["Id"])
        for label in of_sets:
            held = self.put("PermissionSetLicense", MasterLabel=label)["Id"]
            self.put("PermissionSetLicenseAssign", AssigneeId=self.setup.user, PermissionSetLicenseId=held)

    def close(self, object: str, *flags: str) -> None:
        """Keep the connector's user from creating (`createable`) or editing (`updateable`) an object's records."""
        self.org.table(object).closed = frozenset(flags)

    def full(self, is_full: bool) -> None:
        """Fill the org's storage, or free some: a full org refuses new records only."""
        self.org.is_full = is_full

    def move_to(self, host: str, *, redirect: bool = True, keeps_logins: bool = True) -> None:
        """Give the org another address; the old one redirects, or no longer exists, but may still take logins."""
        self.keeps_logins = keeps_logins
        self.moved[self.gate.instance_url.removeprefix("https://")] = redirect
        self.gate.instance_url = f"https://{host}"

    def refresh(self, org_id: str) -> None:
        """Replace the org by another one behind the same logins, as the refresh of a sandbox does."""
        self.gate.org_id = self._row["Id"] = org_id
        self.expire_sessions()

    def expire_sessions(self) -> None:
        """End every session, so that only a new login helps."""
        self.gate.tokens.clear()
