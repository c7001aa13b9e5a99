"""An open task to call somebody who must not be called is a warning."""

from __future__ import annotations

import pytest

from tests.mappings.build import CALL, SHIPPED, found_and_marked, load, mapping_text

TASK = CALL.replace("call:\n", "§call:\n")
CARRIED = "{ flags: { doNotCall: contact.DoNotCall }, %swaive: [doNotSMS, doNotEmail, doNotMail] }"


def mapping(fields: str, *, task: str = TASK, consent: str = "", record: str = "") -> str:
    records = task.replace("Status: { value: Completed }", fields).replace("  key:", f"  {record}\n  key:")
    return mapping_text(consent=CARRIED % consent, records=records)


def warned(text: str) -> bool:
    found, marked = found_and_marked(text, schema=None)
    assert found == [("M225", *place) for place in marked] or not found
    return bool(found)


class TestATask:
    @pytest.mark.parametrize(
        "fields",
        ["Status: { value: Not Started }", "Subject: { value: Call back }", "TaskSubtype: { value: Call }"],
    )
    def test_that_is_open_is_warned_of(self, fields: str) -> None:
        assert warned(mapping(fields))

    @pytest.mark.parametrize("fields", ["Status: { value: Completed }", "TaskSubtype: { value: Email }"])
    def test_that_is_completed_or_no_call_is_not(self, fields: str) -> None:
        assert not warned(mapping(fields))

    def test_under_skip_is_not(self) -> None:
        assert not warned(mapping("Status: { value: Not Started }", consent="skip: { doNotCall: [call] }, "))

    def test_that_asks_for_the_flag_is_not(self) -> None:
        assert not warned(mapping("Status: { value: Not Started }", record="when: { customer.doNotCall: false }"))

    def test_whose_flag_is_waived_is_not(self) -> None:
        assert not warned(mapping_text(records=TASK.replace("Completed", "Not Started")))

    @pytest.mark.parametrize(
        "file", sorted(SHIPPED.rglob("*.yaml")), ids=lambda file: f"{file.parent.name}/{file.stem}"
    )
    def test_of_a_shipped_mapping_heeds_the_flag(self, file: object) -> None:
        text = SHIPPED.joinpath(str(file)).read_text("utf-8")
        assert "M225" not in [found.code for found in load(text, schema=None, shipped=SHIPPED).diagnostics]
