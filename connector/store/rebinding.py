"""Give a destination another CRM account: a ledger of its own, while the former account's is kept under its name."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Table, delete, func, null, select, update

from connector.crm import CrmAccount
from connector.errors import StateChanged
from connector.settlement import ObligationState
from connector.store.audit import Audit
from connector.store.consent_tables import consents, obligations
from connector.store.counting_tables import counted_calls
from connector.store.crm_tables import accounts, mappings, usage, usage_calls
from connector.store.database import Database
from connector.store.desk import FOREVER, NOT_PAUSED
from connector.store.obligations import IN_FORCE
from connector.store.problem_tables import oddities
from connector.store.tables import READY, deliveries, lanes, ledger, metadata
from connector.store.taking_over import SHOWN
from connector.store.verification_tables import verification_passes
from connector.store.version_tables import mapping_drafts, mapping_versions

_COUNTS: Final = (usage, usage_calls, verification_passes)
_OF_CUSTOMERS: Final = (consents, counted_calls, deliveries, obligations)
_AS_EDITED: Final = (mapping_drafts, mapping_versions, mappings)
_OF_EVERY_ACCOUNT: Final = (accounts, lanes, oddities, *_AS_EDITED, *_OF_CUSTOMERS, *_COUNTS)
OF_ACCOUNT: Final = tuple(
    table for table in metadata.sorted_tables if "destination" in table.c and table not in _OF_EVERY_ACCOUNT
)
"""What is true of one CRM account alone. It is kept under the account's name while another one is served."""

_LONGEST: Final = 130


@dataclass(frozen=True, slots=True)
class Move:
    """What moving a destination to another account changes, counted.

    kept: records of the former account, whose ledger is kept. brought_back: records of the new one, if it was served
    before. owed_again: opt-outs in force. waiting: deliveries that will be written to the new account.
    """

    destination: str
    former: CrmAccount
    new: CrmAccount
    kept: int
    brought_back: int
    owed_again: int
    waiting: int


class Rebinding:
    """Moves destinations between accounts, each in one commit."""

    def __init__(self, database: Database, audit: Audit) -> None:
        self._db, self._audit = database, audit

    def plan(self, destination: str, new: CrmAccount, former: CrmAccount) -> Move:
        """Count what would change."""
        waiting = (deliveries.c.destination == destination, deliveries.c.state == READY)
        with self._db.reading() as connection:
            return Move(
                destination,
                former,
                new,
                kept=_count(connection, ledger, ledger.c.destination == destination),
                brought_back=_count(connection, ledger, ledger.c.destination == kept_as(destination, new.id)),
                owed_again=_count(connection, obligations, obligations.c.destination == destination, IN_FORCE),
                waiting=_count(connection, deliveries, *waiting),
            )

    def run(self, move: Move, who: str) -> None:
        """Do it. Raises StateChanged while a lane is being delivered, or if the ledger's account is another one now."""
        name, former, new = move.destination, move.former, move.new
        mine = (accounts.c.destination == name, accounts.c.account == former.id)
        with self._db.waking() as connection:
            self._free_lanes(connection, name)
            bound = (
                update(accounts)
                .where(*mine)
                .values(account=new.id, kind=new.kind, pages=new.pages, since=self._db.now())
            )
            if connection.execute(bound).rowcount != 1:
                raise StateChanged(name, f"its ledger is not that of {former.id} any more", "run the command again")
            for table in OF_ACCOUNT:
                _rename(connection, table, name, kept_as(name, former.id))
                _rename(connection, table, kept_as(name, new.id), name)
            self._owe_again(connection, name)
            for counts in _COUNTS:
                connection.execute(delete(counts).where(counts.c.destination == name))
            thing = f"{name}: from {former} to {new}"
            self._audit.write_down(connection, who, "rebind", thing, agency=name.partition("/")[0])

    def _free_lanes(self, connection: Connection, destination: str) -> None:
        """Resume the lanes, but for those that somebody paused. Locks them first, as every settlement does."""
        all_of_it = lanes.c.destination == destination
        free = update(lanes).where(all_of_it, lanes.c.leased_until <= self._db.now())
        forgotten = {"token": "", "failures": 0, "refused_cause": "", "refused_count": 0}
        if connection.execute(free.values(forgotten)).rowcount != _count(connection, lanes, all_of_it):
            hint = "run the command again, or pause it first: connector lanes pause"
            raise StateChanged(destination, "one of its lanes is being delivered right now", hint)
        connection.execute(update(lanes).where(all_of_it, lanes.c.paused_until != FOREVER).values(NOT_PAUSED))

    def _owe_again(self, connection: Connection, destination: str) -> None:
        """Owe the new account every opt-out in force. What careCycle lowered since it was written is settled."""
        mine = obligations.c.destination == destination
        lowered = delete(obligations).where(mine, obligations.c.state == ObligationState.APPLIED, ~IN_FORCE)
        connection.execute(lowered)
        nowhere: dict[str, Any] = {"applied_at": null(), "object": "", "crm_id": null(), "attempts": 0}
        untried = {"code": "", "reason": "", "action": "", "fields": "[]", "due_at": self._db.now()}
        owed = update(obligations).where(mine).values(state=ObligationState.OWED, **nowhere, **untried)
        connection.execute(owed)
        connection.execute(
            update(consents).where(consents.c.destination == destination).values(owed=SHOWN, applied_at=null())
        )


def kept_as(destination: str, account_id: str) -> str:
    """The name of a destination's ledger of an account that it does not serve now."""
    name = f"{destination}@{account_id}"
    if len(name) <= _LONGEST:
        return name
    return f"{hashlib.sha256(destination.encode()).hexdigest()[:32]}@{account_id}"


def _rename(connection: Connection, table: Table, before: str, after: str) -> None:
    connection.execute(update(table).where(table.c.destination == before).values(destination=after))


def _count(connection: Connection, table: Table, *where: Any) -> int:
    return int(connection.execute(select(func.count()).select_from(table).where(*where)).scalar_one())
