"""The page Now, decided purely: what needs a person, and how things are in one sentence."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from connector.errors import PauseReason
from connector.insight.alarms import Seen, Silence, raised
from connector.insight.facts import Day, DeadFact, Facts
from connector.insight.headline import headline
from connector.insight.links import anchor
from connector.insight.needs import Need, Page, Trouble, needs
from connector.settlement import DeliveryState
from connector.settlement.clocks import Hold, ProcessClock
from connector.settlement.gaps import Lost
from connector.settlement.listings import LaneOptOuts, LaneStatus, MappingStatus, RecentDead
from connector.settlement.oddities import Oddity
from connector.settlement.source import Compared, Comparison
from connector.settlement.verification import Difference, Standing

NOW = 1_781_784_000_000  # 2026-06-18T12:00:00Z
MINUTE = 60_000
DAY = 1440 * MINUTE
HUBSPOT, SALESFORCE = "sunrise/hubspot", "sunrise/salesforce"
WORKER = ProcessClock("host-1", "work", 0)
TITLES = {HUBSPOT: "HubSpot", SALESFORCE: "Salesforce"}
FOREVER = 2**62


def lane(name: str = HUBSPOT, **state: Any) -> LaneStatus:
    return LaneStatus(f"{name}/0", name, **state)


def down(code: str = PauseReason.UNREACHABLE, minutes: int = 4, name: str = HUBSPOT, **state: Any) -> LaneStatus:
    """A lane that failed five times, and is paused for another half a minute."""
    failing: dict[str, Any] = {"failures": 5, "pause_code": code, "pause_reason": "it does not answer", "paused": True}
    failing |= {"paused_until": NOW + 30_000, "stopped_since": NOW - minutes * MINUTE}
    return lane(name, **failing | state)


def owing(count: int = 21, minutes: int = 6, refused: int = 0, name: str = HUBSPOT) -> LaneOptOuts:
    return LaneOptOuts(f"{name}/0", name, count - refused, refused, oldest_ms=minutes * MINUTE)


def facts(seen: Seen | None = None, **more: Any) -> Facts:
    own = seen or Seen(NOW, [lane()])
    known = own.mappings or [MappingStatus(HUBSPOT, "v1"), MappingStatus(SALESFORCE, "v1")]
    own = replace(own, processes=own.processes or [WORKER], mappings=known)
    return Facts(NOW, **{"seen": {"sunrise": own}, "titles": TITLES, **more})


def dead(**changes: Any) -> DeadFact:
    told = {"id": "c0ffee", "destination": HUBSPOT, "code": "INVALID_EMAIL", "what": "The address is not accepted."}
    return DeadFact(**{**told, "count": 3, "customers": 2, **changes})


def today(events: int = 312, **states: int) -> dict[str, Day]:
    return {"sunrise": Day(events, {DeliveryState(state): count for state, count in states.items()})}


def at(anything: Facts) -> list[Trouble]:
    return [need.trouble for need in needs(anything)]


def said(anything: Facts) -> str:
    return headline(anything, needs(anything))


ODD = Oddity("sunrise", "customer.subsidyAmount", expected="a number", got="text", until=NOW, since=NOW)
ODD_FLAG = replace(ODD, field="customer.doNotCall", expected="true or false")
UNTRANSLATED = replace(ODD, destination=HUBSPOT, target="contact.state")
UNKNOWN = Compared(Comparison({"unknown": 2}), NOW - MINUTE, NOW)

ALONE = {
    Trouble.LATE: Seen(NOW, [lane(opt_outs=3)], [owing(3)]),
    Trouble.LOWERED: Seen(NOW, [lane()], [LaneOptOuts(f"{HUBSPOT}/0", HUBSPOT, lowered=2, lowered_at=NOW)]),
    Trouble.HISTORY: Seen(NOW, [lane()], lost=Lost(NOW, NOW, 3, NOW, another=False)),
    Trouble.ODD_FLAG: Seen(NOW, [lane()], odd=[ODD_FLAG]),
    Trouble.LANE: Seen(NOW, [down(ready=7)]),
    Trouble.MAPPING: Seen(NOW, [lane()], mappings=[MappingStatus(HUBSPOT, "v1", NOW, NOW, "own.yaml:2:5: error")]),
    Trouble.SILENCE: Seen(NOW, [lane()], silence=Silence(NOW - 90 * MINUTE, 90 * MINUTE, MINUTE)),
    Trouble.DOWN: Seen(NOW, [lane()], looked_at=NOW - 180 * MINUTE),
    Trouble.NOT_HERE: Seen(NOW, [lane()], source=UNKNOWN),
    Trouble.NOT_ASKED: Seen(NOW, [lane()], source=Compared(problem="the key is refused")),
    Trouble.MISSING: Seen(NOW, [lane()], compared=[Standing(HUBSPOT, {Difference.MISSING: 4}, NOW)]),
    Trouble.UNTRANSLATED: Seen(NOW, [lane()], odd=[UNTRANSLATED]),
    Trouble.ODD: Seen(NOW, [lane()], odd=[ODD]),
    Trouble.CLOCK: Seen(NOW, [lane()], processes=[ProcessClock("host-1", "work", 90_000)]),
    Trouble.DELETION: Seen(NOW, [lane()], hold=Hold(NOW, NOW, MINUTE, 5, 1)),
    Trouble.RENEW: Seen(NOW, [lane()], renewals=[(HUBSPOT, date(2026, 6, 20))]),
    Trouble.BACKUP: Seen(NOW, [lane()], backup_at=NOW - 3 * DAY, backup_days=2),
}
"""Each trouble that an alarm may be sent about, alone."""


class TestNeeds:
    @pytest.mark.parametrize("trouble", ALONE)
    def test_each_trouble_alone_needs_a_person_once_and_says_where_its_fix_is(self, trouble: Trouble) -> None:
        (need,) = needs(facts(ALONE[trouble]))
        assert need.trouble is trouble
        assert need.fix.page or need.fix.command
        assert not need.say.endswith(".")
        assert need.more.endswith((".", "`"))

    @pytest.mark.parametrize("trouble", ALONE)
    def test_every_alarm_has_its_entry(self, trouble: Trouble) -> None:
        own = facts(ALONE[trouble])
        places = {place for need in needs(own) for place in need.anchors}
        assert {anchor(alarm.key) for alarm in raised(own.seen["sunrise"])} <= places

    @pytest.mark.parametrize("trouble", ALONE)
    def test_its_times_are_written_as_the_page_writes_them(self, trouble: Trouble) -> None:
        (need,) = needs(facts(replace(ALONE[trouble], write=lambda at: "05:00 MST")))
        assert "UTC" not in need.more

    def test_dead_letters_are_listed_by_cause_and_their_alarm_leads_to_the_first(self) -> None:
        seen = Seen(NOW, [lane()], dead=[RecentDead(HUBSPOT, "INVALID_EMAIL", 9)])
        listed = needs(facts(seen, dead=[dead(), dead(id="beef", customers=1)]))
        assert [need.fix.page for need in listed] == [Page.CAUSE, Page.CAUSE]
        assert [need.fix.about for need in listed] == ["c0ffee", "beef"]
        assert "dead-letters-sunrise-hubspot-invalid-email" in listed[0].anchors

    def test_muted_ones_need_nobody_unless_they_hold_opt_outs(self) -> None:
        assert at(facts(dead=[dead(muted=True)])) == []
        assert at(facts(dead=[dead(muted=True, opt_outs=1)])) == [Trouble.DEAD]

    def test_those_that_hold_opt_outs_come_first(self) -> None:
        listed = needs(facts(dead=[dead(id="many", customers=900), dead(id="held", customers=1, opt_outs=1)]))
        assert [need.thing for need in listed] == ["held", "many"]

    def test_unread_messages_come_before_other_dead_letters(self) -> None:
        assert at(facts(dead=[dead(id="a", customers=900), dead(id="b", unread=True)])) == [
            Trouble.UNREAD, Trouble.DEAD
        ]  # fmt: skip

    def test_what_waits_without_a_worker_is_told_with_the_command(self) -> None:
        seen = Seen(NOW, [lane(ready=3)], processes=[ProcessClock("host-1", "receive", 0)])
        (need,) = needs(facts(seen))
        assert (need.trouble, need.fix.command) == (Trouble.UNSERVED, "connector run -c agency.yaml")

    def test_a_lane_paused_by_hand_is_to_be_resumed(self) -> None:
        held = down(PauseReason.OPERATOR, 120, failures=0, paused_until=FOREVER)
        (need,) = needs(facts(Seen(NOW, [held])))
        assert (need.say, need.fix.label) == ("sunrise/hubspot/0 has been paused by hand for 2 hours", "Resume…")

    def test_a_lane_that_fails_a_moment_needs_nobody_yet(self) -> None:
        assert at(facts(Seen(NOW, [down(failures=1, minutes=0)]))) == []

    def test_opt_outs_that_a_failing_crm_holds_are_one_entry_with_the_failure(self) -> None:
        (need,) = needs(facts(Seen(NOW, [down(minutes=7, opt_outs=21, ready=40)], [owing()])))
        assert need.trouble is Trouble.LATE
        assert need.say == "HubSpot has not answered for 7 minutes"
        assert need.anchors == ("opt-outs-late-sunrise-hubspot-0", "lane-paused-sunrise-hubspot-0")

    def test_refused_opt_outs_lead_to_whose_they_are(self) -> None:
        (need,) = needs(facts(Seen(NOW, [lane(opt_outs=2)], [owing(2, refused=1)])))
        assert (need.fix.page, need.fix.command) == (Page.CONSENT, "connector consent report")
        assert "refused 1 of them" in need.more

    def test_the_rest_is_listed_too(self) -> None:
        more = facts(questions=2, left_out=3, expiring={"sunrise": 4, "harbor": 0}, lingering=["was down connector"])
        assert at(more) == [Trouble.EXPIRING, Trouble.QUESTIONS, Trouble.LEFT_OUT, Trouble.OTHER]

    def test_a_backup_is_late_only_where_somebody_asked_for_backups(self) -> None:
        assert at(facts(Seen(NOW, [lane()], backup_at=NOW - 300 * DAY))) == []
        assert at(facts(Seen(NOW, [lane()], backup_at=NOW - 2 * DAY, backup_days=2))) == []
        (need,) = needs(facts(Seen(NOW, [lane()], backup_days=2)))
        assert "none is noted" in need.more

    def test_a_disk_nearly_full_and_an_api_that_ends_are_listed(self) -> None:
        assert at(facts(space=1 << 30)) == []
        ending = {HUBSPOT: "HubSpot ends support of version 2026-03 of its API on 2026-09-30: update the connector"}
        full, old = needs(facts(space=1 << 29, ending=ending))
        assert full.say == "Only 0.5 GiB free on the database's disk"
        assert (old.trouble, old.say) == (Trouble.VERSION, "The version of HubSpot's API that is used ends")

    def test_what_concerns_every_agency_is_listed_once(self) -> None:
        clock = Seen(NOW, [lane()], processes=[ProcessClock("host-1", "work", 90_000)])
        assert at(replace(facts(), seen={"sunrise": clock, "harbor": clock})) == [Trouble.CLOCK]

    def test_all_at_once_comes_worst_first(self) -> None:
        everything = Seen(
            NOW,
            [down(opt_outs=21), lane(SALESFORCE)],
            [owing(), LaneOptOuts(f"{SALESFORCE}/0", SALESFORCE, lowered=2)],
            mappings=ALONE[Trouble.MAPPING].mappings,
            odd=[ODD, ODD_FLAG, UNTRANSLATED],
        )
        listed = needs(facts(everything, dead=[dead(), dead(id="b", unread=True)], questions=1))
        assert [need.rank for need in listed] == sorted(need.rank for need in listed)
        assert [need.trouble for need in listed][:2] == [Trouble.LATE, Trouble.LOWERED]


TOLD: list[tuple[Facts, str]] = [
    (Facts(NOW), "Nothing is set up yet: lanes appear once a worker has started with an agency file."),
    (facts(), "All is well: no events yet today."),
    (facts(today=today(delivered=624)), "All is well: 312 events today, all delivered."),
    (facts(today=today(1, delivered=1, skipped=1)), "All is well: 1 event today, all delivered or skipped."),
    (facts(today=today(delivered=619, ready=5)), "All is well: 312 events today, 5 deliveries on the way."),
    (
        facts(today=today(delivered=621, dead=3), dead=[dead(muted=True)]),
        "All is well except 1 muted problem: 312 events today, all but 3 deliveries delivered or skipped.",
    ),
    (
        facts(Seen(NOW, [lane(opt_outs=1)], [owing(1, minutes=0)]), today=today(delivered=624)),
        "All is well: 312 events today, all delivered, 1 opt-out on the way.",
    ),
    (
        facts(Seen(NOW, [down(opt_outs=21, ready=60)], [owing(minutes=4)])),
        "HubSpot has not answered for 4 minutes; 21 opt-outs wait.",
    ),
    (facts(Seen(NOW, [down(ready=1)])), "HubSpot has not answered for 4 minutes; 1 delivery waits."),
    (
        facts(Seen(NOW, [down(failures=1, minutes=0, ready=2, paused=False)])),
        "HubSpot has not answered for under a second; 2 deliveries wait.",
    ),
    (
        facts(Seen(NOW, [down(PauseReason.AUTH, 90, ready=7)])),
        "HubSpot has refused the connector's login for 1 hour; 7 deliveries wait.",
    ),
    (
        facts(Seen(NOW, [down(PauseReason.QUOTA, 90, ready=7)])),
        "HubSpot has had no API calls left for 1 hour; 7 deliveries wait.",
    ),
    (
        facts(Seen(NOW, [down(PauseReason.OPERATOR, 120, failures=0, paused_until=FOREVER, ready=7)])),
        "sunrise/hubspot/0 has been paused by hand for 2 hours; 7 deliveries wait.",
    ),
    (
        facts(Seen(NOW, [down(ready=7), down(PauseReason.OUTAGE, 9, SALESFORCE, opt_outs=2)])),
        "Salesforce has not answered properly for 9 minutes; 2 opt-outs wait; 1 more thing needs a person.",
    ),
    (
        facts(Seen(NOW, [lane(opt_outs=3)], [owing(3)])),
        "3 opt-outs have not reached HubSpot for 6 minutes.",
    ),
    (facts(ALONE[Trouble.LOWERED]), "Opt-outs are no longer in HubSpot."),
    (facts(ALONE[Trouble.MAPPING], today=today()), "The edited mapping of HubSpot is refused."),
    (facts(ALONE[Trouble.SILENCE]), "No event has arrived for unusually long."),
    (facts(dead=[dead()]), "The address is not accepted."),
    (
        facts(Seen(NOW, [lane(ready=3)], processes=[ProcessClock("host-1", "receive", 0)])),
        "No worker runs.",
    ),
    (
        facts(Seen(NOW, [down(ready=7)], lost=Lost(NOW, NOW, 3, NOW, another=False))),
        "The database lacks what was acknowledged.",
    ),
    (
        facts(Seen(NOW, [down(ready=7)]), dead=[dead(), dead(id="b")]),
        "HubSpot has not answered for 4 minutes; 7 deliveries wait; 2 more things need a person.",
    ),
    (
        facts(Seen(NOW, [down(ready=7)], odd=[ODD_FLAG])),
        "careCycle sends customer.doNotCall as text; expected true or false; 1 more thing needs a person.",
    ),
]


class TestHeadline:
    @pytest.mark.parametrize(("how", "told"), TOLD, ids=[told for _, told in TOLD])
    def test_it_is_one_true_sentence(self, how: Facts, told: str) -> None:
        assert said(how) == told

    def test_of_several_agencies_the_one_is_named(self) -> None:
        seen = {
            name: Seen(
                NOW,
                [down(name=f"{name}/hubspot", ready=1)],
                mappings=[MappingStatus(f"{name}/hubspot", "v1")],
                processes=[WORKER],
            )
            for name in ("a", "b")
        }
        titles = {"a/hubspot": "HubSpot", "b/hubspot": "HubSpot"}
        assert said(Facts(NOW, seen, titles)).startswith("HubSpot (a) has not answered for 4 minutes")


class TestTheDay:
    def test_its_figures_add_up(self) -> None:
        day = Day(5, {DeliveryState.DELIVERED: 4, DeliveryState.READY: 5, DeliveryState.DEAD: 1}, held=2)
        assert (day.total, day.waiting, day.held) == (10, 3, 2)
        both = day + Day(1, {DeliveryState.SKIPPED: 2})
        assert (both.events, both.total, both.count(DeliveryState.SKIPPED)) == (6, 12, 2)


def test_an_entry_has_a_place_that_an_address_can_name() -> None:
    need = Need(Trouble.LANE, "sunrise/hubspot/0", "x", "y", needs(facts(ALONE[Trouble.LANE]))[0].fix)
    assert need.anchors == ("lane-paused-sunrise-hubspot-0",)
