"""backup and restored: a copy of the database in use, and what to do after one was put back."""

from __future__ import annotations

from pathlib import Path

import click

from connector.cli.options import opened_store
from connector.running import backup as safe


@click.command()
@click.argument("target", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
def backup(target: Path) -> None:
    """Copy the SQLite database to a new file, while the connector runs. PostgreSQL has pg_dump."""
    tenths: set[int] = set()

    def told(part: float) -> None:
        if (tenth := int(part * 10)) not in tenths:
            tenths.add(tenth)
            click.echo(f"{tenth * 10} %", err=True)

    with opened_store() as store:
        safe.backup(store, target, told)
    click.echo(
        f"{target} is whole and checked.\n"
        "Its payloads open only with the data key, which is NOT in it: keep CONNECTOR_DATA_KEY, or the file\n"
        "connector.key beside the database, in another place."
    )


@click.command()
def restored() -> None:
    """Say that an older copy took the database's place: values written since are no longer believed to be known."""
    with opened_store() as store:
        count = safe.restored(store)
    click.echo(
        f"{count} records are in doubt: each is written in full when its next event comes.\n"
        "Have careCycle send everything since the copy was made again: replay from its dashboard."
    )
