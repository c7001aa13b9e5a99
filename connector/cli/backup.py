"""backup and restored: copy the database while it is in use, and recover after restoring a copy."""

from __future__ import annotations

from pathlib import Path

import click

from connector.cli.options import opened_store
from connector.running import backup as safe


@click.command()
@click.argument("target", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
def backup(target: Path) -> None:
    """Copy the SQLite database to a new file while the connector runs. For PostgreSQL, use pg_dump."""
    tenths: set[int] = set()

    def progress(part: float) -> None:
        if (tenth := int(part * 10)) not in tenths:
            tenths.add(tenth)
            click.echo(f"{tenth * 10}%", err=True)

    with opened_store() as store:
        safe.backup(store, target, progress)
    click.echo(
        f"{target} is complete and verified.\n"
        "Its payloads can be decrypted only with the data key, which is NOT in it. Store CONNECTOR_DATA_KEY,\n"
        "or the file connector.key next to the database, in a different place."
    )


@click.command()
def restored() -> None:
    """Tell the connector that the database was restored from a backup.

    It no longer assumes that the CRM still holds the values in the restored ledger.
    """
    with opened_store() as store:
        count = safe.restored(store)
    click.echo(
        f"{count} records are in doubt: each is written in full when its next event arrives.\n"
        "In careCycle's dashboard, replay every message since the backup was made."
    )
