"""What is wrong, by cause and in plain words: which field a CRM refused, for how many customers, where it is mapped."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final

from connector.errors import UnreadableEvent
from connector.insight.accounts import Account, named, place
from connector.insight.rehearse import Coming, Foreseen, rehearse
from connector.mapping import Severity
from connector.store import Store
from connector.store.desk import Filter

_FIELDS: Final = re.compile(r"\s\[([^\]]+)\]\Z")
_OWNED: Final = re.compile(r"\bthe (?:field|property)'s (\w+)")
_SUBJECT: Final = re.compile(r"\b(?:the|this) (?:field|property)\b")
_CHOPPED: Final = re.compile(r"[:;] ")
_UNREADABLE: Final = (
    "careCycle sent something this version cannot read. Replay once the connector is updated, or discard."
)
_MEND: Final = "Mend the cause in careCycle, in the CRM or in the mapping, then replay."


@dataclass(frozen=True, slots=True)
class Cause:
    """The dead letters one replay frees: those of one destination, code and reason.

    what: the refusal in a sentence; do: what to do about it. since, until: epoch ms of the first and the newest;
    newest: the id of that delivery.
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
        return Filter(destination=self.destination, code=self.code, reason=self.reason, state="dead")


def find_causes(store: Store, accounts: Sequence[Account] = ()) -> list[Cause]:
    """Every cause of dead letters, the most first. accounts: whose mappings are known, for the lines."""
    return [_cause(store, row, named(accounts, row["destination"])) for row in store.letters.causes()]


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
    return any(set(record["fields"]) & set(cause.fields) for record in one.records)


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


def _cause(store: Store, row: Mapping[str, Any], account: Account | None) -> Cause:
    fields = fields_of(row["reason"])
    what, do = said(row["code"], row["reason"])
    told = _refused_record(store.letters.last_try(row["newest"]), fields)
    record, kind = told.get("record", ""), told.get("object", "")
    found = [place(account.loaded(), record, name) for name in fields] if account and record else []
    key = "\0".join((row["destination"], row["code"], row["reason"]))
    return Cause(
        hashlib.sha256(key.encode()).hexdigest()[:12],
        row["destination"],
        row["code"],
        row["reason"],
        row["count"],
        row["customers"],
        row["since"],
        row["until"],
        row["newest"],
        what,
        do,
        fields,
        record,
        kind,
        tuple(dict.fromkeys(filter(None, found))),
    )


def _refused_record(records: Sequence[Mapping[str, Any]], fields: Sequence[str]) -> Mapping[str, Any]:
    """The record a refusal is about: one that was refused, rather one that was to get these fields."""
    refused = [one for one in records if one["verdict"] in ("rejected", "deferred")]
    return max(refused, key=lambda one: len(set(one["fields"]) & set(fields)), default={})


def fields_of(reason: str) -> tuple[str, ...]:
    """The fields a reason names."""
    found = _FIELDS.search(reason)
    return tuple(found[1].split(", ")) if found else ()


def said(code: str, reason: str) -> tuple[str, str]:
    """A reason as a sentence about its field, and what to do about it.

    >>> said("INVALID_OPTION", "the value is none of the property's options: add the option [state]")
    ("The value is none of the options of 'state'.", 'Add the option. Then replay.')
    """
    fields = fields_of(reason)
    what, *todo = _CHOPPED.split(_FIELDS.sub("", reason), maxsplit=1)
    if len(fields) == 1:
        what = _about(what, f"'{fields[0]}'")
    elif fields:
        what = f"{', '.join(map(repr, fields))}: {what}"
    if code == UnreadableEvent.code:
        return _sentence(what), _UNREADABLE
    return _sentence(what or "No reason was told"), f"{_sentence(todo[0])} Then replay." if todo else _MEND


def _about(what: str, name: str) -> str:
    of_it = _OWNED.sub(lambda found: f"the {found[1]} of {name}", what)
    bare = re.compile(rf"(?<!['\w]){re.escape(name[1:-1])}(?!['\w])")
    told = bare.sub(lambda _: name, _SUBJECT.sub(lambda _: name, of_it, count=1))
    return told if name in told else f"{name}: {told}"


def _sentence(text: str) -> str:
    text = text.strip().rstrip(".")
    return f"{text[:1].upper()}{text[1:]}." if text else ""
