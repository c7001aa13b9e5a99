"""The Consent page, and one definition of an open opt-out in every place that shows one."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Collection
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from sqlalchemy import text

from connector.cli import cli
from connector.errors import PauseReason
from connector.insight.alarm_watch import look
from connector.insight.consent import Month, consents
from connector.insight.deadlines import holidays, last_day
from connector.insight.overview import consent_standing, overview
from connector.store import Store
from connector.store.inbox import Owed
from connector.store.opt_outs import Period
from tests.builders import DATA_KEY, DESTINATION, LANE, NOON, a_customer, an_arrival, an_odd_arrival
from tests.conftest import Clock
from tests.web.conftest import act, metrics, token

DAY = 86_400_000
PHOENIX = ZoneInfo("America/Phoenix")
HUBSPOT = "sunrise/hubspot"
HARBOR = "harbor/salesforce"
GRAFANA = Path(__file__).parents[2] / "monitoring/grafana.json"
LANES = {LANE: DESTINATION, "sunrise/salesforce/1": DESTINATION, f"{HUBSPOT}/0": HUBSPOT, f"{HARBOR}/0": HARBOR}


def raise_flags(store: Store, customer: str, flags: Collection[str], lanes: Collection[str], **changes: object) -> None:
    agency = next(iter(lanes)).partition("/")[0]
    owed = tuple(Owed(lane.rpartition("/")[0], lane) for lane in lanes)
    store.inbox.accept(
        [
            an_arrival(
                f"{agency}-{customer}-{'-'.join(sorted(flags))}",
                a_customer(id=customer),
                agency=agency,
                customer_id=customer,
                raised=frozenset(flags),
                owed=owed,
                **changes,
            )
        ]
    )


def put(store: Store, customer: str, flag: str, **values: object) -> None:
    """Let an opt-out be as a worker would have left it."""
    changes = ", ".join(f"{name} = :{name}" for name in values)
    where = {"customer": customer, "flag": flag, **values}
    with store.database.transaction() as connection:
        connection.execute(
            text(f"UPDATE obligations SET {changes} WHERE customer_id = :customer AND flag = :flag"), where
        )


@pytest.fixture
def trouble(store: Store, clock: Clock) -> Store:
    """Two agencies, three accounts and four lanes with opt-outs in every state there is."""
    store.lanes.open(LANES)
    both = (LANE, f"{HUBSPOT}/0")
    raise_flags(store, "waits", ["doNotCall", "doNotSMS"], both)
    raise_flags(store, "refused", ["doNotCall", "doNotMail"], both)
    raise_flags(store, "no-record", ["doNotCall"], ["sunrise/salesforce/1"])
    raise_flags(store, "not-mapped", ["doNotMail"], [f"{HUBSPOT}/0"])
    raise_flags(store, "applied", ["doNotCall", "doNotEmail"], both)
    raise_flags(store, "late", ["doNotCall"], both)
    raise_flags(store, "reopened", ["doNotCall"], both)
    raise_flags(store, "forgotten", ["doNotCall"], both)
    raise_flags(store, "there", ["doNotSMS"], [f"{HARBOR}/0"])
    refusal = {"code": "FIELD_READ_ONLY", "reason": "the field may not be written", "action": "allow it"}
    for flag in ("doNotCall", "doNotMail"):
        put(store, "refused", flag, state="refused", **refusal)
    put(store, "no-record", "doNotCall", state="no record")
    put(store, "not-mapped", "doNotMail", state="not mapped")
    for flag in ("doNotCall", "doNotEmail"):
        put(store, "applied", flag, state="applied", applied_at=NOON + 1000, object="Contact", crm_id="003A")
    put(store, "late", "doNotCall", state="applied", applied_at=NOON + 30 * DAY)
    put(store, "reopened", "doNotCall", state="owed", applied_at=NOON + 1000)
    store.forget.run("forgotten", "ana")
    store.desk.pause("sunrise/salesforce/1", "ana")
    with store.database.transaction() as connection:
        held = {"until": NOON + 41 * DAY, "code": PauseReason.AUTH, "name": LANE}
        statement = "UPDATE lanes SET paused_until = :until, pause_code = :code, pause_reason = 'no login'"
        connection.execute(text(f"{statement} WHERE name = :name"), held)
    clock.forward(40 * DAY)
    return store


def counted_raw(store: Store, where: str = "1=1") -> int:
    """An independent count: nothing but SQL over the rows."""
    with store.database.reading() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM obligations WHERE {where}")).scalar_one())


METRICS = r"^connector_opt_outs_(?:waiting|refused)\{.*\} (\S+)"
OPEN = "state IN ('owed', 'refused')"


class TestOneDefinition:
    def test_every_place_that_shows_open_opt_outs_shows_the_same_number(
        self, trouble: Store, operator: FlaskClient, ready_address: str
    ) -> None:
        expected = counted_raw(trouble, OPEN)
        now, environment = trouble.database.time(), {"CONNECTOR_DATABASE_URL": ready_address}
        environment |= {"CONNECTOR_DATA_KEY": DATA_KEY}

        def typed(*command: str) -> str:
            return CliRunner().invoke(cli, command, env=environment).stdout

        gauges = metrics(operator)
        status = json.loads(typed("consent", "status", "--json"))
        page, home = operator.get("/console/consent?month=2026-06").text, operator.get("/console").text
        report = [*csv.DictReader(io.StringIO(typed("consent", "report", "--since", "2026-01-01")))]
        late = [look(trouble, agency, now).opt_outs for agency in ("sunrise", "harbor")]
        people = {row["customer_id"] for row in report}
        pages = [
            operator.get(f"/console/people/{agency}/{customer}").text
            for agency in ("sunrise", "harbor")
            for customer in sorted(people)
        ]
        figures = {
            "overview": overview(trouble, now).opt_outs,
            "standing": sum(row.waiting + row.refused for row in consent_standing(trouble)),
            "lanes": sum(lane.opt_outs for lane in trouble.desk.lanes()),
            "alarms": sum(lane.waiting + lane.refused for lanes in late for lane in lanes),
            "metrics": sum(
                int(float(value))
                for value in re.findall(r"^connector_opt_outs_(?:waiting|refused)\{.*\} (\S+)", gauges, re.M)
            ),
            "consent status": sum(row["waiting"] + row["refused"] for row in status),
            "status": json.loads(typed("status", "--json"))["opt_outs"],
            "consent page": int(re.search(r"<strong>([\d,]+) opt-outs are not yet in the CRM", page)[1]),  # type: ignore[index]
            "consent rows": len(re.findall(r"<strong>(?:waiting|paused|refused)</strong>", page)),
            "months": sum(month.to_do for month in consents(trouble, None, PHOENIX, now).months),
            "report": sum(row["status"] in ("waiting", "paused", "refused") for row in report),
            "report page": len(re.findall(r'data-label="Status">(?:waiting|paused|refused)', page)),
            "people": sum(len(re.findall(r">no: (?:waiting|paused|refused)<", page)) for page in pages),
        }
        assert expected == 11
        assert {name: figure for name, figure in figures.items() if figure != expected} == {}
        assert f">{expected}" in home

    def test_the_dashboard_adds_up_what_the_pages_add_up(self) -> None:
        assert "sum(connector_opt_outs_waiting) + sum(connector_opt_outs_refused)" in GRAFANA.read_text()

    def test_those_without_a_record_or_a_field_are_the_same_everywhere_too(self, trouble: Store) -> None:
        view = overview(trouble, trouble.database.time())
        shown = consents(trouble, None, PHOENIX, trouble.database.time())
        for state, figure in (("no record", view.no_record), ("not mapped", view.not_mapped)):
            assert figure == counted_raw(trouble, f"state = '{state}'") == 1
        assert shown.every - shown.to_do == view.no_record + view.not_mapped


class TestOpen:
    def test_says_what_holds_each_and_for_how_many_business_days(self, trouble: Store, operator: FlaskClient) -> None:
        page = operator.get("/console/consent").text
        rows = dict(re.findall(r'/console/people/(\S+?)">.*?data-label="What holds it">(.*?)</td>', page, re.S))
        assert re.search(r"<strong>paused</strong>: \S+: no login", rows["sunrise/waits"]) or "no login" in page
        assert "FIELD_READ_ONLY: the field may not be written. To do: allow it" in page
        assert "<strong>no record</strong>" in rows["sunrise/no-record"]
        assert "<strong>not mapped</strong>" in rows["sunrise/not-mapped"]
        assert (page.count('"state dead">late'), "26 of 10" in page) == (13, True)

    def test_nothing_open_is_good_news(self, store: Store, operator: FlaskClient) -> None:
        store.lanes.open(LANES)
        assert "every one is in its CRM" in operator.get("/console/consent").text

    def test_what_is_not_known_is_not_called_good(self, store: Store, operator: FlaskClient) -> None:
        store.lanes.open(LANES)
        store.inbox.accept([an_arrival("msg_broken", type="", body=b"{", state="dead", code="E210", reason="not JSON")])
        store.inbox.accept([an_odd_arrival("msg_odd", doNotCall="perhaps")])
        page = operator.get("/console/consent").text
        assert "every other one that we know of is in its CRM" in page
        assert "1 message could not be read" in page
        assert "1 event had a customer or consent flag that could not be read" in page
        assert "could not be read" not in operator.get("/console/consent?agency=harbor").text

    def test_each_agency_has_its_own(self, trouble: Store, operator: FlaskClient) -> None:
        page = operator.get("/console/consent?agency=harbor").text
        assert ("1 opt-out is not yet in the CRM" in page, "/people/sunrise/" in page) == (True, False)
        assert operator.get("/console/consent?agency=nowhere").status_code == 404


class TestMonths:
    def test_each_month_adds_up(self, trouble: Store) -> None:
        months = consents(trouble, None, PHOENIX, trouble.database.time()).months
        assert months[1] == Month(date(2026, 6, 1), asked=19, in_time=4, late=2, to_do=11, elsewhere=2)
        for month in months:
            assert month.asked == month.in_time + month.late + month.to_do + month.elsewhere
        assert sum(month.asked for month in months) == counted_raw(trouble)

    @pytest.mark.parametrize(
        ("asked", "last"),
        [
            ("2026-11-24", "2026-12-09"),  # Thanksgiving
            ("2026-12-18", "2027-01-05"),  # Christmas and New Year
            ("2026-06-20", "2026-07-06"),  # a Saturday; the Fourth is kept on the third
            ("2027-12-30", "2028-01-14"),  # New Year of 2028 is kept on the last day of 2027
        ],
    )
    def test_ten_business_days_pass_over_weekends_and_federal_holidays(self, asked: str, last: str) -> None:
        assert last_day(date.fromisoformat(asked)) == date.fromisoformat(last)

    def test_there_are_eleven_federal_holidays(self) -> None:
        assert [len(holidays(year)) for year in (2025, 2026, 2029)] == [11, 11, 11]


class TestReport:
    def test_the_download_is_the_commands_report_of_the_month(
        self, trouble: Store, operator: FlaskClient, ready_address: str
    ) -> None:
        environment = {"CONNECTOR_DATABASE_URL": ready_address, "CONNECTOR_DATA_KEY": DATA_KEY}
        with trouble.database.transaction() as connection:  # the command has another clock, by which no lane is paused
            connection.execute(text("UPDATE lanes SET paused_until = 0"))
        typed = CliRunner().invoke(
            cli, ["consent", "report", "--since", "2026-06-01", "--until", "2026-06-30"], env=environment
        )
        answer = operator.get("/console/consent/report.csv?month=2026-06")
        rows = [list(csv.reader(io.StringIO(body, newline=""))) for body in (answer.text, typed.stdout)]
        assert (rows[0], answer.mimetype) == (rows[1], "text/csv")
        assert len(rows[0]) == 1 + counted_raw(trouble)
        assert 'filename="opt-outs-2026-06.csv"' in answer.headers["Content-Disposition"]
        assert (trouble.audit.entries()[0].action, trouble.audit.entries()[0].thing) == (
            "export opt-outs",
            "2026-06 (every agency)",
        )

    def test_a_viewer_looks_and_takes_nothing_away(self, trouble: Store, viewer: FlaskClient) -> None:
        assert viewer.get("/console/consent").status_code == 200
        assert viewer.get("/console/consent/report.csv").status_code == 403

    @pytest.mark.parametrize("month", ["2026-13", "x", "1999-01", "\0"])
    def test_a_month_that_is_not_shown_is_not_found(self, trouble: Store, operator: FlaskClient, month: str) -> None:
        status = operator.get("/console/consent", query_string={"month": month}).status_code
        assert status == (200 if month == "\0" else 404)

    def test_an_earlier_opt_out_stays_in_the_report(self, trouble: Store) -> None:
        assert len([*trouble.opt_outs.report(Period(0, 2**60))]) == counted_raw(trouble)


class TestSignOff:
    def test_is_kept_with_the_figures_as_they_were_and_audited(self, trouble: Store, operator: FlaskClient) -> None:
        seen = {"month": "2026-06", "agency": "", "seen": "19-4-2-11-2"}
        page = act(operator, "/console/consent", **seen, note="the login is being renewed").text
        assert "2026-06 is signed off." in page
        for shown in ("the login is being renewed", "by console:127.0.0.1", "19 asked for, 4 in time, 2 late"):
            assert shown in page
        entry = trouble.audit.entries()[0]
        assert (entry.action, entry.who) == ("sign off", "console:127.0.0.1")
        assert "2026-06 (every agency): 19 asked, 4 in time, 2 late, 11 waiting or refused" in entry.thing

    def test_of_a_month_that_is_not_over_it_says_so(self, trouble: Store, operator: FlaskClient) -> None:
        for query, is_current in (("", True), ("?month=2026-06", False)):
            page = operator.get(f"/console/consent{query}").text
            assert ("is not over: its figures will change" in page) is is_current

    @pytest.mark.parametrize(("seen", "note"), [("19-4-2-11-2", " "), ("19-4-2-10-3", "fine")])
    def test_needs_a_note_and_the_figures_that_were_seen(
        self, trouble: Store, operator: FlaskClient, seen: str, note: str
    ) -> None:
        form = {"token": token(operator), "month": "2026-06", "agency": "", "seen": seen, "note": note}
        page = operator.post("/console/consent", data=form)
        assert (page.status_code, "Not signed off" in page.text) == (400, True)
        assert trouble.sign_offs.newest(None) == []

    def test_a_viewer_may_not(self, trouble: Store, viewer: FlaskClient) -> None:
        form = {"token": token(viewer), "month": "2026-06", "agency": "", "seen": "19-4-2-11-2", "note": "fine"}
        assert viewer.post("/console/consent", data=form).status_code == 403
