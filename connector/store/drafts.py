"""Edits of mappings in the console, kept until they are published: nothing typed is lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from sqlalchemy import Row, delete, insert, or_, select, update

from connector.backoff import DAY
from connector.store.database import Database
from connector.store.version_tables import mapping_drafts
from connector.store.versions import packed, unpacked

_KEPT: Final = 90 * DAY
"""An edit that nobody has touched for so long is dropped when another begins."""


@dataclass(frozen=True, slots=True)
class FileEdit:
    """A file with an edit. base: its text when the edit began, None if it was not there; state: of its bytes then."""

    text: str
    base: str | None
    state: str


@dataclass(frozen=True, slots=True)
class Draft:
    """An edit of a destination's files, by their paths from its folder. saves: how often it was saved.

    who, page: saved it last, from which open page, at changed_at (epoch ms).
    """

    id: str
    destination: str
    who: str
    saves: int
    page: str
    changed_at: int
    files: Mapping[str, FileEdit] = field(default_factory=dict, repr=False)


class Drafts:
    """One row for each edit."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def begin(self, id: str, destination: str, who: str, page: str, files: Mapping[str, FileEdit]) -> Draft:
        """Keep a new edit. id: random."""
        now = self._db.now()
        row: dict[str, Any] = {"id": id, "destination": destination, "who": who, "page": page, "changed_at": now}
        row |= {"saves": 1, "files": _packed(files)}
        with self._db.transaction() as connection:
            connection.execute(delete(mapping_drafts).where(mapping_drafts.c.changed_at < now - _KEPT))
            connection.execute(insert(mapping_drafts).values(row))
            kept = connection.execute(select(mapping_drafts).where(mapping_drafts.c.id == id)).one()
        return _draft(kept)

    def save(self, id: str, saves: int, who: str, page: str, files: Mapping[str, FileEdit]) -> Draft | None:
        """Keep an edit that goes on; None if another page saved it in between, or it was published or discarded.

        saves: how often it had been saved when this page last heard of it.
        """
        table = mapping_drafts
        same = (table.c.id == id, or_(table.c.saves == saves, table.c.page == page))
        values = {"who": who, "page": page, "saves": table.c.saves + 1, "changed_at": self._db.now()}
        with self._db.transaction() as connection:
            changed = update(table).where(*same).values(**values, files=_packed(files))
            if connection.execute(changed).rowcount != 1:
                return None
        return self.get(id)

    def get(self, id: str) -> Draft | None:
        """Return an edit; None if it was published or discarded."""
        if not id.isalnum():
            return None
        with self._db.reading() as connection:
            row = connection.execute(select(mapping_drafts).where(mapping_drafts.c.id == id)).first()
        return _draft(row) if row else None

    def of(self, destination: str) -> list[Draft]:
        """List the edits of a destination, the newest first."""
        mine = select(mapping_drafts).where(mapping_drafts.c.destination == destination)
        with self._db.reading() as connection:
            rows = connection.execute(mine.order_by(mapping_drafts.c.changed_at.desc()).limit(50)).all()
        return [_draft(row) for row in rows]

    def discard(self, id: str) -> None:
        """Drop an edit."""
        with self._db.transaction() as connection:
            connection.execute(delete(mapping_drafts).where(mapping_drafts.c.id == id))


def _packed(files: Mapping[str, FileEdit]) -> bytes:
    return packed({name: asdict(edit) for name, edit in files.items()})


def _draft(row: Row[Any]) -> Draft:
    files = {name: FileEdit(**own) for name, own in unpacked(row.files).items()}
    return Draft(row.id, row.destination, row.who, row.saves, row.page, row.changed_at, files)
