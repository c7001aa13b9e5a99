"""A Salesforce sandbox on loopback and a destination that speaks to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import ConfigDict, TypeAdapter

from connector.destinations.base import Row
from connector.destinations.salesforce.account import Salesforce
from connector.destinations.salesforce.auth import Credentials, SalesforceAuth
from connector.model import Mode, RecordKey
from connector.sandbox.salesforce import CLIENT, INSTANCE_URL, LOGIN, SalesforceSandbox

ONE = "3f1a0c9e-0000-4000-8000-000000000001"
TWO = "3f1a0c9e-0000-4000-8000-000000000002"
Pair = tuple[SalesforceSandbox, Salesforce]


class Calls(list[tuple[str, str, int]]):
    """A CallLog that remembers."""

    def __call__(self, method: str, path: str, status: int, duration_ms: float) -> None:
        assert duration_ms >= 0
        self.append((method, path, status))


def credentials(**given: str) -> Credentials:
    adapter = TypeAdapter[Credentials](SalesforceAuth, config=ConfigDict(hide_input_in_errors=True))
    return adapter.validate_python(given)


def client_credentials(**changes: str) -> Credentials:
    given = {"client_id": CLIENT[0], "client_secret": CLIENT[1], "domain": "youragency.my"}
    return credentials(flow="client_credentials", **given | changes)


def jwt(**changes: str) -> Credentials:
    given = {"client_id": CLIENT[0], "username": LOGIN[0], "private_key": key_pair()[0], "domain": "login"}
    return credentials(flow="jwt", **given | changes)


def password(**changes: str) -> Credentials:
    given = {"client_id": CLIENT[0], "client_secret": CLIENT[1], "username": LOGIN[0], "password": LOGIN[1]}
    return credentials(flow="password", **given | changes)


@cache
def key_pair() -> tuple[str, bytes]:
    """A private and a public key in PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pkcs8, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return key.private_bytes(serialization.Encoding.PEM, pkcs8, plain).decode(), public


@contextmanager
def sandbox_and_destination(
    auth: Credentials | None = None, *, options: dict[str, Any] | None = None, **knobs: Any
) -> Iterator[Pair]:
    """`knobs` are the sandbox's, `options` the destination's; by default the sandbox's open session is used."""
    sandbox = SalesforceSandbox(**knobs)
    session = credentials(flow="session", session_id=sandbox.token, instance_url=INSTANCE_URL)
    with sandbox as url:
        given: dict[str, Any] = {"on_call": Calls(), "sleep": lambda _: None} | (options or {})
        destination = Salesforce(auth or session, endpoint=url, **given)
        yield sandbox, destination
        destination.close()


def a_contact(key: str = ONE, **changes: Any) -> Row:
    return a_row("Contact", "careCycle_Id__c", key, {"LastName": "Delacroix", "FirstName": "Marcus"}, changes)


def a_lead(key: str = ONE, **changes: Any) -> Row:
    fields = {"LastName": "Delacroix", "Company": "Household", "Status": "Open - Not Contacted"}
    return a_row("Lead", "careCycle_Id__c", key, fields, changes)


def a_task(key: str = ONE, **changes: Any) -> Row:
    return a_row("Task", "careCycle_Call_Id__c", key, {"Subject": "Call", "Status": "Completed"}, changes)


def a_row(object: str, field: str, key: str, fields: dict[str, Any], changes: dict[str, Any]) -> Row:
    """`id`, `mode`, `consent`, `known` and `compared` among the changes are the row's own, the rest are fields."""
    own = {name: changes.pop(name) for name in ("id", "mode", "consent", "known", "compared") if name in changes}
    own["consent"] = frozenset(own.get("consent", ()))
    own["compared"] = frozenset(own.get("compared", ()))
    return Row(RecordKey(object, field, key), fields | changes, **own)


UPDATE = Mode.UPDATE
