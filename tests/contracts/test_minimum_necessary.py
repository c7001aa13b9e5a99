"""The shipped mappings send no more than they must: on the wire, and by what `connector check` says of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from connector.carecycle import catalogue
from connector.carecycle.catalogue import Kind, Privacy
from connector.cli import cli
from connector.delivery.route import Route, Running
from connector.destinations import VENDORS
from connector.mapping import leaving, load, shipped_folder
from connector.mapping.example_events import EXAMPLES, example
from connector.receive import read
from connector.store import open_store
from tests.builders import DATA_KEY
from tests.contracts.test_shipped_mappings import AGENCY, DESTINATION, LANE, SHIPPED, _pass_on
from tests.destinations import hubspot_fixtures, salesforce_fixtures
from tests.mappings.build import compiled

KEPT = frozenset({Privacy.MEDICARE, Privacy.HEALTH, Privacy.FINANCIAL, Privacy.CALL_CONTENT})
"""The classes of which nothing leaves unless an agency's own mapping says so."""

PERSONAL = ("customer.dateOfBirth", "customer.gender", "customer.maritalStatus", "customer.ethnicity")
SOCIAL_SECURITY = "078-05-1120"


def kept(event: str) -> dict[str, Any]:
    """A value that is nowhere else for every field of an event that must stay in the house."""
    words = {Kind.TEXT: "canary {n} " + SOCIAL_SECURITY, Kind.DATE: "1903-07-{n}", Kind.ENUM: "canary {n}"}
    fields = [one for one in catalogue.FIELDS.values() if one.privacy in KEPT or one.path in PERSONAL]
    return {
        one.path: words[one.kind].format(n=number) if one.kind in words else 4_207_000 + number
        for number, one in enumerate(fields, 10)
        if event in catalogue.carried_by(one.path) and one.kind is not Kind.BOOLEAN
    }


def sent(mapping: str, tmp_path: Path) -> str:
    """Everything a shipped mapping says to its CRM of all three events, path and body, as one text."""
    fixtures: Any = hubspot_fixtures if mapping == "hubspot" else salesforce_fixtures
    store = open_store(f"sqlite:///{tmp_path}/connector.db", {"CONNECTOR_DATA_KEY": DATA_KEY})
    store.lanes.open({LANE: DESTINATION})
    with fixtures.sandbox_and_destination() as (sandbox, destination):
        text = (shipped_folder() / f"{mapping}.yaml").read_text("utf-8")
        route = Route(DESTINATION, destination, Running(compiled(text, schema=None)), "America/New_York")
        for event in EXAMPLES:
            body = json.dumps(example(event, kept(event))).encode()
            store.inbox.accept([read(AGENCY, f"secret {event}", body, 0)])
        assert _pass_on(store, route).isdisjoint({"dead", "ready"})
        store.close()
        return "\n".join(f"{one.path} {json.dumps(one.body)}" for one in sandbox.seen)


@pytest.mark.parametrize("name", SHIPPED)
class TestShipped:
    def test_no_number_date_or_word_of_those_classes_is_on_the_wire(self, name: str, tmp_path: Path) -> None:
        said = sent(name, tmp_path)
        assert "Delacroix" in said
        assert SOCIAL_SECURITY not in said
        assert [path for event in EXAMPLES for path, value in kept(event).items() if str(value) in said] == []

    def test_none_of_those_classes_leaves_by_the_check(self, name: str) -> None:
        found = leaving(load(shipped_folder() / f"{name}.yaml", shipped=shipped_folder(), crms=VENDORS))
        assert {privacy: found[privacy] for privacy in KEPT} == {privacy: [] for privacy in KEPT}
        assert all(found[privacy] for privacy in (Privacy.IDENTITY, Privacy.CONTACT, Privacy.OPERATIONAL))


class TestCheck:
    @pytest.fixture
    def own(self, tmp_path: Path) -> str:
        path = tmp_path / "own.yaml"
        path.write_text(
            "version: 1\ncrm: salesforce\nextends: salesforce-contact\nrecords: { contact: { fields: {"
            " Plan__c: { template: '{customer.lastName} {customer.mbiNumber}', sensitive: accepted },"
            " Nick__c: { value: x, when: { customer.veteran: true }, sensitive: accepted } } } }\n"
        )
        return str(path)

    def test_it_tells_which_fields_carry_each_class(self, own: str) -> None:
        lines = CliRunner().invoke(cli, ["check", own]).output.splitlines()
        assert lines[lines.index(f"{own} sends") + 3] == "  medicare: contact.Plan__c"
        assert any(line.startswith("  identity: contact.LastName, ") for line in lines)
        assert "  financial: none" in lines

    def test_a_condition_tells_too(self, own: str) -> None:
        assert "  health: contact.Nick__c" in CliRunner().invoke(cli, ["check", own]).output.splitlines()

    def test_it_comes_alone_and_as_json(self, own: str) -> None:
        told = json.loads(CliRunner().invoke(cli, ["check", "--classes", "--json", own]).output)
        assert told[own]["medicare"] == ["contact.Plan__c"]
        assert told[own]["call content"] == []

    def test_an_agency_is_told_by_destination(self, tmp_path: Path) -> None:
        path = tmp_path / "agency.yaml"
        path.write_text(
            "agency: sunrise\nwebhook: { secrets: ['${HOOK}'] }\n"
            "destinations: { crm: { mapping: hubspot, auth: { access_token: '${TOKEN}' } } }\n"
        )
        secrets = {"HOOK": "whsec_c3VucmlzZSBpcyBvbmx5IGEgdHJpYWwh", "TOKEN": "t"}
        told = json.loads(CliRunner(env=secrets).invoke(cli, ["check", "--classes", "--json", "-c", str(path)]).output)
        assert set(told) == {"sunrise/crm"}

    def test_a_mapping_that_does_not_load_sends_nothing(self, tmp_path: Path) -> None:
        broken = tmp_path / "own.yaml"
        broken.write_text("extends: hubspot\nrecords: {contact: {fields: {city: customer.citty}}}\n")
        result = CliRunner().invoke(cli, ["check", str(broken)])
        assert (result.exit_code, " sends" in result.output) == (1, False)
