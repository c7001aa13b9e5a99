"""Each shipped recipe is a mapping that works alone, by its short name, and beside all others for the same mapping."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from connector import mapping
from connector.destinations import VENDORS
from connector.mapping import Loaded, Severity, shipped_names
from connector.mapping.demands import demands
from connector.mapping.reached import unreached
from connector.mapping.shipped import short_name
from connector.mapping.target import TargetObject, TargetSchema
from tests.destinations import hubspot_fixtures, salesforce_fixtures
from tests.mappings.build import SHIPPED

ALL = {name: path for name, path in shipped_names(SHIPPED).items() if "/" in name}
BASES = sorted({name.split("/")[1] for name in ALL})
OBJECTS = {
    "salesforce": ("Contact", "Lead", "Account", "Task", "Opportunity", "User", "Group", "RecordType"),
    "hubspot": ("contacts", "calls", "tasks", "deals", "owners"),
}


@cache
def account(crm: str) -> TargetSchema:
    """What the sandbox of a CRM says of itself."""
    fixtures = hubspot_fixtures if crm == "hubspot" else salesforce_fixtures
    with fixtures.sandbox_and_destination() as (_, destination):
        return destination.describe(OBJECTS[crm])


def provisioned(loaded: Loaded) -> TargetSchema:
    """The account once `connector provision` has created what a mapping needs."""
    assert loaded.written is not None
    assert loaded.mapping is not None
    known, needed = account(loaded.mapping.crm.name), demands(*loaded.written)
    made = {
        name: {field: one.wanted for field, one in fields.items() if not field.startswith("hs_")}  # HubSpot's own
        for name, fields in needed.items()
    }
    objects = {name: TargetObject(fields=made.get(name, {}) | known.fields) for name, known in known.objects.items()}
    return known.model_copy(update={"objects": objects})


def checked(path: Path) -> Loaded:
    """Load a mapping against the account that was prepared for it."""
    alone = mapping.load(path, shipped=SHIPPED, crms=VENDORS)
    assert alone.mapping is not None, mapping.render(alone.diagnostics, alone.texts)
    return mapping.load(path, schema=provisioned(alone), shipped=SHIPPED, crms=VENDORS)


def problems(loaded: Loaded) -> Iterator[str]:
    """What is wrong with a mapping, its own tests included."""
    yield from (str(one) for one in loaded.diagnostics if one.severity is not Severity.NOTE)
    unreached(loaded)  # as `connector test` asks, whatever the tests are about
    if loaded.mapping is not None:
        yield from (f"{one}: {one.hint}" for one in mapping.failures(mapping.run_examples(loaded.mapping)))


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
class TestEachRecipe:
    def test_it_checks_clean_in_a_prepared_account_and_passes_its_tests(self, name: str) -> None:
        assert list(problems(checked(ALL[name]))) == []

    def test_it_says_what_it_is_for_and_has_tests(self, name: str) -> None:
        text = ALL[name].read_text("utf-8")
        assert text.startswith("# ")
        assert text.count("name: ") >= 2


@pytest.mark.parametrize("base", BASES)
def test_all_recipes_for_a_mapping_keep_their_promises_together(base: str, tmp_path: Path) -> None:
    names = [name for name in ALL if name.split("/")[1] == base]
    tests = [ALL[name].read_text("utf-8").partition("\ntests:\n")[2] for name in names]
    listed = ", ".join([base, *map(short_name, names)])
    own = tmp_path / "own.yaml"
    own.write_text(f"extends: [{listed}]\ntests:\n{''.join(tests)}", "utf-8")
    assert list(problems(checked(own))) == []


class TestNames:
    def test_a_recipe_needs_the_mapping_it_adds_to(self, tmp_path: Path) -> None:
        (tmp_path / "own.yaml").write_text("extends: recipes/last-call\n")
        (found,) = mapping.load(tmp_path / "own.yaml", shipped=SHIPPED, crms=VENDORS).diagnostics
        assert (found.code, found.hint) == (
            "M140",
            "name the mapping first that it adds to:  extends: [hubspot, recipes/last-call]",
        )

    def test_it_adds_to_what_an_own_mapping_extends(self, tmp_path: Path) -> None:
        (tmp_path / "base.yaml").write_text("extends: hubspot\n")
        (tmp_path / "own.yaml").write_text("extends: [base.yaml, recipes/last-call]\n")
        loaded = mapping.load(tmp_path / "own.yaml", shipped=SHIPPED, crms=VENDORS)
        assert loaded.mapping is not None
        assert "last_call_outcome" in loaded.mapping.writes["contacts"]

    @pytest.mark.parametrize(
        ("name", "hint"),
        [
            ("recipes/lastcall", "did you mean 'recipes/last-call'?"),
            ("recipes/enroled", "did you mean 'recipes/enrolled'?"),
            ("recipes/zzz", "shipped: recipes/attempts, recipes/bilingual, recipes/enrolled"),
        ],
    )
    def test_an_unknown_one_names_those_of_the_mapping(self, tmp_path: Path, name: str, hint: str) -> None:
        (tmp_path / "own.yaml").write_text(f"extends: [hubspot, {name}]\n")
        (found,) = mapping.load(tmp_path / "own.yaml", shipped=SHIPPED, crms=VENDORS).diagnostics
        assert (found.code, found.col) == ("M140", 20)
        assert found.hint.startswith(hint)
