"""One odd part of a reply of Salesforce's, wherever it is, costs no row but its own, and never the lane."""

from __future__ import annotations

import pytest

from connector.destinations.salesforce.account import Salesforce
from connector.sandbox.salesforce import SalesforceSandbox
from tests.destinations.salesforce_fixtures import client_credentials, sandbox_and_destination
from tests.replies.parts import changes, lost, new_pause
from tests.replies.test_salesforce_tables import OURS

JSON = [name for name, (reply, call, _) in OURS.items() if reply.body[:1] in (b"[", b"{") and not call.before]


@pytest.mark.parametrize("name", JSON)
def test_an_odd_part_of_a_reply_decides_about_its_own_row_alone(name: str) -> None:
    reply, call, outcome = OURS[name]
    expected = outcome.partition(" (")[0]
    with sandbox_and_destination(client_credentials()) as (sandbox, _):
        for changed in changes(reply):
            said, without = (call.said(sandbox, afresh(sandbox), one) for one in (changed.reply, changed.without))
            assert not new_pause(expected, said, changed), (changed.way, changed.odd, said)
            assert "describe" in name or not lost(expected, without, said), (changed.way, changed.odd, said)


def afresh(sandbox: SalesforceSandbox) -> Salesforce:
    """A destination that has neither logged in nor described anything yet."""
    return Salesforce(client_credentials(), endpoint=sandbox.url, on_call=lambda *_: None, sleep=lambda _: None)
