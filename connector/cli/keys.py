"""keys: which data keys are in use, and sealing everything with the newest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import click

from connector.cli.desk import who
from connector.cli.options import json_option, opened_store, show_json, show_table
from connector.store.rotation import KeyUse


@click.group()
def keys() -> None:
    """List the data keys in use; seal everything with the newest."""


@keys.command("list")
@json_option
def list_keys(as_json: bool) -> None:
    """List the data keys by fingerprint, with how much each still seals. A fingerprint gives no key away."""
    with opened_store() as store:
        found = store.rotation.uses()
    if as_json:
        show_json([{**asdict(one), "needed": one.needed} for one in found])
        return
    _show(found)


@keys.command()
@click.option("--yes", is_flag=True, help="Do not ask whether every role runs with the new list of keys.")
def rotate(yes: bool) -> None:
    """Seal everything again with the first key of CONNECTOR_DATA_KEY, beside the traffic. Stopped, it goes on later."""
    if not yes:
        click.confirm("Has every role been restarted with the new key first in its list?", abort=True)
    with opened_store() as store:
        done = sum(store.rotation.steps())
        found = store.rotation.uses()
        store.desk.note(who(), "rotate keys", f"{done} payloads sealed again with {found[0].fingerprint}")
    click.echo(f"{done} payloads sealed again with the first key")
    _show(found)


def _show(found: Sequence[KeyUse]) -> None:
    rows = [
        (one.fingerprint, "first: seals all that is new" if one.active else "opens only", one.payloads, _fate(one))
        for one in found
    ]
    show_table("Data keys", ("fingerprint", "use", "payloads", ""), rows, "")


def _fate(key: KeyUse) -> str:
    if not key.given:
        return "not in CONNECTOR_DATA_KEY: its payloads cannot be read"
    return "keep" if key.needed else "no longer needed: take it out of the list, then restart every role"
