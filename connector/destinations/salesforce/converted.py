"""Send changes of a converted lead to the contact it became: Salesforce rejects every change of the lead itself.

https://help.salesforce.com/s/articleView?id=000384333
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from connector.destinations.base import Answers, Found, Outcome, Row, Verdict
from connector.destinations.salesforce import values
from connector.destinations.salesforce.reads import Reader
from connector.model import Mode, RecordKey
from connector.settlement import Refusal

CODE: Final = "CANNOT_UPDATE_CONVERTED_LEAD"
_BECAME: Final = "ConvertedContactId"
_LEAD_ID, _CONTACT_ID = "00Q", "003"
_RENAMED: Final = {
    "street": "MailingStreet",
    "city": "MailingCity",
    "state": "MailingState",
    "postalcode": "MailingPostalCode",
    "country": "MailingCountry",
}
_THEIRS: Final = frozenset({"ownerid", "status", "recordtypeid"})
"""Fields that people set when they convert a lead, and that are left alone on the contact."""


_HOMELESS: Final = "the lead was converted, and its contact has no such field"
_CREATE: Final = "create the field on Contact too, then replay"


@dataclass(frozen=True, slots=True)
class Moved:
    """A row to write to another record instead. homeless: the opt-out fields that a contact does not have."""

    row: Row
    homeless: tuple[str, ...] = ()

    def outcome_for_lead(self, outcome: Outcome) -> Outcome:
        """The outcome of the original row: rejected if an opt-out has no field, even if the rest was written."""
        if not self.homeless:
            return outcome
        return Outcome(Verdict.REJECTED, refusal=Refusal.of(CODE, _HOMELESS, _CREATE, self.homeless))


def contacts(object: str, field: str, ids: Iterable[str]) -> Answers:
    """Leads that are known by the contacts they became: their values as leads no longer matter."""
    is_id = object == "Lead" and field.lower() == "id"
    return {crm_id: [Found(crm_id, {})] for crm_id in ids if is_id and crm_id.startswith(_CONTACT_ID)}


class Leads:
    """Finds the contacts that leads became."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def remembered(self, rows: Sequence[Row]) -> dict[int, Moved]:
        """Rows of leads that the ledger knows as contacts, by their places. Raises DestinationUnusable."""
        return {
            place: self._to_contact(row, str(row.id))
            for place, row in enumerate(rows)
            if row.key.object == "Lead" and (row.id or "").startswith(_CONTACT_ID)
        }

    def moved(self, rows: Sequence[Row], outcomes: Mapping[int, Outcome]) -> dict[int, Moved]:
        """Rows rejected because a lead was converted, rewritten for its contact. Raises DestinationUnusable."""
        refused = {place: rows[place] for place, outcome in outcomes.items() if outcome.code == CODE}
        leads = {place: row for place, row in refused.items() if row.key.object == "Lead"}
        referring = {place: row for place, row in refused.items() if any(map(_is_lead, row.fields.values()))}
        if not (leads or referring) or not self._reader.has("Lead", _BECAME):
            return {}
        contacts = self._contacts(leads)
        redirected = {place: Moved(row) for place, row in self._referring_to_contacts(referring).items()}
        return redirected | {place: self._to_contact(leads[place], contact) for place, contact in contacts.items()}

    def _contacts(self, rows: Mapping[int, Row]) -> dict[int, str]:
        """Place -> contact id, except where several leads share a key or a lead became no contact."""
        asked: dict[tuple[str, str], list[int]] = {}
        for place, row in rows.items():
            asked.setdefault(("Id", row.id) if row.id else (row.key.field, values.key(row.key.value)), []).append(place)
        contacts: dict[int, str] = {}
        for field in sorted({field for field, _ in asked}):
            became = self._became(field, [value for name, value in asked if name == field])
            contacts |= {place: became[value] for value in became for place in asked[field, value]}
        return contacts

    def _became(self, field: str, wanted: Sequence[str]) -> dict[str, str]:
        """Each wanted value -> the contact that the one lead with it became."""
        answers = self._reader.find("Lead", field, wanted, [_BECAME])
        single = {value: leads[0] for value, leads in answers.items() if isinstance(leads, list) and len(leads) == 1}
        contacts = {value: lead.values[_BECAME] for value, lead in single.items()}
        return {value: contact for value, contact in contacts.items() if isinstance(contact, str)}

    def _referring_to_contacts(self, rows: Mapping[int, Row]) -> dict[int, Row]:
        """Rows that refer to converted leads, changed to refer to their contacts."""
        leads = {value for row in rows.values() for value in row.fields.values() if _is_lead(value)}
        became = self._became("Id", sorted(map(str, leads))) if leads else {}
        redirected = {
            place: {name: became.get(str(value), value) for name, value in row.fields.items()}
            for place, row in rows.items()
        }
        return {
            place: replace(rows[place], fields=fields)
            for place, fields in redirected.items()
            if fields != dict(rows[place].fields)
        }

    def _to_contact(self, row: Row, contact: str) -> Moved:
        """The fields that a contact has too, without those that depended on the lead's previous values."""
        targets = {name: target for name in row.fields if (target := self._on_contact(name))}
        consent = frozenset(targets[name] for name in row.consent if name in targets)
        fields = {target: row.fields[name] for name, target in targets.items() if name not in row.compared}
        key = RecordKey("Contact", "Id", contact)
        homeless = tuple(sorted(name for name in row.consent if name not in targets))
        return Moved(Row(key, fields, id=contact, mode=Mode.UPSERT, consent=consent, known=contact), homeless)

    def _on_contact(self, name: str) -> str:
        if name.lower() in _THEIRS:
            return ""
        target = _RENAMED.get(name.lower(), name)
        return target if self._reader.has("Contact", target, writable=True) else ""


def _is_lead(value: object) -> bool:
    return isinstance(value, str) and len(value) in (15, 18) and value.startswith(_LEAD_ID) and value.isalnum()
