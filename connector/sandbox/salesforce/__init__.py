"""A Salesforce org on loopback, with a token endpoint, for demonstrations and tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, Literal

from connector.sandbox.salesforce.oauth import Consumer, Gate
from connector.sandbox.salesforce.rest import Rest
from connector.sandbox.salesforce.rows import Record, Written
from connector.sandbox.salesforce.schema import add_column, default_org
from connector.sandbox.salesforce.setup import RIGHTS, Setup
from connector.sandbox.salesforce.store import Org

CLIENT: Final = ("careCycle.connector", "sandbox-client-secret")
"""The connected app: its key and its secret."""
LOGIN: Final = ("integration@youragency.com", "sandbox-password")
"""The connector's user."""
INSTANCE_URL: Final = "https://youragency.my.salesforce.com"

_PEOPLE: Final = (
    ("Priya", "Raman", "priya@youragency.com"),
    ("Sam", "Ortega", "sam@youragency.com"),
    ("Dana", "Whitfield", "dana@youragency.com"),
)


class SalesforceSandbox(Rest):
    """One org. Configure it before it starts; plan faults at any time.

    token: a session that is open. people: the org's users. daily_limit: calls before 403.
    unknown_column: whether one refuses the whole request or its row. duplicate_rule: on Contact and Lead e-mails.
    assign_leads: an assignment rule gives every lead to the first of `people`. page: rows a query answers at once.
    public_key: PEM, of the connected app's certificate for the JWT flow. custom_fields: False leaves Salesforce's own.
    rights: what the connector's user may do in Setup. unique_activities: may a task's field be a unique external id.
    """

    def __init__(
        self,
        *,
        latency: float = 0.0,
        daily_limit: int = 100_000,
        unknown_column: Literal["request", "row"] = "request",
        duplicate_rule: Literal["", "alert", "block"] = "",
        assign_leads: bool = False,
        page: int = 2000,
        public_key: bytes = b"",
        custom_fields: bool = True,
        rights: frozenset[str] = RIGHTS - {"edit all fields"},
        unique_activities: bool = True,
    ) -> None:
        gate = Gate({CLIENT[0]: Consumer(CLIENT[1], public_key)}, dict([LOGIN]), INSTANCE_URL)
        org = Org(default_org(custom_fields=custom_fields))
        setup = Setup(org, rights, unique_activities=unique_activities)
        super().__init__(org, gate, setup, latency=latency, daily_limit=daily_limit, page=page)
        self.org.unknown_column, self.org.duplicate_rule = unknown_column, duplicate_rule
        self.token = gate.open()
        self.people = [self._person(*person) for person in _PEOPLE]
        self.org.owner = self.setup.user = self._person("Integration", "User", LOGIN[0])["Id"]
        self.org.assign_leads_to = self.people[0]["Id"] if assign_leads else ""
        self.org.writes.clear()

    def _person(self, first: str, last: str, email: str) -> Record:
        return self.put("User", FirstName=first, LastName=last, Email=email, Username=email, IsActive=True)

    def records(self, object: str) -> list[Record]:
        """What is stored of an object, deleted rows aside."""
        with self.lock:
            return [dict(row) for row in self.org.live(self.org.table(object))]

    def writes(self) -> list[Written]:
        """Every row written through the API or by hand, in order."""
        with self.lock:
            return list(self.org.writes)

    def put(self, object: str, **fields: Any) -> Record:
        """Store a record as people make them: by hand, past every check."""
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

    def hide(self, object: str, *fields: str) -> None:
        """Take fields from the connector's user by field-level security."""
        self.org.table(object).hidden.update(fields)

    def keep_from_editing(self, object: str, *fields: str) -> None:
        """Let the connector's user see custom fields and not edit them."""
        table = self.org.table(object)
        for column in [table.columns[name.lower()] for name in fields]:
            add_column(table, replace(column, marks=column.marks | {"locked"}))

    def expire_sessions(self) -> None:
        """End every session: only a new login helps."""
        self.gate.tokens.clear()
