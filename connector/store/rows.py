"""Many rows as one parameter of one statement.

https://www.sqlite.org/json1.html#jeach
https://www.postgresql.org/docs/current/functions-json.html#FUNCTIONS-JSON-PROCESSING
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import JSON, Column, FromClause, Text, bindparam, cast, column, func, literal_column, select

from connector.store.dialect import Speaker


def given(engine: Speaker, *columns: Column[Any]) -> FromClause:
    """Rows passed as a single JSON parameter, `rows`: a statement over a thousand of them is then a single step.

    Row by row, the driver would yield to other threads after each, and on SQLite every writer waits meanwhile.
    """
    rows = bindparam("rows", type_=Text)
    if engine.dialect.name == "sqlite":
        each = func.json_each(rows).table_valued("value")
        extracted = [
            func.json_extract(each.c.value, literal_column(f"'$.{wanted.name}'"), type_=wanted.type).label(wanted.name)
            for wanted in columns
        ]
        return select(*extracted).select_from(each).subquery("given")
    typed = [column(wanted.name, wanted.type) for wanted in columns]
    return func.json_to_recordset(cast(rows, JSON)).table_valued(*typed).render_derived("given", with_types=True)


Rows = dict[str, str]
"""The parameter of a statement over `given`; empty for no rows."""


def as_rows(rows: Sequence[Mapping[str, Any]]) -> Rows:
    """Each row by the names of its columns. Made before a transaction begins: it takes as long as the writing."""
    return {"rows": json.dumps(rows, separators=(",", ":"))} if rows else {}
