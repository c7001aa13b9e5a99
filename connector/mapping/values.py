"""Sources as closures: everything about a field that can be decided before an event is decided here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Final

from connector.carecycle import catalogue
from connector.carecycle.catalogue import ABSENT, Kind
from connector.mapping import conditions, templates
from connector.mapping.compiled import Get, Payload, PointsTo
from connector.mapping.formats import FORMATS, Format, text
from connector.mapping.schema import Case, Lookup, MappedField, Source
from connector.mapping.target import TargetField
from connector.model import Lookup as Found

_TEXTUAL: Final = frozenset({Kind.TEXT, Kind.UUID, Kind.ENUM, Kind.DATE, Kind.DATETIME})
"""Kinds whose values are text already."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a source is compiled for: an event type, the file's tables, the CRM and, where known, the target field."""

    event: str
    tables: Mapping[str, Mapping[str, Any]]
    crm: str
    target: TargetField | None = None


def compiled(source: Source, setting: Setting) -> Get:
    """A source with its modifiers, in their fixed order."""
    get = untranslated(source, setting)
    if source.table is not None:
        get = _tabled(get, setting.tables[source.table] if isinstance(source.table, str) else source.table)
    if source.format is not None:
        get = _formatted(get, FORMATS[source.format])
    if not isinstance(source, MappedField):
        return get
    if source.default is not None:
        get = _defaulted(get, source.default)
    if source.cut and (limit := _limit(setting)):
        get = _cut(get, limit)
    return _guarded(get, conditions.compiled(source.when, setting.event)) if source.when else get


def untranslated(source: Source, setting: Setting) -> Get:
    """A source without its modifiers."""
    match source.sources():
        case ["from"]:
            known = source.table is None and (setting.target is None or setting.target.type == "picklist")
            return first([path(one, setting.event, known_only=known) for one in source.from_ or ()])
        case ["value"]:
            constant = source.value
            return lambda payload, zone: constant
        case ["template"]:
            return _template(templates.parse(source.template or ""), setting.event)
        case ["join"]:
            return _joined([_part(one, "", setting.event) for one in source.join or ()], source.with_)
        case ["lookup"] if source.lookup:
            return _lookup(source.lookup, setting)
        case ["ref"]:
            target = PointsTo(source.ref or "")
            return lambda payload, zone: target
        case _:
            return _cases(source.cases or [], setting)


def path(path: str, event: str, *, known_only: bool = False) -> Get:
    """An event field. An empty text is no value; an enum value the catalogue lacks is left out where asked."""
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


def _at_top(key: str) -> Get:
    """Most fields of most events: the sender always writes them, and most have a value, so that is tried first."""

    def get(payload: Payload, zone: tzinfo) -> Any:
        try:
            value = payload[key]
        except KeyError:
            return ABSENT
        return value if value or value != "" else None

    return get


def _deeper(read: catalogue.Reader) -> Get:
    def get(payload: Payload, zone: tzinfo) -> Any:
        value = read(payload)
        return None if value == "" else value

    return get


def first(gets: list[Get]) -> Get:
    """The first that has a value."""
    if len(gets) == 1:
        return gets[0]

    def get(payload: Payload, zone: tzinfo) -> Any:
        nothing: Any = None
        for one in gets:
            value = one(payload, zone)
            if value is ABSENT:
                nothing = ABSENT
            elif value is not None:
                return value
        return nothing

    return get


def _part(path_: str, format_name: str, event: str) -> Get:
    """An event field as text."""
    get, kind = path(path_, event), catalogue.FIELDS[path_].kind
    if format_name:
        get, kind = _formatted(get, FORMATS[format_name]), FORMATS[format_name].gives
    return get if kind in _TEXTUAL else _formatted(get, FORMATS["text"])


def _template(parts: tuple[templates.Part, ...], event: str) -> Get:
    gets = [_template_part(part, event) for part in parts]

    def get(payload: Payload, zone: tzinfo) -> Any:
        pieces = []
        for one in gets:
            piece = one(payload, zone)
            if piece is None or piece is ABSENT:
                return piece
            pieces.append(piece)
        return "".join(pieces) or None

    return get


def _template_part(part: templates.Part, event: str) -> Get:
    match part:
        case str():
            return lambda payload, zone: part
        case templates.Slot(path_, format_name):
            return _part(path_, format_name, event)
        case templates.Optional(parts):
            whole = _template(parts, event)
            return lambda payload, zone: whole(payload, zone) or ""


def _joined(gets: list[Get], between: str) -> Get:
    def get(payload: Payload, zone: tzinfo) -> Any:
        pieces = [one(payload, zone) for one in gets]
        held = [piece for piece in pieces if piece]  # a text, none of them empty: anything else is no value
        if held:
            return between.join(held)
        return ABSENT if ABSENT in pieces else None

    return get


def _lookup(lookup: Lookup, setting: Setting) -> Get:
    ((match, path_),) = lookup.match.items()
    value_of = _part(path_, "", setting.event)
    returns = lookup.return_ or ("Id" if setting.crm == "salesforce" else "id")
    required, waits = lookup.missing == "reject", lookup.missing == "wait"

    def get(payload: Payload, zone: tzinfo) -> Any:
        value = value_of(payload, zone)
        if value is None or value is ABSENT:
            return value
        return Found(lookup.object, match, value, returns, required, waits)

    return get


def _cases(cases: list[Case], setting: Setting) -> Get:
    branches = [
        (conditions.compiled(case.when, setting.event), compiled(case.then, setting))
        for case in cases
        if case.when is not None and case.then is not None
    ]
    last = cases[-1].else_
    otherwise = compiled(last, setting) if last is not None else lambda payload, zone: ABSENT

    def get(payload: Payload, zone: tzinfo) -> Any:
        for holds, then in branches:
            if holds(payload):
                return then(payload, zone)
        return otherwise(payload, zone)

    return get


def _tabled(get: Get, table: Mapping[str, Any]) -> Get:
    entries = {key: value for key, value in table.items() if key != "else"}
    otherwise = table.get("else", ABSENT)

    def translated(payload: Payload, zone: tzinfo) -> Any:
        value = get(payload, zone)
        if value is None or value is ABSENT:
            return value
        return entries.get(value if type(value) is str else text(value), otherwise)

    return translated


def _formatted(get: Get, made: Format) -> Get:
    apply, zoned = made.apply, made.zoned

    def formatted(payload: Payload, zone: tzinfo) -> Any:
        value = get(payload, zone)
        if value is None or value is ABSENT:
            return value
        result = apply(value, zone) if zoned else apply(value)
        return None if result == "" else result

    return formatted


def _defaulted(get: Get, default: Any) -> Get:
    def defaulted(payload: Payload, zone: tzinfo) -> Any:
        value = get(payload, zone)
        return default if value is None or value is ABSENT else value

    return defaulted


def _limit(setting: Setting) -> int | None:
    """The most UTF-16 units the target holds, where the CRM's schema is known.

    HubSpot's: https://developers.hubspot.com/docs/api-reference/crm-properties-v3/guide
    """
    if setting.target is None:
        return None
    return setting.target.length or (65_536 if setting.crm == "hubspot" else None)


def cut(value: str, limit: int) -> str:
    """A text cut to so many UTF-16 units, by whole characters.

    >>> cut("Mesa", 3), cut("a\U0001f600b", 2)
    ('Mes', 'a')
    """
    if len(value) * 2 <= limit or len(units := value.encode("utf-16-le", "surrogatepass")) <= limit * 2:
        return value
    return units[: limit * 2].decode("utf-16-le", "ignore")


def _cut(get: Get, limit: int) -> Get:
    def shortened(payload: Payload, zone: tzinfo) -> Any:
        value = get(payload, zone)
        return cut(value, limit) if isinstance(value, str) else value

    return shortened


def _guarded(get: Get, holds: conditions.Holds) -> Get:
    return lambda payload, zone: get(payload, zone) if holds(payload) else ABSENT
