"""Which account the credentials lead to, and moving to another one, as it is typed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.crm import AccountKind, CrmAccount
from connector.sandbox.hubspot import HubSpotSandbox
from connector.store import Store, open_store
from tests.cli.test_doctor import Installation

DESTINATION, LANE = "sunrise/crm", "sunrise/crm/0"
FORMER = CrmAccount("11111111", AccountKind.PRODUCTION)
NOW = CrmAccount("22222222", AccountKind.SANDBOX)


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Installation]:
    sandbox = HubSpotSandbox(portal_id=int(NOW.id), account_type="SANDBOX")
    with sandbox as url:
        yield Installation(tmp_path, url, sandbox)


def opened(installed: Installation) -> Store:
    return open_store(installed.environment["CONNECTOR_DATABASE_URL"], installed.environment)


@pytest.fixture
def former(installed: Installation) -> Installation:
    """The same installation, whose ledger was written to another portal."""
    store = opened(installed)
    store.lanes.open({LANE: DESTINATION})
    store.accounts.meet(DESTINATION, FORMER)
    store.close()
    return installed


def account_of_ledger(installed: Installation) -> CrmAccount | None:
    store = opened(installed)
    account = store.accounts.of(DESTINATION)
    store.close()
    return account


class TestDoctor:
    def test_names_the_account_and_that_it_is_the_ledgers(self, installed: Installation) -> None:
        store = opened(installed)
        store.accounts.meet(DESTINATION, NOW)
        store.close()
        account = installed.found()["sunrise/crm: account"]
        assert account["health"] == "fine"
        assert account["found"] == "HubSpot portal 22222222 (sandbox), the one the ledger was written to"

    def test_names_an_account_that_no_ledger_was_written_to(self, installed: Installation) -> None:
        account = installed.found()["sunrise/crm: account"]
        assert (account["health"], "written to is not known: none yet" in account["found"]) == ("fine", True)

    def test_another_account_is_wrong(self, former: Installation) -> None:
        account = former.found()["sunrise/crm: account"]
        assert account["health"] == "wrong"
        assert FORMER.id in account["found"]
        assert NOW.id in account["found"]
        assert "connector rebind" in account["do"]

    def test_an_account_that_cannot_be_read_is_doubtful(self, former: Installation) -> None:
        former.sandbox.account_info = False
        assert former.found()["sunrise/crm: account"]["health"] == "doubtful"


class TestCheckLive:
    def test_names_the_account(self, installed: Installation) -> None:
        result = installed.run("check", "--live")
        assert (result.exit_code, "HubSpot portal 22222222 (sandbox)" in result.stderr) == (0, True)

    def test_another_account_is_an_error_that_names_both(self, former: Installation) -> None:
        result = former.run("check", "--live")
        assert (result.exit_code, FORMER.id in result.stderr, NOW.id in result.stderr) == (1, True, True)

    def test_makes_no_database_where_there_is_none(self, installed: Installation) -> None:
        for made in installed.file.parent.glob("*.db*"):
            made.unlink()
        installed.run("check", "--live")
        assert not list(installed.file.parent.glob("*.db"))


class TestRebind:
    def test_moves_the_destination_once_it_is_confirmed(self, former: Installation) -> None:
        result = former.run("rebind", "--destination", "crm", "--yes")
        assert (result.exit_code, "sunrise/crm is moved" in result.output) == (0, True)
        assert account_of_ledger(former) == NOW

    def test_asks_before_it_moves(self, former: Installation) -> None:
        result = former.run("rebind", "--destination", "crm")
        assert (result.exit_code, account_of_ledger(former)) == (1, FORMER)

    def test_a_plan_only_shows_what_would_change(self, former: Installation) -> None:
        plan = json.loads(former.run("rebind", "--destination", "crm", "--plan", "--json").stdout)
        assert (plan["moved"], plan["former"]["id"], plan["new"]["id"]) == (False, FORMER.id, NOW.id)
        assert account_of_ledger(former) == FORMER

    @pytest.mark.slow
    def test_the_same_account_is_refused(self, former: Installation) -> None:
        former.run("rebind", "--destination", "crm", "--yes")
        result = former.run("rebind", "--destination", "crm", "--yes")
        assert (result.exit_code, "already" in result.stderr) == (1, True)

    def test_a_destination_without_a_ledger_is_refused(self, installed: Installation) -> None:
        opened(installed).close()
        result = installed.run("rebind", "--destination", "crm", "--yes")
        assert (result.exit_code, "has no ledger yet" in result.stderr) == (1, True)

    def test_an_unknown_destination_is_wrong_usage(self, former: Installation) -> None:
        result = former.run("rebind", "--destination", "crn", "--yes")
        assert (result.exit_code, "no agency file has a destination 'crn'" in result.stderr) == (2, True)

    def test_an_account_that_cannot_be_read_is_not_moved_to(self, former: Installation) -> None:
        former.sandbox.account_info = False
        result = former.run("rebind", "--destination", "crm", "--yes")
        assert (result.exit_code, account_of_ledger(former)) == (2, FORMER)
        assert "does not say which HubSpot portal" in result.stderr
