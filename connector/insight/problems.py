"""Dead letters by cause: which field the CRM rejected, for how many customers, the mapping line and what to do."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Final

from connector.errors import ConnectorError
from connector.insight.accounts import Account, named, place
from connector.insight.rehearse import Expected, Forecast, rehearse
from connector.insight.words import sentences
from connector.mapping import Severity
from connector.settlement import CauseKey, DeliveryState
from connector.store import Store
from connector.store.desk import Filter
from connector.store.handling import Mute, Named
from connector.store.letters import DeadLetters


@dataclass(frozen=True, slots=True)
class Cause:
    """Dead letters with the same cause: one destination, code, set of fields and record of the mapping.

    what: the rejection in a sentence; do: what to do about it. reason: of the newest dead letter, as stored.
    since, until: epoch ms of the first and the newest; newest: the newest delivery's ID.
    record, object: where the rejected fields belong; places: where the mapping writes them, as file:line.
    opt_outs: of these customers, those that this CRM does not have. muted: who looks after it, while that holds.
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
    opt_outs: int = 0
    muted: Mute | None = None

    @property
    def seen(self) -> str:
        """Changes when a dead letter is added or removed."""
        return f"{self.count}-{self.newest}"

    @property
    def key(self) -> CauseKey:
        """What identifies it within its destination."""
        return CauseKey(self.code, self.fields, self.record)

    @property
    def named(self) -> Named:
        """The cause as it is kept with what people did about it."""
        return Named(self.id, self.destination, self.what, self.since)

    @property
    def chosen(self) -> Filter:
        """A filter that selects these deliveries."""
        return Filter(
            destination=self.destination,
            cause=self.key,
            state=DeliveryState.DEAD,
        )


def find_causes(store: Store, accounts: Sequence[Account] = ()) -> list[Cause]:
    """List every cause of dead letters: those that hold opt-outs, then by the number of people.

    accounts: used to look up the mapping lines.
    """
    groups, now, mutes = store.letters.causes(), store.database.time(), store.handling.mutes()
    began = store.handling.began([group.replay for group in groups if group.replay])
    causes = []
    for group in groups:
        cause = _cause(store, group, named(accounts, group.destination))
        mute = mutes.get(cause.id)
        holds = mute is not None and mute.holds(now, cause.count)
        since = min(cause.since, began.get(group.replay, cause.since))  # a replay does not make it a new cause
        causes.append(replace(cause, since=since, muted=mute if holds else None))
    return sorted(causes, key=lambda cause: (-cause.opt_outs, -cause.customers, -cause.count))


def cause_of(causes: Iterable[Cause], id: str) -> Cause | None:
    """Find a cause by ID; None if none of its dead letters are left."""
    return next((cause for cause in causes if cause.id == id), None)


PREVIEWED: Final = 1000
"""How many dead letters of a cause are rehearsed for a page: the newest ones."""


@dataclass(frozen=True, slots=True)
class ReplayPreview:
    """What would happen to a cause's dead letters if replayed now, without asking the CRM.

    of: how many were rehearsed. passing: would be sent, and the mapping has changed since they were rejected; sending:
    of those, how many would send a rejected field again. same: would be sent by the same mapping as before. stopped:
    the connector itself would reject them. purged: have no content. only_crm: fields whose result depends on the CRM.
    findings: what the check against the saved schema reports for the mapping lines of the rejected fields.
    """

    of: int
    passing: int
    sending: int
    same: int
    stopped: int
    purged: int
    capped: bool
    only_crm: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()


def preview_replay(store: Store, account: Account, cause: Cause) -> ReplayPreview | None:
    """Rehearse a cause's dead letters with the current mapping file; None if that is not possible."""
    mapping = account.mapping
    try:
        route = account.route(mapping) if mapping else None
    except ConnectorError:  # the mapping no longer loads, or the account's settings no longer fit it
        return None
    if route is None:
        return None
    counts: Counter[str] = Counter()
    asks: Counter[str] = Counter()
    for forecast in rehearse(store, route, cause.chosen, last=PREVIEWED):
        stopped = forecast.expected if forecast.expected in (Expected.REFUSED, Expected.PURGED) else ""
        counts[stopped or ("same" if forecast.before else "passing")] += 1
        counts["sending"] += not (stopped or forecast.before) and _sends(forecast, cause)
        asks.update(forecast.asks)
    return ReplayPreview(
        counts.total() - counts["sending"],
        counts["passing"],
        counts["sending"],
        counts["same"],
        counts[Expected.REFUSED],
        counts[Expected.PURGED],
        cause.count > PREVIEWED,
        tuple(sorted(asks)),
        _findings(account, cause),
    )


def _sends(forecast: Forecast, cause: Cause) -> bool:
    """Return whether a rejected field would be sent again."""
    return any(set(note.fields) & set(cause.fields) for note in forecast.records)


def _findings(account: Account, cause: Cause) -> tuple[str, ...]:
    """Check the mapping against the CRM's saved schema; return the errors on the cause's mapping lines."""
    try:
        schema = account.schema()
    except ConnectorError:  # the saved file is broken: `connector doctor` says so
        return ()
    if schema is None:
        return ()
    errors = [error for error in account.read(schema).diagnostics if error.severity is Severity.ERROR]
    return tuple(
        f"{error.code}: {error.message}"
        for error in errors
        if f"{PurePath(error.file).name}:{error.line}" in cause.places
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
        group.opt_outs,
    )


def _id(group: DeadLetters) -> str:
    """Hash what identifies a cause; its sentence is not part of it."""
    key = json.dumps([group.destination, *group.why.key])
    return hashlib.sha256(key.encode()).hexdigest()[:12]
