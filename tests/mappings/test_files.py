"""The mapping files the language was designed on, the shipped ones, and the file of planted mistakes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from connector import mapping
from connector.carecycle import catalogue
from connector.destinations import VENDORS
from connector.mapping.diagnostics import Severity
from tests.mappings.build import HERE, SCHEMAS, SHARED, SHIPPED

GOOD = sorted(SHARED.glob("*.yaml"))
OURS = sorted(SHIPPED.glob("*.yaml"))


def _schema_for(path: Path) -> str:
    return "hubspot" if path.stem == "hubspot" else "salesforce"


def _names(paths: list[Path]) -> list[str]:
    return [f"{path.parent.name}-{path.stem}" for path in paths]


@pytest.mark.parametrize("path", GOOD + OURS, ids=_names(GOOD + OURS))
class TestGoodFiles:
    def test_it_checks_clean_against_the_crm(self, path: Path) -> None:
        loaded = mapping.load(path, schema=SCHEMAS[_schema_for(path)], shipped=SHARED, crms=VENDORS)
        # The language was designed on files that match by e-mail alone; the shipped ones no longer do.
        allowed = {"M233"} if path in GOOD else set()
        assert [d for d in loaded.diagnostics if d.severity is not Severity.NOTE and d.code not in allowed] == []

    def test_it_loads_without_a_schema(self, path: Path) -> None:
        assert mapping.load(path, shipped=SHARED, crms=VENDORS).mapping is not None

    def test_it_passes_its_own_tests(self, path: Path) -> None:
        loaded = mapping.load(path, schema=SCHEMAS[_schema_for(path)], shipped=SHARED, crms=VENDORS)
        assert loaded.mapping is not None
        results = mapping.run_examples(loaded.mapping)
        assert results
        assert [result for result in results if not result.ok] == []


class TestBrokenFile:
    def test_every_planted_mistake_is_found_where_it_stands(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(HERE)
        loaded = mapping.load(Path("broken.yaml"), schema=SCHEMAS["salesforce"], shipped=SHIPPED, crms=VENDORS)
        expected = re.findall(r"^broken.yaml:(\d+):(\d+): \w+\[(\w+)\]", Path("broken.expected.txt").read_text(), re.M)
        assert [(str(d.line), str(d.col), d.code) for d in loaded.diagnostics] == expected

    def test_it_is_told_as_agreed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(HERE)
        loaded = mapping.load(Path("broken.yaml"), schema=SCHEMAS["salesforce"], shipped=SHIPPED, crms=VENDORS)
        assert mapping.render(loaded.diagnostics, loaded.texts) == Path("broken.expected.txt").read_text().rstrip("\n")

    def test_it_is_not_compiled(self) -> None:
        assert mapping.load(HERE / "broken.yaml", shipped=SHIPPED, crms=VENDORS).mapping is None


@pytest.mark.parametrize("path", OURS, ids=_names(OURS))
class TestShippedMappings:
    def test_it_reads_nothing_an_agency_must_not_send_by_default(self, path: Path) -> None:
        loaded = mapping.load(path, shipped=SHIPPED, crms=VENDORS)
        assert loaded.mapping is not None
        private = {catalogue.Privacy.FINANCIAL, *catalogue.HEALTH_INFORMATION}
        assert [p for p in loaded.mapping.reads if catalogue.FIELDS[p].privacy in private] == []
        assert "customer.dateOfBirth" not in loaded.mapping.reads

    def test_it_carries_every_flag(self, path: Path) -> None:
        loaded = mapping.load(path, shipped=SHIPPED, crms=VENDORS)
        assert loaded.mapping is not None
        assert set(loaded.mapping.flags) == set(catalogue.FLAGS)

    def test_its_tests_cover_every_value_of_the_enums_it_reads(self, path: Path) -> None:
        loaded = mapping.load(path, shipped=SHIPPED, crms=VENDORS)
        assert loaded.mapping is not None
        text = path.read_text()
        for one in (f for f in loaded.mapping.reads if catalogue.FIELDS[f].options):
            field = one.rsplit(".", 1)[-1]
            example = {"status": {"Lead", "Active"}, "direction": {"inbound"}, "lineType": {"mobile"}}[field]
            given = set(re.findall(rf"given: {{[^}}]*\b{field}: (\w+)", text))
            assert given | example >= set(catalogue.FIELDS[one].options)


class TestWhatAMappingTells:
    def test_it_knows_what_it_writes(self) -> None:
        loaded = mapping.load(SHARED / "salesforce-lead.yaml", shipped=SHARED, crms=VENDORS)
        assert loaded.mapping is not None
        assert {"careCycle_Id__c", "DoNotCall", "Company"} < loaded.mapping.writes["Lead"]

    def test_it_knows_what_it_reads(self) -> None:
        loaded = mapping.load(SHARED / "salesforce-lead.yaml", shipped=SHARED, crms=VENDORS)
        assert loaded.mapping is not None
        assert {"customer.subsidyEligible", "customer.status", "customer.doNotSMS"} < loaded.mapping.reads

    def test_its_version_follows_every_file_it_is_made_of(self, tmp_path: Path) -> None:
        base = (SHARED / "salesforce-lead.yaml").read_text()
        (tmp_path / "base.yaml").write_text(base)
        (tmp_path / "own.yaml").write_text("extends: base.yaml\n")
        before = mapping.load(tmp_path / "own.yaml", shipped=SHARED, crms=VENDORS).mapping
        (tmp_path / "base.yaml").write_text(base + "# changed\n")
        after = mapping.load(tmp_path / "own.yaml", shipped=SHARED, crms=VENDORS).mapping
        assert before is not None
        assert after is not None
        assert before.version != after.version

    def test_the_shipped_folder_holds_the_shipped_mappings(self) -> None:
        assert (mapping.shipped_folder() / "hubspot.yaml").is_file()
