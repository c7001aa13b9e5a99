"""One CRM as the connector knows it: the facts about it, and how an account of it is described and opened."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from connector.crm import Crm
from connector.destinations.base import CallLog, Destination
from connector.destinations.settings import DestinationSettings

Connect = Callable[[Any, CallLog], Destination]
"""The CRM's own settings, and what to tell of each call -> the account. Calls nobody yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor(Crm):
    """A CRM with everything needed to connect to it.

    settings: what an agency's file may say of an account. auth_key: the key of `auth:` that shows whose it is.
    record_address: settings, object, CRM id -> the page of that record for people; empty where it is not known.
    """

    settings: type[DestinationSettings]
    auth_key: str
    connect: Connect
    record_address: Callable[[Any, str, str], str] = lambda settings, kind, crm_id: ""


def on_first_use(module: str) -> Connect:
    """`connect` of a module that imports a client library: only the roles that call a CRM pay for loading it."""

    def connect(settings: DestinationSettings, on_call: CallLog) -> Destination:
        return cast(Destination, importlib.import_module(module).connect(settings, on_call))

    return connect
