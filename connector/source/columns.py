"""Which field of the catalogue each column of a CSV file fills."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from connector.carecycle.api_names import CUSTOMER, RENAMED
from connector.carecycle.catalogue import ABSENT, FIELDS, FLAGS, Field, Kind, steps
from connector.carecycle.kinds import Unclear
from connector.source.cells import read_cell
from connector.source.headings import meant_by

ID: Final = FIELDS["customer.id"]
_PREFIX: Final = "customer."


def _plain(name: str) -> str:
    """
    >>> _plain("Client_Customer ID")
    'clientcustomerid'
    """
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _fields_by_name() -> dict[str, Field]:
    """Fields by their names in the catalogue, with and without `customer.`, and by the API's, as `_plain` has them."""
    fields = {path: field for path, field in FIELDS.items() if path.startswith(_PREFIX) and field.kind != Kind.OBJECT}
    short = {path.removeprefix(_PREFIX): field for path, field in fields.items()}
    renamed = {api: short[webhook] for api, webhook in RENAMED["customer"].items()}
    return {_plain(name): field for name, field in {**fields, **short, **renamed}.items()}


_FIELDS: Final = _fields_by_name()


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name in the file, the field it fills (None: it is not used), and whether others fill it too.

    meant: the name to give it, if one is meant that is not one of careCycle's.
    """

    name: str
    field: Field | None
    shared: bool = False
    meant: str = ""


def read_columns(names: Sequence[str]) -> tuple[Column, ...]:
    """Return the columns of a file from its first row. Where one is called id, others do not count as the id."""
    plain = [_plain(name) for name in names]
    fields = [_FIELDS.get(name) for name in plain]
    if "id" in plain:
        fields = [None if field is ID and name != "id" else field for name, field in zip(plain, fields, strict=True)]
    return tuple(
        Column(name.strip(), field, field is not None and fields.count(field) > 1, meant_by(_plain(name)))
        for name, field in zip(names, fields, strict=True)
    )


def is_other_id(column: Column) -> bool:
    """Whether a column would be the id if there were none of that name."""
    return column.field is None and _FIELDS.get(_plain(column.name)) is ID


def read_cells(columns: Sequence[Column], cells: Sequence[str]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Return a row as a payload, and the fields whose cells cannot be used, and why. An empty cell says nothing."""
    values: dict[Field, list[Any]] = {}
    for column, cell in zip(columns, cells, strict=False):
        value = ABSENT if column.field is None else read_cell(cell, column.field)
        if column.field is not None and value is not ABSENT:
            values.setdefault(column.field, []).append(value)
    payload: dict[str, Any] = {"event_type": CUSTOMER}
    unclear = []
    for field, given in values.items():
        value = _combined(field, given)
        if isinstance(value, Unclear):
            unclear.append((field.path, value.what))
        else:
            _put(payload, steps(field.path, CUSTOMER), value)
    return payload, unclear


def _combined(field: Field, values: Sequence[Any]) -> Any:
    """Return the value that several columns agree on. Of a consent flag, an opt-out in any of them counts."""
    if field.path.removeprefix(_PREFIX) in FLAGS and True in values:
        return True
    unclear = next((value for value in values if isinstance(value, Unclear)), None)
    agreed = all(value == values[0] for value in values)
    return unclear or (values[0] if agreed else Unclear("several different values"))


def _put(payload: dict[str, Any], keys: Sequence[str], value: Any) -> None:
    *outer, name = keys
    for key in outer:
        payload = payload.setdefault(key, {})
    payload[name] = value


def suits(names: Sequence[str]) -> int:
    """How many of these names are those of fields."""
    return sum(column.field is not None for column in read_columns(names))
