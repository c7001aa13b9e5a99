"""The part of SOQL a connector needs: SELECT a, b FROM T [WHERE F = x AND F IN (x, y)] [LIMIT n]."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from connector.sandbox.salesforce.rows import Record, Rows
from connector.sandbox.salesforce.schema import NUMBERS, Column, Table
from connector.sandbox.salesforce.values import RECORD_ID, BadRequest, checksummed

_TOKEN: Final = re.compile(
    r"""\s*(?: (?P<text>'(?:[^'\\]|\\.)*') | (?P<sign>[(),=]) | (?P<word>[A-Za-z0-9_.:+-]+) )\s*""", re.VERBOSE
)
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "\\": "\\", "'": "'", '"': '"'}


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison: the field equals one of the literals, which are kept as written."""

    field: str
    literals: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query."""

    fields: tuple[str, ...]
    object: str
    conditions: tuple[Condition, ...]
    limit: int | None


def _malformed(near: str) -> BadRequest:
    return BadRequest(400, "MALFORMED_QUERY", f"unexpected token: {near}")


class _Reader:
    """Reads the words of a query in order."""

    def __init__(self, text: str) -> None:
        self.words: list[str] = []
        place = 0
        while place < len(text):
            match = _TOKEN.match(text, place)
            if not match:
                raise _malformed(text[place : place + 20])
            self.words.append(match[0].strip())
            place = match.end()

    def peek(self) -> str:
        """Return the next word in capitals, or "" at the end."""
        return self.words[0].upper() if self.words else ""

    def take(self, *expected: str) -> str:
        """Consume the next word, which must be one of `expected` where any are given."""
        if not self.words or (expected and self.peek() not in expected):
            raise _malformed(self.words[0] if self.words else "<EOF>")
        return self.words.pop(0)

    def listed(self) -> tuple[str, ...]:
        """Consume words separated by commas."""
        items = [self.take()]
        while self.peek() == ",":
            self.take()
            items.append(self.take())
        return tuple(items)


def read(text: str) -> Query:
    """Parse a query. Raises BadRequest(MALFORMED_QUERY)."""
    words = _Reader(text)
    words.take("SELECT")
    fields = words.listed()
    words.take("FROM")
    table, conditions = words.take(), []
    if words.peek() == "WHERE":
        while words.peek() in ("WHERE", "AND"):
            words.take()
            conditions.append(_condition(words))
    limit = _limit(words)
    if words.words:
        raise _malformed(words.words[0])
    return Query(fields, table, tuple(conditions), limit)


def _limit(words: _Reader) -> int | None:
    if words.peek() != "LIMIT":
        return None
    words.take()
    number = words.take()
    if not number.isdigit():
        raise _malformed(number)
    return int(number)


def _condition(words: _Reader) -> Condition:
    name = words.take()
    if words.take("=", "IN") == "=":
        return Condition(name, (words.take(),))
    words.take("(")
    literals = words.listed()
    words.take(")")
    return Condition(name, literals)


def run(org: Rows, text: str, *, deleted: bool = False) -> tuple[Table, list[Column], list[Record]]:
    """Run a query; return the object, the requested columns and every row that matches. Raises BadRequest.

    deleted: whether rows in the recycle bin match as well.
    """
    query = read(text)
    table = org.tables.get(query.object.lower())
    if table is None:
        raise BadRequest(400, "INVALID_TYPE", f"sObject type '{query.object}' is not supported.")
    columns = [_column(table, name) for name in query.fields]
    tests = [(_filterable(table, c.field), c.literals) for c in query.conditions]
    wanted = [(column, {_literal(column, literal) for literal in literals}) for column, literals in tests]
    rows = list(org.rows[table.name.lower()].values()) if deleted else _candidates(org, table, wanted)
    hits = [row for row in rows if all(_comparable(row[column.name]) in values for column, values in wanted)]
    return table, columns, hits[: query.limit]


def _candidates(org: Rows, table: Table, wanted: list[tuple[Column, set[Any]]]) -> list[Record]:
    for column, values in wanted:
        if column in table.indexed:
            return [row for value in values if value is not None for row in org.matching(table, column, value)]
    return list(org.live(table))


def _column(table: Table, name: str) -> Column:
    column = table.column(name)
    if column is None:
        raise BadRequest(400, "INVALID_FIELD", f"No such column '{name}' on entity '{table.name}'")
    return column


def _filterable(table: Table, name: str) -> Column:
    column = _column(table, name)
    if not column.filterable:
        raise BadRequest(400, "INVALID_FIELD", f"field '{name}' can not be filtered in a query call")
    return column


def _literal(column: Column, literal: str) -> Any:
    if literal.lower() == "null":
        return None
    quoted = literal.startswith("'")
    if quoted != (column.type not in NUMBERS | {"boolean", "date", "datetime"}):
        fault = "should not be" if quoted else "must be"
        message = f"value of filter criterion for field '{column.name}' must be of type {column.type} and {fault}"
        raise BadRequest(400, "INVALID_FIELD", f"{message} enclosed in quotes")
    if quoted:
        text = re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[0]), literal[1:-1])
        return _comparable(_record_id(text) if column.type in ("id", "reference") else text)
    try:
        return float(literal) if column.type in NUMBERS else _unquoted(literal)
    except ValueError:
        raise _malformed(literal) from None


def _record_id(text: str) -> str:
    if not RECORD_ID.match(text):
        problem = f"\nERROR at Row:1:Column:1\ninvalid ID field: {text}"
        raise BadRequest(400, "INVALID_QUERY_FILTER_OPERATOR", problem)
    return checksummed(text) if len(text) == 15 else text


def _unquoted(literal: str) -> Any:
    return literal.lower() == "true" if literal.lower() in ("true", "false") else literal


def _comparable(value: Any) -> Any:
    if isinstance(value, str):
        return value.strip().lower()
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
