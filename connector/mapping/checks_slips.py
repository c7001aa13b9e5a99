"""Find what cannot mean what it says: a field's name as a text, a range as an entry, a value in the wrong letters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from connector.carecycle import catalogue
from connector.mapping.schema_sources import MappedField, Source
from connector.mapping.scope import Scope
from connector.mapping.usual_values import never

_SLOT: Final = re.compile(r"\{+\s*([A-Za-z][\w.]*)\s*(?:\|[^{}]*)?\}+")
_ALIKE: Final = str.maketrans(dict.fromkeys("\u201c\u201d", '"') | dict.fromkeys("\u2018\u2019", "'") | {"\u2013": "-"})


def check(scope: Scope, source: Source) -> None:
    """Report fixed texts of a source that are the names of fields, and a value that sends nothing."""
    if "value" in source.model_fields_set:
        if source.value is None:
            scope.at("value").add("M112", "this sends nothing", "to empty a field write  if_null: clear")
        _check_text(scope.at("value"), source.value, whole=False)
    if source.template is not None:
        _check_text(scope.at("template"), source.template, whole=True)
    if isinstance(source, MappedField):
        _check_text(scope.at("default"), source.default, whole=False)


def check_sought(scope: Scope, text: object, hint: str) -> None:
    """Report a fixed text of a look-up that is the name of a field, or has one in braces. hint: what to write."""
    slot = _SLOT.search(text) if isinstance(text, str) else None
    if isinstance(text, str) and (is_path(text.strip()) or (slot and is_path(slot[1]))):
        scope.add("M112", f"'{text}' names a field, and is taken as this very text", hint)


def _check_text(scope: Scope, text: object, *, whole: bool) -> None:
    """whole: only what the whole text says; its parts are checked elsewhere."""
    if not isinstance(text, str):
        return
    if is_path(text.strip()):
        hint = f"write  from: {text.strip()}" if scope.loc[-1] != "default" else f"name it last:  from: [..., {text}]"
        scope.add("M112", f"'{text}' is the name of a field, and is sent as this very text", hint)
    elif not whole and (slot := _SLOT.search(text)) and is_path(slot[1]):
        scope.add("M112", f"{slot[0]} is sent as it is written here", f'write  template: "{text}"')


def report_turned(scope: Scope, path: str, field: MappedField) -> None:
    """Report a line that has a field of the event on the left."""
    words = field.from_ or []
    is_alone = len(words) == 1 and words[0] not in catalogue.FIELDS and re.fullmatch(r"\w+", words[0])
    message = f"'{path}' is a field of the event: your CRM's field is on the left"
    scope.add_at_key("M101", message, f"write  {words[0]}: {path}" if is_alone else "")


def is_path(text: str) -> bool:
    """Whether a text is a field's name and nothing else: `customer` may well be a value."""
    return "." in text and text in catalogue.FIELDS


def check_compared(scope: Scope, path: str, value: str, operator: str) -> None:
    """Report a value that is a field's name, or that the field it is compared with never has. path: "" if unknown."""
    if is_path(value):
        can = operator == "contains"
        message = f"'{value}' is compared as this very text" + ("" if can else ": two fields cannot be compared")
        scope.add("M133", message, f"write  contains: {{ field: {value} }}" if can else "write a value")
    elif hint := never(path, value):
        scope.add("M133", f"{path} is never '{value}'", hint)


def check_tables(scope: Scope) -> None:
    """Report entries of the tables that the fields which are translated by them never have, and tables without any."""
    paths: dict[str, set[str]] = {}
    for name, record in scope.file.records.items():
        for target, field in record.fields.items():
            here = scope.at("records", name, "fields", target)
            for source in field.nested():
                read = source.read
                if isinstance(source.table, dict):
                    _check_entries(here.at("table"), source.table, read)
                elif source.table is not None:
                    paths.setdefault(source.table, set()).update(read)
    for table, entries in scope.file.tables.items():
        here = scope.at("tables", table)
        if table not in paths and here.own and not scope.report.failed:  # a field with a mistake may use it
            here.add_at_key(
                "M156", f"no field uses the table '{table}'", f"write  table: {table}  to a field, or delete it"
            )
        _check_entries(scope.at("tables", table), entries, sorted(paths.get(table, ())))


def _check_entries(scope: Scope, entries: Iterable[str], paths: Iterable[str]) -> None:
    """Report entries of a table that none of these fields ever has."""
    fields = [catalogue.FIELDS[path] for path in paths if path in catalogue.FIELDS]
    known: dict[str, str] = {}
    for entry in entries:
        here = scope.at(entry)
        if entry.strip():
            _check_entry(here, entry, fields)
        else:
            here.add_at_key("M152", f"the value is never '{entry}'", "for no value write  default:")
        if (other := known.setdefault(_alike(entry), entry)) != entry:
            how = "capitals" if other.lower() == entry.lower() else "quotation marks, dashes or spaces"
            here.add_at_key("M154", f"'{entry}' and '{other}' differ only in {how}", "a table tells them apart")


def _alike(entry: str) -> str:
    """An entry as people read it.

    >>> _alike("Don\u2019t  Call ") == _alike("don't call")
    True
    """
    return " ".join(entry.translate(_ALIKE).lower().split())


def _check_entry(scope: Scope, entry: str, fields: Sequence[catalogue.Field]) -> None:
    if not fields or entry == "else":
        return
    hints = [never(field.path, entry) for field in fields]
    if all(hints):
        scope.add_at_key("M152", f"the value is never '{entry}'", hints[0])
