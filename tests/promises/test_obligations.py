"""An opt-out is an obligation of its own: nothing of an event, a record or a mapping keeps it out of the CRM."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from connector.delivery.listen import Listener
from connector.delivery.paying import PORTION
from connector.delivery.route import Running
from connector.errors import PauseReason, StateChanged
from connector.receive import read
from connector.settlement import Obligation, ObligationState, Pause, Settlement
from connector.store.consent_tables import obligations
from connector.store.desk import Filter
from connector.store.opt_outs import Period
from connector.store.tables import deliveries, events
from tests.promises.crm import REFUSED, Fault
from tests.promises.stage import AGENCY, DESTINATION, HOLD, LANE, Stage, a_person, a_talk, compiled

NO_CALLS = {"doNotCall": True}


def owed(stage: Stage) -> dict[tuple[str, str], str]:
    """(customer, flag) -> state, of every obligation there is."""
    with stage.store.database.reading() as connection:
        return {(row.customer_id, row.flag): row.state for row in connection.execute(select(obligations))}


def row(stage: Stage, customer: str = "c-1", flag: str = "doNotCall") -> Any:
    with stage.store.database.reading() as connection:
        mine = (obligations.c.customer_id == customer, obligations.c.flag == flag)
        return connection.execute(select(obligations).where(*mine)).one()


def pause(stage: Stage, reason: PauseReason, seconds: int = 3600) -> None:
    lease = stage.lease()
    assert lease is not None
    stage.store.lanes.settle(lease, Settlement("", pause=Pause(seconds * 1000, reason, "planned")), HOLD)


def by_hand(stage: Stage, key: str, number: str) -> dict[str, Any]:
    """A contact that is in the CRM already."""
    record = {"Id": number, "object": "Contact", "Key": key, "LastName": "Delacroix"}
    stage.crm.records[number] = record
    return record


def moved(stage: Stage) -> None:
    """A customer with two contacts, because the key they are matched by changed, who now opts out."""
    stage.route.running = Running(BY_EMAIL)
    for number, address in enumerate(["old@example.com", "new@example.com"]):
        stage.accept(f"m{number}", a_person("c-1", number, email=address))
        stage.drain()
    stage.accept("n", a_person("c-1", 2, email="new@example.com", **NO_CALLS))


class TestAnObligation:
    def test_is_there_from_the_moment_an_event_is_accepted(self, stage: Stage) -> None:
        stage.accept("m", a_person("c-1", 1, doNotCall=True, doNotSMS=True))
        assert owed(stage) == {("c-1", "doNotCall"): "owed", ("c-1", "doNotSMS"): "owed"}

    def test_is_applied_with_its_record_once_the_crm_confirmed_it(self, stage: Stage) -> None:
        stage.accept("m", a_person("c-1", 1, **NO_CALLS))
        stage.drain()
        found = row(stage)
        assert (found.state, found.object, found.crm_id, found.due_at) == ("applied", "Contact", "001", None)

    def test_costs_one_write(self, stage: Stage) -> None:
        stage.accept("m", a_person("c-1", 1))
        stage.drain()
        stage.accept("n", a_person("c-1", 2, **NO_CALLS))
        stage.drain()
        assert [write.fields for write in stage.crm.writes[1:]] == [{"NoCall": True}]

    def test_stays_applied_while_later_events_say_the_same(self, stage: Stage) -> None:
        stage.accept("m", a_person("c-1", 1, **NO_CALLS))
        stage.drain()
        since = row(stage).since
        stage.clock.forward(60_000)
        stage.accept("n", a_person("c-1", 2, **NO_CALLS))
        assert owed(stage) == {("c-1", "doNotCall"): "applied"}
        stage.drain()
        assert row(stage).due_at is None
        assert row(stage).since == stage.clock() or row(stage).since == since

    def test_is_owed_again_after_carecycle_said_false_and_then_true(self, stage: Stage) -> None:
        stage.accept("m", a_person("c-1", 1, **NO_CALLS))
        stage.drain()
        stage.accept("n", a_person("c-1", 2))
        stage.drain()
        stage.crm.records["001"]["NoCall"] = False  # a person lowers it
        stage.accept("o", a_person("c-1", 3, **NO_CALLS))
        assert owed(stage) == {("c-1", "doNotCall"): "owed"}
        stage.drain()
        assert stage.crm.records["001"]["NoCall"] is True

    def test_of_a_flag_no_mapping_carries_says_so(self, stage: Stage) -> None:
        stage.accept("m", a_person("c-1", 1, doNotMail=True))
        stage.drain()
        assert owed(stage) == {("c-1", "doNotMail"): "not mapped"}

    @pytest.mark.slow
    def test_waits_for_a_record_and_is_applied_with_it(self, stage: Stage) -> None:
        stage.accept("m", a_person("c-1", 1, status="Inactive", **NO_CALLS))  # left out by the filter
        stage.drain()
        assert owed(stage) == {("c-1", "doNotCall"): "no record"}
        stage.accept("n", a_person("c-1", 2))
        stage.drain()
        assert (owed(stage), stage.crm.records["001"]["NoCall"]) == ({("c-1", "doNotCall"): "applied"}, True)


class TestNothingKeepsAnOptOutOut:
    def test_not_a_value_the_crm_refuses(self, stage: Stage) -> None:
        contact = by_hand(stage, "c-1", "900")
        stage.accept("m", a_person("c-1", 1, city=REFUSED, **NO_CALLS))
        stage.drain()
        assert (contact["NoCall"], owed(stage)) == (True, {("c-1", "doNotCall"): "applied"})

    def test_not_another_flag_that_cannot_be_written(self, stage: Stage) -> None:
        contact = by_hand(stage, "c-1", "900")
        stage.crm.unwritable.add("NoText")
        stage.accept("m", a_person("c-1", 1, doNotCall=True, doNotSMS=True))
        stage.drain()
        assert contact["NoCall"] is True
        assert owed(stage) == {("c-1", "doNotCall"): "applied", ("c-1", "doNotSMS"): "refused"}
        found = row(stage, flag="doNotSMS")
        assert (found.code, found.fields) == ("INVALID_FIELD", '["NoText"]')

    def test_not_twins(self, stage: Stage) -> None:
        twins = [by_hand(stage, "c-1", "900"), by_hand(stage, "c-1", "901")]
        stage.accept("m", a_person("c-1", 1, **NO_CALLS))
        stage.drain()
        assert [twin["NoCall"] for twin in twins] == [True, True]
        assert owed(stage) == {("c-1", "doNotCall"): "applied"}

    def test_not_a_twin_of_the_record_we_know(self, stage: Stage) -> None:
        stage.accept("m", a_person("c-1", 1))
        stage.drain()
        twin = by_hand(stage, "c-1", "901")
        stage.accept("n", a_person("c-1", 2, **NO_CALLS))
        stage.drain()
        assert (stage.crm.records["001"]["NoCall"], twin["NoCall"]) == (True, True)
        assert owed(stage) == {("c-1", "doNotCall"): "applied"}

    def test_not_a_twin_that_was_made_after_it_was_applied(self, stage: Stage) -> None:
        stage.accept("m", a_person("c-1", 1, **NO_CALLS))
        stage.drain()
        twin = by_hand(stage, "c-1", "901")
        stage.accept("n", a_person("c-1", 2, city="Mesa"))
        stage.accept("o", a_person("c-1", 3, city="Yuma", **NO_CALLS))
        stage.drain()
        assert (twin.get("NoCall"), owed(stage)) == (True, {("c-1", "doNotCall"): "applied"})

    def test_not_a_twin_that_may_not_have_it_while_the_record_we_know_has(self, stage: Stage) -> None:
        stage.accept("m", a_person("c-1", 1, **NO_CALLS))
        stage.drain()
        twin = by_hand(stage, "c-1", "901")
        stage.crm.unwritable.add("NoCall")
        stage.accept("n", a_person("c-1", 2, city="Mesa", **NO_CALLS))
        for _ in range(3):  # it is tried again, and refused again
            stage.drain()
            assert owed(stage) == {("c-1", "doNotCall"): "refused"}
            stage.clock.forward(row(stage).due_at - stage.clock())
        stage.crm.unwritable.clear()
        stage.drain()
        assert (twin.get("NoCall"), owed(stage)) == (True, {("c-1", "doNotCall"): "applied"})

    def test_not_a_look_up_that_finds_nobody(self, stage: Stage) -> None:
        contact = by_hand(stage, "c-1", "900")
        stage.route.running = Running(LOOKING)
        stage.accept("m", a_person("c-1", 1, agentName="Nobody", **NO_CALLS))
        stage.drain()
        assert (contact["NoCall"], owed(stage)) == (True, {("c-1", "doNotCall"): "applied"})

    @pytest.mark.parametrize("reason", [PauseReason.OPERATOR, PauseReason.BUDGET, PauseReason.REFUSED])
    def test_not_a_lane_that_is_paused_for_its_data(self, stage: Stage, reason: PauseReason) -> None:
        contact = by_hand(stage, "c-1", "900")
        stage.accept("first", a_person("c-2", 1))
        pause(stage, reason)
        stage.accept("m", a_person("c-1", 1, city="Mesa", **NO_CALLS))
        stage.drain()
        assert (contact["NoCall"], contact.get("City")) == (True, None)
        assert owed(stage) == {("c-1", "doNotCall"): "applied"}

    def test_not_an_event_that_cannot_be_read(self, stage: Stage) -> None:
        contact = by_hand(stage, "c-1", "900")
        call = a_talk("k-1", a_person("c-1", 1, **NO_CALLS), 1)
        del call["id"]
        stage.accept("m", call)
        assert owed(stage) == {("c-1", "doNotCall"): "owed"}
        stage.drain()
        assert (contact["NoCall"], owed(stage)) == (True, {("c-1", "doNotCall"): "applied"})

    def test_not_a_payload_that_is_gone(self, stage: Stage) -> None:
        contact = by_hand(stage, "c-1", "900")
        stage.accept("m", a_person("c-1", 1, **NO_CALLS))
        with stage.store.database.transaction() as connection:
            connection.execute(events.update().values(payload=None))
        stage.drain()
        assert (contact["NoCall"], owed(stage)) == (True, {("c-1", "doNotCall"): "applied"})

    @pytest.mark.slow
    def test_not_another_flag_of_its_event_that_is_paid_later(self, stage: Stage) -> None:
        contact = by_hand(stage, "last", "900")
        stage.accept("odd", a_person("odd", 0, **NO_CALLS))
        for number in range(PORTION // 2 - 1):
            stage.accept(f"m{number}", a_person(f"c-{number}", 1, doNotCall=True, doNotSMS=True))
        stage.accept("last", a_person("last", 1, doNotCall=True, doNotSMS=True))
        stage.drain()
        assert (contact["NoCall"], contact["NoText"]) == (True, True)
        states = owed(stage)
        assert (states["last", "doNotCall"], states["last", "doNotSMS"]) == ("applied", "applied")

    def test_not_another_customer_with_the_same_key(self, stage: Stage) -> None:
        contact = by_hand(stage, "home@example.com", "900")
        stage.route.running = Running(BY_EMAIL)
        stage.accept("m", a_person("c-1", 1, email="home@example.com", **NO_CALLS))
        stage.accept("n", a_person("c-2", 2, email="home@example.com", doNotCall=True, doNotSMS=True))
        stage.drain()
        assert (contact["NoCall"], contact["NoText"]) == (True, True)
        assert set(owed(stage).values()) == {"applied"}

    def test_not_a_key_that_its_customer_had_none_of(self, stage: Stage) -> None:
        stage.route.running = Running(BY_EMAIL)
        stage.accept("m", a_person("c-1", 1, email=None, **NO_CALLS))
        stage.drain()
        assert owed(stage) == {("c-1", "doNotCall"): "not mapped"}
        stage.accept("n", a_person("c-1", 2, email="home@example.com"))
        stage.drain()
        assert [contact["NoCall"] for contact in stage.crm.records.values()] == [True]
        assert owed(stage) == {("c-1", "doNotCall"): "applied"}

    def test_not_a_required_field_without_a_value(self, stage: Stage) -> None:
        contact = by_hand(stage, "c-1", "900")
        stage.route.running = Running(REQUIRING)
        for customer in ("c-1", "c-2"):
            stage.accept(customer, a_person(customer, 1, city=None, **NO_CALLS))
        stage.drain()
        assert contact["NoCall"] is True
        assert owed(stage) == {("c-1", "doNotCall"): "applied", ("c-2", "doNotCall"): "no record"}

    @pytest.mark.parametrize("other", ["c-1", "c-2"])
    def test_not_another_flag_on_the_same_record(self, stage: Stage, other: str) -> None:
        stage.route.running = Running(BY_EMAIL)
        stage.accept("m", a_person("c-1", 1, email="home@example.com"))
        stage.drain()
        stage.accept("n", a_person("c-1", 2, email=None, **NO_CALLS))
        stage.accept("o", a_person(other, 3, email="home@example.com", doNotSMS=True))
        stage.drain()
        (contact,) = stage.crm.records.values()
        assert (contact["NoCall"], contact["NoText"]) == (True, True)
        assert set(owed(stage).values()) == {"applied"}

    def test_not_a_key_that_changed(self, stage: Stage) -> None:
        moved(stage)
        stage.drain()
        assert [contact["NoCall"] for contact in stage.crm.records.values()] == [True, True]
        assert owed(stage) == {("c-1", "doNotCall"): "applied"}

    def test_not_the_odd_field_beside_it(self, stage: Stage) -> None:
        contact = by_hand(stage, "c-1", "900")
        stage.accept("m", a_person("c-1", 1, subsidyAmount=148.5, dateOfBirth="04/12/1958", **NO_CALLS))
        stage.drain()
        assert (contact["NoCall"], owed(stage)) == (True, {("c-1", "doNotCall"): "applied"})


class TestWhatAnAttackerFound:
    def test_false_and_true_in_one_turn_still_raise_what_a_person_lowered(self, stage: Stage) -> None:
        stage.accept("m", a_person("c-1", 1, **NO_CALLS))
        stage.drain()
        stage.crm.records["001"]["NoCall"] = False
        stage.accept("n", a_person("c-1", 2))
        stage.accept("o", a_person("c-1", 3, **NO_CALLS))
        stage.drain()
        assert stage.crm.records["001"]["NoCall"] is True

    def test_a_record_that_only_looks_alike_gets_nobodys_flag(self, stage: Stage) -> None:
        strangers = [by_hand(stage, "", "900"), by_hand(stage, "", "901")]
        for stranger in strangers:
            stranger["Email"] = "shared@example.com"
        stage.route.running = Running(ADOPTING)
        stage.accept("m", a_person("c-1", 1, email="shared@example.com", **NO_CALLS))
        stage.drain()
        assert [stranger.get("NoCall") for stranger in strangers] == [None, None]

    def test_a_refused_flag_is_tried_less_and_less_often(self, stage: Stage) -> None:
        by_hand(stage, "c-1", "900")
        stage.crm.unwritable.add("NoCall")
        stage.accept("m", a_person("c-1", 1, **NO_CALLS))
        calls = []
        for _ in range(3):
            for _ in range(24 * 4):
                stage.clock.forward(900_000)
                stage.drain()
            calls.append(stage.crm.calls)
        assert calls[2] - calls[1] <= 20

    def test_a_payload_is_kept_while_its_opt_out_is_owed(self, stage: Stage) -> None:
        by_hand(stage, "c-1", "900")
        stage.crm.unwritable.add("NoCall")
        stage.accept("m", a_person("c-1", 1, **NO_CALLS))
        stage.drain()
        stage.store.desk.discard(Filter(message_id="m"), "ana")
        assert stage.store.retention.purge("sunrise", stage.clock() + 1) == 0
        stage.crm.unwritable.clear()
        stage.clock.forward(row(stage).due_at - stage.clock())
        stage.drain()
        assert stage.store.retention.purge("sunrise", stage.clock() + 1) == 1

    def test_a_flag_mapped_to_another_field_is_raised_there(self, stage: Stage) -> None:
        stage.accept("m", a_person("c-1", 1, **NO_CALLS))
        stage.drain()
        stage.route.running = Running(RENAMED)
        stage.store.mappings.running(DESTINATION, RENAMED.version)
        stage.drain()
        assert stage.contact()["NeverCall"] is True


class TestADeadLetterOfAnOlderVersion:
    def test_that_hid_an_opt_out_owes_it_once_it_is_replayed(self, stage: Stage) -> None:
        by_hand(stage, "c-1", "900")
        stage.crm.unwritable.add("NoCall")
        stage.accept("m", a_person("c-1", 1, subsidyAmount=148.5, **NO_CALLS))
        with stage.store.database.transaction() as connection:
            connection.execute(obligations.delete())
            connection.execute(events.update().values(raised="", customer_id=None, type=""))
            connection.execute(deliveries.update().values(state="dead", code="E210"))
        stage.store.desk.replay(Filter(message_id="m"), "ana")
        stage.drain()
        assert owed(stage) == {("c-1", "doNotCall"): "refused"}


class TestAnAccountThatCannotBeUsed:
    def test_keeps_an_obligation_owed_and_it_goes_first_when_that_ends(self, stage: Stage) -> None:
        contact = by_hand(stage, "c-1", "900")
        stage.accept("first", a_person("c-2", 1))
        stage.accept("m", a_person("c-1", 1, **NO_CALLS))
        stage.crm.faults.append(Fault.DOWN)
        stage.drain()
        assert (owed(stage), contact.get("NoCall")) == ({("c-1", "doNotCall"): "owed"}, None)
        stage.clock.forward(stage.store.lanes.next_due_ms([LANE], 10 * 3_600_000))
        stage.drain()
        assert stage.crm.writes[0].fields == {"NoCall": True}
        assert owed(stage) == {("c-1", "doNotCall"): "applied"}

    def test_halfway_through_keeps_it_owed_until_every_record_has_it(self, stage: Stage) -> None:
        moved(stage)
        stage.crm.meanwhile.append(("after", lambda: stage.crm.faults.append(Fault.DOWN)))
        stage.drain()
        assert sum(contact.get("NoCall") is True for contact in stage.crm.records.values()) == 1
        assert owed(stage) == {("c-1", "doNotCall"): "owed"}
        stage.clock.forward(stage.store.lanes.next_due_ms([LANE], 10 * 3_600_000))
        stage.drain()
        assert [contact["NoCall"] for contact in stage.crm.records.values()] == [True, True]
        assert owed(stage) == {("c-1", "doNotCall"): "applied"}


class TestARefusal:
    def test_is_tried_again_and_ends_when_its_cause_does(self, stage: Stage) -> None:
        contact = by_hand(stage, "c-1", "900")
        stage.crm.unwritable.add("NoCall")
        stage.accept("m", a_person("c-1", 1, **NO_CALLS))
        stage.drain()
        assert owed(stage) == {("c-1", "doNotCall"): ObligationState.REFUSED}
        stage.crm.unwritable.clear()
        stage.clock.forward(row(stage).due_at - stage.clock())
        stage.drain()
        assert (contact["NoCall"], owed(stage)) == (True, {("c-1", "doNotCall"): "applied"})


class TestAFlagThatCareCycleLowered:
    @pytest.mark.parametrize("gone", [True, False])
    def test_is_not_raised_on_a_record_created_again(self, stage: Stage, gone: bool) -> None:
        stage.accept("m", a_person("c-1", 1, **NO_CALLS))
        stage.drain()
        stage.accept("n", a_person("c-1", 2))
        stage.drain()
        stage.crm.records.clear()
        if not gone:
            by_hand(stage, "c-1", "900")
        stage.accept("o", a_person("c-1", 3, city="Mesa", county="Pima"))
        stage.drain_in_time()
        (contact,) = stage.crm.records.values()
        assert (contact["City"], contact.get("NoCall")) == ("Mesa", None)


class TestAMessageNobodyCanRead:
    def test_opts_out_whom_it_names(self) -> None:
        body = {"event_type": 7, "customer": {"id": "c-1", "doNotMail": True}}
        arrival = read(AGENCY, "m", json.dumps(body).encode(), 1)
        assert (arrival.state, arrival.customer_id, arrival.raised) == ("dead", "c-1", {"doNotMail"})

    def test_of_an_unknown_type_opts_out_whom_it_names(self) -> None:
        body = a_person("c-1", 1, event_type="customer.merged", doNotCall=True)
        arrival = read(AGENCY, "m", json.dumps(body).encode(), 1)
        assert (arrival.state, arrival.customer_id, arrival.raised) == ("ignored", "c-1", {"doNotCall"})


LOOKING = compiled("""\
version: 1
crm: salesforce
consent:
  flags: { doNotCall: contact.NoCall }
  waive: [doNotSMS, doNotEmail, doNotMail]
records:
  contact:
    object: Contact
    key: { Key: customer.id }
    fields:
      LastName: customer.lastName
      Owner: { lookup: { object: User, match: { Name: customer.agentName }, return: id, missing: reject } }
""")


class TestAnOptOutSpokenInACall:
    def spoken(self, stage: Stage, message_id: str = "m", at: int = 1) -> None:
        stage.route.running = Running(SPEAKING)
        stage.accept(message_id, a_talk("k-1", a_person("c-1", at), at, disposition="Do Not Call"))
        stage.drain()

    def test_is_an_obligation_applied_with_its_record(self, stage: Stage) -> None:
        self.spoken(stage)
        assert (owed(stage), stage.contact()["NoCall"]) == ({("c-1", "doNotCall"): "applied"}, True)

    def test_does_not_wait_for_a_lane_that_is_paused(self, stage: Stage) -> None:
        contact = by_hand(stage, "c-1", "900")
        stage.route.running = Running(SPEAKING)
        listen = Listener(stage.store, [stage.route])
        stage.accept("first", a_person("c-2", 1))
        pause(stage, PauseReason.OPERATOR)
        stage.accept("m", a_talk("k-1", a_person("c-1", 1), 1, disposition="Do Not Call"))
        stage.clock.forward(10_000)
        listen()
        assert owed(stage) == {("c-1", "doNotCall"): "owed"}
        stage.drain()
        assert (contact["NoCall"], owed(stage)) == (True, {("c-1", "doNotCall"): "applied"})

    def test_is_owed_to_a_crm_whose_lane_comes_after_another_has_heard_it(self, stage: Stage) -> None:
        by_hand(stage, "c-1", "900")
        stage.route.running = Running(SPEAKING)
        stage.accept("m", a_talk("k-1", a_person("c-1", 1), 1, disposition="Do Not Call"))
        with stage.store.database.reading() as connection:
            event_id = connection.execute(select(events.c.id)).scalar_one()
        elsewhere = Obligation("sunrise/other", "c-1", "doNotCall", stage.clock(), event_id)
        stage.store.spoken.owe([(elsewhere, "sunrise/other/0")])
        stage.drain()
        lines = stage.store.opt_outs.report(Period(0, 2**62))
        assert [(line.destination, line.status) for line in lines] == [
            (DESTINATION, "applied"),
            ("sunrise/other", "waiting"),
        ]

    def test_that_an_older_version_did_not_read_does_not_wait_for_its_lane(self, stage: Stage) -> None:
        stage.route.running = Running(SPEAKING)
        stage.accept("first", a_person("c-2", 1))
        pause(stage, PauseReason.OPERATOR)
        arrival = stage.arrival("m", a_person("c-1", 1, doNotCall=True))
        stage.store.inbox.accept([replace(arrival, raised=frozenset(), priority=0)])
        stage.clock.forward(10_000)
        Listener(stage.store, [stage.route])()
        assert owed(stage) == {("c-1", "doNotCall"): "owed"}

    def test_is_counted_while_the_account_cannot_be_used(self, stage: Stage) -> None:
        stage.route.running = Running(SPEAKING)
        stage.accept("first", a_person("c-2", 1))
        pause(stage, PauseReason.OUTAGE)
        stage.accept("m", a_talk("k-1", a_person("c-1", 1), 1, disposition="Do Not Call"))
        stage.clock.forward(10_000)
        Listener(stage.store, [stage.route])()
        assert stage.store.opt_outs.standing()[0].waiting == 1

    def test_is_heard_once_and_again_when_the_mapping_changed(self, stage: Stage) -> None:
        listen = Listener(stage.store, [stage.route])
        stage.accept("m", a_talk("k-1", a_person("c-1", 1), 1, disposition="Do Not Call"))
        stage.clock.forward(10_000)
        listen()
        assert owed(stage) == {}
        stage.route.running = Running(SPEAKING)
        listen()
        assert owed(stage) == {("c-1", "doNotCall"): "owed"}

    def test_is_owed_although_its_event_was_set_aside_first(self, stage: Stage) -> None:
        stage.route.running = Running(SPEAKING)
        stage.accept("m", a_talk("k-1", a_person("c-1", 1), 1, disposition="Do Not Call"))
        (waiting,) = stage.store.desk.deliveries(Filter(message_id="m"))
        stage.store.desk.set_aside(waiting.id, "ana", "it stops the CRM")
        stage.clock.forward(10_000)
        Listener(stage.store, [stage.route])()
        assert owed(stage) == {("c-1", "doNotCall"): "owed"}

    def test_is_in_the_report(self, stage: Stage) -> None:
        self.spoken(stage)
        (line,) = stage.store.opt_outs.report(Period(0, 2**62))
        assert (line.message_id, line.flag, line.status) == ("m", "doNotCall", "applied")

    def test_stands_whatever_carecycle_says_until_an_operator_lowers_it(self, stage: Stage) -> None:
        self.spoken(stage)
        stage.accept("n", a_person("c-1", 2))
        stage.drain()
        stage.crm.records["001"]["NoCall"] = False
        stage.crm.records.clear()  # made anew, it carries the flag again
        stage.accept("o", a_person("c-1", 3, city="Mesa", county="Pima"))
        stage.drain_in_time()
        assert stage.store.ledger.consents(DESTINATION, ["c-1"])["c-1"]["doNotCall"].spoken
        stage.clock.forward(60_000)
        assert stage.store.lowering.lower("c-1", "doNotCall", "ana", "agreed by letter") == [DESTINATION]
        assert not stage.store.ledger.consents(DESTINATION, ["c-1"])["c-1"]["doNotCall"].spoken
        assert owed(stage) == {}
        assert stage.store.audit.entries(1)[0].what == "doNotCall; customer c-1"

    def test_is_not_raised_again_by_a_replay_after_it_was_lowered(self, stage: Stage) -> None:
        self.spoken(stage)
        stage.clock.forward(600_000)
        stage.store.lowering.lower("c-1", "doNotCall", "ana", "agreed")
        stage.store.desk.replay(Filter(message_id="m", state="delivered"), "ana")
        stage.drain()
        assert not stage.store.ledger.consents(DESTINATION, ["c-1"])["c-1"]["doNotCall"].spoken
        assert owed(stage) == {}

    def test_is_raised_again_by_another_call(self, stage: Stage) -> None:
        self.spoken(stage)
        stage.store.lowering.lower("c-1", "doNotCall", "ana", "agreed")
        self.spoken(stage, "later", at=60)
        assert stage.store.ledger.consents(DESTINATION, ["c-1"])["c-1"]["doNotCall"].spoken

    def test_that_nobody_spoke_cannot_be_lowered(self, stage: Stage) -> None:
        stage.accept("m", a_person("c-1", 1, **NO_CALLS))
        stage.drain()
        with pytest.raises(StateChanged, match="careCycle's own flag"):
            stage.store.lowering.lower("c-1", "doNotCall", "ana", "agreed")


_BASE = """\
version: 1
crm: salesforce
consent:
  flags: {{ doNotCall: contact.{flag} }}
  waive: [doNotSMS, doNotEmail, doNotMail]
records:
  contact:
    object: Contact
    key: {{ Key: customer.id }}
    {more}
    fields: {{ LastName: customer.lastName, Email: customer.email }}
"""
ADOPTING = compiled(_BASE.format(flag="NoCall", more="also_match: [ { Email: customer.email } ]"))
REQUIRING = compiled(
    _BASE.format(flag="NoCall", more="").replace(
        "Email: customer.email", "City: { from: customer.city, required: true }"
    )
)
RENAMED = compiled(_BASE.format(flag="NeverCall", more="mode: upsert"))

SPEAKING = compiled("""\
version: 1
crm: salesforce
consent:
  flags: { doNotCall: contact.NoCall }
  waive: [doNotSMS, doNotEmail, doNotMail]
  raise: { doNotCall: { when: { call.disposition: Do Not Call } } }
records:
  contact:
    object: Contact
    key: { Key: customer.id }
    fields: { LastName: customer.lastName, City: customer.city }
""")

BY_EMAIL = compiled("""\
version: 1
crm: salesforce
consent:
  flags: { doNotCall: contact.NoCall, doNotSMS: contact.NoText }
  waive: [doNotEmail, doNotMail]
records:
  contact:
    object: Contact
    key: { Key: customer.email }
    fields:
      LastName: customer.lastName
""")
