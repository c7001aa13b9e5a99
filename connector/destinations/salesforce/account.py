"""One Salesforce org as a destination, through simple-salesforce.

Records are written through sObject Collections, up to five of 200 in a call: upserted by external id, so that a
repeated call changes nothing, or created, where a taken external id refuses a repeated call.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from threading import Lock
from typing import Final
from urllib.parse import quote

from connector.crm import CrmAccount
from connector.destinations.base import (
    EVERY,
    Answers,
    CallLog,
    Compare,
    Current,
    Found,
    Narrow,
    Outcome,
    Row,
    Verdict,
)
from connector.destinations.deadline import Limits
from connector.destinations.describing import problems
from connector.destinations.phone_search import find_spelled
from connector.destinations.salesforce import converted, errors, fit, org, records, values
from connector.destinations.salesforce.abreast import Abreast
from connector.destinations.salesforce.api_error import ApiError
from connector.destinations.salesforce.auth import Credentials, SalesforceOptions
from connector.destinations.salesforce.bench import SalesforceBench
from connector.destinations.salesforce.client import Client, Sleep
from connector.destinations.salesforce.converted import Leads
from connector.destinations.salesforce.current import Presence
from connector.destinations.salesforce.edited_leads import EditedLeads
from connector.destinations.salesforce.login import Login
from connector.destinations.salesforce.merged import Survivors
from connector.destinations.salesforce.portions import COLLECTION, Group, Writer
from connector.destinations.salesforce.provision import SalesforceProvisioner
from connector.destinations.salesforce.reads import Reader
from connector.destinations.salesforce.records import How
from connector.destinations.salesforce.schema import target
from connector.destinations.salesforce.settings import VERSION, SalesforceSettings
from connector.destinations.salesforce.transport import LIMITS, Line
from connector.destinations.salesforce.vendor import SALESFORCE
from connector.mapping.target import TargetSchema
from connector.model import Mode, Value
from connector.settlement import Refusal

_BY_ID: Final = "composite/sobjects"
_NOT_THERE: Final = Outcome(Verdict.SKIPPED, refusal=Refusal(cause="Salesforce has no such record"))
_SAME_KEY: Final = ApiError(300, "DUPLICATE_EXTERNAL_ID")
_DUPLICATES: Final = Outcome(
    Verdict.REJECTED,
    refusal=errors.refusal(_SAME_KEY, errors.rule_for(_SAME_KEY)),
)


class Salesforce:
    """Implements destinations.base.Destination. Several threads share one login.

    endpoint: scheme://host:port to use in place of Salesforce, for the login too. on_call: called after every request.
    tries: attempts at one call or one locked record within a delivery attempt; sleep: waits between them, in seconds.
    timeout: seconds to connect, and to wait for a reply. options: how Salesforce treats what we write.
    """

    crm = SALESFORCE
    batch = COLLECTION

    def __init__(
        self,
        auth: Credentials,
        *,
        endpoint: str | None,
        on_call: CallLog,
        api_version: str = VERSION,
        sleep: Sleep = time.sleep,
        tries: int = 3,
        limits: Limits = LIMITS,
        options: SalesforceOptions | None = None,
        insecure: bool = False,
    ) -> None:
        self._options = options or SalesforceOptions()
        self._line = Line(endpoint, on_call, limits=limits, insecure=insecure)
        headers = {
            "Sforce-Auto-Assign": str(self._options.assignment_rules).upper(),
            "Sforce-Duplicate-Rule-Header": f"allowSave={str(self._options.duplicate_warnings == 'pass').lower()}",
        }
        self._login = Login(auth, self._line, api_version)
        self._client = Client(self._line, self._login, headers, tries=tries, sleep=sleep)
        self._abreast = Abreast(self._options.calls_abreast)
        self._reader, self._writer = Reader(self._client, self._abreast), Writer(self._client, self._abreast)
        self._has_asked = False
        self._asking = Lock()
        self._leads, self._survivors = Leads(self._reader), Survivors(self._client)
        self._edited = EditedLeads(self._client, self._reader)

    @property
    def usage(self) -> tuple[int, int] | None:
        """Calls made and allowed in 24 hours, as last reported by Salesforce; None if never."""
        return self._line.usage

    @property
    def date(self) -> str:
        """The Date header of the last reply."""
        return self._line.date

    def hold(self) -> float:
        """Nothing: Salesforce counts the calls of a day."""
        return 0.0

    def account(self) -> CrmAccount | None:
        """The org that the login leads to now; None if it cannot be learned. Raises DestinationUnusable."""
        known = self._login.org()
        with self._asking:  # of several lanes, the first asks
            if known is None and not self._has_asked:
                known = org.of_query(self._client.call("GET", "query", params={"q": org.QUESTION}))
                self._login.learn(known)
                self._has_asked = True
        return known or self._login.org()

    def serve(self, account: CrmAccount) -> None:
        """Reach this org alone. What was cached of another one is dropped."""
        if self._login.serves and self._login.serves.id != account.id:
            self._reader = Reader(self._client, self._abreast)
            self._leads, self._edited = Leads(self._reader), EditedLeads(self._client, self._reader)
        self._login.serves = account

    def write(self, rows: Sequence[Row]) -> list[Outcome]:
        """Write rows with distinct keys. One outcome per row, in order. Raises DestinationUnusable."""
        if self._options.converted_leads != "contact":
            outcomes = self._write(rows)
            outcomes |= self._edited.refused(rows, outcomes)
            self._raise_flags(rows, outcomes)
            return [outcomes[place] for place in range(len(rows))]
        return self._write_to_contacts(rows)

    def _write_to_contacts(self, rows: Sequence[Row]) -> list[Outcome]:
        """Write rows, sending changes of a converted lead to the contact it became."""
        moved = self._leads.remembered(rows)
        sent = [moved[place].row if place in moved else row for place, row in enumerate(rows)]
        outcomes = self._write(sent)
        outcomes |= self._edited.refused(sent, outcomes)
        became = self._leads.moved(sent, outcomes)
        rewritten = self._write([lead.row for lead in became.values()]).values()
        for place, outcome in zip(became, rewritten, strict=True):
            sent[place], outcomes[place] = became[place].row, outcome
        self._raise_flags(sent, outcomes)
        moved |= became
        return [
            moved[place].outcome_for_lead(outcomes[place]) if place in moved else outcomes[place]
            for place in range(len(rows))
        ]

    def find(
        self, object: str, field: str, values: Sequence[str], read: Iterable[str], narrow: Narrow = EVERY
    ) -> Answers:
        """Records whose `field` has one of `values`, ignoring case. Raises DestinationUnusable."""
        contacts = converted.contacts(object, field, values)
        rest = [value for value in values if value not in contacts]
        return contacts | (self._reader.find(object, field, rest, read, narrow) if rest else {})

    def find_phones(self, object: str, field: str, numbers: Sequence[str], read: Iterable[str]) -> Answers:
        """Records by phone number, as people commonly write it. Raises DestinationUnusable."""
        names = tuple(read)
        return find_spelled(lambda texts: self._reader.find(object, field, texts, names), numbers)

    def survivors(self, object: str, ids: Sequence[str]) -> dict[str, str | None]:
        """Where records live now, or None: id -> id. Raises DestinationUnusable."""
        return self._survivors.of(object, ids)

    def current(self, object: str, ids: Sequence[str], fields: Iterable[str]) -> dict[str, Current]:
        """What is there now of these records, 2,000 in a call. Raises DestinationUnusable."""
        follows = self._options.converted_leads == "contact"
        return Presence(self._client, self._reader, self._survivors, follows=follows).at(object, ids, tuple(fields))

    def linked(self, object: str, ids: Sequence[str], other: str) -> dict[str, frozenset[str]]:
        """Nothing: Salesforce links records by look-up fields."""
        return {}

    def may_have_twins(self, object: str, field: str) -> bool:
        """Whether the field is not known to be unique: an external ID need not be."""
        return not self._reader.is_unique(object, field)

    def refuses_taken(self, object: str, field: str) -> bool:
        """Whether the field is known to be unique in any letter case."""
        return self._reader.is_unique(object, field, in_any_case=True)

    def normal(self, value: Value) -> str:
        """A value as Salesforce returns it, as text."""
        return values.normal(value)

    def comparing(self, object: str, field: str) -> Compare | None:
        """How queries compare the values of a field of this type. Raises DestinationUnusable."""
        return self._reader.comparing(object, field)

    def describe(self, objects: Iterable[str]) -> TargetSchema:
        """The org's schema, without objects that are missing or hidden. Raises DestinationUnusable."""
        described, refused = self._reader.describe_all(objects)
        visible = {name: target(answer) for name, answer in described.items() if answer}
        unread = problems(refused, all_of_them=not described)
        return TargetSchema(label=self.crm.account, crm=self.crm.name, objects=visible, unread=unread)

    def recall(self, kept: TargetSchema) -> None:
        """Know again what describe() said before."""
        self._reader.recall(kept)

    def provisioner(self) -> SalesforceProvisioner:
        """The provisioner that prepares this org for a mapping."""
        return SalesforceProvisioner(self._login, self._client, self._reader)

    def bench(self) -> SalesforceBench:
        """What a trial may do to this org besides delivering."""
        return SalesforceBench(self._client)

    def close(self) -> None:
        """Close the connections."""
        self._abreast.close()
        self._line.session.close()

    def _write(self, rows: Sequence[Row]) -> dict[int, Outcome]:
        """Write rows; returns the outcome of each by its place in `rows`, in order."""
        fields, outcomes = self._fitted(rows)
        target_ids = self._target_ids(rows, outcomes)
        for wave in self._waves(rows, fields, target_ids):
            written = self._writer.write([group for _, group in wave])
            for (places, _), of_group in zip(wave, written, strict=True):
                outcomes.update(zip(places, of_group, strict=True))
        return dict(sorted(outcomes.items()))

    @staticmethod
    def _waves(
        rows: Sequence[Row], fields: Mapping[int, Mapping[str, Value]], target_ids: Mapping[int, str]
    ) -> list[list[tuple[list[int], Group]]]:
        """What to write after one another: groups of records, each with the places of its rows."""
        waves: list[list[tuple[list[int], Group]]] = []
        seen: Counter[str] = Counter()
        for how in How:
            chosen = {place: rows[place] for place, own in target_ids.items() if records.how(rows[place], own) is how}
            for (kind, field), alike in records.alike(chosen).items():
                by_key = how is How.BY_KEY
                path, key_field = (f"{_BY_ID}/{quote(kind)}/{quote(field)}", field) if by_key else (_BY_ID, "")
                for number, places in enumerate(records.waves(alike, target_ids, seen)):
                    sent = [records.record(rows[place], target_ids[place], fields[place]) for place in places]
                    group = Group(path, key_field, sent, [rows[place] for place in places], how.method)
                    if number == len(waves):
                        waves.append([])
                    waves[number].append((places, group))
        return waves

    def _fitted(self, rows: Sequence[Row]) -> tuple[dict[int, dict[str, Value]], dict[int, Outcome]]:
        """Each row's fields converted to the types Salesforce expects, and the refusals of rows that do not fit."""
        fitting: dict[int, dict[str, Value]] = {}
        refused: dict[int, Outcome] = {}
        refreshed: set[str] = set()
        for place, row in enumerate(rows):
            try:
                fitting[place] = self._fit(row, refreshed)
            except fit.Misfit as misfit:
                refused[place] = Outcome(Verdict.REJECTED, refusal=misfit.refusal, of_fields=True)
        return fitting, refused

    def _fit(self, row: Row, refreshed: set[str]) -> dict[str, Value]:
        """A row's fields converted to their types; an object is described again before a value is rejected."""
        kind = row.key.object
        try:
            return fit.fitted(self._reader.known(kind), row.fields)
        except fit.Misfit:
            if kind in refreshed or self._reader.known(kind) is None:
                raise
        refreshed.add(kind)
        return fit.fitted(self._reader.describe(kind), row.fields)

    def _target_ids(self, rows: Sequence[Row], outcomes: dict[int, Outcome]) -> dict[int, str]:
        """The id to write each row to, empty to write by key. Adds the outcomes of updates without a record."""
        target_ids = {place: row.id or "" for place, row in enumerate(rows) if place not in outcomes}
        unknown = [
            place for place, target_id in target_ids.items() if not target_id and rows[place].mode is Mode.UPDATE
        ]
        for place, ids in self._existing(rows, unknown).items():
            if isinstance(ids, list) and len(ids) == 1:
                target_ids[place] = ids[0]
            else:
                outcomes[place] = ids if isinstance(ids, Outcome) else _DUPLICATES if ids else _NOT_THERE
                del target_ids[place]
        return target_ids

    def _existing(self, rows: Sequence[Row], places: Iterable[int]) -> dict[int, list[str] | Outcome]:
        """The ids of the records that have each row's key, or the outcome of a row whose key cannot be searched for."""
        existing: dict[int, list[str] | Outcome] = {}
        for (kind, field), alike in records.alike({place: rows[place] for place in places}).items():
            keys = [values.key(rows[place].key.value) for place in alike]
            holders = self._reader.find(kind, field, keys, ())
            existing |= {place: _holder_ids(holders[key]) for place, key in zip(alike, keys, strict=True)}
        return existing

    def _ids(self, rows: Sequence[Row], places: Iterable[int]) -> dict[int, list[str]]:
        """The ids to raise each row's flags on: the row's own, or those of all records that have its key."""
        by_id = {place: [own] for place in places if (own := rows[place].id)}
        by_key = self._existing(rows, [place for place in places if place not in by_id])
        return by_id | {place: ids if isinstance(ids, list) else [] for place, ids in by_key.items()}

    def _raise_flags(self, rows: Sequence[Row], outcomes: dict[int, Outcome]) -> None:
        """Write only the opt-outs of rejected rows, to every record that has the key."""
        refused = [
            place
            for place, outcome in outcomes.items()
            if rows[place].consent and not rows[place].new and records.worth_raising(outcome)
        ]
        ids = self._ids(rows, refused)
        targets = [(place, target_id) for place in refused for target_id in ids[place]]
        flags = [records.flags(rows[place], target_id) for place, target_id in targets]
        (answers,) = self._writer.write([Group(_BY_ID, "", flags, [rows[place] for place, _ in targets])])
        missed = {
            place
            for (place, _), answer in zip(targets, answers, strict=True)
            if answer.verdict is not Verdict.DELIVERED
        }
        for place, _ in targets:
            outcomes[place] = replace(outcomes[place], id=ids[place][0], consent_written=place not in missed)


def _holder_ids(answer: list[Found] | Outcome) -> list[str] | Outcome:
    return answer if isinstance(answer, Outcome) else [holder.id for holder in answer]


def connect(settings: SalesforceSettings, on_call: CallLog) -> Salesforce:
    """Open the org that an agency file describes, without calling it yet."""
    return Salesforce(
        settings.auth,
        endpoint=settings.endpoint,
        api_version=settings.api_version or VERSION,
        on_call=on_call,
        options=settings.salesforce,
        insecure=settings.insecure,
    )
