"""An email address that several contacts want: one has it, the refusals of the others name that one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from connector.destinations.base import Outcome, Verdict
from connector.destinations.hubspot.account import HubSpot
from connector.sandbox.hubspot import HubSpotSandbox
from tests.destinations.hubspot_fixtures import a_contact, sandbox_and_destination

SHARED = "whitakers@example.org"
VARIANTS: dict[str, dict[str, Any]] = {
    "named": {},
    "nameless": {"names_holders": False},
    "whole-batch": {"traced": False},
    "whole-batch-nameless": {"traced": False, "names_holders": False},
    "rows-meet": {"rows_meet": True},
}

Pair = tuple[HubSpotSandbox, HubSpot]


@pytest.fixture(params=VARIANTS)
def both(request: pytest.FixtureRequest) -> Iterator[Pair]:
    with sandbox_and_destination(**VARIANTS[request.param]) as pair:
        yield pair


def held(outcome: Outcome) -> tuple[Verdict, str, tuple[str, ...], bool]:
    return outcome.verdict, outcome.code, outcome.fields, outcome.of_fields


HELD = (Verdict.REJECTED, "ADDRESS_HELD", ("email",), True)


def addresses(portal: HubSpotSandbox) -> dict[str, str]:
    """The address of every contact, by our key or else its id."""
    return {one.get("carecycle_id", one["id"]): one.get("email", "") for one in portal.records("contacts")}


class TestAnAddressAnotherContactHas:
    def test_is_refused_alone_and_its_holder_is_named(self, both: Pair) -> None:
        portal, hubspot = both
        holder = portal.put("contacts", email=SHARED)
        refused, good = hubspot.write([a_contact("c-1", email=SHARED), a_contact("c-2", email="b@example.org")])
        assert (held(refused), refused.holder, good.verdict) == (HELD, holder, Verdict.DELIVERED)

    def test_may_be_a_further_address_of_its_holder(self, both: Pair) -> None:
        portal, hubspot = both
        holder = portal.put("contacts", email="h@example.org", hs_additional_emails=SHARED)
        [refused] = hubspot.write([a_contact("c-1", email=SHARED)])
        assert (held(refused), refused.holder) == (HELD, holder)

    def test_is_refused_to_a_record_written_by_its_id(self, both: Pair) -> None:
        portal, hubspot = both
        holder, own = portal.put("contacts", email=SHARED), portal.put("contacts", carecycle_id="c-1")
        [refused] = hubspot.write([a_contact("c-1", id=own, email=SHARED)])
        assert (held(refused), refused.holder) == (HELD, holder)

    def test_is_never_taken_with_its_holder(self, both: Pair) -> None:
        portal, hubspot = both
        portal.put("contacts", email=SHARED, firstname="Harold")
        hubspot.write([a_contact("c-1", email=SHARED, firstname="Edna")])
        assert portal.records("contacts")[0]["firstname"] == "Harold"

    def test_costs_few_calls_for_many_couples(self, both: Pair) -> None:
        portal, hubspot = both
        for n in range(40):
            portal.put("contacts", email=f"{n}@example.org")
        outcomes = hubspot.write([a_contact(f"c-{n:02d}", email=f"{n}@example.org") for n in range(80)])
        assert [outcome.code for outcome in outcomes] == ["ADDRESS_HELD"] * 40 + [""] * 40
        assert len(portal.seen) <= 4

    def test_costs_few_calls_where_it_is_the_holders_further_address(self, both: Pair) -> None:
        portal, hubspot = both
        ids = [portal.put("contacts", email=f"h{n}@x.org", hs_additional_emails=f"{n}@example.org") for n in range(20)]
        outcomes = hubspot.write([a_contact(f"c-{n:02d}", email=f"{n}@example.org") for n in range(20)])
        assert [outcome.holder for outcome in outcomes] == ids
        assert len(portal.seen) <= 4

    def test_says_what_to_do_for_one_person_and_for_two(self, both: Pair) -> None:
        portal, hubspot = both
        portal.put("contacts", email=SHARED)
        [refused] = hubspot.write([a_contact("c-1", email=SHARED)])
        assert "do nothing if two people share the address" in refused.refusal.action
        assert "only if they are the same person" in refused.refusal.action
        assert SHARED not in f"{refused.refusal}"


class TestTwoNewContactsOfOneCall:
    def test_become_two_and_the_first_by_key_has_the_address(self, both: Pair) -> None:
        portal, hubspot = both
        rows = [a_contact("c-2", email=SHARED), a_contact("c-1", email=SHARED.upper())]
        second, first = hubspot.write(rows)
        assert (first.verdict, held(second), second.holder) == (Verdict.DELIVERED, HELD, first.id)
        assert addresses(portal) == {"c-1": SHARED}

    def test_are_decided_in_one_call_however_many(self, both: Pair) -> None:
        portal, hubspot = both
        outcomes = hubspot.write([a_contact(f"c-{n:02d}", email=SHARED) for n in range(60)])
        assert [outcome.code for outcome in outcomes] == [""] + ["ADDRESS_HELD"] * 59
        assert len(portal.seen) == 1

    def test_are_all_refused_where_a_third_has_it(self, both: Pair) -> None:
        portal, hubspot = both
        holder = portal.put("contacts", email=SHARED)
        outcomes = hubspot.write([a_contact(f"c-{n:02d}", email=SHARED) for n in range(9)])
        assert {(outcome.code, outcome.holder) for outcome in outcomes} == {("ADDRESS_HELD", holder)}
        assert len(portal.seen) <= 5

    def test_leave_it_to_the_contact_that_has_it_already(self, both: Pair) -> None:
        portal, hubspot = both
        portal.put("contacts", carecycle_id="c-2", email=SHARED)
        refused, owner = hubspot.write([a_contact("c-1", email=SHARED), a_contact("c-2", email=SHARED)])
        assert (refused.code, owner.verdict) == ("ADDRESS_HELD", Verdict.DELIVERED)

    def test_leave_it_to_the_second_where_the_first_is_refused(self, both: Pair) -> None:
        _, hubspot = both
        first, second = hubspot.write(
            [a_contact("c-1", email=SHARED, hs_language="la"), a_contact("c-2", email=SHARED)]
        )
        assert (first.code, second.verdict) == ("INVALID_OPTION", Verdict.DELIVERED)

    def test_are_refused_alike_where_nobody_can_have_the_address(self, both: Pair) -> None:
        _, hubspot = both
        outcomes = hubspot.write([a_contact(f"c-{n}", email="none") for n in range(3)])
        assert [outcome.code for outcome in outcomes] == ["INVALID_EMAIL"] * 3


class TestAnAddressGivenUpInTheSameCall:
    def test_goes_to_the_contact_that_wants_it(self, both: Pair) -> None:
        portal, hubspot = both
        ids = {key: portal.put("contacts", carecycle_id=key, email=f"{key}@example.org") for key in ("c-1", "c-2")}
        outcomes = hubspot.write(
            [
                a_contact("c-1", id=ids["c-1"], email="c-2@example.org"),
                a_contact("c-2", id=ids["c-2"], email="new@example.org"),
            ]
        )
        assert {outcome.verdict for outcome in outcomes} == {Verdict.DELIVERED}
        assert addresses(portal) == {"c-1": "c-2@example.org", "c-2": "new@example.org"}

    def test_goes_along_a_chain(self, both: Pair) -> None:
        portal, hubspot = both
        keys = [f"c-{n}" for n in range(5)]
        ids = [portal.put("contacts", carecycle_id=key, email=f"{key}@example.org") for key in keys]
        wanted = [*(f"{key}@example.org" for key in keys[1:]), None]
        rows = [a_contact(key, id=ids[n], email=wanted[n]) for n, key in enumerate(keys)]
        outcomes = hubspot.write(rows)
        assert {outcome.verdict for outcome in outcomes} == {Verdict.DELIVERED}
        assert [addresses(portal)[key] or None for key in keys] == wanted


class TestOtherObjects:
    def test_may_share_an_address(self) -> None:
        with sandbox_and_destination() as (_, hubspot):
            outcomes = hubspot.write([a_contact("c-1", city=SHARED), a_contact("c-2", city=SHARED)])
            assert {outcome.verdict for outcome in outcomes} == {Verdict.DELIVERED}


class TestAnAddressThatTheSearchHasJustShown:
    def test_costs_no_call_to_be_refused(self, both: Pair) -> None:
        portal, hubspot = both
        holder = portal.put("contacts", email=SHARED)
        rows = [a_contact(f"c-{n}", email=SHARED, held={SHARED: holder}) for n in range(3)]
        outcomes = hubspot.write(rows)
        assert {(*held(outcome), outcome.holder) for outcome in outcomes} == {(*HELD, holder)}
        assert portal.seen == []

    def test_may_have_been_searched_for_in_another_spelling(self, both: Pair) -> None:
        portal, hubspot = both
        holder = portal.put("contacts", email=SHARED)
        [refused] = hubspot.write([a_contact("c-1", email=SHARED.upper(), held={f" {SHARED.title()}": holder})])
        assert (held(refused), refused.holder, portal.seen) == (HELD, holder, [])

    def test_leaves_another_address_alone(self, both: Pair) -> None:
        portal, hubspot = both
        rows = [
            a_contact("c-1", email="own@example.org", held={SHARED: portal.put("contacts", email=SHARED)}),
            a_contact("c-2", held={SHARED: "1"}),
        ]
        assert [outcome.verdict for outcome in hubspot.write(rows)] == [Verdict.DELIVERED] * 2

    def test_is_written_to_the_contact_that_has_it(self, both: Pair) -> None:
        portal, hubspot = both
        own = portal.put("contacts", email=SHARED)
        [done] = hubspot.write([a_contact("c-1", id=own, email=SHARED, held={SHARED: own})])
        assert (done.verdict, done.id) == (Verdict.DELIVERED, own)

    @pytest.mark.parametrize("by_key", [True, False], ids=["holder by key", "holder by id"])
    def test_goes_to_the_first_that_wants_it_where_its_holder_gives_it_up(self, both: Pair, by_key: bool) -> None:
        portal, hubspot = both
        holder = portal.put("contacts", carecycle_id="c-5", email=SHARED)
        giving = a_contact("c-5", email="new@example.org", **({} if by_key else {"id": holder}))
        wanting = [a_contact(key, email=SHARED, held={SHARED: holder}) for key in ("c-3", "c-1", "c-2")]
        third, first, second, given = hubspot.write([*wanting, giving])
        assert (first.verdict, given.verdict) == (Verdict.DELIVERED, Verdict.DELIVERED)
        assert [(held(lost), lost.holder) for lost in (second, third)] == [(HELD, first.id)] * 2
        assert addresses(portal) == {"c-1": SHARED, "c-5": "new@example.org"}
        assert len(portal.seen) == 2

    def test_stays_with_a_holder_that_is_sent_with_it_again(self, both: Pair) -> None:
        portal, hubspot = both
        holder = portal.put("contacts", carecycle_id="c-5", email=SHARED)
        rows = [a_contact("c-1", email=SHARED, held={SHARED: holder}), a_contact("c-5", id=holder, email=SHARED)]
        refused, kept = hubspot.write(rows)
        assert (held(refused), refused.holder, kept.verdict) == (HELD, holder, Verdict.DELIVERED)
        assert len(portal.seen) == 1

    def test_goes_to_the_next_where_the_first_is_refused_for_something_else(self, both: Pair) -> None:
        portal, hubspot = both
        holder = portal.put("contacts", carecycle_id="c-5", email=SHARED)
        giving = a_contact("c-5", id=holder, email="new@example.org")
        bad = a_contact("c-1", email=SHARED, held={SHARED: holder}, hs_language="la")
        good = a_contact("c-2", email=SHARED, held={SHARED: holder})
        outcomes = hubspot.write([bad, good, giving])
        assert [outcome.code for outcome in outcomes] == ["INVALID_OPTION", "", ""]
        assert addresses(portal) == {"c-2": SHARED, "c-5": "new@example.org"}

    def test_goes_to_one_alone_where_others_want_it_who_were_not_searched_for(self, both: Pair) -> None:
        portal, hubspot = both
        holder = portal.put("contacts", carecycle_id="c-5", email=SHARED)
        rows = [
            a_contact("c-1", email=SHARED, held={SHARED: holder}),
            a_contact("c-2", email=SHARED),
            a_contact("c-3", email=SHARED),
            a_contact("c-5", id=holder, email="new@example.org"),
        ]
        outcomes = hubspot.write(rows)
        winners = [outcome for outcome in outcomes[:3] if outcome.verdict is Verdict.DELIVERED]
        assert len(winners) == 1
        assert {outcome.holder for outcome in outcomes[:3] if outcome.code} == {winners[0].id}
        assert sorted(addresses(portal).values()) == ["new@example.org", SHARED]
