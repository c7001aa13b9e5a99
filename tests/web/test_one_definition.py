"""Whatever happens to opt-outs, each place that counts them counts what the rows say: nothing but SQL is the judge."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from sqlalchemy import text

from connector.cli import cli
from connector.crm import AccountKind, CrmAccount
from connector.insight.alarm_watch import look
from connector.insight.alarms import raised as alarms
from connector.insight.consent import consents
from connector.insight.lowered import find_lowered
from connector.insight.overview import consent_standing, overview
from connector.insight.problems import find_causes
from connector.model import Entry, Mark, RecordKey, Stamp
from connector.settlement import Raised, Remembered, Settlement
from connector.settlement.gaps import Gap, GapKind
from connector.settlement.verification import Difference, Repair, Verified
from connector.store import Store
from connector.store.agencies import Terms
from connector.store.desk import Filter
from connector.store.inbox import Owed
from tests.builders import DATA_KEY, DESTINATION, LANE, NOON, a_customer, an_arrival
from tests.conftest import Clock
from tests.web.conftest import metrics
from tests.web.test_consent_page import DAY, HARBOR, HUBSPOT, LANES, PHOENIX, raise_flags, trouble

__all__ = ["trouble"]

NOT_THERE = {"open": "state IN ('owed', 'refused')", "no record": "state = 'no record'"}
NOT_THERE["not mapped"] = "state = 'not mapped'"
LOWERED = """state = 'applied' AND EXISTS (
    SELECT 1 FROM verifications v
    JOIN ledger l ON l.destination = v.destination AND l.object = v.object AND l.key = v.key
    WHERE v.destination = o.destination AND v.customer_id = o.customer_id AND l.crm_id IS NOT NULL
    AND ',' || v.lowered || ',' LIKE '%,' || o.flag || ',%' AND v.verified_at >= o.applied_at
    AND NOT EXISTS (SELECT 1 FROM raises r WHERE r.destination = o.destination AND r.customer_id = o.customer_id
        AND r.flag = o.flag AND r.crm_id = l.crm_id AND r.at > v.verified_at)
) AND NOT EXISTS (SELECT 1 FROM consents c WHERE c.destination = o.destination AND c.customer_id = o.customer_id
    AND c.flag = o.flag AND c.value = FALSE AND c.spoken = FALSE)"""
FIRST_ORG, OTHER_ORG = (CrmAccount(f"00DHs000000000{n}MAA", AccountKind.PRODUCTION) for n in (1, 2))
Figures = dict[str, int]


def rows(store: Store, where: str) -> list[Any]:
    """An independent answer: nothing but SQL over the rows."""
    with store.database.reading() as connection:
        statement = f"SELECT destination, customer_id, flag, lane, since FROM obligations o WHERE {where}"
        return list(connection.execute(text(statement)))


def remember(store: Store, destination: str, customer: str, crm_id: str, *lowered: str) -> None:
    """Let the ledger know a record of a customer's, and a comparison have seen it without these flags."""
    key = RecordKey("Contact", "careCycle_Id__c", crm_id)
    entry = Remembered(key, Entry(crm_id, {"DoNotCall": Mark(Stamp(1, "m"), "d")}), customer, 1)
    with store.database.transaction() as connection:
        store.ledger.remember(connection, store.ledger.rows(destination, [entry]))
    held = [own for own in store.verifications.walk(destination, ("", ""), 99) if own.crm_id == crm_id]
    differs = {Difference.LOWERED: ("DoNotCall",)} if lowered else {}
    store.verifications.keep(destination, [Verified(own, differs, lowered=frozenset(lowered)) for own in held])


def lower(store: Store) -> None:
    remember(store, DESTINATION, "applied", "003A", "doNotCall", "doNotEmail")
    remember(store, DESTINATION, "applied", "003B", "doNotCall")  # a second record: the same opt-out
    remember(store, HUBSPOT, "applied", "101", "doNotEmail")
    remember(store, HUBSPOT, "late", "102", "doNotCall")
    remember(store, HUBSPOT, "reopened", "103", "doNotCall")  # owed again, so that it is none


def repair(store: Store) -> None:
    lower(store)
    held = store.verifications.walk(DESTINATION, ("", ""), 9)
    store.repairing.run(DESTINATION, [Repair(own, owed=True, flags=("DoNotCall",)) for own in held])


def raise_again(store: Store) -> None:
    lower(store)
    times = NOON + 41 * DAY
    with store.database.transaction() as connection:
        store.ledger.witness(connection, DESTINATION, [Raised("applied", "doNotEmail", "Contact", "003A", 1)])
        connection.execute(text("UPDATE raises SET at = :at"), {"at": times})


def take_back(store: Store) -> None:
    lower(store)
    said = {"at": 9, "tie": "t", "value": False, "spoken": False, "owed": False, "lowered_at": 0}
    names = ("destination", "customer_id", "flag", *said)
    statement = f"INSERT INTO consents ({', '.join(names)}) VALUES ({', '.join(f':{name}' for name in names)})"
    with store.database.transaction() as connection:
        whose = {"destination": HUBSPOT, "customer_id": "late", "flag": "doNotCall"}
        connection.execute(text(statement), {**whose, **said})


def merge(store: Store) -> None:
    """HubSpot has merged a record into another: it is lost, and its customer has two."""
    lower(store)
    lease = store.lanes.lease("a worker", [f"{HUBSPOT}/0"], 60_000)
    assert lease is not None
    lost = Remembered(RecordKey("Contact", "careCycle_Id__c", "101"), Entry(), "applied", 1, lost=True)
    settlement = Settlement("v1", remembered=[lost], gone=[("Contact", "102")], duplicated=["late"])
    store.lanes.settle(lease, settlement, 60_000)
    store.lanes.release(lease)


def rebind(store: Store, former: CrmAccount = FIRST_ORG, new: CrmAccount = OTHER_ORG) -> None:
    if former == FIRST_ORG:
        lower(store)
    store.accounts.meet(DESTINATION, former)
    store.rebinding.run(store.rebinding.plan(DESTINATION, new, former), "ana")


def rebind_and_back(store: Store) -> None:
    rebind(store)
    rebind(store, OTHER_ORG, FIRST_ORG)


def go_back(store: Store) -> None:
    lower(store)
    store.gaps.note(Gap("a process", GapKind.OLDER, NOON, NOON + DAY, 3))


def restore(store: Store) -> None:
    go_back(store)
    store.restoring.run(store.restoring.plan(), "ana")


def forget(store: Store) -> None:
    lower(store)
    for customer in ("waits", "refused", "late", "there"):
        store.forget.run(customer, "ana")


def mute(store: Store) -> None:
    """Dead letters of two customers whose opt-outs are open, and nobody else is to look after them."""
    died = "UPDATE deliveries SET state = 'dead', code = 'X', reason = 'refused' WHERE event_id IN"
    with store.database.transaction() as connection:
        connection.execute(text(f"{died} (SELECT id FROM events WHERE customer_id IN ('waits', 'no-record'))"))
    for cause in find_causes(store):
        store.handling.mute(cause.named, cause.count, NOON + 99 * DAY, "ana", "the CRM's administrator is asked")


def pause(store: Store) -> None:
    for lane in LANES.keys() - {"sunrise/salesforce/1"}:  # which is paused already
        store.desk.pause(lane, "ana")


def resume(store: Store) -> None:
    pause(store)
    for lane in LANES:
        store.desk.resume(lane, "ana")


def leave_one_lane(store: Store) -> None:
    """The configuration has no partitions any more."""
    left = {LANE: DESTINATION, f"{HUBSPOT}/0": HUBSPOT, f"{HARBOR}/0": HARBOR}
    assert store.moving.move(left, lambda destination, customer: f"{destination}/0") > 0


def remove_an_agency(store: Store) -> None:
    """The configuration had another agency and another account, and does not name them any more."""
    store.agencies.announce([Terms("sunrise", True, 90), Terms("harbor", True, 90)])
    store.lanes.open({"gone/hubspot/0": "gone/hubspot"})
    raise_flags(store, "of-the-agency-gone", ["doNotCall"], ["gone/hubspot/0"])
    store.agencies.announce([Terms("sunrise", True, 90)])


def add_similar_agencies(store: Store) -> None:
    """In a pattern of SQL, `_` stands for any letter: each of these is an agency of its own."""
    for agency in ("sun_rise", "sun-rise"):
        store.lanes.open({f"{agency}/crm/0": f"{agency}/crm"})
        raise_flags(store, "of-two", ["doNotCall"], [f"{agency}/crm/0"])


def purge(store: Store) -> None:
    lower(store)
    store.retention.purge("sunrise", 2**50)


def ask_twice(store: Store) -> None:
    """An opt-out is taken back, and asked for again, before it has reached the CRM."""
    said = ({"doNotCall"}, set[str](), {"doNotCall"})
    owed = (Owed(DESTINATION, LANE),)
    store.inbox.accept(
        [
            an_arrival(f"twice-{number}", a_customer(id="twice"), customer_id="twice", raised=frozenset(own), owed=owed)
            for number, own in enumerate(said)
        ]
    )


KINDS: dict[str, Callable[[Store], None]] = {
    "found lowered": lower,
    "lowered and repaired": repair,
    "lowered and raised again": raise_again,
    "lowered and taken back in careCycle": take_back,
    "records merged": merge,
    "another account": rebind,
    "the first account again": rebind_and_back,
    "an older database": go_back,
    "a restored database": restore,
    "customers forgotten": forget,
    "a muted cause": mute,
    "every lane paused": pause,
    "every lane resumed": resume,
    "fewer lanes": leave_one_lane,
    "an agency removed": remove_an_agency,
    "similar names": add_similar_agencies,
    "content purged": purge,
}


@pytest.fixture(params=KINDS.values(), ids=list(KINDS))
def world(request: pytest.FixtureRequest, trouble: Store, clock: Clock) -> Store:
    request.param(trouble)
    clock.forward(1000)
    return trouble


@pytest.fixture
def typed(ready_address: str) -> Callable[..., str]:
    environment = {"CONNECTOR_DATABASE_URL": ready_address, "CONNECTOR_DATA_KEY": DATA_KEY}
    return lambda *command: CliRunner().invoke(cli, command, env=environment).stdout


def agencies_of(store: Store) -> list[str]:
    return sorted({row.destination.partition("/")[0] for row in rows(store, "1=1")})


def on_metrics(page: str, name: str) -> int:
    return sum(int(float(value)) for value in re.findall(rf"^connector_opt_outs_{name}\{{.*\}} (\S+)", page, re.M))


def on_people(store: Store, client: FlaskClient, word: str) -> int:
    people = {(row.destination.partition("/")[0], row.customer_id) for row in rows(store, "1=1")}
    pages = [client.get(f"/console/people/{agency}/{customer}").text for agency, customer in sorted(people)]
    return sum(len(re.findall(word, page)) for page in pages)


def first_number(pattern: str, page: str) -> int:
    found = re.search(pattern, page)
    return int(found[1].replace(",", "")) if found else 0


def reported(typed: Callable[..., str]) -> list[dict[str, str]]:
    return [*csv.DictReader(io.StringIO(typed("consent", "report", "--since", "2026-01-01")))]


class TestWhateverHappens:
    def test_each_place_counts_the_opt_outs_that_are_not_in_their_crm(
        self, world: Store, operator: FlaskClient, typed: Callable[..., str]
    ) -> None:
        expected, now = len(rows(world, NOT_THERE["open"])), world.database.time()
        page, home = operator.get("/console/consent?month=2026-06").text, operator.get("/console").text
        page_of_metrics, status = metrics(operator), json.loads(typed("consent", "status", "--json"))
        seen = [look(world, agency, now).opt_outs for agency in agencies_of(world)]
        listed = [row for row in reported(typed) if row["status"] in ("waiting", "paused", "refused")]
        months = consents(world, None, PHOENIX, now).months
        figures = {
            "overview": overview(world, now).opt_outs,
            "standing": sum(row.waiting + row.refused for row in consent_standing(world)),
            "lanes": sum(lane.opt_outs for lane in world.desk.lanes()),
            "now page": first_number(r'id="opt-outs"><strong>([\d,]+) opt-outs? ', home),
            "alarms": sum(lane.waiting + lane.refused for lanes in seen for lane in lanes),
            "metrics": on_metrics(page_of_metrics, "waiting") + on_metrics(page_of_metrics, "refused"),
            "consent status": sum(row["waiting"] + row["refused"] for row in status),
            "status": json.loads(typed("status", "--json"))["opt_outs"],
            "consent page": first_number(r"<strong>([\d,]+) opt-outs? (?:is|are) not yet in the CRM", page),
            "consent rows": len(re.findall(r"<strong>(?:waiting|paused|refused)</strong>", page)),
            "months": sum(month.to_do for month in months),
            "report": len(listed),
            "report page": len(re.findall(r'data-label="Status">(?:waiting|paused|refused)', page)),
            "people": on_people(world, operator, ">no: (?:waiting|paused|refused)<"),
        }
        assert {name: figure for name, figure in figures.items() if figure != expected} == {}
        assert len({(row["destination"], row["customer_id"], row["flag"]) for row in listed}) == expected

    def test_each_place_counts_those_that_were_found_lowered(
        self, world: Store, operator: FlaskClient, typed: Callable[..., str]
    ) -> None:
        expected, now = len(rows(world, LOWERED)), world.database.time()
        ringing = [alarm for agency in agencies_of(world) for alarm in alarms(look(world, agency, now))]
        problems, status = operator.get("/console/problems").text, json.loads(typed("consent", "status", "--json"))
        figures = {
            "overview": overview(world, now).lowered,
            "standing": sum(row.lowered for row in consent_standing(world)),
            "metrics": on_metrics(metrics(operator), "lowered"),
            "consent status": sum(row["lowered"] for row in status),
            "status": json.loads(typed("status", "--json"))["opt_outs_lowered"],
            "problems": sum(own.count for own in find_lowered(world)),
            "problems page": sum(map(int, re.findall(r"(\d+) opt-outs? (?:is|are) no longer in the CRM", problems))),
            "alarms": sum(int(own.text.split()[0]) for own in ringing if own.kind == "opt-outs lowered"),
            "report": sum(row["crm_check"] == "found lowered" for row in reported(typed)),
            "people": on_people(world, operator, ">found lowered<"),
        }
        assert {name: figure for name, figure in figures.items() if figure != expected} == {}

    def test_those_without_a_record_or_a_field_are_counted_alike(self, world: Store, typed: Callable[..., str]) -> None:
        now = world.database.time()
        view, shown, report = overview(world, now), consents(world, None, PHOENIX, now), Counter[str]()
        report.update(row["status"] for row in reported(typed))
        for state, figure in (("no record", view.no_record), ("not mapped", view.not_mapped)):
            assert {figure, report[state], int(shown.counts.get(state, 0))} == {len(rows(world, NOT_THERE[state]))}  # type: ignore[call-overload]  # a state is its word
        assert sum(month.asked for month in shown.months) == len(rows(world, "1=1"))

    def test_each_agency_and_account_has_its_own(self, world: Store, operator: FlaskClient) -> None:
        own = Counter(row.destination for row in rows(world, NOT_THERE["open"]))
        lanes = Counter(row.lane for row in rows(world, NOT_THERE["open"]))
        assert +Counter({row.destination: row.waiting + row.refused for row in consent_standing(world)}) == own
        assert +Counter({lane.name: lane.opt_outs for lane in world.desk.lanes()}) == lanes
        for agency in agencies_of(world):
            expected = sum(count for name, count in own.items() if name.partition("/")[0] == agency)
            page = operator.get(f"/console/consent?agency={agency}").text
            pages = first_number(r"<strong>([\d,]+) opt-outs? (?:is|are) not yet in the CRM", page)
            months = sum(month.to_do for month in consents(world, [agency], PHOENIX, world.database.time()).months)
            assert (agency, pages, months) == (agency, expected, expected)

    def test_the_oldest_is_as_old_everywhere(self, world: Store, operator: FlaskClient) -> None:
        now = world.database.time()
        oldest = max((now - row.since for row in rows(world, NOT_THERE["open"])), default=0)
        seconds = re.findall(r"^connector_oldest_opt_out_seconds\{.*\} (\S+)", metrics(operator), re.M)
        figures = {
            overview(world, now).oldest_opt_out,
            max(lane.opt_out_ms or 0 for lane in world.desk.lanes()),
            int(max(map(float, seconds)) * 1000),
        }
        assert figures == {oldest}

    def test_the_list_of_events_finds_every_event_that_raises_one(self, world: Store) -> None:
        with world.database.reading() as connection:
            raising = connection.execute(text("SELECT count(*) FROM events WHERE raised <> ''")).scalar_one()
        assert world.event_lists.totals(Filter(opt_out="yes")).events == raising

    def test_a_problem_counts_what_its_people_lack(self, world: Store, operator: FlaskClient) -> None:
        lacking = Counter(
            (row.destination, row.customer_id) for row in rows(world, "state IN ('owed', 'refused', 'no record')")
        )
        with world.database.reading() as connection:
            dead = "SELECT DISTINCT d.destination, e.customer_id FROM deliveries d JOIN events e ON e.id = d.event_id"
            people = [tuple(row) for row in connection.execute(text(f"{dead} WHERE d.state = 'dead'"))]
        expected = sum(lacking[whose] for whose in people)
        page = operator.get("/console/problems").text
        shown = re.findall(r"(\d+) opt-outs? of theirs (?:is|are) not in the CRM", page)
        assert sum(cause.opt_outs for cause in find_causes(world)) == sum(map(int, shown)) == expected


def test_one_that_is_asked_for_twice_is_one_with_a_line_of_the_report_for_each_time(
    trouble: Store, typed: Callable[..., str]
) -> None:
    ask_twice(trouble)
    view, listed = overview(trouble, trouble.database.time()), [row["customer_id"] for row in reported(typed)]
    assert (view.opt_outs, len(rows(trouble, NOT_THERE["open"])), listed.count("twice")) == (12, 12, 2)


def test_each_kind_of_trouble_changes_what_there_is_to_count(trouble: Store) -> None:
    assert {len(rows(trouble, where)) for where in NOT_THERE.values()} == {11, 1}
    lower(trouble)
    assert len(rows(trouble, LOWERED)) == 4
