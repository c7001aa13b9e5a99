"""A third CRM, in memory and written only for the tests: everything a CRM needs to be one, and nothing else.

It differs where it can from the CRMs that are shipped: in the names of its ids, its codes and its credentials.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import BaseModel

from connector import destinations
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
    as_text,
)
from connector.destinations.bench import Touched
from connector.destinations.guide import CREDENTIALS, FIELDS, KEYS, Look, Needs, SetupStep, judged
from connector.destinations.phone_search import find_spelled
from connector.destinations.provision import Done, Making, Provision, Step
from connector.destinations.settings import DestinationSettings
from connector.destinations.vendor import Vendor
from connector.errors import DestinationUnusable, PauseReason
from connector.mapping.demands import Demands
from connector.mapping.target import TargetField, TargetObject, TargetSchema
from connector.model import Mode, Value
from connector.sandbox.wire import Wire
from connector.settlement import Refusal

TEXT, PLAIN_KEY = TargetField(type="string", length=40), TargetField(type="string", length=64, unique=True)


def _schema() -> dict[str, dict[str, TargetField]]:
    """The fields of each object of a new vault."""
    return {
        "person": {
            "ours": PLAIN_KEY,
            "name": TEXT.model_copy(update={"required": True}),
            "mail": TEXT,
            "title": TEXT,
            "keeper": TargetField(type="reference"),
            "no_calls": TargetField(type="boolean"),
        },
        "talk": {"ours": PLAIN_KEY, "about": TEXT},
        "keeper": {"mail": TEXT},
    }


@dataclass(frozen=True)
class Seen:
    """One call."""

    method: str
    path: str


@dataclass
class Vault:
    """One account's records, and the faults its tests ask for."""

    fields: dict[str, dict[str, TargetField]] = field(default_factory=_schema)
    held: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    linked: set[tuple[str, str]] = field(default_factory=set)
    seen: list[Seen] = field(default_factory=list)
    faults: list[Callable[..., Any]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def put(self, kind: str, **values: Any) -> str:
        """A record, made by hand; its id."""
        ref = f"{kind}-{next(self._numbers)}"
        self.held.setdefault(kind, {})[ref] = {"id": ref, **values}
        return ref

    def records(self, kind: str) -> list[dict[str, Any]]:
        return list(self.held.get(kind, {}).values())

    def calls(self) -> list[Seen]:
        return self.seen

    def fault(self, path: str, answer: Callable[..., Any], *, times: int = 1) -> None:
        """Go wrong as the sandboxes do: lose a reply after the commit, or refuse the connection."""
        self.faults += [answer] * times


class Memory:
    """The contract of destinations.base, over a vault."""

    crm: Vendor
    batch = 100
    usage: tuple[int, int] | None = None
    date = ""

    def __init__(self, vault: Vault, on_call: CallLog) -> None:
        self.crm, self.vault, self._on_call = MEMORY, vault, on_call

    def _call(self, method: str, path: str, answer: Callable[[], Any]) -> Any:
        """One call, tried again where its reply was lost."""
        for _ in range(3):
            self.vault.seen.append(Seen(method, path))
            fault = self.vault.faults.pop(0) if self.vault.faults else None
            result = None if fault is Wire.refuse else answer()
            self._on_call(method, path, 0 if fault else 200, 0.0)
            if fault is None:
                return result
        raise DestinationUnusable("Memory", PauseReason.UNREACHABLE, "Memory cannot be reached")

    def write(self, rows: Sequence[Row]) -> list[Outcome]:
        portions = [rows[start : start + self.batch] for start in range(0, len(rows), self.batch)]
        made = [self._call("POST", "/write", lambda p=portion: [self._write(row) for row in p]) for portion in portions]
        return [outcome for portion in made for outcome in portion]

    def _write(self, row: Row) -> Outcome:
        kind, key = row.key.object, row.key
        held = self.vault.held.setdefault(kind, {})
        ref = row.id or next((ref for ref, one in held.items() if one.get(key.field) == key.value), None)
        if row.id is not None and row.id not in held:
            return Outcome(Verdict.DEFERRED, refusal=Refusal("NO_SUCH_REF", "the record no longer exists"))
        if ref is None and row.mode is Mode.UPDATE:
            return Outcome(Verdict.SKIPPED)
        if refused := self._refused(kind, row.fields, new=ref is None):
            return self._opted_out(row, ref, refused)
        ref = ref or self.vault.put(kind)
        held[ref] |= {**row.fields, **({key.field: key.value} if row.keyed else {})}
        self.vault.linked |= {(ref, other.id) for other in row.links}
        return Outcome(Verdict.DELIVERED, id=ref)

    def _refused(self, kind: str, values: Mapping[str, Value], *, new: bool) -> Outcome | None:
        known = self.vault.fields[kind]
        too_long = tuple(n for n, v in values.items() if isinstance(v, str) and len(v) > (known[n].length or len(v)))
        missing = tuple(name for name, one in known.items() if one.required and new and not values.get(name))
        if missing:
            return Outcome(
                Verdict.REJECTED, refusal=Refusal("NAME_MISSING", "a required field is missing", fields=missing)
            )
        if too_long:
            return Outcome(Verdict.REJECTED, refusal=Refusal("TOO_LONG", "the value is too long", fields=too_long))
        return None

    def _opted_out(self, row: Row, ref: str | None, refused: Outcome) -> Outcome:
        """A refused row's opt-outs, written alone."""
        if ref is None or not row.consent:
            return refused
        self.vault.held[row.key.object][ref] |= {name: row.fields[name] for name in row.consent}
        return replace(refused, id=ref, consent_written=True)

    def find(
        self, object: str, field: str, values: Sequence[str], read: Iterable[str], narrow: Narrow = EVERY
    ) -> Answers:
        wanted = list(read)

        def matching(value: str) -> list[Found]:
            same = [one for one in self.vault.records(object) if as_text(one.get(field)).lower() == value.lower()]
            same = [one for one in same if all(as_text(one.get(name)) in own for name, own in narrow.items())]
            return [Found(one["id"], {name: one.get(name) for name in wanted}) for one in same]

        answers: Answers = self._call("GET", "/find", lambda: {value: matching(value) for value in values})
        return answers

    def find_phones(self, object: str, field: str, numbers: Sequence[str], read: Iterable[str]) -> Answers:
        return find_spelled(lambda texts: self.find(object, field, texts, read), numbers)

    def survivors(self, object: str, ids: Sequence[str]) -> dict[str, str | None]:
        return {ref: ref if ref in self.vault.held.get(object, {}) else None for ref in ids}

    def current(self, object: str, ids: Sequence[str], fields: Iterable[str]) -> dict[str, Current]:
        names, held = list(fields), self.vault.held.get(object, {})
        shown = {ref: {name: held[ref].get(name) for name in names} for ref in ids if ref in held}
        return {ref: Current(ref, shown[ref]) if ref in shown else Current(None) for ref in ids}

    def linked(self, object: str, ids: Sequence[str], other: str) -> dict[str, frozenset[str]]:
        return {}

    def may_have_twins(self, object: str, field: str) -> bool:
        return False

    def refuses_taken(self, object: str, field: str) -> bool:
        return False

    def hold(self) -> float:
        return 0.0

    def account(self) -> CrmAccount | None:
        return None

    def serve(self, account: CrmAccount) -> None:
        """Every call reaches the vault."""

    def normal(self, value: Value) -> str:
        return as_text(value)

    def comparing(self, object: str, field: str) -> Compare | None:
        return as_text

    def describe(self, objects: Iterable[str]) -> TargetSchema:
        fields: Any = self._call("GET", "/fields", lambda: self.vault.fields)
        known = {name: TargetObject(fields=fields[name]) for name in objects if name in fields}
        return TargetSchema(label=self.crm.account, crm=self.crm.name, objects=known)

    def recall(self, kept: TargetSchema) -> None:
        """Know nothing from before."""

    def provisioner(self) -> MemoryProvisioner:
        return MemoryProvisioner(self.vault)

    def bench(self) -> MemoryBench:
        return MemoryBench(self.vault)

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class MemoryBench:
    """The contract of destinations.bench."""

    vault: Vault
    unique_fields: None = None
    remains: str = "nothing is left of them"
    restorable: str = "never"

    def touched(self, object: str, ids: Sequence[str]) -> dict[str, Touched]:
        return {}

    def delete_all(self, object: str, ids: Sequence[str]) -> dict[str, str]:
        return {crm_id: self.delete(object, crm_id) for crm_id in ids}

    def delete(self, object: str, crm_id: str) -> str:
        self.vault.held.get(object, {}).pop(crm_id, None)
        return ""

    def linked(self, object: str, crm_id: str, other: str) -> frozenset[str]:
        return frozenset(end for start, end in self.vault.linked if start == crm_id)


@dataclass
class MemoryProvisioner:
    """The contract of destinations.provision."""

    vault: Vault
    fixed: str = "make another field under a new name"

    def access(self, needs: Needs) -> Iterator[Look]:
        yield judged(MEMORY.setup[0], ())

    def duplicate_rules(self, objects: Collection[str]) -> Mapping[str, Sequence[str]] | None:
        return {}

    def plan(self, demands: Demands) -> Provision:
        lacking = [
            demand
            for kind, asked in demands.items()
            for name, demand in asked.items()
            if name not in self.vault.fields[kind]
        ]
        return Provision(tuple(Step(Making.FIELD, demand, demand.wanted.type) for demand in lacking))

    def apply(self, steps: Sequence[Step]) -> list[Done]:
        for step in steps:
            self.vault.fields[step.demand.object][step.demand.field] = step.demand.wanted
        return [Done(step) for step in steps]

    def files(self, steps: Sequence[Step]) -> Mapping[str, str]:
        return {}


class MemoryLogin(BaseModel):
    """Which vault."""

    vault: str


class MemorySettings(DestinationSettings):
    """One vault."""

    auth: MemoryLogin


VAULTS: dict[str, Vault] = {}

MEMORY = Vendor(
    name="memory",
    title="Memory",
    account="Memory vault",
    id_field="ref",
    associates=True,
    gone=frozenset({"NO_SUCH_REF"}),
    settings=MemorySettings,
    auth_key="vault",
    connect=lambda settings, on_call: Memory(VAULTS[settings.auth.vault], on_call),
    record_address=lambda settings, account, kind, ref: f"https://memory.example/{settings.auth.vault}/{ref}",
    setup=(
        SetupStep(CREDENTIALS, "A vault", "Open a vault."),
        SetupStep(FIELDS, "Its fields", "Make them."),
        SetupStep(KEYS, "Its keys", "Make them."),
    ),
)


def opened(name: str) -> destinations.Destination:
    """The account as an agency file opens it."""
    settings = destinations.read_settings({"mapping": "own.yaml", "auth": {"vault": name}})
    return destinations.connect(MEMORY, settings, lambda *_: None)


@contextmanager
def registered(name: str = "acme") -> Iterator[Vault]:
    """A new vault of a CRM that is known while this lasts."""
    destinations.register(MEMORY)
    VAULTS[name] = Vault()
    try:
        yield VAULTS[name]
    finally:
        del destinations.VENDORS[MEMORY.name], VAULTS[name]
