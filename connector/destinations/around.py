"""A CRM account inside another object, which changes some of what is asked of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from connector.crm import Crm, CrmAccount
from connector.destinations.base import EVERY, Answers, Compare, Current, Destination, Narrow
from connector.destinations.bench import Bench
from connector.destinations.provision import Provisioner
from connector.mapping.target import TargetSchema
from connector.model import Value


@dataclass(slots=True)
class Around:
    """All of a Destination but `batch` and `write`, passed on to the real one, which its owner closes."""

    real: Destination

    @property
    def crm(self) -> Crm:
        """The real account's CRM."""
        return self.real.crm

    @property
    def usage(self) -> tuple[int, int] | None:
        """The real account's."""
        return self.real.usage

    @property
    def date(self) -> str:
        """The real account's."""
        return self.real.date

    def hold(self) -> float:
        """Hold as long as the real account."""
        return self.real.hold()

    def account(self) -> CrmAccount | None:
        """Ask the real account."""
        return self.real.account()

    def serve(self, account: CrmAccount) -> None:
        """Serve this account alone."""
        self.real.serve(account)

    def find(
        self, object: str, field: str, values: Sequence[str], read: Iterable[str], narrow: Narrow = EVERY
    ) -> Answers:
        """Search the real account."""
        return self.real.find(object, field, values, read, narrow)

    def find_phones(self, object: str, field: str, numbers: Sequence[str], read: Iterable[str]) -> Answers:
        """Search the real account by phone."""
        return self.real.find_phones(object, field, numbers, read)

    def survivors(self, object: str, ids: Sequence[str]) -> dict[str, str | None]:
        """Ask the real account."""
        return self.real.survivors(object, ids)

    def current(self, object: str, ids: Sequence[str], fields: Iterable[str]) -> dict[str, Current]:
        """Ask the real account."""
        return self.real.current(object, ids, fields)

    def linked(self, object: str, ids: Sequence[str], other: str) -> dict[str, frozenset[str]]:
        """Ask the real account."""
        return self.real.linked(object, ids, other)

    def may_have_twins(self, object: str, field: str) -> bool:
        """Know what the real account knows."""
        return self.real.may_have_twins(object, field)

    def refuses_taken(self, object: str, field: str) -> bool:
        """Know what the real account knows."""
        return self.real.refuses_taken(object, field)

    def normal(self, value: Value) -> str:
        """Normalize a value the way the real account does."""
        return self.real.normal(value)

    def comparing(self, object: str, field: str) -> Compare | None:
        """Compare values the way the real account does."""
        return self.real.comparing(object, field)

    def describe(self, objects: Iterable[str]) -> TargetSchema:
        """Describe the real account's fields."""
        return self.real.describe(objects)

    def recall(self, kept: TargetSchema) -> None:
        """Remind the real account."""
        self.real.recall(kept)

    def provisioner(self) -> Provisioner:
        """Return the real account's provisioner."""
        return self.real.provisioner()

    def bench(self) -> Bench:
        """Return the real account's bench."""
        return self.real.bench()

    def close(self) -> None:
        """Do nothing: the real account is closed by its owner."""
