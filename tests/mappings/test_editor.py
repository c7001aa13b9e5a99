"""The schema for editors, and what the real yaml-language-server makes of it.

The server's tests need node and YAML_LANGUAGE_SERVER, the path of its script: see CONTRIBUTING.md.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from connector.carecycle.catalogue import FIELDS, FLAGS
from connector.cli import cli
from connector.destinations import VENDORS
from connector.mapping import editor, shipped_names
from connector.mapping.formats import FORMATS
from connector.running import agency_schema
from tests.mappings.build import HERE, SCHEMAS, SHARED, SHIPPED
from tests.mappings.language_server import LanguageServer
from tests.mappings.mistakes import agency_files

SCRIPT = os.environ.get("YAML_LANGUAGE_SERVER", "")
MODELINE = "# yaml-language-server: $schema=mapping.schema.json\n"
RECORD = """\
version: 1
crm: salesforce
records:
  contact:
    object: Contact
    key: { careCycle_Id__c: customer.id }
    fields:
      """


class TestSchema:
    def test_it_knows_every_field_of_an_event_with_its_type_and_privacy_class(self) -> None:
        words = editor.schema(None, VENDORS)["$defs"]["EventField"]
        about = dict(zip(words["enum"], words["enumDescriptions"], strict=True))
        assert about.keys() == FIELDS.keys()
        assert about["customer.postalCode"].startswith("text, contact")

    def test_it_offers_what_is_shipped_by_itself_and_in_a_list(self) -> None:
        names, own, several = editor.schema(None, VENDORS, ["hubspot", "recipes/hubspot/last-call"])["$defs"]["File"][
            "properties"
        ]["extends"]["anyOf"]
        assert names == {"enum": ["hubspot", "recipes/last-call"]}
        assert (own, several["items"]) == ({"type": "string"}, {"anyOf": [names, own]})

    def test_it_offers_what_may_become_of_withheld_fields(self) -> None:
        assert editor.schema(None, VENDORS)["$defs"]["Consent"]["properties"]["withheld"]["enum"] == ["leave", "clear"]

    def test_it_offers_a_condition_that_raises_each_flag(self) -> None:
        raising = editor.schema(None, VENDORS)["$defs"]["Consent"]["properties"]["raise"]["properties"]
        assert raising.keys() == set(FLAGS)
        assert raising["doNotCall"]["properties"]["when"] == {"$ref": "#/$defs/Condition"}

    def test_it_offers_every_format_with_what_it_takes(self) -> None:
        field = editor.schema(None, VENDORS)["$defs"]["MappedField"]["anyOf"][1]
        words, block, _ = field["properties"]["format"]["anyOf"]
        assert {*words["enum"], *block["properties"]} == FORMATS.keys()
        assert block["properties"]["first_of"]["enum"][0] == "week"
        assert all(told["description"] for told in block["properties"].values())

    def test_without_the_crm_any_target_may_be_written(self) -> None:
        assert "allOf" not in editor.schema(None, VENDORS)["$defs"]["Record"]

    def test_it_offers_what_a_picklist_has_for_its_value_and_its_order(self) -> None:
        told = json.dumps(editor.schema(SCHEMAS["hubspot"], VENDORS)["$defs"]["Record"])
        stages = json.dumps({"enum": ["lead", "customer", "other"]})
        assert all(f'"{word}": {at}' in told for word, at in (("value", stages), ("order", f'{{"items": {stages}}}')))

    def test_the_first_and_the_last_call_take_a_field_of_an_event(self) -> None:
        field = editor.schema(None, VENDORS)["$defs"]["MappedField"]["anyOf"][1]["properties"]
        assert {field[word]["$ref"] for word in ("first", "last")} == {"#/$defs/EventField"}

    def test_a_target_that_cannot_be_written_is_not_offered(self) -> None:
        told = json.dumps(editor.schema(SCHEMAS["salesforce"], VENDORS)["$defs"]["Record"])
        assert ('"MailingCity"' in told, '"fields": {"CreatedDate"' in told) == (True, False)

    def test_the_command_writes_it_to_a_file(self, tmp_path: Path) -> None:
        saved, made = str(HERE / "hubspot.describe.json"), tmp_path / "mapping.schema.json"
        result = CliRunner().invoke(cli, ["schema", "editor", "--schema", saved, "-o", str(made)])
        assert result.exit_code == 0
        assert json.loads(made.read_text()) == editor.schema(SCHEMAS["hubspot"], VENDORS, shipped_names(SHIPPED))

    def test_the_command_prints_it(self) -> None:
        result = CliRunner().invoke(cli, ["schema", "editor"])
        assert json.loads(result.output) == editor.schema(None, VENDORS, shipped_names(SHIPPED))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("editor")
    whole = editor.schema(SCHEMAS["salesforce"], VENDORS, shipped_names(SHIPPED))
    (folder / "mapping.schema.json").write_text(json.dumps(whole))
    (folder / "hubspot.schema.json").write_text(json.dumps(editor.schema(SCHEMAS["hubspot"], VENDORS)))
    (folder / "any.schema.json").write_text(json.dumps(editor.schema(None, VENDORS)))
    (folder / "agency.schema.json").write_text(json.dumps(agency_schema.schema()))
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[LanguageServer]:
    with LanguageServer(SCRIPT, folder) as server:
        yield server


@pytest.mark.skipif(not (SCRIPT and shutil.which("node")), reason="needs node and YAML_LANGUAGE_SERVER")
class TestTheLanguageServer:
    @pytest.mark.parametrize(
        ("typed", "offered"),
        [
            ("LastName: ¦", {"customer.lastName": "text, identity"}),
            ("LastName: customer.la¦", {"customer.lastName": "text, identity"}),
            ("LastName: { from: customer.la¦ }", {"customer.lastName": "text, identity"}),
            ("LastName:\n        from:\n          - customer.la¦", {"customer.lastName": "text, identity"}),
            ("Mailing¦", {"MailingPostalCode": "string, at most 20 characters", "Status__c": "picklist; offers"}),
            (
                "LastName: { from: customer.lastName, when: { customer.sta¦ } }",
                {"customer.status": "enum, operational"},
            ),
            ("LastName: { from: customer.lastName, when: { customer.status: A¦ } }", {"Active": "", "Inactive": ""}),
            ("LastName: { from: customer.lastName, format: u¦ }", {"upper": "", "e164": ""}),
            ("LastName: { from: customer.lastName, write: o¦ }", {"on_create": "", "unless_edited": ""}),
            ("LastName: { from: customer.lastName, c¦ }", {"cut": "true: shortens", "cases": ""}),
            ("Status__c: { value: W¦ }", {"Working": "", "Closed": ""}),
            ("Status__c: { from: customer.status, order: [W¦] }", {"Working": "", "Closed": ""}),
            ("OwnerId: { lookup: { object: U¦ } }", {"User": ""}),
            ("OwnerId: { lookup: { object: User, match: { E¦ } } }", {"Email": "email"}),
            ("OwnerId: { lookup: { object: User, where: { E¦ } } }", {"Email": "email"}),
            ("OwnerId: { lookup: { object: User, e¦ } }", {"else": "where there is no match"}),
            (
                "OwnerId: { lookup: { object: User, else: { lookup: { object: User, where: { E¦ } } } } }",
                {"Email": "email"},
            ),
        ],
    )
    def test_it_completes(self, server: LanguageServer, typed: str, offered: dict[str, str]) -> None:
        found = server.completions(f"{abs(hash(typed))}.yaml", MODELINE + RECORD + typed + "\n")
        assert {word for word, about in offered.items() if not found.get(word, "-").startswith(about)} == set()

    def test_it_offers_only_the_fields_of_the_records_own_object(self, server: LanguageServer) -> None:
        found = server.completions("own.yaml", MODELINE + RECORD + "Ma¦\n")
        assert ("MailingCity" in found, "Company" in found, "CallType" in found) == (True, False, False)

    def test_it_offers_every_objects_fields_where_the_object_is_inherited(self, server: LanguageServer) -> None:
        text = "extends: salesforce-contact\nrecords:\n  contact:\n    fields:\n      Ma¦\n"
        assert {"MailingCity", "CallType"} <= server.completions("inherited.yaml", MODELINE + text).keys()

    @pytest.mark.parametrize("typed", ["¦", "[hubspot, ¦]", "\n  - hubspot\n  - ¦"])
    def test_it_offers_what_may_be_extended(self, server: LanguageServer, typed: str) -> None:
        found = server.completions(f"extends{len(typed)}.yaml", f"{MODELINE}extends: {typed}\n")
        assert {"hubspot", "recipes/last-call"} <= found.keys()

    def test_a_hover_tells_the_target_and_what_the_event_field_is(self, server: LanguageServer) -> None:
        told = server.hover("hover.yaml", MODELINE + RECORD + "LastName: customer.last¦Name\n")
        assert told.startswith("string, at most 80 characters, required")
        assert "`customer.lastName`: text, identity" in told

    def test_a_hover_tells_what_a_condition_reads(self, server: LanguageServer) -> None:
        when = "Phone: { from: customer.phoneNumber, when: { customer.line¦Type: mobile } }"
        assert "the carrier's line type" in server.hover("condition.yaml", MODELINE + RECORD + when + "\n")

    def test_a_slip_is_marked_while_typing(self, server: LanguageServer) -> None:
        slips = server.problems(
            "slip.yaml", MODELINE + RECORD + "LastName: customer.fristName\n      LastNme: customer.city\n"
        )
        assert [one.split(":")[0] for one in slips] == ["9", "10"]

    def test_it_finds_nothing_in_the_example_of_an_agency_file(self, server: LanguageServer) -> None:
        example = (SHIPPED.parent / "config.example.yaml").read_text("utf-8")
        assert server.problems("agency.yaml", MODELINE.replace("mapping", "agency") + example) == []

    def test_a_slip_in_an_agency_file_is_marked_and_its_keys_are_offered(self, server: LanguageServer) -> None:
        top = MODELINE.replace("mapping", "agency") + agency_files.RIGHT
        slips = server.problems("agency-slip.yaml", top.replace("  payloads: 30", "  payload: 30"))
        assert [one.split(":")[0] for one in slips] == [str(top[: top.index("  payloads:")].count("\n") + 1)]
        offered = server.completions("agency-offer.yaml", top.replace("  payloads: 30", "  d¦"))
        assert offered["dead_letters"].startswith("then a dead letter is given up")

    @pytest.mark.parametrize("path", [*SHIPPED.glob("*.yaml"), *SHARED.glob("*.yaml")], ids=lambda path: path.stem)
    @pytest.mark.parametrize("known", [True, False], ids=["known CRM", "any CRM"])
    def test_it_finds_nothing_in_a_good_mapping(self, server: LanguageServer, path: Path, known: bool) -> None:
        schema = ("hubspot" if path.stem == "hubspot" else "mapping") if known else "any"
        modeline = MODELINE.replace("mapping", schema)
        assert server.problems(f"{path.parent.name}-{known}-{path.name}", modeline + path.read_text()) == []
