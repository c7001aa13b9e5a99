"""Bring a database's tables to this program's revision.

Alembic is imported where it is used: it is 12 MB, which a process that finds its tables up to date does without.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from connector.errors import FixConfiguration
from connector.store import dialect
from connector.store.line import LONG
from connector.store.tables import REVISION

if TYPE_CHECKING:
    from alembic.config import Config


def upgrade(engine: Engine) -> None:
    """One process at a time; those that waited find it done. Raises FixConfiguration where the tables are newer."""
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with dialect.transaction(engine, **{LONG: True}) as connection, dialect.migration_lock(connection):
        current = MigrationContext.configure(connection).get_current_revision()
        if current != REVISION:
            _refuse_newer(config, current)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def _refuse_newer(config: Config, current: str | None) -> None:
    from alembic.script import ScriptDirectory

    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if current is not None and current not in known:
        raise FixConfiguration(
            "database", f"was written by a newer version of this program (revision {current})", "run that version"
        )
