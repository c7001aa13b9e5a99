"""Finding people by digests of their numbers and addresses, over both databases."""

from __future__ import annotations

import base64

import pytest
from sqlalchemy import delete, event, func, select, text

from connector.errors import FixConfiguration
from connector.insight.people import AN_HOUR, By, Match, Search, Seeker, find
from connector.store import Store
from connector.store.database import open_database
from connector.store.handle_index import STEP, TAIL
from connector.store.people_tables import handles, handles_read
from connector.store.tables import events, ledger
from tests.builders import CUSTOMER, DATA_KEY, DESTINATION, LANE, NOON, a_call, a_customer, an_arrival
from tests.conftest import Clock

MINUTE = 60_000
SPOUSE = "0f0e0d0c-0000-4000-8000-000000000001"
NUMBER, ADDRESS = "+13128471928", "marcus.delacroix@example.com"
FULL_WIDTH = "".join(chr(ord(letter) + 0xFEE0) for letter in "312-847-1928")
NEW_KEY = base64.b64encode(b"n" * 32).decode()


def settled(store: Store, clock: Clock) -> None:
    """Put into the index whatever is old enough after two minutes."""
    clock.forward(2 * MINUTE)
    while store.people.index.step():
        pass


def sought(store: Store, text: str, reason: str = "a call from them", **more: object) -> Search:
    return find(store, text, Seeker("ana", reason, **more))  # type: ignore[arg-type]


def people(search: Search) -> list[tuple[str, str]]:
    return [(match.agency, match.customer_id) for match in search.people]


@pytest.fixture(autouse=True)
def served(store: Store) -> None:
    store.lanes.open({LANE: DESTINATION})


MARCUS = ("sunrise", CUSTOMER)


class TestByNumberAndAddress:
    @pytest.mark.parametrize("indexed", [True, False], ids=["in the index", "just received"])
    @pytest.mark.parametrize(
        "spelling",
        [
            "+13128471928", "(312) 847-1928", "312.847.1928", "312 847 1928", "1-312-847-1928", "tel:+1-312-847-1928",
            "+1 (312) 847\u20111928 ext. 12", "\u202a312-847-1928\u202c", FULL_WIDTH,
            "Marcus.Delacroix@Example.COM", "  marcus.delacroix@example.com ",
            "Marcus D. <marcus.delacroix@example.com>",
            "mailto:marcus.delacroix@example.com",
        ],
    )  # fmt: skip
    def test_a_person_is_found_however_it_is_spelled(
        self, store: Store, clock: Clock, spelling: str, indexed: bool
    ) -> None:
        store.inbox.accept([an_arrival()])
        if indexed:
            settled(store, clock)
        assert people(sought(store, spelling)) == [MARCUS]
        assert people(sought(store, "(312) 847-1929")) == people(sought(store, "m.delacroix@example.com")) == []

    def test_a_plus_tag_is_told_from_the_address_itself(self, store: Store, clock: Clock) -> None:
        store.inbox.accept([an_arrival("m", a_customer(email="Maria+Medicare@example.com"))])
        settled(store, clock)
        assert sought(store, "maria+medicare@EXAMPLE.com").people == (
            Match("sunrise", CUSTOMER, (By.EMAIL, By.MAILBOX)),
        )
        assert sought(store, "maria@example.com").people == (Match("sunrise", CUSTOMER, (By.MAILBOX,)),)

    def test_spouses_who_share_a_number_are_both_listed(self, store: Store, clock: Clock) -> None:
        store.inbox.accept([an_arrival(), an_arrival("s", a_customer(id=SPOUSE), customer_id=SPOUSE)])
        assert people(sought(store, NUMBER)) == [("sunrise", SPOUSE), MARCUS]
        settled(store, clock)
        assert people(sought(store, NUMBER)) == [("sunrise", SPOUSE), MARCUS]

    @pytest.mark.parametrize("now", ["+13125550000", None], ids=["replaced", "removed"])
    @pytest.mark.parametrize("steps", [0, 1, 2])
    def test_a_former_number_still_finds_and_says_so(
        self, store: Store, clock: Clock, now: str | None, steps: int
    ) -> None:
        store.inbox.accept([an_arrival("one")])
        if steps == 2:
            settled(store, clock)
        store.inbox.accept([an_arrival("two", a_customer(phoneNumber=now), source_time=NOON + 1, received_at=None)])
        if steps:
            settled(store, clock)
        assert sought(store, NUMBER).people == (Match("sunrise", CUSTOMER, former=(By.PHONE,)),)

    def test_an_older_event_that_comes_late_changes_nothing(self, store: Store, clock: Clock) -> None:
        store.inbox.accept([an_arrival("one")])
        store.inbox.accept([an_arrival("late", a_customer(phoneNumber="+13125550000"), source_time=NOON - 1)])
        settled(store, clock)
        assert sought(store, NUMBER).people == (Match("sunrise", CUSTOMER, (By.PHONE,)),)
        assert sought(store, "312 555 0000").people == (Match("sunrise", CUSTOMER, former=(By.PHONE,)),)

    def test_the_number_of_a_call_finds_its_customer(self, store: Store, clock: Clock) -> None:
        call = a_call(a_customer(phoneNumber=None), phoneNumber="+16025550123")
        store.inbox.accept([an_arrival("call", call, type="call.completed")])
        assert sought(store, "602-555-0123").people == (Match("sunrise", CUSTOMER, (By.IN_CALL,)),)
        settled(store, clock)
        assert sought(store, "602-555-0123").people == (Match("sunrise", CUSTOMER, (By.IN_CALL,)),)

    def test_the_number_of_an_earlier_call_is_no_former_number(self, store: Store, clock: Clock) -> None:
        for day, number in enumerate(("+16025550123", "+16025550124")):
            call = a_call(a_customer(phoneNumber=None), phoneNumber=number)
            store.inbox.accept([an_arrival(f"call-{day}", call, type="call.completed", source_time=NOON + day)])
        settled(store, clock)
        assert sought(store, "602-555-0123").people == (Match("sunrise", CUSTOMER, (By.IN_CALL,)),)

    def test_a_number_that_somebody_has_again_is_theirs(self, store: Store, clock: Clock) -> None:
        for day, number in enumerate((NUMBER, "+13125550000", NUMBER)):
            store.inbox.accept([an_arrival(f"m-{day}", a_customer(phoneNumber=number), source_time=NOON + day)])
        settled(store, clock)
        assert sought(store, NUMBER).people == (Match("sunrise", CUSTOMER, (By.PHONE,)),)
        assert sought(store, "312 555 0000").people == (Match("sunrise", CUSTOMER, former=(By.PHONE,)),)

    def test_a_customer_of_two_agencies_is_two_people_and_an_agency_finds_its_own(
        self, store: Store, clock: Clock
    ) -> None:
        store.lanes.open({"harbor/hubspot/0": "harbor/hubspot"})
        store.inbox.accept([an_arrival("one"), an_arrival("two", agency="harbor")])
        settled(store, clock)
        assert people(sought(store, NUMBER)) == [("harbor", CUSTOMER), MARCUS]
        for name in (NUMBER, CUSTOMER, ADDRESS, "one"):
            assert people(sought(store, name, agencies={"sunrise"})) == [MARCUS]
        with store.database.reading() as connection:
            digests = connection.execute(select(handles.c.digest).where(handles.c.handle == "phone")).scalars().all()
        assert len(set(digests)) == 2


class TestById:
    @pytest.mark.parametrize(
        "text",
        [
            CUSTOMER, CUSTOMER.upper(), "msg", "dca4a483-af54-4899-a804-766ee5812537", "ACME-0042", "acme-0042",
            "003000000000001AAA", "003000000000001", "https://x.my.salesforce.com/003000000000001",
            "https://x.lightning.force.com/lightning/r/Contact/003000000000001AAA/view",
            "https://app-eu1.hubspot.com/contacts/4711/record/0-1/12345?x=1",
            "https://app.hubspot.com/contacts/4711/contact/12345", "12345",
        ],
    )  # fmt: skip
    def test_a_person_is_found_without_a_reason_and_nothing_is_audited(
        self, store: Store, clock: Clock, text: str
    ) -> None:
        customer = a_customer(externalId="ACME-0042")
        store.inbox.accept(
            [
                an_arrival("msg", customer),
                an_arrival("c", a_call(customer), type="call.completed", call_id=a_call()["id"]),
            ]
        )
        remember(store, DESTINATION, "003000000000001AAA")
        remember(store, "sunrise/hubspot", "12345")
        assert people(sought(store, text, reason="")) == [MARCUS]
        assert store.audit.entries() == []

    def test_what_is_unknown_says_as_what_it_was_tried(self, store: Store) -> None:
        search = sought(store, "nobody", reason="")
        assert (search.people, search.tried) == ((), (By.CUSTOMER, By.MESSAGE, By.CALL, By.EXTERNAL))

    @pytest.mark.parametrize(
        "text", ["", "   ", "\0", "%", "'; DROP TABLE events", "a" * 100_000, "@", "https://", "٣"]
    )
    def test_bad_input_finds_nobody(self, store: Store, text: str) -> None:
        store.inbox.accept([an_arrival()])
        assert sought(store, text).people == ()


def remember(store: Store, destination: str, crm_id: str) -> None:
    """Let the ledger know a record of the customer's."""
    known = {"object": "Contact", "key": "k", "crm_id": crm_id, "customer_id": CUSTOMER, "marks": "{}"}
    with store.database.transaction() as connection:
        connection.execute(ledger.insert(), {"destination": destination, "delivery_id": 1, **known})


class TestWhoMaySearch:
    @pytest.mark.parametrize(("text", "kind"), [(NUMBER, By.PHONE), (ADDRESS, By.EMAIL)])
    def test_a_number_needs_a_reason_and_the_right(self, store: Store, text: str, kind: By) -> None:
        store.inbox.accept([an_arrival()])
        for search in (sought(store, text, reason=" "), sought(store, text, complies=False)):
            assert (search.people, search.reason_for, kind in search.tried) == ((), (kind,), False)
        assert store.audit.entries() == []

    def test_no_id_leads_to_somebody_of_another_agency(self, store: Store, clock: Clock) -> None:
        store.lanes.open({"harbor/hubspot/0": "harbor/hubspot"})
        call = a_call(a_customer(externalId="ACME-0042"))
        theirs = an_arrival("theirs", call, type="call.completed", call_id=call["id"], agency="harbor")
        store.inbox.accept([theirs])
        remember(store, "harbor/hubspot", "12345")
        settled(store, clock)
        for name in ("theirs", call["id"], "12345", "ACME-0042", CUSTOMER, NUMBER):
            assert people(sought(store, name)) == [("harbor", CUSTOMER)]
            assert people(sought(store, name, agencies={"sunrise"})) == []

    def test_the_audit_says_who_and_why_and_never_the_value(self, store: Store) -> None:
        store.inbox.accept([an_arrival()])
        sought(store, NUMBER, "she calls and has\nno id")
        sought(store, ADDRESS)
        assert [(entry.who, entry.action, entry.thing, entry.reason) for entry in store.audit.entries()] == [
            ("ana", "find person", "by e-mail address", "a call from them"),
            ("ana", "find person", "by phone number", "she calls and has no id"),
        ]

    def test_nobody_enumerates(self, store: Store, clock: Clock) -> None:
        for _ in range(AN_HOUR):
            store.audit.note("ana", "find person", "by phone number: x")
        with pytest.raises(FixConfiguration, match="an hour"):
            sought(store, NUMBER)
        assert find(store, NUMBER, Seeker("ben", "another user")).people == ()
        clock.forward(61 * MINUTE)
        assert sought(store, NUMBER).people == ()


class TestTheIndex:
    def test_holds_nothing_that_can_be_read(self, store: Store, clock: Clock) -> None:
        store.inbox.accept([an_arrival("m", a_customer(externalId="ACME-0042"))])
        settled(store, clock)
        with store.database.reading() as connection:
            rows = connection.execute(select(handles)).all()
        assert {row.handle for row in rows} == {"phone", "email", "mailbox", "external"}
        text_of_it = repr(rows).lower()
        secrets = ("3128471928", "8471928", "marcus", "delacroix", "example", "acme")
        assert [secret for secret in secrets if secret in text_of_it] == []

    def test_takes_up_where_it_was_stopped_and_reads_each_event_once(self, store: Store, clock: Clock) -> None:
        store.inbox.accept([an_arrival(f"m{number:03d}") for number in range(STEP + 5)])
        clock.forward(2 * MINUTE)
        assert [store.people.index.step() for _ in range(3)] == [STEP, 5, 0]

    def test_an_event_that_is_committed_late_is_not_passed_over(self, store: Store, clock: Clock) -> None:
        store.inbox.accept([an_arrival("first"), an_arrival("late", a_customer(id=SPOUSE), customer_id=SPOUSE)])
        with store.database.transaction() as connection:
            held = connection.execute(select(events).where(events.c.message_id == "first")).one()._mapping
            connection.execute(text("DELETE FROM deliveries"))
            connection.execute(text("DELETE FROM newest"))
            connection.execute(delete(events).where(events.c.id == held["id"]))
        assert store.people.index.step() == 0  # the younger is younger than a minute
        with store.database.transaction() as connection:
            connection.execute(events.insert(), dict(held))
        settled(store, clock)
        assert people(sought(store, NUMBER)) == [("sunrise", SPOUSE), MARCUS]

    def test_another_worker_that_reads_the_same_events_changes_nothing(self, store: Store, clock: Clock) -> None:
        store.inbox.accept([an_arrival()])
        clock.forward(2 * MINUTE)
        twin = Store(store.database)
        after = twin.people.index._after()
        assert store.people.index.step() == 1
        with store.database.transaction() as connection:
            assert twin.people.index._advance(connection, after, 1) is False

    def test_begins_again_where_the_events_are_others(self, store: Store, clock: Clock) -> None:
        store.inbox.accept([an_arrival()])
        settled(store, clock)
        with store.database.transaction() as connection:
            connection.execute(handles_read.update().values(event_id=10**9))
            connection.execute(delete(handles))
        settled(store, clock)
        assert people(sought(store, NUMBER)) == [MARCUS]

    def test_a_person_who_was_forgotten_is_not_found(self, store: Store, clock: Clock) -> None:
        store.inbox.accept([an_arrival("one")])
        settled(store, clock)
        store.inbox.accept([an_arrival("two")])
        store.forget.run(CUSTOMER, "ana")
        settled(store, clock)
        assert [people(sought(store, name)) for name in (NUMBER, ADDRESS, CUSTOMER, "one")] == [[]] * 4
        with store.database.reading() as connection:
            assert connection.execute(select(func.count()).select_from(handles)).scalar_one() == 0

    def test_a_person_forgotten_while_their_event_is_read_is_not_kept(self, store: Store, clock: Clock) -> None:
        store.inbox.accept([an_arrival()])
        clock.forward(2 * MINUTE)
        read = store.people.index._read
        done = []

        def forgotten_meanwhile(*args: object) -> object:
            rows = list(read(*args))  # type: ignore[arg-type]
            done.append(store.forget.run(CUSTOMER, "ana"))
            return rows

        store.people.index.__dict__["_read"] = forgotten_meanwhile
        assert store.people.index.step() == 1
        assert done
        with store.database.reading() as connection:
            assert connection.execute(select(handles)).all() == []

    def test_it_outlives_the_content_of_events(self, store: Store, clock: Clock) -> None:
        store.inbox.accept([an_arrival("one", state="delivered")])
        settled(store, clock)
        assert store.retention.purge("sunrise", NOON + 1) == 1
        assert store.retention.forget("sunrise", NOON + 1) == 1
        assert people(sought(store, NUMBER)) == [MARCUS]

    def test_a_change_of_the_data_key_needs_no_other_index(self, database_address: str) -> None:
        times = [NOON]
        old = Store(open_database(database_address, {"CONNECTOR_DATA_KEY": DATA_KEY}, lambda: times[0]))
        old.lanes.open({LANE: DESTINATION})
        old.inbox.accept([an_arrival()])
        times[0] += 2 * MINUTE
        assert old.people.index.step() == 1
        old.close()
        both = Store(open_database(database_address, {"CONNECTOR_DATA_KEY": f"{NEW_KEY},{DATA_KEY}"}))
        list(both.rotation.steps())
        both.close()
        new = Store(open_database(database_address, {"CONNECTOR_DATA_KEY": NEW_KEY}))
        assert people(sought(new, NUMBER)) == [MARCUS]
        new.close()

    def test_says_how_much_it_has_not_seen(self, store: Store) -> None:
        store.inbox.accept([an_arrival(f"m{number:04d}") for number in range(TAIL + 3)])
        assert sought(store, "312 000 0000").unseen == 3

    def test_a_search_costs_the_same_whatever_the_history(self, store: Store, clock: Clock) -> None:
        store.audit.note("ana", "pause", LANE)  # the first entry of the log costs more than the others
        counts = []
        for start in (0, 300):
            store.inbox.accept([an_arrival(f"m{number:04d}") for number in range(start, start + 300)])
            settled(store, clock)
            seen: list[str] = []

            def note(*args: object, seen: list[str] = seen) -> None:
                seen.append(str(args[2]))

            event.listen(store.database.engine, "before_cursor_execute", note)
            assert people(sought(store, NUMBER)) == [MARCUS]
            event.remove(store.database.engine, "before_cursor_execute", note)
            counts.append(len(seen))
        assert counts[0] == counts[1]
