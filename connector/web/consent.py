"""The Consent page: open opt-outs, months, the report, and who looked."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice
from typing import Final

from flask import Response, abort, g, request
from werkzeug.wrappers import Response as AnyResponse

from connector.errors import FixConfiguration
from connector.insight.accounts import Account
from connector.insight.consent import Consents, Month, consents, doubts_about, sign_off, start_of
from connector.insight.consent_report import report_lines
from connector.insight.gaps import what_is_missing
from connector.store import Store
from connector.store.opt_outs import Period
from connector.web.gate import Gate
from connector.web.pages import asked
from connector.web.times import Times

_LISTED: Final = 100
_EXPORT: Final = "export opt-outs"


@dataclass(frozen=True, slots=True)
class Consent:
    """The page for compliance, its export, and its sign-off."""

    store: Store
    gate: Gate
    accounts: Sequence[Account] = ()

    def consent(self) -> Response:
        """Show what is open, the months, and the report of one of them."""
        return self._consent(self._agency(asked("agency")), asked("month"))

    def _consent(self, agency: str, name: str, problem: str = "") -> Response:
        times, agencies = Times.of(self.accounts), self._agencies(agency)
        view = self._view(agencies, agency)
        month = self._month(view, name)
        period = self._period(month, agencies, agency)
        report = list(islice(self.store.opt_outs.report(period), _LISTED + 1)) if period else []
        doubts = doubts_about(self.store, agencies, self.store.database.time())
        return self.gate.show(
            "consent",
            400 if problem else 200,
            view=view,
            doubts=doubts,
            lost_words=what_is_missing(doubts.lost, lambda at: times.text(at, agency)) if doubts.lost else "",
            month=month,
            report=report[:_LISTED],
            more=len(report) > _LISTED,
            agency=agency,
            agencies=self._seen(),
            zone=times.zone_name(self.store.database.time(), agency),
            problem=problem,
        )

    def export_consent(self) -> Response:
        """Send the report of a month as a file, after noting who asked for it."""
        agency = self._agency(asked("agency"))
        agencies = self._agencies(agency)
        month = self._month(self._view(agencies, agency), asked("month"))
        period = self._period(month, agencies, agency)
        self.store.audit.note(g.session.name, _EXPORT, f"{month.name} ({agency or 'every agency'})", agency=agency)
        lines = report_lines(self.store.opt_outs.report(period) if period else ())
        name = f"opt-outs-{agency + '-' if agency else ''}{month.name}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(lines, headers=headers, content_type="text/csv; charset=utf-8")

    def sign_consent(self) -> AnyResponse:
        """Keep that somebody looked at a month."""
        agency, name = self._agency(request.form.get("agency", "")), request.form.get("month", "")
        month = self._month(self._view(self._agencies(agency), agency), name)
        if request.form.get("seen") != seen_figures(month):
            return self._consent(agency, name, "Not signed off: the figures have changed since. Look again.")
        try:
            sign_off(self.store, month, agency, g.session.name, request.form.get("note", ""))
        except FixConfiguration as error:
            return self._consent(agency, name, f"Not signed off: {error.hint}.")
        return self.gate.back("console.consent", f"{month.name} is signed off.", agency=agency, month=month.name)

    def _view(self, agencies: Collection[str] | None, agency: str) -> Consents:
        zone = Times.of(self.accounts).zone(agency)
        return consents(self.store, agencies, zone, self.store.database.time())

    def _seen(self) -> list[str]:
        return [name for name in self.store.people.agencies() if g.session.sees(name)]

    def _agency(self, name: str) -> str:
        """The agency to be shown. Who works for some sees one at a time, so that none signs off as if for all."""
        return name if name or g.session.agencies is None else next(iter(self._seen()), "")

    def _agencies(self, agency: str) -> Collection[str] | None:
        """The agencies to be shown; None for all."""
        if not agency:
            own: Collection[str] | None = g.session.agencies
            return own
        return [agency] if agency in self._seen() else abort(404)

    def _month(self, view: Consents, name: str) -> Month:
        if not name:
            return view.months[0]
        return next((month for month in view.months if month.name == name), None) or abort(404)

    def _period(self, month: Month, agencies: Collection[str] | None, agency: str) -> Period | None:
        """The month of the report; None where no agency may be seen."""
        zone = Times.of(self.accounts).zone(agency)
        since, until = start_of(month.first, zone), start_of(_next(month.first), zone)
        return None if agencies is not None and not agencies else Period(since, until, agencies or ())


def _next(first: date) -> date:
    return (first + timedelta(days=32)).replace(day=1)


def seen_figures(month: Month) -> str:
    """What the form sends back, so that nobody signs other figures than they saw."""
    return f"{month.asked}-{month.in_time}-{month.late}-{month.to_do}-{month.elsewhere}"
