"""keys: list the data keys in use, and re-encrypt everything with the newest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import click

from connector.cli.options import json_option, opened_store, show_json, show_table, who
from connector.store.rotation import KeyUse
from connector.web.words import counted


class _Key(KeyUse):
    needed: bool


@click.group()
def keys() -> None:
    """List the data keys, or re-encrypt everything with the newest."""


@keys.command("list")
@json_option(list[_Key])
def list_keys(as_json: bool) -> None:
    """List the data keys and how many payloads each encrypts.

    Keys are shown by fingerprint, which is not secret.
    """
    with opened_store() as store:
        uses = store.rotation.uses()
    if as_json:
        show_json([{**asdict(use), "needed": use.needed} for use in uses])
        return
    _show(uses)


@keys.command()
@click.option("--yes", is_flag=True, help="Do not ask whether every role uses the new list of keys.")
def rotate(yes: bool) -> None:
    """Re-encrypt everything with the first key of CONNECTOR_DATA_KEY.

    Runs while the connector works. If interrupted, run it again: it continues where it stopped.
    """
    if not yes:
        click.confirm("Have all roles been restarted with the new key first in the list?", abort=True)
    with opened_store() as store:
        steps = list(store.rotation.steps())
        done, left = sum(step.done for step in steps), sum(step.left for step in steps)
        uses = store.rotation.uses()
        store.audit.note(who(), "rotate keys", f"{done} payloads re-encrypted with {uses[0].fingerprint}")
    click.echo(f"{counted(done, 'payload')} re-encrypted with the first key")
    if left:
        click.echo(f"{counted(left, 'payload')} cannot be decrypted, left unchanged: connector doctor names them")
    _show(uses)


def _show(uses: Sequence[KeyUse]) -> None:
    rows = [
        (use.fingerprint, "first: encrypts new payloads" if use.active else "decrypts only", use.payloads, _advice(use))
        for use in uses
    ]
    show_table("Data keys", ("fingerprint", "use", "payloads", ""), rows, "")


def _advice(key: KeyUse) -> str:
    if not key.given:
        return "not in CONNECTOR_DATA_KEY: its payloads cannot be read"
    return "keep" if key.needed else "no longer needed: remove it from the list, then restart every role"
