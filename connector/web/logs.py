"""The log page: who did what, when and why; its export."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from flask import Response, abort, g, request

from connector.insight.accounts import Account
from connector.settlement.auditing import AuditFilter
from connector.store import Store
from connector.store.audit import PAGE, SEARCHED
from connector.web.gate import Gate
from connector.web.log_export import csv_lines, json_lines
from connector.web.session import Session
from connector.web.times import Times

_NAMED: Final = ("who", "action", "agency")
_SEARCHED: Final = (*_NAMED, "text", "since", "until")
_KINDS: Final = {"csv": (csv_lines, "text/csv"), "jsonl": (json_lines, "application/x-ndjson")}


@dataclass(frozen=True, slots=True)
class Logs:
    """The pages of the audit log. A session that sees some agencies only sees the entries about these."""

    store: Store
    gate: Gate
    accounts: Sequence[Account] = ()

    def log(self) -> Response:
        """Show the entries that match the search, newest first."""
        searched, times = _searched(request.args), Times.of(self.accounts)
        known = self.store.audit.known(_agencies())
        problem = _unknown(searched, known)
        wanted = _filter(searched, times, request.args.get("before", ""))
        entries = [] if problem else self.store.audit.page(wanted, PAGE + 1)
        used = {name: value for name, value in searched.items() if value}
        return self.gate.show(
            "log",
            400 if problem else 200,
            entries=entries[:PAGE],
            older={**used, "before": entries[PAGE - 1].id} if len(entries) > PAGE else None,
            newest=used if wanted.before else None,
            searched=searched,
            used=used,
            known=known,
            problem=problem,
            most=SEARCHED,
            head=self.store.audit.head(),
            zone=times.zone_name(self.store.database.time()),
        )

    def export_log(self) -> Response:
        """Send every entry that matches the search as a file, after noting who asked for it."""
        searched = _searched(request.form)
        kind = request.form.get("format", "")
        if kind not in _KINDS or _unknown(searched, self.store.audit.known(_agencies())):
            abort(400)
        wanted = _filter(searched, Times.of(self.accounts))
        session: Session = g.session
        thing = f"{kind}: {wanted.words() or 'all of it'}"
        self.store.audit.note(session.name, "export log", thing, agency=wanted.agency)
        write, content = _KINDS[kind]
        answer = Response(write(self.store.audit.walk(wanted)), mimetype=content)
        answer.headers["Content-Disposition"] = f"attachment; filename=audit-log.{kind}"
        return answer


def _agencies() -> tuple[str, ...] | None:
    session: Session = g.session
    return None if session.agencies is None else tuple(sorted(session.agencies))


def _searched(given: Mapping[str, str]) -> dict[str, str]:
    return {name: given.get(name, "").replace("\0", "").strip() for name in _SEARCHED}


def _unknown(searched: Mapping[str, str], known: Mapping[str, Collection[str]]) -> str:
    """Say which name of the search does not occur, and which do; empty if all do."""
    for name in _NAMED:
        if searched[name] and searched[name] not in known[name]:
            return f"No entry has the {name} “{searched[name]}”. Known are: {', '.join(known[name]) or 'none yet'}."
    return ""


def _filter(searched: Mapping[str, str], times: Times, before: str = "") -> AuditFilter:
    read: dict[str, Any] = {name: times.read(searched[name]) for name in ("since", "until")}
    wanted = AuditFilter(
        who=searched["who"],
        actions=(searched["action"],) if searched["action"] else (),
        agency=searched["agency"],
        agencies=_agencies(),
        text=searched["text"],
        **read,
    )
    return replace(wanted, before=int(before)) if before.isdecimal() and len(before) < 19 else wanted
