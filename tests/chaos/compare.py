"""What both CRMs hold, against what the acknowledged events say."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from connector.sandbox.hubspot import HubSpotSandbox
from connector.sandbox.salesforce import SalesforceSandbox
from tests.chaos.traffic import Story

SALESFORCE = {
    "doNotCall": "DoNotCall",
    "doNotSMS": "Do_Not_Text__c",
    "doNotMail": "Do_Not_Mail__c",
    "doNotEmail": "HasOptedOutOfEmail",
}
HUBSPOT = {
    "doNotCall": "do_not_call",
    "doNotSMS": "do_not_text",
    "doNotMail": "do_not_mail",
    "doNotEmail": "do_not_email",
}


@dataclass(frozen=True)
class Contact:
    """A person in a CRM. unsubscribed: whether their address is opted out, where the CRM keeps that apart."""

    id: str
    customer: str
    last: str
    city: str | None
    flags: frozenset[str]
    unsubscribed: bool = True


@dataclass(frozen=True)
class Call:
    id: str
    contacts: frozenset[str]


@dataclass(frozen=True)
class Held:
    """What a CRM holds."""

    name: str
    contacts: list[Contact]
    calls: list[Call]


def held_by_salesforce(sandbox: SalesforceSandbox) -> Held:
    contacts = [
        Contact(
            row["Id"],
            row.get("careCycle_Id__c") or "",
            row.get("LastName") or "",
            row.get("MailingCity"),
            frozenset(flag for flag, name in SALESFORCE.items() if row.get(name) is True),
        )
        for row in sandbox.records("Contact")
    ]
    calls = [
        Call(row.get("careCycle_Call_Id__c") or "", frozenset({row["WhoId"]} if row.get("WhoId") else ()))
        for row in sandbox.records("Task")
    ]
    return Held("salesforce", contacts, calls)


def held_by_hubspot(sandbox: HubSpotSandbox) -> Held:
    linked: dict[str, set[str]] = defaultdict(set)
    for start, one_id, end, other_id in sandbox.associations:
        if {start, end} == {"calls", "contacts"}:
            call, contact = (one_id, other_id) if start == "calls" else (other_id, one_id)
            linked[call].add(contact)
    opted_out = sandbox.opted_out
    contacts = [
        Contact(
            row["id"],
            row.get("carecycle_id", ""),
            row.get("lastname", ""),
            row.get("city"),
            frozenset(flag for flag, name in HUBSPOT.items() if row.get(name) == "true"),
            row.get("email", "").lower() in opted_out,
        )
        for row in sandbox.records("contacts")
    ]
    calls = [Call(row.get("carecycle_call_id", ""), frozenset(linked[row["id"]])) for row in sandbox.records("calls")]
    return Held("hubspot", contacts, calls)


@dataclass
class Comparison:
    """What differs, as sentences. Empty: both CRMs hold what was acknowledged, and nothing else."""

    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    opt_outs: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not any(vars(self).values())

    def __str__(self) -> str:
        return "; ".join(f"{kind}: {len(what)} {what[:3]}" for kind, what in vars(self).items() if what) or "the same"


def compare(story: Story, sent: Iterable[int], acknowledged: Iterable[int], held: Iterable[Held]) -> Comparison:
    """Compare. What was sent but not acknowledged may be there, or not."""
    wanted, found = _Wanted(story, set(sent), sorted(acknowledged)), Comparison()
    for crm in held:
        wanted.contacts(crm, found)
        wanted.calls(crm, found)
    return found


class _Wanted:
    """What the acknowledged events say, and what else may have been stored."""

    def __init__(self, story: Story, sent: set[int], acknowledged: list[int]) -> None:
        self.story, self.sent = story, sent
        self.newest: dict[str, int] = {}
        self.city: dict[str, int] = {}
        self.flags: dict[str, set[str]] = defaultdict(set)
        self.call_of: dict[str, str] = {}
        for number in acknowledged:
            customer, flag, call = story.customer(number), story.flag(number), story.call(number)
            self.newest[customer] = number
            if story.city(number):
                self.city[customer] = number
            if flag:
                self.flags[customer].add(flag)
            if call:
                self.call_of[call] = customer
        self.may_have: dict[str, set[str]] = defaultdict(set)
        for number in sent:
            if flag := story.flag(number):
                self.may_have[story.customer(number)].add(flag)
        self.people = {story.customer(number) for number in sent}
        self.may_call = {call for number in sent if (call := story.call(number))}

    def contacts(self, crm: Held, found: Comparison) -> None:
        by_customer: dict[str, list[Contact]] = defaultdict(list)
        for contact in crm.contacts:
            by_customer[contact.customer].append(contact)
        found.lost += [f"{crm.name} {customer}" for customer in self.newest.keys() - by_customer.keys()]
        for customer, contacts in by_customer.items():
            if customer not in self.people:
                found.strange += [f"{crm.name} contact of {customer or 'nobody'}"] * len(contacts)
                continue
            found.twice += [f"{crm.name} {customer}"] * (len(contacts) - 1)
            for contact in contacts:
                self._fields(crm.name, contact, found)
        for customer, flags in self.flags.items():
            shown: set[str] = set()
            for contact in by_customer[customer]:
                shown |= contact.flags
                if "doNotEmail" in flags and not contact.unsubscribed:
                    found.opt_outs.append(f"{crm.name} {customer} unsubscribed")
            found.opt_outs += [f"{crm.name} {customer} {flag}" for flag in flags - shown]

    def _fields(self, crm: str, contact: Contact, found: Comparison) -> None:
        customer = contact.customer
        for name, value, prefix, newest in (
            ("name", contact.last, "Name ", self.newest.get(customer, -1)),
            ("city", contact.city, "City ", self.city.get(customer, -1)),
        ):
            number = int(value.removeprefix(prefix)) if value and value.startswith(prefix) else -1
            if number < newest:
                found.stale.append(f"{crm} {customer} {name}: {value}, not {prefix}{newest}")
            elif number >= 0 and (number not in self.sent or self.story.customer(number) != customer):
                found.strange.append(f"{crm} {customer} has {value}")
        found.strange += [f"{crm} {customer} has {flag}" for flag in contact.flags - self.may_have[customer]]

    def calls(self, crm: Held, found: Comparison) -> None:
        of_contact = {contact.id: contact.customer for contact in crm.contacts}
        counts = Counter(call.id for call in crm.calls)
        found.lost += [f"{crm.name} {call}" for call in self.call_of.keys() - counts.keys()]
        found.twice += [f"{crm.name} {call}" for call, count in counts.items() if count > 1]
        found.strange += [f"{crm.name} {call or 'call of nobody'}" for call in counts.keys() - self.may_call]
        for call in crm.calls:
            linked = {of_contact.get(contact, "nobody") for contact in call.contacts}
            if call.id in self.call_of and linked != {self.call_of[call.id]}:
                found.lost.append(f"{crm.name} {call.id}: linked to {sorted(linked)}, not {self.call_of[call.id]}")
