"""send: send signed events the way careCycle does."""

from __future__ import annotations

import json
import os
import random
import secrets
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
import requests
from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema

from connector.carecycle.catalogue import EVENTS
from connector.carecycle.samples import sample
from connector.carecycle.signature import sign
from connector.cli.given import change_event, given_option, read_given
from connector.destinations import deadline
from connector.destinations.deadline import SHORT, broken_limit
from connector.errors import FixConfiguration
from connector.mapping.regular import read_file
from connector.running.secret_files import read_secret

_SETTING: Final = "CARECYCLE_WEBHOOK_SECRET"
_MOST: Final = 64 * 1024 * 1024
_LIMITS: Final = replace(SHORT, read=30.0, total=35.0)
"""The connector itself may take 20 seconds to refuse an event."""


@click.command()
@click.argument("url")
@click.argument("event", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--secret", help="The signing secret, whsec_... By default CARECYCLE_WEBHOOK_SECRET.")
@click.option("--sample", "event_type", type=click.Choice(EVENTS), help="Send generated events of this type.")
@click.option("--count", default=1, show_default=True, type=click.IntRange(1), help="How many.")
@given_option
def send(
    url: str, event: Path | None, secret: str | None, event_type: str | None, count: int, given: tuple[str, ...]
) -> None:
    """Send signed events to a hook, from a file or generated."""
    if (event is None) == (event_type is None):
        raise click.UsageError("name either an event file, or --sample TYPE")
    key = _secret(secret)
    chance, changes = random.Random(), read_given(given)
    refused = 0
    with deadline.session(_LIMITS, insecure=True) as session:  # a URL that somebody typed
        for _ in range(count):
            now = datetime.now(UTC)
            body = _content(event) if event else json.dumps(sample(event_type or "", chance, now)).encode()
            body = change_event(str(event or event_type), body, changes) if changes else body
            refused += not _send_one(session, url, key, body, now)
    raise SystemExit(1 if refused else 0)


def _secret(given: str | None) -> str:
    if secret := given or read_secret(os.environ, _SETTING):
        return secret
    hint = f"set {_SETTING}, or {_SETTING}_FILE to a file with it: --secret would be in the list of processes"
    raise FixConfiguration(_SETTING, "the signing secret is not set", hint)


def _content(event: Path) -> bytes:
    try:
        return read_file(event, _MOST)
    except OSError as error:
        raise FixConfiguration(str(event), f"cannot be read: {error.strerror}") from None


def _send_one(session: requests.Session, url: str, secret: str, body: bytes, now: datetime) -> bool:
    message_id = f"msg_{secrets.token_hex(12)}"
    try:
        text = body.decode()
        headers = {
            "svix-id": message_id,
            "svix-timestamp": str(int(now.timestamp())),
            "svix-signature": sign(secret, message_id, now, text),
            "content-type": "application/json",
        }
        session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
        status = session.post(url, data=body, headers=headers, allow_redirects=False).status_code
    except (InvalidSchema, InvalidURL, MissingSchema):
        raise FixConfiguration(url, "is not an address: it must begin with http:// or https://") from None
    except requests.exceptions.SSLError:
        hint = "its name, its chain and its dates; REQUESTS_CA_BUNDLE names a file of your own authority"
        raise FixConfiguration(url, "its certificate is not accepted", hint) from None
    except requests.RequestException as error:
        problem = f"cannot be reached: {broken_limit(error) or type(error).__name__}"
        raise FixConfiguration(url, problem, "is the connector running, and is the address right?") from None
    except ValueError:
        raise FixConfiguration("--secret", "is not a signing secret, or the event file is not UTF-8") from None
    click.echo(f"{message_id} {status}")
    return 200 <= status < 300
