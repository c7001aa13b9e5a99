"""Compare the CRM account that the credentials lead to with the one the ledger was written to."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum, auto

from connector.crm import Crm, CrmAccount
from connector.errors import ConnectorError
from connector.store.accounts import peek


class Match(StrEnum):
    """How the two accounts compare."""

    SAME = auto()
    FIRST = auto()
    ANOTHER = auto()
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class Compared:
    """The comparison, with what it means and what to do, in words."""

    match: Match
    about: str
    do: str = ""


def known_accounts(database_url: str) -> Mapping[str, CrmAccount]:
    """The account of each destination's ledger; none where the database cannot be read from here."""
    with suppress(ConnectorError):
        return peek(database_url)
    return {}


def compare(crm: Crm, theirs: CrmAccount | None, destination: str, ours: CrmAccount | None) -> Compared:
    """Compare the account that the credentials lead to with the ledger's; None where it is not known."""
    name = destination.partition("/")[2]
    if theirs is None:
        return Compared(
            Match.UNKNOWN,
            f"the credentials may not ask which {crm.account} they lead to"
            + (f"; the ledger was written to {ours}" if ours else ""),
            "check that they are the right account's: deliveries go on without this protection",
        )
    if ours is None:
        unknown = "which one the ledger was written to is not known: none yet, or the database cannot be read"
        return Compared(Match.FIRST, f"{crm.account} {theirs}; {unknown}")
    if ours.id == theirs.id:
        return Compared(Match.SAME, f"{crm.account} {theirs}, the one the ledger was written to")
    return Compared(
        Match.ANOTHER,
        f"the credentials lead to {crm.account} {theirs}, but the ledger was written to {ours}",
        f"give the former credentials, or run connector rebind -c agency.yaml --destination {name}",
    )
