"""An agency with one destination at a sandbox, and the commands that prepare it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from connector.carecycle.signature import Verifier
from connector.cli import cli
from connector.delivery.route import Pace
from connector.delivery.turn import deliver
from connector.mapping.example_events import EXAMPLES
from connector.receive import Agency as Receiver
from connector.receive import read
from connector.running.bootstrap import open_route
from connector.running.config import read_agencies
from connector.sandbox.salesforce import INSTANCE_URL
from connector.sandbox.wire import Seen
from connector.store import open_store
from connector.store.desk import Filter
from tests.builders import DATA_KEY, NOON, SECRET

LANE = "sunrise/crm/0"

Opened = Callable[..., "Agency"]

SALESFORCE_AUTH = f"{{flow: session, session_id: '${{TOKEN}}', instance_url: '{INSTANCE_URL}'}}"
HUBSPOT_AUTH = "{access_token: '${TOKEN}'}"


def only_asks(seen: Seen) -> bool:
    """Whether a call is several questions to Salesforce in one."""
    asked = seen.body.get("compositeRequest", ()) if isinstance(seen.body, dict) else ()
    return bool(asked) and all(one["method"] == "GET" for one in asked)


class Agency:
    """`mapping`: a shipped one's name, or the text of a file of the agency's own."""

    def __init__(self, folder: Path, sandbox: Any, mapping: str) -> None:
        self.sandbox, self.file = sandbox, folder / "agency.yaml"
        if "\n" in mapping:
            (folder / "own.yaml").write_text(mapping)
            mapping = "own.yaml"
        auth = SALESFORCE_AUTH if hasattr(sandbox, "org") else HUBSPOT_AUTH
        self.file.write_text(
            f"agency: sunrise\nwebhook: {{secrets: ['{SECRET}']}}\n"
            f"destinations: {{crm: {{mapping: {mapping}, auth: {auth}, endpoint: '{sandbox.url}'}}}}\n"
        )

    def run(self, *arguments: object) -> Result:
        environment = {"TOKEN": self.sandbox.token}
        return CliRunner().invoke(cli, [*map(str, arguments), "-c", str(self.file)], env=environment)

    def told(self, *arguments: object) -> dict[str, Any]:
        """What `provision --json` tells of the one destination."""
        (told,) = json.loads(self.run("provision", "--json", *arguments).stdout)
        return dict(told)

    def lacks(self) -> set[tuple[str, str]]:
        return {(one["making"], f"{one['object']}.{one['field']}") for one in self.told()["to_make"]}

    def live(self) -> list[str]:
        """The errors that `check --live` finds."""
        found = json.loads(self.run("check", "--live", "--json").stdout)
        return [one["message"] for one in found if one["severity"] == "error"]

    def network_writes(self) -> list[str]:
        return [
            f"{one.method} {one.path}" for one in self.sandbox.calls() if one.method != "GET" and not only_asks(one)
        ]

    def delivered(self) -> set[str]:
        """What becomes of careCycle's example events, delivered to this account."""
        (file,) = read_agencies([self.file], {"TOKEN": self.sandbox.token})
        route = open_route(file, "crm")
        store = open_store(f"sqlite:///{self.file.parent}/connector.db", {"CONNECTOR_DATA_KEY": DATA_KEY})
        store.lanes.open({LANE: route.name})
        agency = Receiver("sunrise", Verifier("sunrise", [SECRET]), {"crm": 1})
        with closing(store), closing(route.destination):
            events = enumerate(EXAMPLES.values())
            store.inbox.accept([read(agency, f"msg_{n}", json.dumps(one).encode(), NOON) for n, one in events])
            lease = store.lanes.lease("test", [LANE], 60_000)
            assert lease is not None
            deliver(store, route, lease, Pace())
            return {one.state for one in store.desk.deliveries(Filter())}


def opening(folder: Path, sandbox: Callable[..., Any], mapping: str, **fresh: Any) -> Iterator[Opened]:
    """Opens accounts as the vendor hands them out, each with an agency that delivers to it. fresh: its knobs."""
    with ExitStack() as closing:

        def opened(mapping: str = mapping, **knobs: Any) -> Agency:
            account = sandbox(**(fresh | knobs))
            closing.enter_context(account)
            return Agency(folder, account, mapping)

        yield opened
