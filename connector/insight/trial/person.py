"""The made-up people and calls of a trial. Everything that identifies them carries a mark, by which they are found."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from connector.carecycle.catalogue import FIELDS
from connector.carecycle.samples import Samples

SLOTS: Final = 400
"""How many sets of ids are reserved for trials: few enough to look up all of their keys in some tens of calls."""

RESERVED: Final = "ca4ec7c1-0000-4000-8000-"
"""How every id of a trial begins. careCycle's own are random."""

MARK: Final = re.compile(f"carecycle-tr|trial-(tr|{RESERVED})", re.IGNORECASE)
"""In the last name, the address and the external id of everybody made up."""

ENDINGS: Final = range(6)
"""Kinds of calls, as the samples number them."""

MOST_CALLS: Final = 3
"""Most calls of a trial."""

_CALLS: Final = 8
_CAMPAIGN: Final = 15
_EARLIER: Final = timedelta(hours=12)


@dataclass(slots=True)
class MadeUp:
    """The people of one trial. slot: of its ids. run: random hexadecimal digits, of this trial alone.

    by_slot: whether address and external id are the slot's, too, so that a later trial finds records that have them as
    keys.
    """

    slot: int
    run: str
    now: datetime
    by_slot: bool = False
    _samples: Samples = field(init=False)

    def __post_init__(self) -> None:
        self._samples = Samples(random.Random(0), self.now - _EARLIER)

    def identity(self, part: int) -> str:
        """One of this trial's ids."""
        return f"{self.prefix}{part:02x}"

    @property
    def prefix(self) -> str:
        """How all of this trial's ids begin."""
        return prefix(self.slot)

    @property
    def address(self) -> str:
        """The email address of everybody here."""
        return f"carecycle-trial-{self._own}@example.com"

    @property
    def _own(self) -> str:
        return self.prefix if self.by_slot else self.run

    def owns(self, text: str) -> bool:
        """Whether a value can only be this trial's."""
        return self.prefix in text.lower() or self.run in text.lower()

    def person(self, part: int, status: str) -> dict[str, Any]:
        """Make the first (0) or the second (1) person, who has the address of the first."""
        return {
            **self._samples.person(),
            "id": self.identity(part),
            "externalId": f"trial-{self._own}-{part}",
            "status": status,
            "firstName": ("Trial", "Second")[part],
            "lastName": f"Carecycle-{self.run}",
            "suffix": "Jr.",
            "phoneNumber": f"+160255501{self.slot % 100:02d}",
            "lineType": "mobile",
            "email": self.address,
            "address2": None,
            "language": "en",
            "assignedUser": None,
        }

    def created(self, person: dict[str, Any]) -> dict[str, Any]:
        """Make the event of a new customer."""
        return self._samples.created(person)

    def updated(self, person: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """Make the event of a change, which changes the person too."""
        return self._samples.updated(person, **changes)

    def older(self, person: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """Make the event of a change that was made before any other."""
        return {"event_type": "customer.updated", **person, **changes, "updatedAt": person["createdAt"]}

    def call(self, person: dict[str, Any], ending: int, number: int) -> dict[str, Any]:
        """Make the event of a call with this person, their first one for number 0."""
        call = self._samples.call(person, ending)
        campaign = {**(call["campaign"] or {}), "id": self.identity(_CAMPAIGN), "name": f"Trial {self.run}"}
        identity = self.identity(_CALLS + number)
        return {**call, "id": identity, "callSid": identity, "campaign": campaign}


def prefix(slot: int) -> str:
    """How the ids of a slot begin."""
    return f"{RESERVED}{slot:010x}"


def statuses() -> tuple[str, ...]:
    """The statuses a customer may have."""
    return tuple(FIELDS["customer.status"].options)
