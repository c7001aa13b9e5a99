"""The types of a compiled mapping: frozen programs, one for each event type, that only read a payload."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from connector.crm import Crm
from connector.mapping.field_reader import Read, Reading
from connector.mapping.functions import Get, Holds, Missed
from connector.mapping.schema import Test
from connector.mapping.tree import Loc
from connector.model import Cut, FactKind, Mode, PersonFields, Rule, Timing, Value


class Clock(IntEnum):
    """Whose time a value carries: its record's own, the customer's, the call's, or the later of the last two.

    FIRST is the call's, turned round: the earlier call is the greater.
    """

    OWN = 0
    CUSTOMER = 1
    CALL = 2
    BOTH = 3
    FIRST = 4


@dataclass(frozen=True, slots=True)
class PointsTo:
    """The value of a `ref` until the keys of the event's records are known."""

    record: str


@dataclass(frozen=True, slots=True)
class CountProgram:
    """What counts the calls of a record. call: the id of an event's call; empty for none. counts: whether it counts.

    finish: makes a number of calls the field's value.
    """

    call: Get
    counts: Holds
    finish: Callable[[int], Value]


@dataclass(frozen=True, slots=True)
class FieldProgram:
    """One target field. clears: null erases it. guards: the flags that withhold it. line: its line in the file.

    missed: asked where there is nothing to send. required: the record is not written without it. cut: whether texts
    are cut to the field's length. flags: the consent flags that its value depends on. default: sent in place of none.
    falls_back: whether a look-up has an `else:`. pieced: whether several fields of an event, or a condition, make its
    value. order: the values it moves along. count: if it counts calls. timing: of its stamps, for every type of event.
    when: what must hold for it, unless that is about what it counts.
    """

    target: str
    get: Get
    clears: bool
    rule: Rule
    guards: tuple[str, ...]
    clock: Clock
    line: int
    missed: Missed | None = None
    required: bool = False
    cut: Cut = Cut.NO
    flags: frozenset[str] = frozenset()
    default: Value = None
    falls_back: bool = False
    bare: Get | None = None
    pieced: bool = False
    order: tuple[Value, ...] = ()
    count: CountProgram | None = None
    timing: Timing = Timing.UNKNOWN
    when: Holds | None = None


@dataclass(frozen=True, slots=True)
class FactProgram:
    """One fact of an `also_match` step."""

    field: str
    get: Get
    kind: FactKind


@dataclass(frozen=True, slots=True)
class PersonProgram:
    """Who a record's customer is: each part of a `Person`, and where the CRM has it."""

    parts: Mapping[str, Get]
    fields: PersonFields


@dataclass(frozen=True, slots=True)
class RecordProgram:
    """One record for one event type. flags: (flag, target field). address: the e-mail address to opt out.

    guards: the flags that withhold the record. erases: the fields erased in the CRM while one of their guards is true
    or unknown. shared: the fields of its object that any record of the file writes by one of `OVER_OURS`. counting:
    its fields that count calls. mapped: the rules of all its fields, also of those that this type leaves alone.
    readings, read: how each of its fields is read, and what reads them all. decided: the numbers of those that have no
    usual way to be written. required: those it is not written without.
    """

    name: str
    object: str
    mode: Mode
    when: Holds | None
    key_field: str
    key: Get
    clock: Clock
    fields: tuple[FieldProgram, ...]
    readings: tuple[Reading, ...] = field(repr=False)
    read: Read = field(repr=False)
    decided: tuple[int, ...] = field(repr=False)
    flags: tuple[tuple[str, str], ...]
    guards: tuple[str, ...]
    links: tuple[str, ...]
    also_match: tuple[tuple[FactProgram, ...], ...]
    person: PersonProgram | None
    unsubscribe: frozenset[str]
    address: Get
    rank: int
    unique: bool
    required: tuple[FieldProgram, ...] = ()
    erases: tuple[FieldProgram, ...] = ()
    shared: frozenset[str] = frozenset()
    counting: tuple[FieldProgram, ...] = ()
    mapped: Mapping[str, Rule] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EventProgram:
    """Everything a mapping does with one event type. raises: (flag, when an event raises it by itself)."""

    filter: Holds | None
    records: tuple[RecordProgram, ...]
    raises: tuple[tuple[str, Holds], ...] = ()


@dataclass(frozen=True, slots=True)
class Example:
    """One of a mapping's own tests and its place in the file."""

    test: Test
    file: str
    line: int
    col: int


@dataclass(frozen=True, slots=True)
class CompiledMapping:
    """A mapping without errors.

    version: a short hash of the file and everything it extends. reads: event paths. writes: object -> target fields.
    looks_up: the objects its lookups search. records: their names in file order. flags: consent flag -> (record,
    target field). files: the text of each file it is made of, its own first, by path from that file's folder.
    """

    name: str
    version: str
    crm: Crm
    reads: frozenset[str]
    writes: Mapping[str, frozenset[str]]
    looks_up: frozenset[str]
    records: tuple[str, ...]
    flags: Mapping[str, tuple[str, str]]
    tests: tuple[Example, ...]
    test_customers: bool
    programs: Mapping[str, EventProgram] = field(repr=False)
    files: Mapping[str, str] = field(default_factory=dict, repr=False)

    def flag_fields(self, object: str, flag: str) -> tuple[str, ...]:
        """The target fields of an object that carry a flag."""
        records = (record for program in self.programs.values() for record in program.records)
        fields = (
            target for record in records if record.object == object for name, target in record.flags if name == flag
        )
        return tuple(dict.fromkeys(fields))

    def unsubscribes(self, object: str, flag: str) -> bool:
        """Whether a flag of an object's record also opts its address out."""
        records = (record for program in self.programs.values() for record in program.records)
        return any(record.object == object and flag in record.unsubscribe for record in records)

    @property
    def objects(self) -> list[str]:
        """List every CRM object it writes or searches, in alphabetical order."""
        return sorted(self.looks_up.union(self.writes))


Line = Callable[[Loc], int]
"""location -> its line in the file."""
