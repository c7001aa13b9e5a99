"""given: change fields of an event before it is sent, as `given` does in a mapping's tests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from connector.carecycle.catalogue import EVENTS
from connector.carecycle.decode import decoded
from connector.errors import FixConfiguration
from connector.mapping.example_events import changed, keys_of, names_of
from connector.mapping.source import value
from connector.mapping.suggestions import closest
from connector.mapping.tree_builder import scalar

given_option: Final = click.option(
    "--given",
    metavar="FIELD=VALUE",
    multiple=True,
    help="Change a field of the event first, as given does in a mapping's tests. Repeatable.",
)


def read_given(texts: Sequence[str]) -> dict[str, Any]:
    """Read FIELD=VALUE of each option; a value is what it would be in a mapping. Raises UsageError."""
    return dict(_pair(text) for text in texts)


def _pair(text: str) -> tuple[str, Any]:
    name, equals, written = (part.strip() for part in text.partition("="))
    if not (name and equals):
        raise click.UsageError(f"--given {text}: write FIELD=VALUE, for example customer.doNotCall=true")
    if written[:1] not in ("'", '"', "[", "{"):
        return name, scalar(written)
    try:
        return name, value(written)
    except ValueError:
        raise click.UsageError(f"--given {name}: the value is not YAML: check its quotes and brackets") from None


def change_event(thing: str, body: bytes, given: Mapping[str, Any]) -> bytes:
    """Return an event's body with fields changed. thing: what an error names. Raises FixConfiguration, UsageError."""
    try:
        payload = decoded(body)
    except ValueError:
        raise FixConfiguration(thing, "is not JSON") from None
    event = payload.get("event_type") if isinstance(payload, dict) else None
    if event not in EVENTS:
        hint = f"event_type must be one of {', '.join(EVENTS)}"
        raise FixConfiguration(thing, "is not an event of a known type", hint)
    for name in given:
        if keys_of(name, event) is None:
            near = closest(name, tuple(names_of(event)))
            hint = f": did you mean {near}?" if near not in ("", name) else ""
            raise click.UsageError(f"--given {name}: {event} has no such field{hint}")
    return json.dumps(changed(payload, event, given)).encode()
