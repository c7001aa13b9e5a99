"""What goes wrong in a life of the state machine: faults, people's edits in the CRM, hidden fields, odd payloads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from connector.delivery.route import Running
from connector.store.desk import FOREVER
from tests.promises.crm import BY_HAND, SINCE, Fault
from tests.promises.stage import DESTINATION, HOLD, LANE, MAPPINGS, Stage

CUSTOMERS: Final = ("c-1", "c-2", "c-3")
customers = st.sampled_from([*CUSTOMERS, "c-1", "c-1"])

BLANK: Final = {"object": "Contact", "LastName": "Delacroix"}
STRANGER: Final = {"Id": "s-1", "object": "Contact", "Key": "c-9", "LastName": "Delacroix", "Email": "a@example.com"}
"""A contact that looks like a customer and is none: nothing may change it."""


@dataclass(frozen=True)
class Odd:
    """A field as careCycle should not send it, and as it is to be read: ABSENT where it says nothing."""

    field: str
    sent: Any
    plain: Any = None

    def sent_in(self, customer: Mapping[str, Any]) -> dict[str, Any]:
        return {**customer, self.field: self.sent}

    def plain_in(self, customer: Mapping[str, Any]) -> dict[str, Any]:
        rest = {name: value for name, value in customer.items() if name != self.field}
        return rest if self.plain is None else {**rest, self.field: self.plain}


ODD_FIELDS: Final = (
    Odd("subsidyAmount", 148.5),
    Odd("dateOfBirth", "04/12/1958"),
    Odd("agentNpn", 8419302, "8419302"),
    Odd("city", 85204, "85204"),
    Odd("county", ["Pima"]),
    Odd("agentName", {"first": "Ana"}),
    Odd("doNotCall", "TRUE", True),
    Odd("doNotCall", 1),
    Odd("doNotSMS", "no"),
    Odd("doNotSMS", []),
)
odd_fields = st.sampled_from([None, None, None, None, *ODD_FIELDS])


class Mishaps(RuleBasedStateMachine):
    """The steps that spoil something. edited: (customer, field). remade: customers whose records people replaced."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage = stage
        stage.wipe()
        stage.crm.records["s-1"] = dict(STRANGER)
        self.edited: set[tuple[str, str]] = set()
        self.remade: set[str] = set()
        self.reloaded = False

    # --- in the CRM

    @rule(fault=st.sampled_from(list(Fault)))
    def plan_a_fault(self, fault: Fault) -> None:
        self.stage.crm.faults.append(fault)

    @rule()
    @precondition(lambda self: self.stage.crm.faults)
    def clear_faults(self) -> None:
        self.stage.crm.faults.clear()

    @rule(field=st.sampled_from(["County", "Status", "Stage", "NoCall", "NoText"]))
    def hide_a_field(self, field: str) -> None:
        """From now on, the CRM user may not write it."""
        self.stage.crm.unwritable.add(field)

    @rule()
    @precondition(lambda self: self.stage.crm.unwritable)
    def show_all_fields(self) -> None:
        self.stage.crm.unwritable.clear()

    @rule(customer=customers, field=st.sampled_from(["Owner", "Email", "City", "Stage"]))
    @precondition(lambda self: self.stage.crm.writes)
    def edit_by_hand(self, customer: str, field: str) -> None:
        for record in self.stage.crm.all("Contact", customer):
            record |= {field: BY_HAND, "LastModifiedDate": SINCE}
            self.edited.add((customer, field))

    @rule(customer=customers)
    @precondition(lambda self: self.stage.crm.writes)
    def delete_by_hand(self, customer: str) -> None:
        for record in self.stage.crm.all("Contact", customer):
            del self.stage.crm.records[record["Id"]]
            self.remade.add(customer)

    @rule(customer=customers, blank=st.booleans())
    @precondition(lambda self: self.stage.crm.writes)
    def make_a_twin_by_hand(self, customer: str, blank: bool) -> None:
        """A person copies the record, key and all. blank: an import makes another with the same key instead."""
        records = self.stage.crm.all("Contact", customer)
        if len(records) == 1:
            self.stage.crm.add(**BLANK | {"Key": customer} if blank else records[0])
            self.remade.add(customer)

    @rule(customer=customers, survivor=st.sampled_from([0, -1]))
    @precondition(lambda self: self.remade)
    def merge_by_hand(self, customer: str, survivor: int) -> None:
        records = self.stage.crm.all("Contact", customer)
        for record in records:
            if record is not records[survivor]:
                del self.stage.crm.records[record["Id"]]

    # --- in our house

    @rule(milliseconds=st.sampled_from([5_000, HOLD + 1, 3_600_000]))
    def let_time_pass(self, milliseconds: int) -> None:
        self.stage.clock.forward(milliseconds)

    @rule()
    def edit_the_mapping(self) -> None:
        self.stage.mapping = 1 - self.stage.mapping
        self.stage.route.running = Running(MAPPINGS[self.stage.mapping])
        self.stage.store.mappings.running(DESTINATION, MAPPINGS[self.stage.mapping].version)
        self.reloaded = True
        self.replays += 1  # of what was left out

    @rule()
    def pause(self) -> None:
        if self.stage.lane().paused_until < FOREVER:
            self.stage.store.desk.pause(LANE, "ana")

    @rule()
    def resume(self) -> None:
        if self.stage.lane().paused_until > self.stage.clock():
            self.stage.store.desk.resume(LANE, "ana")
