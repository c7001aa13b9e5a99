"""A CRM as the connector sees it: facts about it, its settings, and how to connect to an account."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, cast

from connector.crm import Crm, CrmAccount
from connector.destinations.base import CallLog, Destination
from connector.destinations.guide import SetupStep
from connector.destinations.settings import DestinationSettings
from connector.destinations.versions import Versions

Connect = Callable[[Any, CallLog], Destination]
"""The CRM's own settings and the call log -> the account, without calling the CRM yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor(Crm):
    """A CRM with everything needed to connect to it.

    settings: the settings an agency file may give. auth_key: the key under `auth:` that identifies this CRM.
    record_address: settings, account as far as it is known, object, CRM id -> the URL of the record's page; empty if
    unknown.
    record_ids: a text as people copy it, an id or a page's URL -> the ids of records that it may name, as kept here.
    versions: of its API; None where it has none to choose from. setup: what an account needs, in order.
    """

    settings: type[DestinationSettings]
    auth_key: str
    connect: Connect
    record_address: Callable[[Any, CrmAccount | None, str, str], str] = lambda settings, account, kind, crm_id: ""
    record_ids: Callable[[str], Collection[str]] = lambda text: (text,)
    versions: Versions | None = None
    setup: tuple[SetupStep, ...] = ()


@dataclass(frozen=True, slots=True)
class OnFirstUse:
    """`connect` of a module that is imported on first use: what never calls the CRM does not load its library."""

    module: str

    def __call__(self, settings: DestinationSettings, on_call: CallLog) -> Destination:
        """Connect to the account."""
        return cast(Destination, self.load().connect(settings, on_call))

    def load(self) -> Any:
        """Import the module."""
        return importlib.import_module(self.module)
