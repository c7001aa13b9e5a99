"""`connector events list` and `connector lanes list`, as people read them."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from connector.cli import cli
from connector.cli.event_texts import blocks
from connector.settlement import Refusal
from connector.store import Store
from connector.store.desk import Filter
from connector.store.inbox import Owed
from tests.builders import DATA_KEY, DESTINATION, LANE, an_arrival
from tests.ready import open_ready

ID = "msg_" + "2x" * 13
WHY = Refusal("LOOKUP_MISSING", "the CRM has no match, or more than one, for 'OwnerId': looked for User by Email")


def listed(store: Store, width: int) -> list[str]:
    both = (Owed(DESTINATION, LANE), Owed("sunrise/other", "sunrise/other/0"))
    store.inbox.accept([an_arrival(ID, customer_id="c" * 24, state="dead", why=WHY, owed=both)])
    return list(blocks(store.desk.deliveries(Filter(), 9), width))


def test_an_event_is_a_block_of_80_columns_that_breaks_no_id(tmp_path: Path) -> None:
    store = open_ready(f"sqlite:///{tmp_path}/c.db", {"CONNECTOR_DATA_KEY": DATA_KEY})
    lines = listed(store, 80)
    store.close()
    assert max(map(len, lines)) <= 80
    assert lines[0] == f"{ID}  customer.updated"
    assert lines[1].startswith("  received 20")
    assert lines[2] == f"  customer {'c' * 24}"
    assert f"  {DESTINATION}: dead LOOKUP_MISSING, 0 attempts" in lines
    assert sum("LOOKUP_MISSING" in line for line in lines) == 2


def test_the_list_ends_with_how_many_there_are_in_each_state(tmp_path: Path) -> None:
    environment = {"CONNECTOR_DATABASE_URL": f"sqlite:///{tmp_path}/c.db", "CONNECTOR_DATA_KEY": DATA_KEY}
    store = open_ready(environment["CONNECTOR_DATABASE_URL"], environment)
    listed(store, 80)
    store.inbox.accept([an_arrival("other")])
    store.close()
    shown = CliRunner().invoke(cli, ["events", "list", "--limit", "2"], env=environment).stdout.splitlines()
    assert shown[-1] == "3 deliveries: 1 waiting, 2 dead letters. The newest 2 are shown: --limit shows more."


@pytest.mark.parametrize(
    ("option", "known"),
    [
        ("--state", "'dead'"),
        ("--code", "known are LOOKUP_MISSING"),
        ("--type", "known are call.completed, customer.created"),
        ("--destination", "known are sunrise/salesforce"),
        ("--left-out", "there is none yet"),
        ("--since", "is not a day or time"),
    ],
)
@pytest.mark.parametrize("command", ["list", "replay", "discard --yes"])
def test_a_filter_of_a_name_that_does_not_occur_is_an_error_that_lists_those_that_do(
    tmp_path: Path, command: str, option: str, known: str
) -> None:
    environment = {"CONNECTOR_DATABASE_URL": f"sqlite:///{tmp_path}/c.db", "CONNECTOR_DATA_KEY": DATA_KEY}
    store = open_ready(environment["CONNECTOR_DATABASE_URL"], environment)
    store.lanes.open({LANE: DESTINATION})
    listed(store, 80)
    store.close()
    if command.startswith("discard") and option in ("--state", "--left-out"):
        pytest.skip("discard has no such option")
    result = CliRunner().invoke(cli, ["events", *command.split(), option, "nonsense"], env=environment)
    assert (result.exit_code, known in result.output) == (2, True), result.output


def test_a_lane_with_nothing_to_do_is_idle_in_both_lists(tmp_path: Path) -> None:
    environment = {"CONNECTOR_DATABASE_URL": f"sqlite:///{tmp_path}/c.db", "CONNECTOR_DATA_KEY": DATA_KEY}
    store = open_ready(environment["CONNECTOR_DATABASE_URL"], environment)
    store.lanes.open({LANE: DESTINATION})
    store.close()
    for command in (["status"], ["lanes", "list"]):
        shown = CliRunner().invoke(cli, command, env=environment).stdout
        assert "idle" in shown
        assert "why it is paused" in shown
        assert "pause_code" not in shown
