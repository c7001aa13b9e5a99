"""Backoff, the catalogue and the sample traffic."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from connector import backoff
from connector.carecycle import catalogue, recognise
from connector.carecycle.samples import Samples, sample
from connector.insight.masking import MASK, UNKNOWN, ShownField, masked, revealed
from tests.builders import a_call, a_customer


class TestBackoff:
    def test_it_doubles_from_five_seconds_to_an_hour(self) -> None:
        whole = [backoff.delay(attempts, 1.0) // 1000 for attempts in (0, 1, 2, 20, 5000)]
        assert whole == [5, 10, 20, 3600, 3600]

    def test_it_is_jittered_by_half(self) -> None:
        assert backoff.delay(0, 0.0) == 2_500

    def test_a_pause_follows_what_the_crm_asked_for(self) -> None:
        assert backoff.pause(0, 0.0, retry_after=90) == 90_000
        assert backoff.pause(2, 0.0, retry_after=90) == 360_000
        assert backoff.pause(7, 0.0, retry_after=90) == backoff.LONGEST_PAUSE
        assert backoff.pause(7, 0.0, retry_after=3600) == 3_600_000
        assert backoff.pause(3, 0.0, retry_after=0) == 8_000

    @pytest.mark.parametrize(("attempts", "hours", "over"), [(12, 24, True), (11, 100, False), (100, 23, False)])
    def test_a_delivery_is_given_up_after_both_twelve_attempts_and_a_day(
        self, attempts: int, hours: int, over: bool
    ) -> None:
        assert backoff.exhausted(attempts, 0, hours * backoff.HOUR) is over


class TestSamples:
    def test_all_of_the_traffic_is_readable(self) -> None:
        for message in Samples(random.Random(3), datetime(2026, 6, 1, tzinfo=UTC)).traffic(400):
            assert recognise.read(message.payload, message.note)

    def test_the_same_seed_makes_the_same_people(self) -> None:
        one, two = (sample("customer.created", random.Random(5), datetime(2026, 6, 1, tzinfo=UTC)) for _ in range(2))
        assert one == two


class TestMasking:
    def test_only_operational_fields_show_their_values(self) -> None:
        shown = {row.path: row.value for row in masked(a_customer(mbiNumber="1EG4"), "customer.updated")}
        assert (shown["customer.status"], shown["customer.email"], shown["customer.mbiNumber"]) == ("Lead", MASK, MASK)

    def test_of_what_the_catalogue_does_not_know_not_even_the_name_is_told(self) -> None:
        payload = a_call(a_customer(**{"Marcus Delacroix": 1}), other={"deep": ["x"]})
        row = masked(payload, "call.completed")[-1]
        assert row == ShownField("2 fields this version does not know", UNKNOWN, MASK)
        assert masked({"a": 1}, "canary")[0].value == MASK

    def test_revealing_shows_every_value_and_every_unknown_field(self) -> None:
        payload = a_customer(mbiNumber="1EG4", assignedUser={"id": "u-1", "pet": None})
        shown = {row.path: row.value for row in revealed(payload, "customer.updated")}
        assert (shown["customer.mbiNumber"], shown["assignedUser.pet"], MASK in shown.values()) == (
            "1EG4",
            "null",
            False,
        )


class TestClasses:
    def test_every_class_is_used_and_every_field_has_one(self) -> None:
        assert {one.privacy for one in catalogue.FIELDS.values()} == set(catalogue.Privacy)

    @pytest.mark.parametrize(
        "words",
        ["name", "birth", "phone", "email", "address", "mbi", "medic", "income", "summary", "transcript", "ethnic"],
    )
    def test_no_customer_s_field_of_a_private_kind_is_operational(self, words: str) -> None:
        ours = ("agent", "assigned", "campaign", "doNot")
        private = [
            one for path, one in catalogue.FIELDS.items() if words in path.lower() and not any(o in path for o in ours)
        ]
        assert private
        assert [one.path for one in private if one.privacy is catalogue.Privacy.OPERATIONAL] == []
