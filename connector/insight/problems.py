"""What is wrong, by cause: which field a CRM refused, for how many customers, where it is mapped, what to do."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from connector.errors import UnreadableEvent
from connector.insight.accounts import Account, named, place
from connector.insight.rehearse import Coming, Foreseen, rehearse
from connector.mapping import Severity
from connector.settlement import CauseKey, DeliveryState, Refusal
from connector.store import Store
from connector.store.desk import Filter
from connector.store.letters import DeadLetters

_FIX: Final = "fix the cause in careCycle, the CRM or the mapping, then replay"
_UNREADABLE: Final = "careCycle sent something this version cannot read"


@dataclass(frozen=True, slots=True)
class Cause:
    """The dead letters one replay frees: those of one destination, code, fields and record of the mapping.

    what: the refusal in a sentence; do: what to do about it. reason: the newest one's words, as stored.
    since, until: epoch ms of the first and the newest; newest: the ID of that delivery.
    record, object: where the refused fields belong; places: where the mapping writes them, as file:line.
    """

    id: str
    destination: str
    code: str
    reason: str
    count: int
    customers: int
    since: int
    until: int
    newest: int
    what: str
    do: str
    fields: tuple[str, ...] = ()
    record: str = ""
    object: str = ""
    places: tuple[str, ...] = ()

    @property
    def seen(self) -> str:
        """What tells these dead letters from those of another moment."""
        return f"{self.count}-{self.newest}"

    @property
    def chosen(self) -> Filter:
        """Exactly these deliveries."""
        return Filter(
            destination=self.destination,
            cause=CauseKey(self.code, self.fields, self.record),
            state=DeliveryState.DEAD,
        )


def find_causes(store: Store, accounts: Sequence[Account] = ()) -> list[Cause]:
    """Every cause of dead letters, the most first. accounts: whose mappings are known, for the lines."""
    return [_cause(store, group, named(accounts, group.destination)) for group in store.letters.causes()]


def cause_of(causes: Iterable[Cause], id: str) -> Cause | None:
    """The cause of that id; None when none of its dead letters is left."""
    return next((one for one in causes if one.id == id), None)


FORETOLD: Final = 1000
"""Dead letters of one cause that are rehearsed for a page, the newest."""


@dataclass(frozen=True, slots=True)
class Foretold:
    """What would come of a cause's dead letters, were they tried now. The CRM itself is not asked.

    of: rehearsed; passing: of them, those that another mapping than they were refused with takes;
    sending: of those, the ones that send a refused field again. same: those that would go out as they were; stopped:
    those the connector refuses itself; purged: without content. only_crm: fields only the CRM can tell of.
    found: what the check against the saved schema says of the refused fields' lines.
    """

    of: int
    passing: int
    sending: int
    same: int
    stopped: int
    purged: int
    capped: bool
    only_crm: tuple[str, ...] = ()
    found: tuple[str, ...] = ()


def foretell(store: Store, account: Account, cause: Cause) -> Foretold | None:
    """Rehearse a cause's dead letters with the mapping its file holds now; None where it cannot be told."""
    mapping = account.mapping
    route = account.route(mapping) if mapping else None
    if route is None:
        return None
    coming: Counter[str] = Counter()
    asks: Counter[str] = Counter()
    for one in rehearse(store, route, cause.chosen, last=FORETOLD):
        stopped = one.coming if one.coming in (Coming.REFUSED, Coming.PURGED) else ""
        coming[stopped or ("same" if one.before else "passing")] += 1
        coming["sending"] += not (stopped or one.before) and _sends(one, cause)
        asks.update(one.asks)
    return Foretold(
        coming.total() - coming["sending"],
        coming["passing"],
        coming["sending"],
        coming["same"],
        coming[Coming.REFUSED],
        coming[Coming.PURGED],
        cause.count > FORETOLD,
        tuple(sorted(asks)),
        _findings(account, cause),
    )


def _sends(one: Foreseen, cause: Cause) -> bool:
    return any(set(note.fields) & set(cause.fields) for note in one.records)


def _findings(account: Account, cause: Cause) -> tuple[str, ...]:
    """What the check against the CRM's saved schema says of the lines a cause is about."""
    schema = account.schema()
    if schema is None:
        return ()
    found = account.read(schema).diagnostics
    lines = [one for one in found if one.severity is Severity.ERROR]
    return tuple(
        f"{one.code}: {one.message}" for one in lines if f"{PurePath(one.file).name}:{one.line}" in cause.places
    )


def _cause(store: Store, group: DeadLetters, account: Account | None) -> Cause:
    why = group.why
    notes = store.letters.last_notes(group.newest)
    places = [place(account.loaded(), why.record, name) for name in why.fields] if account and why.record else []
    what, action = sentences(why)
    return Cause(
        _id(group),
        group.destination,
        why.code,
        why.cause,
        group.count,
        group.customers,
        group.since,
        group.until,
        group.newest,
        what,
        action,
        why.fields,
        why.record,
        next((note.object for note in notes if note.record == why.record), ""),
        tuple(dict.fromkeys(filter(None, places))),
    )


def _id(group: DeadLetters) -> str:
    """The same for the same cause, however its sentence reads."""
    key = json.dumps([group.destination, *group.why.key])
    return hashlib.sha256(key.encode()).hexdigest()[:12]


def sentences(why: Refusal) -> tuple[str, str]:
    """What was refused, and what to do about it, each as a sentence.

    >>> sentences(Refusal("INVALID_OPTION", "'state' does not offer this value", "add it, then replay"))
    ("'state' does not offer this value.", 'Add it, then replay.')
    """
    cause = why.cause or "no reason was given"
    if why.code == UnreadableEvent.code:
        cause = f"{_UNREADABLE}: {cause}"
    return _sentence(cause), _sentence(why.action or _FIX)


def _sentence(text: str) -> str:
    text = text.strip().rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."
