"""What each CRM account said of its objects: a worker that starts knows lengths and picklists at once."""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, select

from connector.mapping.target import TargetField, TargetObject
from connector.store.crm_tables import descriptions
from connector.store.database import Database
from connector.store.dialect import insert


@dataclass(frozen=True, slots=True)
class Described:
    """Objects of one account as they were described. age: of the oldest description, in milliseconds."""

    objects: Mapping[str, TargetObject] = field(default_factory=dict)
    age: int = 0


class Descriptions:
    """One row per destination and object: the account's that the destination serves now (see `rebinding`)."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def of(self, destination: str, objects: Collection[str]) -> Described:
        """Return those of these objects that were described."""
        mine = (descriptions.c.destination == destination, descriptions.c.object.in_(objects))
        age = self._db.now() - descriptions.c.at
        with self._db.reading() as connection:
            rows = connection.execute(select(descriptions.c.object, descriptions.c.fields, age).where(*mine)).all()
        return Described({row[0]: _read(row[1]) for row in rows}, max((row[2] for row in rows), default=0))

    def keep(self, destination: str, asked: Collection[str], objects: Mapping[str, TargetObject]) -> None:
        """Keep what was described; forget those of the objects asked for that the account does not have."""
        statement = insert(self._db.engine, descriptions)
        newer = {name: statement.excluded[name] for name in ("fields", "at")}
        rows = [
            {"destination": destination, "object": name, "fields": _written(own)}
            for name, own in sorted(objects.items())
        ]
        missing = descriptions.c.object.in_(set(asked) - objects.keys())
        with self._db.transaction() as connection:
            connection.execute(delete(descriptions).where(descriptions.c.destination == destination, missing))
            for row in rows:
                new = statement.values(**row, at=self._db.now())
                connection.execute(new.on_conflict_do_update(index_elements=["destination", "object"], set_=newer))


def _written(own: TargetObject) -> bytes:
    fields = own.model_dump(mode="json", exclude_defaults=True)["fields"]
    return zlib.compress(json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode())


def _read(fields: bytes) -> TargetObject:
    kept: dict[str, Any] = json.loads(zlib.decompress(fields))
    return TargetObject(fields={name: TargetField.model_validate(own) for name, own in kept.items()})
