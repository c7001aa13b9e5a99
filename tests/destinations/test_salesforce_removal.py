"""A record is deleted from an org only where Salesforce says clearly that nothing else has happened to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Response

from connector.destinations.bench import Touched
from connector.sandbox.salesforce import fields
from connector.sandbox.salesforce.schema import _column, _table, add_column
from tests.destinations.salesforce_fixtures import Pair, a_contact, a_lead, sandbox_and_destination


@pytest.fixture
def pair() -> Iterator[Pair]:
    with sandbox_and_destination() as pair:
        yield pair


@pytest.fixture
def own(pair: Pair) -> str:
    """The id of a contact that the connector created."""
    sandbox, destination = pair
    destination.write([a_contact()])
    return str(sandbox.records("Contact")[0]["Id"])


def look(pair: Pair, own: str, object: str = "Contact") -> Touched | None:
    return pair[1].bench().touched(object, [own]).get(own)


class TestMerges:
    def test_a_record_as_it_was_created(self, pair: Pair, own: str) -> None:
        assert look(pair, own) == Touched()

    def test_a_deleted_one_is_gone(self, pair: Pair, own: str) -> None:
        pair[0].delete(own)
        assert look(pair, own) == Touched(gone=True)

    def test_the_loser_of_a_merge_is_not_gone(self, pair: Pair, own: str) -> None:
        pair[0].merge(own, pair[0].put("Contact", LastName="Delacroix")["Id"])
        assert look(pair, own) == Touched(changed=True)

    def test_the_winner_is_not_as_it_was_created(self, pair: Pair, own: str) -> None:
        pair[0].merge(pair[0].put("Contact", LastName="Delacroix")["Id"], own)
        assert look(pair, own) == Touched(changed=True)

    def test_a_lead_that_is_converted_at_once(self, pair: Pair) -> None:
        sandbox, destination = pair
        destination.write([a_lead()])
        lead = str(sandbox.records("Lead")[0]["Id"])
        assert look(pair, lead, "Lead") == Touched()
        sandbox.change(lead, IsConverted=True, LastModifiedById=sandbox.org.owner)
        assert look(pair, lead, "Lead") == Touched(changed=True)


class TestAttached:
    @pytest.mark.parametrize("child", ["Account", "Case", "Task", "Lead", "Campaign"])
    def test_by_a_field_of_the_agencys_own(self, pair: Pair, own: str, child: str) -> None:
        sandbox, _ = pair
        add_column(sandbox.org.table(child), _column("Spouse__c reference 18 -> Contact"))
        made = sandbox.put(child, Spouse__c=own)
        assert look(pair, own) == Touched(attached=frozenset({(child, made["Id"])}))

    @pytest.mark.parametrize(("name", "counts"), [("Asset", True), ("ContactHistory", False), ("ContactFeed", False)])
    def test_by_a_standard_field(self, pair: Pair, own: str, name: str, counts: bool) -> None:
        sandbox, _ = pair
        sandbox.org.tables[name.lower()] = _table(name, "02i", fields.SYSTEM, "ContactId reference 18 -> Contact")
        sandbox.org.rows[name.lower()] = {}
        made = sandbox.put(name, ContactId=own)
        assert look(pair, own) == Touched(attached=frozenset({(name, made["Id"])} if counts else ()))

    def test_activities_of_a_custom_object(self, pair: Pair) -> None:
        sandbox, _ = pair
        sandbox.org.tables["client__c"] = _table("Client__c", "a01", fields.SYSTEM, "Name string 80")
        sandbox.org.rows["client__c"] = {}
        mine = sandbox.put("Client__c", Name="x")["Id"]
        made = sandbox.put("Event", Subject="Visit", WhatId=mine)
        seen = look(pair, mine, "Client__c")
        assert seen is not None
        assert seen.attached == {("Event", made["Id"])}


class TestDeleting:
    @pytest.mark.parametrize(
        "body", [{"success": True}, [{"success": True}], [{"success": True, "id": "003000000000001"}], []]
    )
    def test_only_a_confirmed_deletion_counts(self, pair: Pair, own: str, body: Any) -> None:
        odd = Response(json.dumps(body), status=200, content_type="application/json")
        pair[0].fault("/composite/sobjects", odd, times=9)
        assert "refuses" in pair[1].bench().delete_all("Contact", [own])[own]
