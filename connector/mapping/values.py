"""Compile sources into functions, deciding everything that can be decided before an event arrives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from functools import cache
from typing import Any, Final

from connector.carecycle import catalogue
from connector.carecycle.catalogue import ABSENT, Kind
from connector.crm import Crm
from connector.mapping import conditions, counting, looking_up, templates
from connector.mapping.applying import formatted
from connector.mapping.bands import banded
from connector.mapping.compiled import PointsTo
from connector.mapping.formats import in_template
from connector.mapping.functions import Get, Payload
from connector.mapping.modifiers import defaulted, guarded, listed, shortened, tabled
from connector.mapping.schema_sources import MappedField, Source
from connector.mapping.steps.step import TEXTUAL
from connector.mapping.steps.texts import AS_TEXT
from connector.mapping.target import TargetField


@dataclass(frozen=True, slots=True)
class Setting:
    """What a source is compiled for: an event type, the file's tables, the CRM and, if known, the target field.

    bare: without what is taken in place of none.
    """

    event: str
    tables: Mapping[str, Mapping[str, Any]]
    crm: Crm
    target: TargetField | None = None
    bare: bool = False


def compiled(source: Source, setting: Setting) -> Get:
    """Compile a source and its modifiers, which apply in a fixed order."""
    get = unbanded(source, setting)
    if source.bands is not None:
        get = banded(get, source.bands)
    if not isinstance(source, MappedField):
        return get
    if source.default is not None and not setting.bare:
        get = defaulted(get, source.default)
    if source.cut and (limit := _limit(setting)):
        get = shortened(get, limit)
    if source.order:
        get = listed(get, source.order)
    return get if source.count else _guarded(get, source, setting.event)


def _guarded(get: Get, source: MappedField, event: str) -> Get:
    return guarded(get, conditions.compiled(source.when, event)) if source.when else get


def unbanded(source: Source, setting: Setting) -> Get:
    """Compile a source, its table and its formats: what the modifiers after them start from."""
    get = translated(source, setting)
    for step in source.format or ():
        get = formatted(get, step, setting.event)
    return get


def translated(source: Source, setting: Setting) -> Get:
    """Compile a source and its table, without the other modifiers."""
    get = unmodified(source, setting)
    if source.table is None:
        return get
    return tabled(get, setting.tables[source.table] if isinstance(source.table, str) else source.table)


def unmodified(source: Source, setting: Setting) -> Get:
    """Compile a source without its modifiers."""
    (kind,) = source.sources()
    return _COMPILERS[kind](source, setting)


def _from(source: Source, setting: Setting) -> Get:
    only = known_only(source, setting)
    return first([path(name, setting.event, known_only=only) for name in source.read])


def own_key(get: Get, source: Source, event: str) -> str | None:
    """The key of the event's payload whose value a compiled source gives as it is; None if it does more than that."""
    match [catalogue.steps(name, event) for name in source.read]:
        case [(key,)] if get is _at_top(key):
            return key
        case _:
            return None


def known_only(source: Source, setting: Setting) -> bool:
    """Whether values that careCycle does not document are left out: the target is unknown, a picklist, or ordered."""
    is_closed = setting.target is None or setting.target.type == "picklist"
    return source.table is None and (is_closed or (isinstance(source, MappedField) and bool(source.order)))


def _value(source: Source, setting: Setting) -> Get:
    constant = source.value
    return lambda payload, zone: constant


def _ref(source: Source, setting: Setting) -> Get:
    target = PointsTo(source.ref or "")
    return lambda payload, zone: target


def path(path: str, event: str, *, known_only: bool = False) -> Get:
    """Compile an event field; a blank text is null. known_only: skip enum values the catalogue does not list."""
    field = catalogue.FIELDS[path]
    if known_only and field.kind is Kind.ENUM:
        read = catalogue.reader(path, event)
        allowed = {option: option for option in field.options} | {None: None, ABSENT: ABSENT, "": None}
        return lambda payload, zone: allowed.get(read(payload), ABSENT)
    match catalogue.steps(path, event):
        case (key,):
            return _at_top(key)
        case _:
            return _deeper(catalogue.reader(path, event))


@cache
def _at_top(key: str) -> Get:
    """Read a top-level field: careCycle always sends it and it usually has a value, so that case comes first."""

    def get(payload: Payload, zone: tzinfo) -> Any:
        try:
            value = payload[key]
        except KeyError:
            return ABSENT
        return None if value.__class__ is str and (not value or value.isspace()) else value  # as `_is_blank`, uncalled

    return get


def _deeper(read: catalogue.Reader) -> Get:
    def get(payload: Payload, zone: tzinfo) -> Any:
        value = read(payload)
        return None if _is_blank(value) else value

    return get


def _is_blank(value: Any) -> bool:
    """Whether a value is a text that CRMs take for none: Salesforce trims what it is sent."""
    return isinstance(value, str) and (not value or value.isspace())


def first(gets: list[Get]) -> Get:
    """Return the first value there is."""
    if len(gets) == 1:
        return gets[0]

    def first_value(payload: Payload, zone: tzinfo) -> Any:
        nothing: Any = None
        for get in gets:
            value = get(payload, zone)
            if value is ABSENT:
                nothing = ABSENT
            elif value is not None:
                return value
        return nothing

    return first_value


def part(slot: templates.Slot, event: str) -> Get:
    """Compile an event field that becomes part of a text."""
    get: Get = path(slot.path, event)
    kind: str = catalogue.FIELDS[slot.path].kind
    for step in map(in_template, slot.formats):
        get, kind = formatted(get, step, event), step.gives or kind
    return get if kind in TEXTUAL else formatted(get, AS_TEXT, event)


def _template(source: Source, setting: Setting) -> Get:
    return _concatenated(templates.parse(source.template or ""), setting.event)


def _concatenated(parts: tuple[templates.Part, ...], event: str) -> Get:
    gets = [_template_part(part, event) for part in parts]

    def filled(payload: Payload, zone: tzinfo) -> Any:
        pieces = []
        for get in gets:
            piece = get(payload, zone)
            if piece is None or piece is ABSENT:
                return piece
            pieces.append(piece)
        return "".join(pieces) or None

    return filled


def _template_part(piece: templates.Part, event: str) -> Get:
    match piece:
        case str():
            return lambda payload, zone: piece
        case templates.Slot():
            return part(piece, event)
        case templates.Optional(parts):
            inner = _concatenated(parts, event)
            return lambda payload, zone: inner(payload, zone) or ""


def _join(source: Source, setting: Setting) -> Get:
    gets = [part(templates.Slot(name), setting.event) for name in source.join or ()]
    separator = source.with_

    def joined(payload: Payload, zone: tzinfo) -> Any:
        texts, nothing = [], None
        for get in gets:
            piece = get(payload, zone)
            if piece:  # null, ABSENT and empty text are all falsy
                texts.append(piece)
            elif piece is ABSENT:
                nothing = ABSENT
        return separator.join(texts) if texts else nothing

    return joined


def _lookup(source: Source, setting: Setting) -> Get:
    assert source.lookup is not None  # it is the source written here

    def read(path: str) -> Get:
        return part(templates.Slot(path), setting.event)

    return looking_up.compiled(source.lookup, setting.crm.id_field, read, bare=setting.bare)


def _cases(source: Source, setting: Setting) -> Get:
    cases = source.cases or []
    branches = [
        (conditions.compiled(case.when, setting.event), compiled(case.then, setting))
        for case in cases
        if case.when is not None and case.then is not None
    ]
    last = cases[-1].else_
    otherwise = compiled(last, setting) if last is not None else lambda payload, zone: ABSENT

    def chosen(payload: Payload, zone: tzinfo) -> Any:
        for holds, then in branches:
            if holds(payload, zone):
                return then(payload, zone)
        return otherwise(payload, zone)

    return chosen


_COMPILERS: Final[Mapping[str, Callable[[Source, Setting], Get]]] = {
    "from": _from,
    "value": _value,
    "template": _template,
    "join": _join,
    "lookup": _lookup,
    "ref": _ref,
    "cases": _cases,
    "count": lambda source, setting: counting.of_one(source, setting.event),
    "first": _from,
    "last": _from,
}


def _limit(setting: Setting) -> int | None:
    """Return how many UTF-16 code units the target holds, as far as it is known."""
    return (setting.target.length if setting.target else None) or setting.crm.longest_text
