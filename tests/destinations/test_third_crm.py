"""A CRM the connector does not ship is registered, and everything serves it: nothing in connector/ knows its name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from connector.carecycle.signature import Verifier
from connector.cli import cli
from connector.delivery.route import Pace, Running
from connector.delivery.turn import deliver
from connector.mapping import editor, target
from connector.receive import Agency, read
from connector.running.bootstrap import load_mapping, open_accounts, open_route
from connector.running.config import AgencyFile, read_agencies
from connector.store import open_store
from connector.store.desk import Filter
from tests.builders import DATA_KEY, SECRET, a_call, a_customer
from tests.destinations.memory_crm import MEMORY, Vault, registered

MAPPING = """\
version: 1
crm: memory
consent:
  flags: { doNotCall: person.no_calls }
  waive: [doNotSMS, doNotEmail, doNotMail]
records:
  person:
    object: person
    key: { ours: customer.id }
    fields:
      name: customer.lastName
      mail: customer.email
      title: { template: "{customer.firstName} {customer.lastName}", cut: true }
      keeper: { lookup: { object: keeper, match: { mail: customer.assignedUser.email } } }
  talk:
    object: talk
    events: [call.completed]
    key: { ours: call.id }
    fields: { about: { value: Call } }
    associate: [person]
"""
AGENCY = """\
agency: sunrise
webhook: { secrets: ["${HOOK}"] }
destinations:
  crm: { mapping: own.yaml, auth: { vault: acme } }
"""
LANE = "sunrise/crm/0"


@pytest.fixture
def vault() -> Iterator[Vault]:
    with registered() as vault:
        yield vault


@pytest.fixture
def file(tmp_path: Path, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> AgencyFile:
    monkeypatch.setenv("HOOK", SECRET)
    (tmp_path / "own.yaml").write_text(MAPPING)
    (tmp_path / "agency.yaml").write_text(AGENCY)
    (file,) = read_agencies([tmp_path / "agency.yaml"], {"HOOK": SECRET})
    return file


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [*map(str, arguments)])


def deliver_to(file: AgencyFile, *payloads: dict[str, Any]) -> set[str]:
    """Deliver events as a worker does; the states they end in."""
    route = open_route(file, "crm")
    schema = route.destination.describe(route.mapping.objects)
    route.running = Running(load_mapping(file.path.parent / "own.yaml", schema))
    store = open_store(f"sqlite:///{file.path.parent}/connector.db", {"CONNECTOR_DATA_KEY": DATA_KEY})
    store.lanes.open({LANE: route.name})
    agency = Agency("sunrise", Verifier("sunrise", [SECRET]), {"crm": 1})
    with closing(store), closing(route.destination):
        messages = [(f"msg_{number}", json.dumps(one).encode()) for number, one in enumerate(payloads)]
        store.inbox.accept([read(agency, message_id, body, 0) for message_id, body in messages])
        lease = store.lanes.lease("test", [LANE], 60_000)
        assert lease is not None
        deliver(store, route, lease, Pace())
        return {delivery.state for delivery in store.desk.deliveries(Filter())}


class TestItsMappings:
    def test_a_misspelled_field_is_reported_against_its_schema(self, file: AgencyFile) -> None:
        (file.path.parent / "own.yaml").write_text(MAPPING.replace("mail: customer.email", "male: customer.email"))
        schema = file.path.parent / "sunrise-crm.schema.json"
        assert run("schema", "pull", "-c", file.path).exit_code == 0
        result = run("check", file.path.parent / "own.yaml", "--schema", schema)
        assert result.exit_code == 1
        assert "own.yaml:12:7: error[M201] person has no field 'male' in your Memory vault" in result.output
        assert "did you mean 'mail'?" in result.output

    def test_one_that_fits_has_no_problems(self, file: AgencyFile) -> None:
        result = run("check", "-c", file.path, "--live")
        assert (result.exit_code, "no problems" in result.output) == (0, True)

    @pytest.mark.parametrize(
        ("key", "line"),
        [
            ("unsubscribe", "  unsubscribe: [doNotCall]\nrecords:"),
            ("unique_key", "records: {person: {unique_key: false}}"),
        ],
    )
    def test_what_it_does_not_offer_is_refused(self, file: AgencyFile, key: str, line: str) -> None:
        inheriting = line.startswith("records")
        text = f"extends: own.yaml\n{line}\n" if inheriting else MAPPING.replace("records:", line)
        other = file.path.parent / "other.yaml"
        other.write_text(text)
        result = run("check", other)
        assert f"{key}: " in result.output
        assert "does not apply to Memory" in result.output

    def test_the_editor_knows_its_name_and_its_ids(self, file: AgencyFile) -> None:
        assert editor.schema(None, {"memory": MEMORY})["$defs"]["File"]["properties"]["crm"] == {"enum": ["memory"]}
        run("schema", "pull", "-c", file.path)
        known = target.load(file.path.parent / "sunrise-crm.schema.json")
        assert '"ref"' in json.dumps(editor.schema(known, {"memory": MEMORY})["$defs"]["Lookup"])


class TestItsAccount:
    def test_an_event_becomes_records_looked_up_and_linked(self, file: AgencyFile, vault: Vault) -> None:
        keeper = vault.put("keeper", mail="ana@example.com")
        customer = a_customer(assignedUser={"email": "Ana@example.com"}, lastName="Delacroix", doNotCall=True)
        assert deliver_to(file, a_call(customer)) == {"delivered"}
        (person,), (talk,) = vault.records("person"), vault.records("talk")
        assert (person["keeper"], person["name"], person["no_calls"]) == (keeper, "Delacroix", True)
        assert vault.linked == {(talk["id"], person["id"])}

    @pytest.mark.slow
    def test_a_long_text_is_cut_to_its_field(self, file: AgencyFile, vault: Vault) -> None:
        assert deliver_to(file, a_customer(lastName="x" * 30, firstName="y" * 30)) == {"delivered"}
        assert len(vault.records("person")[0]["title"]) == 40

    def test_its_records_have_addresses(self, file: AgencyFile) -> None:
        (account,) = open_accounts([file])
        assert account.link("person", "person-1") == "https://memory.example/acme/person-1"

    def test_another_crms_mapping_is_refused(self, file: AgencyFile) -> None:
        file.path.write_text(AGENCY.replace("own.yaml", "hubspot"))
        result = run("check", "-c", file.path, "--live")
        assert "this mapping is for HubSpot, but the credentials of sunrise/crm are for Memory" in result.output

    def test_what_it_lacks_is_provisioned(self, file: AgencyFile, vault: Vault) -> None:
        del vault.fields["person"]["title"]
        result = run("provision", "-c", file.path, "--apply")
        assert (result.exit_code, "title" in vault.fields["person"]) == (0, True)

    def test_its_set_up_is_walked_through(self, file: AgencyFile, vault: Vault) -> None:
        assert run("setup", "-c", file.path).exit_code == 0
        del vault.fields["person"]["title"]
        result = run("setup", "-c", file.path)
        assert (result.exit_code, "person.title is missing" in result.output) == (1, True)

    def test_credentials_of_no_crm_are_refused(self, file: AgencyFile) -> None:
        file.path.write_text(AGENCY.replace("vault:", "volt:"))
        result = run("check", "-c", file.path)
        assert "expected one of flow: (Salesforce), access_token: (HubSpot), vault: (Memory)" in result.stderr
