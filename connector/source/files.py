"""Read customers from a file, CSV or NDJSON, one after another: no file is too long, and no row decides for others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Final, TextIO

from connector.carecycle import decode, recognise
from connector.carecycle.api_names import CUSTOMER, customer_payload, lost
from connector.carecycle.catalogue import EVENTS
from connector.carecycle.kinds import Unclear
from connector.errors import FixConfiguration, UnreadableEvent
from connector.source.allowed import only_known, with_own_ids
from connector.source.columns import ID, Column, read_cells, read_columns, suits
from connector.source.quoting import LONGEST, TOO_LONG, BadRow, Cells, Numbered, Shape, split_rows

_DELIMITERS: Final = (",", ";", "\t", "|")
NO_ID: Final = "no careCycle id"
OTHER_ID: Final = "the id is not one of careCycle's"
_SAVE_AS: Final = "save it as CSV in UTF-8"
_OTHER_KINDS: Final = {
    b"PK": ("is a workbook or an archive", _SAVE_AS),
    b"\xd0\xcf\x11\xe0": ("is a workbook", _SAVE_AS),
    b"\xff\xfe": ("is in UTF-16", _SAVE_AS),
    b"\xfe\xff": ("is in UTF-16", _SAVE_AS),
    b"\x1f\x8b": ("is compressed", "unpack it first"),
    b"[": ("is one JSON list", "write one object on each line, without brackets and commas around them"),
}
"""What a file of another kind begins with -> what it is, and what to do."""


@dataclass(frozen=True, slots=True)
class Row:
    """A customer or a call, in the webhook's shape, and the number of its line.

    unclear: the fields whose value cannot be used, and why. They count as absent.
    """

    line: int
    payload: Mapping[str, Any]
    unclear: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file whose first line is understood. columns, delimiter: of a CSV file; empty for NDJSON."""

    path: Path
    encoding: str
    delimiter: str = ""
    columns: tuple[Column, ...] = ()

    def rows(self) -> Iterator[Row | BadRow]:
        """Yield every row, from the first line to the last."""
        with _opened(self.path, self.encoding) as file:
            yield from self._csv(_numbered(file)) if self.columns else _ndjson(_numbered(file), self.encoding)

    def _csv(self, lines: Iterator[Numbered]) -> Iterator[Row | BadRow]:
        next(split_rows(lines, Shape(self.delimiter)))
        id_at = next(place for place, column in enumerate(self.columns) if column.field is ID)
        for row in split_rows(lines, Shape(self.delimiter, len(self.columns), id_at)):
            yield row if isinstance(row, BadRow) else self._row(row)

    def _row(self, row: Cells) -> Row | BadRow:
        payload, unclear = read_cells(self.columns, row.cells)
        if "id" not in payload:
            return BadRow(row.line, OTHER_ID if any(path == ID.path for path, _ in unclear) else NO_ID)
        return Row(row.line, payload, unclear)


def open_source(path: Path, encoding: str = "utf-8") -> SourceFile:
    """Look at the first row of a file. Raises FixConfiguration where no customers can be read from it."""
    _refuse_other_kinds(path)
    with _opened(path, encoding) as file:
        lines = _numbered(file)
        number, text = next((line for line in lines if line[1] is None or line[1].strip()), (0, None))
        if text is None:
            raise FixConfiguration(str(path), "is empty, or its first line is too long")
        if text.lstrip().startswith("{"):
            return SourceFile(path, encoding)
        delimiter = max(_DELIMITERS, key=lambda each: suits(text.split(each)))
        header = next(split_rows(chain([(number, text)], lines), Shape(delimiter)), None)
    columns = read_columns(header.cells if isinstance(header, Cells) else [])
    if all(column.field is not ID for column in columns):
        raise FixConfiguration(str(path), "has no column id", _how_to_name_it(columns))
    return SourceFile(path, encoding, delimiter, columns)


def _how_to_name_it(columns: Sequence[Column]) -> str:
    meant = next((column.name for column in columns if column.meant == "id"), "")
    needed = "the first row must name the columns; careCycle's own id of a customer is needed to link a row"
    return f"if {meant} is careCycle's own id of a customer, call it id" if meant else needed


def _refuse_other_kinds(path: Path) -> None:
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise FixConfiguration(str(path), "is a pipe or a device", "name a file: it is read more than once")
    with reading(path) as file:
        begin = file.read(8).removeprefix(b"\xef\xbb\xbf")
    if b"\0" in begin and begin[:2] not in _OTHER_KINDS:
        raise FixConfiguration(str(path), "is in UTF-16, or no text", _SAVE_AS)
    for other, (problem, action) in _OTHER_KINDS.items():
        if begin.startswith(other):
            raise FixConfiguration(str(path), problem, action)


@contextmanager
def reading(path: Path) -> Iterator[BinaryIO]:
    """Open a file. Raises FixConfiguration where it cannot be read, now or later."""
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise FixConfiguration(str(path), f"cannot be read: {error.strerror}") from None


@contextmanager
def _opened(path: Path, encoding: str) -> Iterator[TextIO]:
    """Open a file as text. A byte that is not of its encoding becomes half of a surrogate pair."""
    with reading(path) as file:
        yield TextIOWrapper(file, "utf-8-sig" if encoding == "utf-8" else encoding, "surrogateescape")


def _numbered(file: TextIO) -> Iterator[Numbered]:
    """Yield the lines with their numbers; None for one that is too long to be a customer."""
    number = 0
    while text := file.readline(LONGEST):
        number += 1
        part = text
        while len(part) == LONGEST and not part.endswith("\n"):
            part = file.readline(LONGEST)
        if part is not text:
            yield number, None
        else:
            yield number, text.removesuffix("\n")


def _ndjson(lines: Iterator[Numbered], encoding: str) -> Iterator[Row | BadRow]:
    for number, text in lines:
        if text is None:
            yield BadRow(number, TOO_LONG)
        elif text.strip():
            yield _object(number, text, encoding)


def _object(number: int, text: str, encoding: str) -> Row | BadRow:
    """A customer of the API, or the payload of a webhook. What the catalogue does not know is left out."""
    try:
        item = decode.decoded(text.encode(encoding, "surrogateescape"))
    except ValueError:
        return BadRow(number, "not JSON")
    if not isinstance(item, Mapping) or isinstance(item, Unclear):
        return BadRow(number, "not a JSON object")
    return _of(number, item)


def _of(number: int, item: Mapping[str, Any]) -> Row | BadRow:
    event_type = item.get("event_type", CUSTOMER)
    if event_type not in EVENTS:
        return BadRow(number, "of a type that this version does not know")
    payload = only_known(item, event_type) if "event_type" in item else customer_payload(item)
    try:
        reading = recognise.read(payload, "")  # None, where a customer has no id, is none either
    except UnreadableEvent:
        return BadRow(number, NO_ID)
    if reading is None or (own := with_own_ids(reading.payload)) is None:
        return BadRow(number, OTHER_ID)
    unclear = [(odd.path, f"not {odd.expected}") for odd in reading.unread]
    return Row(number, own, unclear if "event_type" in item else [*lost(item), *unclear])
