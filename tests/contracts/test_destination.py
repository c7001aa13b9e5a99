"""One suite over every CRM: a destination that does not pass it is no destination. The third lives in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from connector.destinations.base import Destination, Row, Verdict
from connector.destinations.hubspot.settings import VERSION
from connector.errors import DestinationUnusable
from connector.model import Mode, RecordKey
from connector.sandbox.wire import Wire
from tests.destinations import hubspot_fixtures, memory_crm, salesforce_fixtures

IDS = [f"3f1a0c9e-0000-4000-8000-{number:012d}" for number in range(500)]
COLLECTIONS = {"salesforce": 5}
"""How many of its batches a CRM takes in one call."""


@dataclass
class Pair:
    """A sandbox, a destination on it, and the names this CRM has for the same things."""

    sandbox: Any
    destination: Destination
    object: str
    key: str
    last_name: str
    email: str
    flag: str
    too_long: dict[str, str]

    def row(self, key: str = IDS[0], **changes: Any) -> Row:
        own = {name: changes.pop(name) for name in ("id", "mode", "consent") if name in changes}
        fields = {self.last_name: "Delacroix", **changes}
        return Row(RecordKey(self.object, self.key, key), fields, **own)

    def stored(self) -> dict[str, dict[str, Any]]:
        return {record[self.key]: record for record in self.sandbox.records(self.object) if record.get(self.key)}


@pytest.fixture(params=["salesforce", "hubspot", "hubspot 2026-09", "hubspot legacy", "memory"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    if request.param == "salesforce":
        names = ("Contact", "careCycle_Id__c", "LastName", "Email", "DoNotCall", {"Suffix": "x" * 41})
        with salesforce_fixtures.sandbox_and_destination() as (sandbox, destination):
            yield Pair(sandbox, destination, *names)
    elif request.param == "memory":
        names = ("person", "ours", "name", "mail", "no_calls", {"title": "x" * 41})
        with memory_crm.registered() as vault:
            yield Pair(vault, memory_crm.opened("acme"), *names)
    else:
        names = ("contacts", "carecycle_id", "lastname", "email", "do_not_call", {"marital_status": "Complicated"})
        version = request.param.partition(" ")[2] or VERSION
        with hubspot_fixtures.sandbox_and_destination(version=version) as (sandbox, destination):
            yield Pair(sandbox, destination, *names)


class TestWriting:
    def test_a_new_record_is_made_and_its_id_told(self, pair: Pair) -> None:
        (outcome,) = pair.destination.write([pair.row()])
        assert (outcome.verdict, outcome.id) == (
            Verdict.DELIVERED,
            pair.stored()[IDS[0]].get("Id") or pair.stored()[IDS[0]]["id"],
        )

    @pytest.mark.slow
    def test_the_same_row_twice_is_one_record(self, pair: Pair) -> None:
        first, second = (pair.destination.write([pair.row()])[0] for _ in range(2))
        assert first.id == second.id
        assert len(pair.stored()) == 1

    def test_outcomes_come_in_the_order_of_the_rows(self, pair: Pair) -> None:
        outcomes = pair.destination.write([pair.row(key, **{pair.last_name: key}) for key in IDS[:40]])
        ids = {record.get("Id") or record["id"]: key for key, record in pair.stored().items()}
        assert [ids[str(outcome.id)] for outcome in outcomes] == IDS[:40]

    def test_five_hundred_rows_cost_as_few_calls_as_the_crm_allows(self, pair: Pair) -> None:
        pair.destination.write([pair.row(key) for key in IDS])
        writes = [
            seen for seen in pair.sandbox.calls() if seen.method in ("POST", "PATCH") and "oauth2" not in seen.path
        ]
        together = COLLECTIONS.get(pair.destination.crm.name, 1)
        assert len(writes) == -(-500 // (together * pair.destination.batch))

    def test_one_refused_row_harms_no_other(self, pair: Pair) -> None:
        rows = [pair.row(key) for key in IDS[:5]]
        rows[2] = pair.row(IDS[2], **pair.too_long)
        verdicts = [outcome.verdict for outcome in pair.destination.write(rows)]
        assert verdicts == [Verdict.DELIVERED] * 2 + [Verdict.REJECTED] + [Verdict.DELIVERED] * 2
        assert IDS[2] not in pair.stored()

    def test_a_refusal_names_the_field_and_no_value(self, pair: Pair) -> None:
        (outcome,) = pair.destination.write([pair.row(**pair.too_long)])
        assert outcome.fields == tuple(pair.too_long)
        assert not any(value in outcome.refusal.cause for value in pair.too_long.values())

    def test_an_opt_out_of_a_refused_row_goes_out_alone(self, pair: Pair) -> None:
        pair.destination.write([pair.row()])
        refused = pair.row(**pair.too_long, **{pair.flag: True}, consent=frozenset({pair.flag}))
        (outcome,) = pair.destination.write([refused])
        assert (outcome.verdict, outcome.consent_written) == (Verdict.REJECTED, True)
        assert str(pair.stored()[IDS[0]][pair.flag]).lower() == "true"

    def test_an_update_of_a_record_that_is_not_there_is_skipped_and_makes_none(self, pair: Pair) -> None:
        (outcome,) = pair.destination.write([pair.row(mode=Mode.UPDATE)])
        assert outcome.verdict is Verdict.SKIPPED
        assert pair.stored() == {}

    def test_a_record_made_by_hand_is_adopted_by_its_id(self, pair: Pair) -> None:
        by_hand = pair.sandbox.put(pair.object, **{pair.last_name: "Delacroix"})
        crm_id = by_hand["Id"] if isinstance(by_hand, dict) else by_hand
        (outcome,) = pair.destination.write([pair.row(id=crm_id)])
        assert (outcome.verdict, outcome.id) == (Verdict.DELIVERED, crm_id)
        assert list(pair.stored()) == [IDS[0]]

    def test_none_clears_a_field(self, pair: Pair) -> None:
        pair.destination.write([pair.row(**{pair.email: "a@example.com"})])
        pair.destination.write([pair.row(**{pair.email: None})])
        assert not pair.stored()[IDS[0]].get(pair.email)


class TestFaults:
    def test_a_reply_lost_after_the_commit_makes_no_twin(self, pair: Pair) -> None:
        pair.sandbox.fault("", Wire.lose_reply)
        (outcome,) = pair.destination.write([pair.row()])
        assert outcome.verdict is Verdict.DELIVERED
        assert len(pair.sandbox.records(pair.object)) == 1

    def test_a_crm_that_answers_nobody_is_unusable(self, pair: Pair) -> None:
        pair.sandbox.fault("", Wire.refuse, times=1000)
        with pytest.raises(DestinationUnusable):
            pair.destination.write([pair.row()])

    def test_its_error_tells_no_value(self, pair: Pair) -> None:
        pair.sandbox.fault("", Wire.refuse, times=1000)
        with pytest.raises(DestinationUnusable) as told:
            pair.destination.write([pair.row(**{pair.last_name: "Canary"})])
        assert "Canary" not in repr(told.value) + str(told.value)
        assert told.value.__cause__ is None


class TestFinding:
    def test_records_are_found_by_key_under_the_value_asked(self, pair: Pair) -> None:
        pair.destination.write([pair.row(key) for key in IDS[:3]])
        found = pair.destination.find(pair.object, pair.key, IDS[:4], [pair.last_name])
        assert {key: [one.values[pair.last_name] for one in records] for key, records in found.items() if records} == {
            key: ["Delacroix"] for key in IDS[:3]
        }

    def test_the_same_email_in_capitals_is_found(self, pair: Pair) -> None:
        pair.destination.write([pair.row(**{pair.email: "a@example.com"})])
        found = pair.destination.find(pair.object, pair.email, ["A@Example.com"], [])
        assert len(found["A@Example.com"]) == 1


class TestDeleting:
    def test_a_record_that_a_trial_deletes_is_gone(self, pair: Pair) -> None:
        kept, deleted = pair.destination.write([pair.row(IDS[0]), pair.row(IDS[1])])
        bench = pair.destination.bench()
        assert [bench.delete(pair.object, str(deleted.id)) for _ in range(2)] == ["", ""]
        assert {record.get("Id") or record["id"] for record in pair.stored().values()} == {kept.id}


class TestComparing:
    @pytest.mark.parametrize("value", [True, False, 12, 2.5, None, "text", "2026-06-17", "2026-06-17T19:03:16.000Z"])
    def test_what_was_written_compares_equal_to_itself(self, pair: Pair, value: Any) -> None:
        assert pair.destination.normal(value) == pair.destination.normal(value)

    def test_blank_is_nothing(self, pair: Pair) -> None:
        assert pair.destination.normal(None) == pair.destination.normal("")

    def test_what_is_read_back_compares_equal_to_what_was_written(self, pair: Pair) -> None:
        pair.destination.write([pair.row(**{pair.flag: True, pair.email: "a@example.com"})])
        (found,) = pair.destination.find(pair.object, pair.key, [IDS[0]], [pair.flag, pair.email])[IDS[0]]
        assert pair.destination.normal(found.values[pair.flag]) == pair.destination.normal(True)
        assert pair.destination.normal(found.values[pair.email]) == pair.destination.normal("a@example.com")


class TestDescribing:
    def test_the_accounts_own_schema_is_told(self, pair: Pair) -> None:
        fields = pair.destination.describe([pair.object]).objects[pair.object].fields
        assert fields[pair.key].unique
        assert fields[pair.flag].type == "boolean"
