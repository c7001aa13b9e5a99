"""Each CRM account as operators see it: its current mapping, where that mapping writes a field, links to records."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path, PurePath

from connector.delivery.reload import Print, fingerprint
from connector.delivery.route import Route, Running
from connector.destinations.base import Destination
from connector.errors import FixConfiguration
from connector.insight.mapping_files import Home
from connector.mapping import Loaded, Mapping
from connector.mapping.extending import absolute
from connector.mapping.target import TargetSchema
from connector.mapping.tree import find_key

Link = Callable[[str, str], str]
"""CRM object, CRM ID -> the web address of that record; empty if unknown."""


def no_link(object: str, crm_id: str) -> str:
    """Return no link, for an account whose web address is unknown."""
    return ""


def no_notice(today: date) -> str:
    """Say nothing of the version of an API."""
    return ""


@dataclass(slots=True)
class Account:
    """One destination, by its full name. read: loads the mapping file and checks it against a schema if given one.

    schema: the CRM's saved schema, if any. connect: opens the account without calling the CRM yet. home: where the
    mapping's files are; None where they cannot be edited. crm: its title. renew_by: when its credentials end.
    backup_days: how old a backup may be before its agency wants an alarm; 0: no alarm. notice: what is to be done about
    the version of the CRM's API; empty if nothing.
    """

    name: str
    timezone: str
    read: Callable[[TargetSchema | None], Loaded] = field(repr=False)
    schema: Callable[[], TargetSchema | None] = field(default=lambda: None, repr=False)
    connect: Callable[[], Destination] | None = field(default=None, repr=False)
    link: Link = field(default=no_link, repr=False)
    home: Home | None = None
    crm: str = ""
    renew_by: date | None = None
    backup_days: int = 0
    notice: Callable[[date], str] = field(default=no_notice, repr=False)
    _good: Loaded | None = field(default=None, repr=False)
    _seen: Print = ()
    _destination: Destination | None = field(default=None, repr=False)

    def loaded(self) -> Loaded:
        """Load the mapping from its file, or return the last good version if the file no longer loads."""
        good = self._good
        if good is not None and self._seen == fingerprint(Path(name) for name, _, _ in self._seen):
            return good
        fresh = self.read(None)
        if fresh.mapping is not None or good is None:
            good = self._good = fresh
        self._seen = fingerprint(fresh.files)
        return good

    def files(self) -> frozenset[Path]:
        """Return the files that the mapping is made of."""
        roots = [self.home.root] if self.home else []
        return frozenset(absolute(path) for path in (*roots, *self.loaded().files))

    def route(self, mapping: Mapping) -> Route | None:
        """Build a route that rehearses a mapping; None if the account cannot be opened. Raises FixConfiguration."""
        if self.connect is None:
            return None
        if self._destination is None:
            self._destination = self.connect()
        return Route(self.name, self._destination, Running(mapping), self.timezone)

    @property
    def agency(self) -> str:
        return self.name.partition("/")[0]

    def saved_schema(self) -> TargetSchema | None:
        """Return the CRM's saved schema; None if there is none that can be read."""
        try:
            return self.schema()
        except FixConfiguration:
            return None  # the mapping's own checks are useful without it

    @property
    def mapping(self) -> Mapping | None:
        """The mapping; None if its file has never loaded."""
        return self.loaded().mapping


def named(accounts: Iterable[Account], name: str) -> Account | None:
    """Find an account by name."""
    return next((account for account in accounts if account.name == name), None)


def place(loaded: Loaded, record: str, field: str) -> str:
    """Return where a mapping writes a record's field, as file:line; empty if it does not."""
    if loaded.written is None:
        return ""
    file, tree = loaded.written
    if record not in file.records:
        return ""
    flag = next((flag for flag, target in file.consent.flags.items() if target == f"{record}.{field}"), None)
    if flag is not None:
        where = find_key(tree, ("consent", "flags", flag)).place
    elif field in file.records[record].fields:
        where = find_key(tree, ("records", record, "fields", field)).place
    elif field in file.records[record].key:
        where = find_key(tree, ("records", record, "key", field)).place
    else:
        return ""
    return f"{PurePath(where.file).name}:{where.line}"
