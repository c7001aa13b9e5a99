"""Decide what of a folded batch still has to be sent to a record, by what it holds and what the ledger knows. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from connector.delivery.authors import repeated, signed
from connector.delivery.consent import States, must_raise
from connector.delivery.digests import Digest, digests_of, plain, with_earlier
from connector.delivery.fold import Folded
from connector.delivery.forward import advanced, goes_on, is_further, marked
from connector.mapping.rules import READING
from connector.model import Entry, FieldWrite, Mark, Mode, OpenItem, Rule, Value
from connector.settlement import LENGTH_UNKNOWN


@dataclass(frozen=True, slots=True)
class Existing:
    """A record in the CRM: its id, and the current values that were read."""

    id: str
    values: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """What to send to one record (plain values), and the ledger's marks once the CRM has confirmed it.

    consent: flag -> target field. kept: fields where the CRM's own value stays. left_out: fields the CRM refuses.
    behind: since when newer events have to be delivered again, epoch ms.
    """

    fields: Mapping[str, Value] = field(default_factory=dict)
    consent: Mapping[str, str] = field(default_factory=dict)
    marks: Mapping[str, Mark] = field(default_factory=dict)
    unsubscribe: str | None = None
    kept: tuple[str, ...] = ()
    left_out: Mapping[str, OpenItem] = field(default_factory=dict)
    behind: int | None = None

    @property
    def empty(self) -> bool:
        """Whether there is nothing to send."""
        return not (self.fields or self.consent or self.unsubscribe)


def standing(fields: Mapping[str, FieldWrite], entry: Entry, digest: Digest) -> dict[str, FieldWrite]:
    """Return the fields that the ledger knows neither as newer nor as already written."""
    return {name: write for name, write in fields.items() if _is_news(write, entry.fields.get(name), digest)}


def _is_news(write: FieldWrite, mark: Mark | None, digest: Digest) -> bool:
    if mark is None:
        return True
    if write.rule is Rule.FORWARD:
        return is_further(write, mark, digest)
    return (write.spoken or write.stamp >= mark.stamp) and mark.digest != digest(plain(write))


def refused_before(folded: Folded, entry: Entry, digest: Digest) -> dict[str, OpenItem]:
    """Return the open items of the fields that would only send again what the CRM refused."""
    return {
        name: replace(item, stamp=max(item.stamp, write.stamp))
        for name, item in entry.open.items()
        # Where the batch's events differ, an older value may be accepted: each is sent by itself.
        if (write := folded.write.fields.get(name))
        and name not in folded.varied
        and item.digest == digest(plain(write))
    }


def _writable(folded: Folded, left_out: Mapping[str, OpenItem]) -> Mapping[str, FieldWrite]:
    fields = folded.write.fields
    return {name: write for name, write in fields.items() if name not in left_out} if left_out else fields


def to_read(folded: Folded, entry: Entry, digest: Digest, *, redirects: bool = False) -> tuple[bool, tuple[str, ...]]:
    """Return whether the record must be looked up in the CRM before deciding, and which current values to read.

    redirects: whether a write by the id of a merged record goes to another, so that the id is looked up first.
    """
    if entry.merged:  # is the record still another customer's?
        return folded.write.mode is not Mode.CREATE, ()
    news = standing(_writable(folded, refused_before(folded, entry, digest)), entry, digest)
    compared = [name for name, write in news.items() if _rule(name, write, entry) in READING]
    unknown = entry.crm_id is None and (
        entry.creating is not None
        or bool(folded.write.also_match)
        or folded.write.person is not None
        or folded.write.mode is Mode.CREATE
        or any(write.rule is not Rule.ALWAYS for write in news.values())
    )
    # A write of ours would hide whether somebody else has changed a record that was not read since its creation.
    hides = bool(news and entry.unread)
    is_looked_up = unknown or bool(compared) or hides or _is_seen_first(folded, entry, news, redirects=redirects)
    return is_looked_up, tuple(dict.fromkeys((*compared, *entry.unread)))


def _is_seen_first(folded: Folded, entry: Entry, news: Mapping[str, FieldWrite], *, redirects: bool) -> bool:
    """Whether a record we know is looked up, because it may have been merged and its write would not show it."""
    if entry.crm_id is None:
        return False
    if not news:  # perhaps nothing is sent: opt-outs must be on a record that exists
        return bool(folded.flags)
    return redirects and folded.write.mode is not Mode.CREATE


def decide(
    folded: Folded, entry: Entry, known: States, existing: Existing | None, digest: Digest, by: str = ""
) -> Decision:
    """Decide what to send to one record. known: the customer's consent after this batch's events. by: who writes it."""
    if folded.write.mode is Mode.CREATE and _exists(entry, existing):
        return Decision(kept=tuple(folded.write.fields))
    if entry.merged:
        return _opt_outs_alone(folded, entry, known, digest)
    left_out = refused_before(folded, entry, digest)
    fields = _writable(folded, left_out)
    news = standing(fields, entry, digest)
    verdicts = _verdicts(news, with_earlier(folded.earlier, entry, digest), existing, digest)
    marks = _advanced(fields, news, entry)
    marks |= {
        name: _mark(news[name], verdict, entry.fields.get(name), digest, by)
        for name, verdict in verdicts.items()
        if verdict is not _Verdict.KEEP or news[name].order  # what was said once is not said again
    }
    opt_outs = _opt_outs(folded, entry, known, digest)
    return Decision(
        {name: plain(news[name]) for name, verdict in verdicts.items() if verdict is _Verdict.SEND},
        opt_outs.consent,
        {**marks, **opt_outs.marks},
        opt_outs.unsubscribe,
        kept=tuple(name for name, verdict in verdicts.items() if verdict is _Verdict.KEEP),
        left_out={**left_out, **folded.unmatched},
        behind=min((news[name].stamp.at for name in _recognised(news, verdicts, entry)), default=None),
    )


def _mark(write: FieldWrite, verdict: _Verdict, before: Mark | None, digest: Digest, by: str) -> Mark:
    stamp = marked(write, before, kept=verdict is _Verdict.KEEP) if write.order else write.stamp
    return signed(stamp, digest(plain(write)), before, by if verdict is _Verdict.SEND else "", write.timing)


def _recognised(news: Mapping[str, FieldWrite], verdicts: Mapping[str, _Verdict], entry: Entry) -> list[str]:
    """The fields whose value in the CRM passed for a person's until now: newer events left it alone."""
    same = (name for name, verdict in verdicts.items() if verdict is _Verdict.SAME)
    return [name for name in same if news[name].rule is Rule.UNLESS_EDITED and not _our_mark(name, entry)]


def _our_mark(name: str, entry: Entry) -> str:
    mark = entry.fields.get(name)
    return mark.digest if mark else ""


def _opt_outs(folded: Folded, entry: Entry, known: States, digest: Digest) -> Decision:
    """Decide a record's opt-outs."""
    consent = _raises(folded, entry, known, digest)
    marks = {target: Mark(folded.flags[flag][1], digest(True)) for flag, target in consent.items()}
    return Decision(consent=consent, marks=marks, unsubscribe=_address(folded, entry, digest))


def _opt_outs_alone(folded: Folded, entry: Entry, known: States, digest: Digest) -> Decision:
    """Decide a record that a merge made another customer's: its fields are that customer's."""
    return replace(_opt_outs(folded, entry, known, digest), kept=tuple(folded.write.fields))


def _raises(folded: Folded, entry: Entry, known: States, digest: Digest) -> dict[str, str]:
    """Return the raises to send: never in the CRM yet, or not on this record because it was created again."""
    carried = {name for name, mark in entry.fields.items() if mark.digest == digest(True)}
    return {
        flag: target
        for flag, (target, _) in folded.flags.items()
        if must_raise(known.get(flag)) or target not in carried
    }


def _rule(name: str, write: FieldWrite, entry: Entry) -> Rule:
    """Return a field's rule. A field that could not be written at creation, because another record has its value or
    its length was not known, is filled in while it is blank.
    """
    item = entry.open.get(name)
    is_held = item is not None and (item.holder is not None or item.code == LENGTH_UNKNOWN)
    return Rule.IF_BLANK if write.rule is Rule.ON_CREATE and is_held else write.rule


class _Verdict(Enum):
    """What to do with one field."""

    SEND = auto()
    KEEP = auto()
    """The CRM's own value stays."""
    SAME = auto()
    """The CRM already has the value: remember it as ours."""


def _verdicts(
    news: Mapping[str, FieldWrite], entry: Entry, existing: Existing | None, digest: Digest
) -> dict[str, _Verdict]:
    """Decide each field by its rule; a record that is not in the CRM gets every field."""
    if not _exists(entry, existing):
        return dict.fromkeys(news, _Verdict.SEND)
    current = existing.values if existing else {}
    return {name: _on_existing(name, write, entry, current.get(name), digest) for name, write in news.items()}


def _exists(entry: Entry, existing: Existing | None) -> bool:
    return existing is not None or entry.crm_id is not None


def _on_existing(name: str, write: FieldWrite, entry: Entry, current: Value, digest: Digest) -> _Verdict:
    """Decide by its rule a field of a record that is in the CRM, where it has the value `current`."""
    rule = _rule(name, write, entry)
    if rule is Rule.ALWAYS:
        return _Verdict.SEND
    if rule is Rule.ON_CREATE:
        return _Verdict.KEEP
    if current in (None, "") and (rule is Rule.IF_BLANK or name not in entry.fields):
        return _Verdict.SEND
    held = digests_of(current, digest)
    if held & digests_of(plain(write), digest):
        return _Verdict.SAME
    is_ours = bool(held & ours_in(name, entry))
    may = goes_on(write, current, ours=is_ours) if rule is Rule.FORWARD else is_ours and rule is Rule.UNLESS_EDITED
    return _Verdict.SEND if may else _Verdict.KEEP


def ours_in(name: str, entry: Entry) -> set[str]:
    """Return the digests of what counts as ours in a field: sent, in doubt, or put there by the CRM itself."""
    return {_our_mark(name, entry), *entry.meant.get(name, {})} - {""}


def _advanced(fields: Mapping[str, FieldWrite], news: Mapping[str, FieldWrite], entry: Entry) -> dict[str, Mark]:
    """Return the marks of fields that a newer event repeats unchanged: nothing to send, but the watermark moves."""
    return {
        name: (advanced if write.order else repeated)(entry.fields[name], write)
        for name, write in fields.items()
        if name not in news and name in entry.fields and write.stamp > entry.fields[name].stamp
    }


def _address(folded: Folded, entry: Entry, digest: Digest) -> str | None:
    address = folded.write.unsubscribe
    mark = entry.unsubscribed
    return None if address is None or (mark and mark.digest == digest(address)) else address
