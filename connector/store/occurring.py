"""The names that stored deliveries have, for filters: a name that does not occur is a slip."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Connection, func, literal_column, select

from connector.store.database import Database
from connector.store.problem_tables import open_items
from connector.store.tables import deliveries, events, lanes

_NAMES: Final = 300
"""How many names are listed."""


def occurring(database: Database) -> dict[str, list[str]]:
    """The destinations, codes and types of deliveries, and the codes of fields left out."""
    with database.reading() as connection:
        coded = deliveries.c.code != literal_column("''")  # the partial index serves nothing else
        return {
            "destination": distinct(connection, lanes.c.destination),
            "code": distinct(connection, deliveries.c.code, coded),
            "type": distinct(connection, events.c.type),
            "left_out": distinct(connection, open_items.c.code),
        }


def distinct(connection: Connection, column: Column[str], *where: ColumnElement[bool]) -> list[str]:
    """The values of a column, but the empty one: each is a step in its index, however many rows have it."""
    values: list[Any] = []
    while len(values) < _NAMES:
        later = select(func.min(column)).where(column > (values[-1] if values else ""), *where)
        if (value := connection.execute(later).scalar()) is None:
            break
        values.append(value)
    return values
