"""Every column of every table, and what it is: nobody adds one without saying what a stolen database tells by it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from connector.store import Store
from connector.store.tables import metadata

SECURITY: Final = (Path(__file__).parents[2] / "docs/security.md").read_text("utf-8")

SEALED: Final = {"events.payload", "previous_values.sealed", "settings.value"}
"""Encrypted with the data key. (A row of `settings` that is no key holds nothing else than that something was done.)"""

COVERED: Final = {"ledger.marks", "open_items.digest", "obligations.addresses", "previous_values.undone"}
"""Digests of values, encrypted for their record or field; `marks` and `undone` also have field names and times."""

NAMES_OF_RECORDS: Final = {
    f"{table}.key"
    for table in ("ledger", "claims", "counted_calls", "open_items", "previous_values", "questions", "verifications")
}
"""Keyed digests over destination, object and key."""

DIGESTS: Final = {
    "audit.digest",
    "audit_head.digest",
    "audit_head.proof",
    "counted_calls.call",
    "events.digest",
    "guesses.whose",
    "handles.digest",
    "sessions.digest",
    "sessions.proof",
}
"""Keyed digests of something else, or of a random token."""

READABLE: Final = {
    "accounts": "destination account kind since pages",
    "agencies": "name reveal_values dead_letter_days",
    "attempts": "id delivery_id at outcome code records request_id duration_ms mapping_version",
    "audit": "id at who action thing reason agency customer_id crm_ids number",
    "audit_head": "id number",
    "claims": "destination object crm_id field customer_id",
    "commits": "process part made events at",
    "consents": "destination customer_id flag at tie value applied_at owed spoken lowered_at",
    "counted_calls": "destination object field customer_id counts at tie",
    "deletion": "id checked_at since left_ms events dead_letters",
    "deliveries": "id event_id destination lane state priority attempts accepted_at due_at settled_at code reason "
    "action fields record mapping_version again replay",
    "descriptions": "destination object fields at",
    "events": "id agency message_id type customer_id source_time received_at raised odd origin run",
    "gaps": "id process kind noticed_at lost_from lost_until events resolved",
    "generations": "id at lost_until who",
    "guesses": "until",
    "handles": "agency customer_id handle seen_at",
    "handles_read": "id event_id",
    "lanes": "name destination owner token leased_until paused_until opt_outs_from own pause_code pause_reason "
    "pause_delivery pause_record pause_object pause_crm_id pause_count failures stopped_since refused_cause "
    "refused_count",
    "ledger": "destination object crm_id customer_id delivery_id generation",
    "mapping_drafts": "id destination files saves page who changed_at",
    "mapping_versions": "id destination version files published_at ran_at who reason",
    "mappings": "destination version running_since refused_at problem",
    "mutes": "cause destination who at until reason count",
    "newest": "agency kind id customer_id at sent event_id",
    "obligations": "destination customer_id flag lane event_id since state due_at attempts code reason action fields "
    "applied_at object crm_id",
    "oddities": "agency destination field target got used expected count since until message_id",
    "open_items": "destination object field customer_id crm_id record code reason action at tie mapping_version "
    "delivery_id since holder tried_at",
    "previous_values": "id destination object version crm_id customer_id fields count made at run restored undone_at",
    "processes": "name role seen_at offset_ms crm_offset_ms booted_at halted",
    "questions": "destination object customer_id record by_key candidates delivery_id since state chosen former "
    "taken_back others decided_at decided_by",
    "raises": "id destination customer_id flag at object crm_id delivery_id field",
    "recordings": "agency call_id customer_id event_id heard_at tries due_at",
    "replays": "id cause destination what who at since count",
    "rewritings": "name at",
    "runs": "id agency kind asked cursor counts started_at seen_at ended_at problem whole",
    "sessions": "id name address began_at seen_at",
    "settings": "name",
    "sign_offs": "id at who agency month note asked in_time late to_do elsewhere",
    "source_pace": "agency next_at",
    "usage": "destination used allowed at ours",
    "usage_calls": "destination at calls",
    "verification_passes": "destination complete_at next_at",
    "verifications": "destination object customer_id verified_at delivery_id differences raised lowered",
    "watches": "agency looked_at told received_at",
}
"""Ids, times, names of fields and people, codes and our own texts, numbers, states: no value of an event."""

KINDS: Final = (SEALED, COVERED, NAMES_OF_RECORDS, DIGESTS)


def readable() -> set[str]:
    return {f"{table}.{column}" for table, columns in READABLE.items() for column in columns.split()}


class TestWhatIsStored:
    def test_every_column_is_of_one_kind(self, store: Store) -> None:
        del store  # every module that has tables is imported
        columns = {f"{table.name}.{column.name}" for table in metadata.sorted_tables for column in table.c}
        named = [*readable(), *(column for kind in KINDS for column in kind)]
        assert sorted(named) == sorted(columns)

    @pytest.mark.parametrize("table", ["events", "previous_values", "ledger", "claims", "questions", "open_items"])
    def test_the_page_names_every_table_with_something_of_people(self, table: str) -> None:
        assert f"`{table}" in SECURITY

    def test_the_page_names_every_table_that_has_digests_or_customers(self) -> None:
        of_people = {table.name for table in metadata.sorted_tables if "customer_id" in table.c}
        of_people |= {column.partition(".")[0] for kind in KINDS for column in kind} - {"settings"}
        assert of_people - set(re.findall(r"`(\w+)(?:\.\w+)?`", SECURITY)) == set()
