"""What `connector undo` prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypedDict

import click

from connector.backoff import DAY
from connector.cli.options import moment_text, show_json, show_table
from connector.delivery.undoing import End, What
from connector.errors import ConnectorError
from connector.insight.accounts import Link
from connector.running.config import AgencyFile
from connector.settlement.previous import KeptVersion
from connector.store.previous import Whose
from connector.web.words import counted

_LISTED: Final = 50
"""Records named for people, of each thing that did not go as wanted."""

_NAMED: Final = (What.KEPT, What.REFUSED, What.WAITS, What.CREATED, What.DELETED)


@dataclass(slots=True)
class Done:
    """What became of one destination's records. problem: why it was not finished."""

    destination: str
    link: Link
    ends: list[End] = field(default_factory=list)
    problem: ConnectorError | None = None
    finished: bool = False


@dataclass(slots=True)
class Report:
    """What was asked for, and what became of it. deletes: records it created. sure: nobody has to be asked.

    refusals: why it is not to be done now.

    earlier: how many fields were restored before.
    """

    whose: Whose
    plan: bool
    deletes: bool = False
    sure: bool = False
    refusals: Sequence[ConnectorError] = ()
    earlier: int = 0
    done: list[Done] = field(default_factory=list)

    @property
    def counts(self) -> Counter[str]:
        """How many fields came to each end."""
        return Counter(end.what.value for done in self.done for end in done.ends)


class _FieldData(TypedDict):
    """What became of one field. field: empty for a whole record."""

    destination: str
    object: str
    crm_id: str
    field: str
    what: What
    why: str
    link: str


class ReportData(TypedDict):
    """What `undo` of a version or run prints. refused: why it is not to be done now."""

    plan: bool
    counts: dict[What, int]
    restored_earlier: int
    refused: list[str]
    fields: list[_FieldData]


class VersionData(KeptVersion):
    """What `undo` prints of a version that can be undone."""

    left: int
    in_use: bool
    kept_until: int


def destination_of(file: AgencyFile, name: str) -> str:
    """Return a destination's full name."""
    return f"{file.settings.agency}/{name}"


def summary(done: Done, whose: Whose) -> str:
    """Sum up for the audit log what was done."""
    counts = Counter(end.what.value for end in done.ends)
    what = f"run {whose.run}" if whose.run else f"mapping {whose.version}"
    numbers = ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "nothing left to do"
    return f"{done.destination}: {what}: {numbers}" + ("" if done.finished else "; stopped before its end")


def exit_status(report: Report) -> int:
    """Return 1 where the CRM refused something or did not answer."""
    return 1 if report.counts[What.REFUSED.value] or report.counts[What.WAITS.value] else 0


def show(report: Report, as_json: bool) -> None:
    """Print what became of each field."""
    if as_json:
        fields = [_as_data(done, end) for done in report.done for end in done.ends]
        refused = [str(error) for error in report.refusals]
        shown = {"plan": report.plan, "counts": report.counts, "restored_earlier": report.earlier, "refused": refused}
        show_json({**shown, "fields": fields})
        return
    for done in report.done:
        _show_done(done, report)
    if report.earlier:
        click.echo(f"Restored by an earlier undo: {counted(report.earlier, 'field')}.")
    if report.plan:
        for error in report.refusals:
            click.echo(f"Without --plan this is refused: {error}")


def _as_data(done: Done, end: End) -> dict[str, Any]:
    return {"destination": done.destination, **end._asdict(), "link": done.link(end.object, end.crm_id)}


def _show_done(done: Done, report: Report) -> None:
    by_field = Counter((end.what.value, end.why, end.object, end.field) for end in done.ends)
    rows = [(*what, count) for what, count in sorted(by_field.items())]
    title = f"{done.destination}: what {'would become' if report.plan else 'became'} of it"
    show_table(title, ("what", "why", "object", "field", "records"), rows, _nothing_left(done, report))
    for what in _NAMED:
        ends = [end for end in done.ends if end.what is what]
        if ends and what is What.CREATED:
            click.echo(f"\n{_created(report.whose)}:")
        for end in ends[:_LISTED]:
            link = done.link(end.object, end.crm_id)
            click.echo(f"{what.value}: {' '.join(filter(None, (end.object, end.crm_id, end.field, link)))}")
        if len(ends) > _LISTED:
            click.echo(f"... and {len(ends) - _LISTED:,} more {what.value}: --json lists all")


def _nothing_left(done: Done, report: Report) -> str:
    return f"{done.destination}: nothing was done." if done.problem else f"{done.destination}: nothing is left to undo."


def _created(whose: Whose) -> str:
    return f"This {'run' if whose.run else 'version'} created these records. They stay"


def show_versions(
    wanted: Sequence[tuple[AgencyFile, str]],
    kept: Sequence[KeptVersion],
    runs: Callable[[KeptVersion], bool],
    as_json: bool,
) -> None:
    """Print what can be undone, and what was."""
    days = {destination_of(file, name): file.settings.retention.undo for file, name in wanted}
    if as_json:
        show_json([_version_as_data(own, runs(own), days[own.destination]) for own in kept])
        return
    if not kept:
        click.echo("Nothing is kept to be undone.")
    for destination in dict.fromkeys(own.destination for own in kept):
        rows = [
            (_how(own), _wrote(own, runs(own)), moment_text(_until(own, days[destination])), _left(own))
            for own in kept
            if own.destination == destination
        ]
        show_table(f"{destination} (UTC)", ("undo with", "what it wrote", "kept until", "undone"), rows, "")


def _version_as_data(own: KeptVersion, in_use: bool, days: int) -> dict[str, Any]:
    data = {name: getattr(own, name) for name in own.__dataclass_fields__}
    return {**data, "left": own.left, "in_use": in_use, "kept_until": _until(own, days)}


def _until(own: KeptVersion, days: int) -> int:
    return own.until + days * DAY


def _how(own: KeptVersion) -> str:
    """Return the option that undoes it, to be copied."""
    return f"--run={own.run}" if own.run else f"--mapping={own.version}"


def _wrote(own: KeptVersion, in_use: bool) -> str:
    return ", ".join(_wrote_parts(own, in_use))


def _wrote_parts(own: KeptVersion, in_use: bool) -> Iterator[str]:
    if own.run:
        yield f"mapping {own.version}"
    if in_use and not own.run:
        yield "still in use"
    created = f" ({own.created:,} created" + (f", {own.deleted:,} deleted)" if own.deleted else ")")
    yield counted(own.records, "record") + (created if own.created else "")
    yield counted(own.fields, "field")
    yield f"since {moment_text(own.since)}"


def _left(own: KeptVersion) -> str:
    """Say what was undone of it, and what is left."""
    if own.undone_at is None:
        return ""
    return f"{moment_text(own.undone_at)}, {own.left:,} left" if own.left else moment_text(own.undone_at)
