"""What `extends` makes of a list: the first mapping is the base, the others add to it, none replaces another's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connector import mapping
from connector.destinations import VENDORS
from connector.mapping import Loaded
from connector.mapping.planning import plan
from tests.mappings.build import SHIPPED, ZONE, an_event

BASE = """\
version: 1
crm: salesforce
consent:
  flags: { doNotCall: contact.DoNotCall, doNotSMS: contact.Do_Not_Text__c }
  waive: [doNotEmail, doNotMail]
  withhold: { doNotSMS: [contact.MobilePhone] }
tables: { status: { Lead: New, Active: Client, Inactive: Former } }
records:
  contact:
    object: Contact
    key: { careCycle_Id__c: customer.id }
    fields:
      LastName: customer.lastName
      MobilePhone: customer.phoneNumber
      Status__c: { from: customer.status, table: status }
"""
FAX = "extends: [base.yaml]\nrecords: { contact: { fields: { Fax: { value: none } } } }\n"
OTHER_FAX = "extends: [base.yaml]\nrecords: { contact: { fields: { Fax: { value: other } } } }\n"
CITY = """\
extends: [base.yaml]
consent: { withhold: { doNotSMS: [contact.City] } }
tables: { status: { Inactive: Gone } }
records: { contact: { fields: { City: customer.city } } }
"""
Given = Callable[..., Loaded]


@pytest.fixture
def loaded(tmp_path: Path) -> Given:
    """Load own.yaml beside files of these names."""

    def load(own: str, **files: str) -> Loaded:
        for name, text in {"own": own, "base": BASE, "fax": FAX, "city": CITY, **files}.items():
            (tmp_path / f"{name}.yaml").write_text(text, "utf-8")
        return mapping.load(tmp_path / "own.yaml", shipped=SHIPPED, crms=VENDORS)

    return load


def found(loaded: Loaded) -> list[tuple[str, str, int, int, str, str]]:
    return [(Path(d.file).name, d.code, d.line, d.col, d.message, d.hint) for d in loaded.diagnostics]


def sent(loaded: Loaded, **given: Any) -> dict[str, Any]:
    assert loaded.mapping is not None, mapping.render(loaded.diagnostics, loaded.texts)
    (write,) = plan(an_event(**given), loaded.mapping, timezone=ZONE).writes
    return {name: field.value for name, field in write.fields.items()}


class TestWhatIsMerged:
    def test_each_adds_to_the_first(self, loaded: Given) -> None:
        fields = sent(loaded("extends: [base.yaml, fax.yaml, city.yaml]\n"), status="Inactive")
        assert fields == {
            "LastName": "Delacroix",
            "MobilePhone": "+13128471928",
            "Status__c": "Gone",
            "Fax": "none",
            "City": "Mesa",
        }

    def test_the_order_of_those_that_add_makes_no_difference(self, loaded: Given) -> None:
        one, other = (
            sent(loaded(f"extends: [base.yaml, {of}]\n")) for of in ("fax.yaml, city.yaml", "city.yaml, fax.yaml")
        )
        assert one == other

    def test_a_list_of_one_is_that_one(self, loaded: Given) -> None:
        assert sent(loaded("extends: [base.yaml]\n")) == sent(loaded("extends: base.yaml\n"))

    def test_a_file_without_extends_adds_to_those_before_it(self, loaded: Given) -> None:
        part = "records: { contact: { fields: { LastName: customer.preferredName } } }\n"
        assert "LastName" not in sent(loaded("extends: [base.yaml, part.yaml]\n", part=part))

    def test_the_own_file_has_the_last_word(self, loaded: Given) -> None:
        own = "extends: [base.yaml, fax.yaml]\nrecords: { contact: { fields: { Fax: { value: mine } } } }\n"
        assert sent(loaded(own))["Fax"] == "mine"

    def test_all_that_one_of_them_withholds_is_withheld(self, loaded: Given) -> None:
        own = "extends: [base.yaml, city.yaml]\nconsent: { withhold: { doNotSMS: [contact.LastName] } }\n"
        assert sent(loaded(own), doNotSMS=True).keys() == {"Status__c"}

    def test_what_is_withheld_may_be_started_over(self, loaded: Given) -> None:
        rule = "consent: { withhold: { remove: [doNotSMS], doNotSMS: [contact.LastName] } }\n"
        assert sent(loaded("extends: [base.yaml, city.yaml]\n" + rule), doNotSMS=True).keys() == {
            "MobilePhone",
            "Status__c",
            "City",
        }

    def test_a_single_name_still_replaces_lists(self, loaded: Given) -> None:
        own = "extends: city.yaml\nconsent: { withhold: { doNotSMS: [contact.LastName] } }\n"
        assert sent(loaded(own), doNotSMS=True).keys() == {"MobilePhone", "Status__c", "City"}

    def test_the_version_follows_every_file(self, loaded: Given) -> None:
        own = "extends: [base.yaml, fax.yaml]\n"
        before, after = loaded(own).mapping, loaded(own, fax=FAX + "# changed\n").mapping
        assert before is not None
        assert after is not None
        assert before.version != after.version


class TestClashes:
    def test_two_that_set_a_field_differently_are_an_error_where_the_second_is_named(self, loaded: Given) -> None:
        assert found(loaded("extends: [base.yaml, fax.yaml, other.yaml]\n", other=OTHER_FAX)) == [
            (
                "own.yaml",
                "M222",
                1,
                32,
                "'fax.yaml' and 'other.yaml' both set contact.Fax",
                "set it in this file, or extend only one of them",
            )
        ]

    @pytest.mark.parametrize("decided", ["Fax: customer.county", "remove: [Fax]"])
    def test_the_own_file_may_decide(self, loaded: Given, decided: str) -> None:
        own = f"extends: [base.yaml, fax.yaml, other.yaml]\nrecords: {{ contact: {{ fields: {{ {decided} }} }} }}\n"
        assert found(loaded(own, other=OTHER_FAX)) == []

    def test_two_that_agree_are_none(self, loaded: Given) -> None:
        assert sent(loaded("extends: [base.yaml, fax.yaml, same.yaml]\n", same=FAX))["Fax"] == "none"

    @pytest.mark.parametrize(
        ("entry", "what"),
        [
            ("tables: { status: { Inactive: Away } }", "tables.status.Inactive"),
            ("consent: { flags: { doNotCall: contact.Other__c } }", "consent.flags.doNotCall"),
            ("records: { contact: { when: { customer.state: TX } } }", "records.contact.when"),
        ],
    )
    def test_anything_else_clashes_as_well(self, loaded: Given, entry: str, what: str) -> None:
        one = entry.replace("Away", "Left").replace("Other__c", "Some__c").replace("TX", "AZ")
        files = {"one": f"extends: [base.yaml]\n{one}\n", "two": f"extends: [base.yaml]\n{entry}\n"}
        (first, *_) = found(loaded("extends: [base.yaml, one.yaml, two.yaml]\n", **files))
        assert first[1:5] == ("M222", 1, 32, f"'one.yaml' and 'two.yaml' both set {what}")

    def test_who_extends_another_may_change_it(self, loaded: Given) -> None:
        other = "extends: [fax.yaml]\nrecords: { contact: { fields: { Fax: { value: other } } } }\n"
        assert sent(loaded("extends: [base.yaml, fax.yaml, other.yaml]\n", other=other))["Fax"] == "other"

    @pytest.mark.parametrize(
        ("listed", "what"),
        [
            ("salesforce-contact, hubspot", "'salesforce-contact' and 'hubspot' both set crm"),
            ("salesforce-contact, recipes/hubspot/last-call", "'salesforce-contact' and 'hubspot' both set crm"),
            (
                "salesforce-contact, salesforce-lead",
                "'salesforce-contact' and 'salesforce-lead' both set consent.flags.doNotCall",
            ),
        ],
    )
    def test_two_whole_mappings_cannot_be_one(self, loaded: Given, listed: str, what: str) -> None:
        assert what in [message[4] for message in found(loaded(f"extends: [{listed}]\n"))]


class TestNames:
    def test_an_unknown_one_is_an_error_at_its_place(self, loaded: Given) -> None:
        assert found(loaded("extends:\n  - base.yaml\n  - hubspott\n")) == [
            ("own.yaml", "M140", 3, 5, "there is no mapping 'hubspott' to extend", "did you mean 'hubspot'?")
        ]

    @pytest.mark.parametrize(
        ("written", "hint"),
        [
            ("hubspot, recipes/last-call", "write  extends: [hubspot, recipes/last-call]"),
            ("[hubspot recipes/last-call]", "write  extends: [hubspot, recipes/last-call]"),
            ("[hubspot, last-call]", "did you mean 'recipes/last-call'?"),
            ("[hubspot, recipe/last-call]", "did you mean 'recipes/last-call'?"),
            ("[hubspot, recipes/last-call.yaml]", "did you mean 'recipes/last-call'?"),
        ],
    )
    def test_a_slip_has_the_line_to_write(self, loaded: Given, written: str, hint: str) -> None:
        assert [finding[5] for finding in found(loaded(f"extends: {written}\n"))] == [hint]

    def test_every_unknown_one_is_reported_at_once(self, loaded: Given) -> None:
        assert [one[1:4] for one in found(loaded("extends: [hubspott, fax.yml]\n"))] == [
            ("M140", 1, 11),
            ("M140", 1, 21),
        ]

    def test_the_same_one_twice_is_an_error(self, loaded: Given) -> None:
        assert found(loaded("extends: [base.yaml, fax.yaml, ./fax.yaml]\n")) == [
            ("own.yaml", "M140", 1, 32, "'./fax.yaml' is extended twice", "leave it out here")
        ]

    def test_a_circle_is_an_error_where_it_closes(self, loaded: Given) -> None:
        circle = "extends: [base.yaml, own.yaml]\n"
        assert [one[:4] for one in found(loaded("extends: [base.yaml, fax.yaml]\n", fax=circle))] == [
            ("fax.yaml", "M140", 1, 22)
        ]

    @pytest.mark.parametrize("written", ["[]", "[base.yaml, 1]", "[base.yaml, { a: b }]", "{ a: b }", "1"])
    def test_anything_but_names_is_an_error(self, loaded: Given, written: str) -> None:
        assert "M110" in {one[1] for one in found(loaded(f"extends: {written}\n"))}

    def test_a_mistake_is_reported_in_the_file_it_is_in(self, loaded: Given) -> None:
        fax = FAX.replace("{ value: none }", "customer.faxx")
        assert [one[:4] for one in found(loaded("extends: [base.yaml, fax.yaml]\n", fax=fax))] == [
            ("fax.yaml", "M101", 2, 38)
        ]
