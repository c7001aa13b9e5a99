"""Couples who share an address and a phone: who was in the CRM, who came, and what must be there in the end.

    python -m tests.promises.households

prints the table of all of them, with what really landed where.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select

from connector.delivery.route import Route, Running
from connector.mapping import Mapping as CompiledMapping
from connector.mapping import load, load_text
from connector.store.desk import Filter
from connector.store.problem_tables import open_items
from tests.conftest import Clock
from tests.mappings.build import SHARED, SHIPPED
from tests.promises.accounts import Account, org, portal
from tests.promises.stage import DESTINATION, VENDORS, ZONE, Stage, a_person, a_talk, open_stage

ADDRESS: Final = "kesslers@example.com"
PHONE: Final = "+16025550147"


@dataclass(frozen=True)
class Someone:
    """A customer of careCycle. raised: the flags of each of this customer's events."""

    id: str
    first: str
    last: str
    born: str
    raised: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        return f"{self.first} {self.last}"

    def event(self, at: int, external_id: str | None = None) -> dict[str, Any]:
        flags = {flag: flag in self.raised for flag in ("doNotCall", "doNotSMS", "doNotEmail", "doNotMail")}
        shared = {"email": ADDRESS, "phoneNumber": PHONE, "state": "AZ", "externalId": external_id}
        return a_person(self.id, at, firstName=self.first, lastName=self.last, dateOfBirth=self.born, **shared, **flags)

    def call(self, at: int, external_id: str | None = None) -> dict[str, Any]:
        return a_talk(f"call-{self.id}", self.event(at, external_id), at, disposition="Enrolled")


LORRAINE: Final = Someone("c-lorraine", "Lorraine", "Kessler", "1951-03-09", frozenset({"doNotCall", "doNotEmail"}))
RAYMOND: Final = Someone("c-raymond", "Raymond", "Kessler", "1949-11-22")
BOTH: Final = (LORRAINE, RAYMOND)
SON: Final = Someone("c-son", "Raymond", "Kessler", "1974-05-30")
"""Raymond's son, of the same name."""


@dataclass(frozen=True)
class Held:
    """A contact that a person made by hand. email: the couple's address, unless another or none is given."""

    first: str | None
    last: str | None
    email: str | None = ADDRESS
    born: str | None = None
    key: str | None = None


@dataclass(frozen=True)
class Household:
    """Who is in the CRM before anybody comes.

    same: which of the held is which customer, by place. asked: which of them the CRM's people are asked about.
    by_birthday: the first holds only for a mapping that compares dates of birth, the second only for others.
    linked: the customer whose externalId in careCycle is the id of the first of the held.
    only: the one CRM that can hold them: HubSpot allows an address once, Salesforce wants a last name.
    """

    name: str
    held: tuple[Held, ...] = ()
    same: Mapping[str, int] = field(default_factory=dict)
    asked: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    linked: str = ""
    only: str = ""
    by_birthday: bool = False


RAY_BY_HAND: Final = Held("Raymond", "Kessler")
LORRAINE_BY_HAND: Final = Held("Lorraine", "Kessler")

HOUSEHOLDS: Final = (
    Household("nobody"),
    Household("Raymond", (RAY_BY_HAND,), {RAYMOND.id: 0}),
    Household("Lorraine", (LORRAINE_BY_HAND,), {LORRAINE.id: 0}),
    Household("both", (RAY_BY_HAND, LORRAINE_BY_HAND), {RAYMOND.id: 0, LORRAINE.id: 1}, only="salesforce"),
    Household(
        "both, Lorraine without an address",
        (RAY_BY_HAND, Held("Lorraine", "Kessler", None)),
        {RAYMOND.id: 0, LORRAINE.id: 1},
    ),
    Household(
        "a contact without a name", (Held(None, None),), asked={RAYMOND.id: (0,), LORRAINE.id: (0,)}, only="hubspot"
    ),
    Household("the last name only", (Held(None, "Kessler"),), asked={RAYMOND.id: (0,), LORRAINE.id: (0,)}),
    Household(
        "the last name and Raymond's birthday",
        (Held(None, "Kessler", born=RAYMOND.born),),
        {RAYMOND.id: 0},
        {RAYMOND.id: (0,), LORRAINE.id: (0,)},
        by_birthday=True,
    ),
    Household("a short form", (Held("Ray", "Kessler"),), asked={RAYMOND.id: (0,)}),
    Household(
        "a short form and his birthday",
        (Held("Ray", "Kessler", born=RAYMOND.born),),
        {RAYMOND.id: 0},
        {RAYMOND.id: (0,)},
        by_birthday=True,
    ),
    Household("two of the same name", (RAY_BY_HAND, RAY_BY_HAND), asked={RAYMOND.id: (0, 1)}, only="salesforce"),
    Household("Raymond in another spelling", (Held("RAYMOND J.", "Kessler Jr."),), {RAYMOND.id: 0}),
    Household("a contact that careCycle links Raymond to", (Held("R.", "Kesler"),), {RAYMOND.id: 0}, linked=RAYMOND.id),
    Household("a daughter of another last name", (Held("Dawn", "Ostrander"),)),
    Household("Raymond as another customer's", (Held("Raymond", "Kessler", key="c-earlier"),)),
)

Batches = tuple[tuple[Someone, ...], ...]

COMINGS: Final[Mapping[str, Batches]] = {
    "Lorraine": ((LORRAINE,),),
    "Raymond": ((RAYMOND,),),
    "both in one batch": (BOTH,),
    "both in one batch, he first": ((RAYMOND, LORRAINE),),
    "Lorraine, then Raymond": ((LORRAINE,), (RAYMOND,)),
    "Raymond, then Lorraine": ((RAYMOND,), (LORRAINE,)),
}
"""Who comes, batch by batch."""

WAYS: Final = ("by an update", "by a call", "by both")

BY: Final = "extends: salesforce-contact\nversion: 1\nrecords: { contact: { also_match: [ %s ] } }\n"
EMAIL, LAST, PHONES = "Email: customer.email", "LastName: customer.lastName", "Phone: customer.phoneNumber"


@dataclass(frozen=True)
class Wiring:
    """A mapping, and the CRM it is for.

    text: its name or its text. by: what its steps search contacts by. folder: of the mappings. born: whether it says
    where the CRM has the date of birth.
    """

    crm: str
    text: str
    by: frozenset[str] = frozenset()
    folder: Path = SHIPPED
    born: bool = False

    def finds(self, held: Held) -> bool:
        """Whether one of the steps leads from the couple to this contact."""
        return held.key is None and ("phone" in self.by or ("email" in self.by and held.email == ADDRESS))


BY_EMAIL: Final = frozenset({"email"})
WIRINGS: Final[Mapping[str, Wiring]] = {
    "HubSpot": Wiring("hubspot", "hubspot", BY_EMAIL),
    "HubSpot, an agency's": Wiring("hubspot", "hubspot", BY_EMAIL, SHARED, born=True),
    "Salesforce": Wiring("salesforce", "salesforce-contact"),
    "Salesforce, an agency's": Wiring("salesforce", BY % f"{{ {EMAIL} }}", BY_EMAIL, SHARED, born=True),
    "Salesforce by e-mail": Wiring("salesforce", BY % f"{{ {EMAIL} }}", BY_EMAIL),
    "Salesforce by e-mail and last name": Wiring("salesforce", BY % f"{{ {EMAIL}, {LAST} }}", BY_EMAIL),
    "Salesforce by phone, then e-mail": Wiring(
        "salesforce", BY % f"{{ {PHONES}, {LAST} }}, {{ {EMAIL} }}", BY_EMAIL | {"phone"}
    ),
}
DAILY: Final = ("HubSpot", "Salesforce by e-mail and last name")
"""The mappings that are tried every day; the others differ little from them."""


@cache
def mapping_of(wiring: str) -> CompiledMapping:
    wired = WIRINGS[wiring]
    if "\n" in wired.text:
        loaded = load_text(wired.text, "households.yaml", shipped=wired.folder, crms=VENDORS)
    else:
        loaded = load(wired.folder / f"{wired.text}.yaml", shipped=wired.folder, crms=VENDORS)
    assert loaded.mapping is not None, loaded.diagnostics
    return loaded.mapping


@dataclass(frozen=True)
class Names:
    """What a CRM calls the same things."""

    people: str
    calls: str
    id: str
    key: str
    call_key: str
    first: str
    last: str
    email: str
    phone: str
    born: str
    flags: Mapping[str, str]


NAMES: Final = {
    "hubspot": Names(
        "contacts", "calls", "id", "carecycle_id", "carecycle_call_id", "firstname", "lastname", "email", "phone",
        "date_of_birth", {"doNotCall": "do_not_call", "doNotEmail": "do_not_email"},
    ),
    "salesforce": Names(
        "Contact", "Task", "Id", "careCycle_Id__c", "careCycle_Call_Id__c", "FirstName", "LastName", "Email", "Phone",
        "Birthdate", {"doNotCall": "DoNotCall", "doNotEmail": "HasOptedOutOfEmail"},
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Contact:
    """A contact as it ended. calls: the keys of the calls that hang on it."""

    id: str
    key: str | None
    name: str
    email: str | None
    flags: frozenset[str]
    calls: frozenset[str]


@dataclass(frozen=True)
class Landed:
    """What came of one household.

    held: the ids of what a person made, by place. untouched: those that are as they were.
    open: the fields left out, with who has the value, by customer. questions: customer -> the ids asked about.
    """

    contacts: tuple[Contact, ...]
    held: tuple[str, ...]
    untouched: frozenset[str]
    states: frozenset[str]
    open: Mapping[str, Sequence[tuple[str, str | None]]]
    questions: Mapping[str, frozenset[str]]

    def of(self, customer: Someone) -> list[Contact]:
        return [contact for contact in self.contacts if contact.key == customer.id]

    def with_address(self) -> list[Contact]:
        return [contact for contact in self.contacts if contact.email == ADDRESS]


class Town:
    """Both CRMs and a store, emptied for each household."""

    def __init__(self, stage: Stage, accounts: Mapping[str, Account]) -> None:
        self.stage, self.accounts = stage, accounts

    def lives(self, wiring: str, household: Household, batches: Batches, way: str) -> Landed:
        """Let a household's people come, and report what landed where."""
        crm = WIRINGS[wiring].crm
        account, names = self.accounts[crm], NAMES[crm]
        self.stage.wipe()
        account.empty()
        held = tuple(_put(account, names, one) for one in household.held)
        before = {record[names.id]: _own(record) for record in account.sandbox.records(names.people)}
        self.stage.route = Route(DESTINATION, account.destination, Running(mapping_of(wiring)), ZONE)
        self._come(batches, way, {household.linked: held[0]} if household.linked else {})
        after = {record[names.id]: _own(record) for record in account.sandbox.records(names.people)}
        return Landed(
            tuple(contacts(account, names)),
            held,
            frozenset(crm_id for crm_id in held if after.get(crm_id) == before[crm_id]),
            frozenset(one.state for one in self.stage.store.desk.deliveries(Filter())),
            self._open_items(),
            self._questions(),
        )

    def _come(self, batches: Batches, way: str, linked: Mapping[str, str]) -> None:
        for number, batch in enumerate(batches):
            for place, someone in enumerate(batch):
                at = 10 * number + place
                if way != "by a call":
                    self.stage.accept(f"update-{someone.id}", someone.event(at, linked.get(someone.id)))
                if way != "by an update":
                    self.stage.accept(f"talk-{someone.id}", someone.call(at, linked.get(someone.id)))
            self.stage.drain()

    def _open_items(self) -> dict[str, list[tuple[str, str | None]]]:
        items: dict[str, list[tuple[str, str | None]]] = {}
        with self.stage.store.database.reading() as connection:
            for row in connection.execute(select(open_items)):
                items.setdefault(row.customer_id, []).append((row.field, row.holder))
        return items

    def _questions(self) -> dict[str, frozenset[str]]:
        return {
            asked.customer_id or "": frozenset(candidate.id for candidate in asked.candidates)
            for asked in self.stage.store.questions.all()
        }


def contacts(account: Account, names: Names) -> list[Contact]:
    """Every contact of the CRM."""
    return [_contact(account, names, record) for record in account.sandbox.records(names.people)]


def _contact(account: Account, names: Names, record: Mapping[str, Any]) -> Contact:
    crm_id = record[names.id]
    name = " ".join(part for part in (record.get(names.first), record.get(names.last)) if part)
    flags = frozenset(flag for flag, own in names.flags.items() if str(record.get(own)).lower() == "true")
    calls = [call[names.call_key] for call in _calls_of(account, names, crm_id)]
    return Contact(crm_id, record.get(names.key), name, record.get(names.email), flags, frozenset(calls))


def _put(account: Account, names: Names, held: Held) -> str:
    fields = {
        names.first: held.first, names.last: held.last, names.email: held.email, names.phone: PHONE,
        names.born: held.born, names.key: held.key,
    }  # fmt: skip
    made = account.sandbox.put(names.people, **{name: value for name, value in fields.items() if value})
    return str(made if isinstance(made, str) else made[names.id])


def _own(record: Mapping[str, Any]) -> dict[str, Any]:
    """A contact without what the CRM itself keeps: when it was changed, and whether its address is opted out."""
    return {name: value for name, value in record.items() if name not in ("LastModifiedDate", "hs_email_optout")}


def _calls_of(account: Account, names: Names, crm_id: str) -> Iterator[Mapping[str, Any]]:
    for call in account.sandbox.records(names.calls):
        who = call.get("WhoId")
        if names is NAMES["hubspot"]:
            linked = {link for link in account.sandbox.associations if {call["id"], crm_id} == {link[1], link[3]}}  # type: ignore[union-attr]  # a portal's
            who = crm_id if linked else None
        if who == crm_id:
            yield call


@contextmanager
def town(folder: Path) -> Iterator[Town]:
    with ExitStack() as closing:
        stage = closing.enter_context(open_stage(f"sqlite:///{folder}/connector.db", Clock()))
        accounts: dict[str, Account] = {
            "hubspot": closing.enter_context(portal()),
            "salesforce": closing.enter_context(org()),
        }
        yield Town(stage, accounts)


def cases() -> Iterator[tuple[str, Household, str, str]]:
    """Every household in front of every mapping that its CRM can hold."""
    for (wiring, wired), household, coming, way in product(WIRINGS.items(), HOUSEHOLDS, COMINGS, WAYS):
        if household.only in ("", wired.crm):
            yield wiring, household, coming, way


def in_words(landed: Landed) -> str:
    parts = []
    for contact in landed.contacts:
        marks = [
            f"made by hand{', untouched' if contact.id in landed.untouched else ''}"
            if contact.id in landed.held
            else "new",
            "the address" if contact.email == ADDRESS else "",
            *sorted(contact.flags),
            f"{len(contact.calls)} call" if contact.calls else "",
        ]
        parts.append(f"{contact.name or '(no name)'} ({', '.join(filter(None, marks))})")
    left = [f"{customer}: {name} left out" for customer, items in landed.open.items() for name, _ in items]
    asked = [f"{customer}: asked about {len(ids)}" for customer, ids in landed.questions.items()]
    return "; ".join([*parts, *left, *asked, *sorted(landed.states - {"delivered"})])


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, town(Path(folder)) as opened:
        print("| CRM and mapping | who existed | who came | what landed |\n|---|---|---|---|")
        for wiring, household, coming, way in cases():
            if way == "by a call":
                landed = opened.lives(wiring, household, COMINGS[coming], way)
                print(f"| {wiring} | {household.name} | {coming} | {in_words(landed)} |")


if __name__ == "__main__":
    main()
