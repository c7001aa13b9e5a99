"""The JSON Schemas shipped as files: they are of this version, mark what is misspelt, and refuse no good file."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest
from click.testing import CliRunner
from jsonschema import Draft7Validator
from pydantic import BaseModel

from connector.cli import cli
from connector.destinations import VENDORS
from connector.mapping import source
from connector.mapping.diagnostics import Report
from connector.mapping.schema import File
from connector.mapping.tree import plain
from connector.running.config import AgencySettings
from tests import test_docs
from tests.mappings.mistakes import agency_files, mapping_files
from tests.mappings.test_mistakes import planted

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "schemas"
MAPPING, AGENCY = (json.loads((FOLDER / f"{name}.schema.json").read_text("utf-8")) for name in ("mapping", "agency"))
IN_THE_PAGES = {
    f"{number}-{block.page}": block.text
    for number, block in enumerate(test_docs.ALL)
    if block.tag == "yaml" and block.purpose in ("file", "wish")
}
NOT_SEEN = {
    # What a schema cannot know: the environment, other files, the CRM, what a text means.
    "a mapping by another file name",
    "a reference without braces",
    "a variable's name alone",
    "a reference with a default",
    "a reference not closed",
    "the secret itself",
    "a zone's abbreviation",
    "a state for a zone",
    "a date as people write it",
    "an address copied from the browser",
    "quotation marks from Word",
    "double braces in quotes",
    "a field's name in value",
    "a brace not closed in a template",
    "the same field twice",
    "the name of a shipped mapping in the plural",
    "a field to withhold without its record",
    "the CRM's label for its field",
    "a table's entry in small letters",
    "a state written out",
}


def value(text: str) -> Any:
    """The content of a file as the product reads it; None where it is not YAML."""
    _, tree = source.read(text.encode(), "it.yaml", Report())
    return plain(tree) if tree else None


def refused(schema: dict[str, Any], text: str) -> list[str]:
    content = value(text)
    if content is None:
        return ["not YAML"]
    return [f"{error.json_path}: {error.message}" for error in Draft7Validator(schema).iter_errors(content)]


def models(model: type[BaseModel]) -> set[type[BaseModel]]:
    """A model, and every model that its fields are made of."""
    known, waiting = set[type[BaseModel]](), list[Any]([model])
    while waiting:
        part = waiting.pop()
        waiting += get_args(part)
        if isinstance(part, type) and issubclass(part, BaseModel) and part is not BaseModel and part not in known:
            known.add(part)
            for field in part.model_fields.values():
                waiting += [field.annotation, *field.metadata]
    return known


def with_its_setting(line: str) -> str:
    """A line of the example with the setting that it has as a comment."""
    found = re.match(r"( *)# ( *)(\w+):(?: |$)", line)
    is_one = found and found[3] in keys_in(AGENCY) - {"auth"} and not (found[1] and found[2])
    return re.sub(r"# ", "", line, count=1) if is_one or re.match(r"# +- ", line) else line


class TestFiles:
    @pytest.mark.parametrize(("command", "name"), [("editor", "mapping"), ("agency", "agency")])
    def test_each_is_what_this_version_writes(self, command: str, name: str, tmp_path: Path) -> None:
        made = tmp_path / f"{name}.schema.json"
        assert CliRunner().invoke(cli, ["schema", command, "-o", str(made)]).exit_code == 0
        kept = FOLDER / made.name
        assert kept.read_text("utf-8") == made.read_text("utf-8"), f"connector schema {command} -o schemas/{made.name}"

    @pytest.mark.parametrize("schema", [MAPPING, AGENCY], ids=["mapping", "agency"])
    def test_each_is_a_schema_that_leads_nowhere_outside_itself(self, schema: dict[str, Any]) -> None:
        Draft7Validator.check_schema(schema)
        pointed = set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(schema)))
        assert {one for one in pointed if one.removeprefix("#/$defs/") not in schema["$defs"]} == set()


class TestMappings:
    @pytest.mark.parametrize("path", sorted((ROOT / "mappings").rglob("*.yaml")), ids=lambda path: path.stem)
    def test_a_shipped_mapping_fits(self, path: Path) -> None:
        assert refused(MAPPING, path.read_text("utf-8")) == []

    @pytest.mark.parametrize("name", [name for name, text in IN_THE_PAGES.items() if "agency:" not in text])
    def test_a_mapping_of_the_pages_fits(self, name: str) -> None:
        assert refused(MAPPING, IN_THE_PAGES[name]) == []

    @pytest.mark.parametrize("name", mapping_files.MISTAKES)
    def test_a_mistake_is_marked_and_what_was_meant_is_not(self, name: str) -> None:
        right, wrong = planted(mapping_files.RIGHT, *mapping_files.MISTAKES[name])
        assert refused(MAPPING, right) == []
        assert bool(refused(MAPPING, wrong)) is (name not in NOT_SEEN)

    @pytest.mark.parametrize("model", sorted(models(File), key=lambda model: model.__name__))
    def test_it_knows_every_key_that_the_product_reads(self, model: type[BaseModel]) -> None:
        known = keys_in(MAPPING["$defs"].get(model.__name__, {}))
        ours = {field.alias or name for name, field in model.model_fields.items()}
        everywhere = keys_in(MAPPING)  # conditions and comparisons are laid out for each field of an event
        assert ours <= (known or everywhere) | everywhere


class TestAgencyFiles:
    def test_the_example_fits(self) -> None:
        assert refused(AGENCY, test_docs.EXAMPLE) == []

    def test_every_setting_that_the_example_leaves_out_fits(self) -> None:
        whole = "\n".join(map(with_its_setting, test_docs.EXAMPLE.splitlines()))
        assert {"carecycle", "alarms"} <= value(whole).keys()
        assert {"salesforce", "renew_by", "endpoint"} <= value(whole)["destinations"]["salesforce"].keys()
        assert refused(AGENCY, whole) == []

    @pytest.mark.parametrize(
        "auth", re.findall(r"^ +# auth: (.*)$", test_docs.EXAMPLE, re.M), ids=lambda auth: auth[:25]
    )
    def test_every_way_to_log_in_fits(self, auth: str) -> None:
        text = agency_files.RIGHT
        start, end = text.index("      flow:"), text.index("    budget:")
        assert refused(AGENCY, text[:start].removesuffix("\n") + f" {auth}\n" + text[end:]) == []

    @pytest.mark.parametrize("name", [name for name, text in IN_THE_PAGES.items() if text.startswith("agency:")])
    def test_an_agency_file_of_the_pages_fits(self, name: str) -> None:
        assert refused(AGENCY, IN_THE_PAGES[name]) == []

    @pytest.mark.parametrize("name", agency_files.MISTAKES)
    def test_a_mistake_is_marked_and_what_was_meant_is_not(self, name: str) -> None:
        right, wrong = planted(agency_files.RIGHT, *agency_files.MISTAKES[name])
        assert refused(AGENCY, right) == []
        assert bool(refused(AGENCY, wrong)) is (name not in NOT_SEEN)

    @pytest.mark.parametrize("line", ["  payloads: ${DAYS}", "  payloads: file:days", "  undo: 0"])
    def test_a_value_may_be_a_reference_whatever_its_type(self, line: str) -> None:
        assert refused(AGENCY, agency_files.RIGHT.replace("  payloads: 30", line)) == []

    @pytest.mark.parametrize("line", ["  payloads: $DAYS", "  payloads: 0", "  payloads: many"])
    def test_another_text_than_a_reference_may_not(self, line: str) -> None:
        assert refused(AGENCY, agency_files.RIGHT.replace("  payloads: 30", line))

    @pytest.mark.parametrize("version", ["67.0", '"67.0"', "${VERSION}"])
    def test_a_version_may_be_a_number_as_the_example_has_it(self, version: str) -> None:
        text = agency_files.RIGHT.replace("    budget: 20%", f"    budget: 20%\n    api_version: {version}")
        assert refused(AGENCY, text) == []

    def test_a_name_of_a_destination_in_capitals_is_marked(self) -> None:
        assert refused(AGENCY, agency_files.RIGHT.replace("  hubspot:", "  HubSpot:"))

    @pytest.mark.parametrize(
        "model",
        sorted(
            {*models(AgencySettings), *(one for vendor in VENDORS.values() for one in models(vendor.settings))},
            key=lambda model: model.__name__,
        ),
    )
    def test_it_has_exactly_the_keys_that_the_product_reads(self, model: type[BaseModel]) -> None:
        if model.__name__ == "DestinationSettings":
            choices = {one["$ref"].rpartition("/")[2] for one in AGENCY["$defs"]["DestinationSettings"]["anyOf"]}
            assert choices == {vendor.settings.__name__ for vendor in VENDORS.values()}
            return
        known = AGENCY if model is AgencySettings else AGENCY["$defs"][model.__name__]
        assert known["properties"].keys() == model.model_fields.keys()
        assert known["additionalProperties"] is False


def keys_in(node: Any) -> set[str]:
    """Every key that some block of a schema may have."""
    match node:
        case dict():
            own = node.get("properties")
            here = set(own) if isinstance(own, dict) else set()
            return here.union(*(keys_in(inner) for inner in node.values()))
        case list():
            return set().union(*(keys_in(inner) for inner in node))
        case _:
            return set()
