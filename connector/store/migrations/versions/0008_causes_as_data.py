"""What a delivery was refused for, as data: the fields, the record of the mapping and the action, each in its column.

Before, they were part of the sentence: "the value is none of the options: add the option [state]".
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision: str | None = "0007"

_FIELDS = re.compile(r"\s\[([^\]]+)\]\Z")
_ACTION = re.compile(r"[:;] ")
_REFUSED = ("rejected", "deferred")


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("action", sa.Text(), nullable=False, server_default=""))
    op.add_column("deliveries", sa.Column("fields", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("deliveries", sa.Column("record", sa.Text(), nullable=False, server_default=""))
    op.execute("UPDATE lanes SET refused_cause = '', refused_count = 0")
    connection = op.get_bind()
    change = sa.text(
        "UPDATE deliveries SET reason = :reason, action = :action, fields = :fields, record = :record WHERE id = :id"
    )
    for row in _refused(connection):
        connection.execute(change, _as_data(connection, row))


def _refused(connection: sa.Connection) -> Iterator[sa.RowMapping]:
    statement = sa.text(
        "SELECT id, reason FROM deliveries WHERE state IN ('dead', 'ready') AND code <> '' AND id > :last "
        "ORDER BY id LIMIT 500"
    )
    last = 0
    while rows := connection.execute(statement, {"last": last}).mappings().all():
        yield from rows
        last = rows[-1]["id"]


def _as_data(connection: sa.Connection, row: sa.RowMapping) -> dict[str, Any]:
    named = _FIELDS.search(row["reason"])
    fields = named[1].split(", ") if named else []
    cause, *action = _ACTION.split(_FIELDS.sub("", row["reason"]), maxsplit=1)
    return {
        "id": row["id"],
        "reason": cause,
        "action": f"{action[0]}, then replay" if action else "",
        "fields": json.dumps(fields, separators=(",", ":")),
        "record": _mapped_as(connection, row["id"], fields),
    }


def _mapped_as(connection: sa.Connection, delivery_id: int, fields: list[str]) -> str:
    """The record the last attempt was refused for: rather one that was sent these fields."""
    statement = sa.text("SELECT records FROM attempts WHERE delivery_id = :id ORDER BY id DESC LIMIT 1")
    noted = json.loads(connection.execute(statement, {"id": delivery_id}).scalar() or "[]")
    refused = [note for note in noted if note.get("verdict") in _REFUSED]
    best: dict[str, Any] = max(refused, key=lambda note: len(set(note.get("fields", ())) & set(fields)), default={})
    return str(best.get("record", ""))
