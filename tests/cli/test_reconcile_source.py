"""reconcile source, as it is typed: a comparison with careCycle's API over HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connector.receive import read
from connector.running.bootstrap import open_agencies
from connector.running.config import read_agencies
from connector.running.source_asking import source_watch
from connector.running.source_watch import SourceWatch
from connector.sandbox.carecycle import KEY, CareCycleSandbox
from connector.sandbox.carecycle.book import Book
from connector.sandbox.hubspot import HubSpotSandbox
from connector.store import Store, open_store
from tests.cli.test_doctor import Installation
from tests.conftest import Clock


class Asking(Installation):
    """An installation whose agency file has access to careCycle's API."""

    def __init__(self, folder: Path, source: CareCycleSandbox) -> None:
        super().__init__(folder, "http://127.0.0.1:9", HubSpotSandbox())
        settings = f"api_key: '${{KEY}}', endpoint: '{source.url}', requests_a_minute: 6000"
        self.write("http://127.0.0.1:9", f"carecycle: {{{settings}}}\n")
        self.environment["KEY"], self.source = KEY, source

    def store(self, clock: Clock | None = None) -> Store:
        return open_store(self.environment["CONNECTOR_DATABASE_URL"], self.environment, clock)

    def send(self, *customers: dict[str, Any]) -> None:
        """Let webhooks of these customers arrive."""
        agency = open_agencies(read_agencies([self.file], self.environment))["sunrise"]
        store = self.store()
        arrivals = [
            read(agency, f"m-{one['id']}", json.dumps(self.source.webhook(one["id"])).encode()) for one in customers
        ]
        store.inbox.accept(arrivals)
        store.close()

    def watch(self, store: Store, clock: Clock) -> SourceWatch:
        """What compares regularly; it waits by the clock of the test."""
        files = read_agencies([self.file], self.environment)
        return source_watch(files, store, lambda seconds: clock.forward(int(seconds * 1000)))

    def compared(self, *arguments: str) -> dict[str, Any]:
        result = self.run("reconcile", "source", "--json", *arguments)
        (said,) = json.loads(result.stdout)
        assert result.exit_code == (1 if said["left"] or said["problem"] else 0), result.output
        return {**said, **said["counts"]}


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[Asking]:
    source = CareCycleSandbox(Book(120), a_minute=0)
    with source:
        yield Asking(tmp_path, source)


class TestReconcileSource:
    def test_finds_and_fetches_who_is_missing_and_then_nobody(self, asking: Asking) -> None:
        customers = list(asking.source.book)
        asking.send(*customers[3:])
        asking.source.book.change(customers[50]["id"], city="Yuma")
        planned = asking.compared("--plan")
        assert (planned["listed"], planned["unknown"], planned["newer"], planned["left"]) == (120, 3, 1, 4)
        done = asking.compared()
        assert (done["unknown"], done["newer"], done["missing_calls"], done["left"]) == (3, 1, 1, 0)
        assert asking.compared()["missing"] == 0

    def test_says_so_in_words(self, asking: Asking) -> None:
        asking.send(*list(asking.source.book)[1:])
        result = asking.run("reconcile", "source")
        assert (result.exit_code, "Missing: 1 customer unknown here and 1 call." in result.stdout) == (0, True)
        store = asking.store()
        (note,) = store.audit.entries()
        store.close()
        assert (note.action, "1 customers and 1 calls fetched" in note.thing) == ("reconcile source", True)
        assert "are fetched" not in result.stdout
        assert "All of these are here" in asking.run("reconcile", "source").stdout

    def test_a_key_that_has_ended_keeps_what_was_done(self, asking: Asking) -> None:
        asking.source.rate_limited(0, times=1)
        asking.environment["KEY"] = "cc_ended"
        result = asking.run("reconcile", "source")
        assert (result.exit_code, "14 days" in result.stderr, "Traceback" in result.output) == (1, True, False)
        assert "are here" not in result.stdout

    def test_a_part_of_them_is_not_everybody(self, asking: Asking) -> None:
        said = asking.run("reconcile", "source", "--since", "2027-01-01").stdout
        assert "Left out, because last updated before --since: 120 customers." in said
        store = asking.store()
        assert store.runs.compared("sunrise") is None
        store.close()

    def test_without_a_key_says_what_to_write(self, asking: Asking) -> None:
        asking.write("http://127.0.0.1:9")
        result = asking.run("reconcile", "source")
        assert (result.exit_code, "api_key: ${NAME}" in result.stderr) == (2, True)


class TestOnSchedule:
    @pytest.mark.slow
    def test_it_counts_and_fetches_only_once_people_have_asked_for_it(self, asking: Asking, clock: Clock) -> None:
        clock.now = int(time.time() * 1000)  # the command has no other clock
        store = asking.store(clock)
        watch = asking.watch(store, clock)
        watch()
        known = store.runs.compared("sunrise")
        assert known is not None
        assert known.done is not None
        assert (known.done.missing, known.fetching, store.desk.waiting()) == (120, False, 0)
        assert asking.compared()["left"] == 0
        asking.source.book.add()
        clock.forward(25 * 3_600_000)
        watch()
        known = store.runs.compared("sunrise")
        assert known is not None
        assert known.done is not None
        assert (known.done.missing, known.done.left, known.fetching) == (2, 0, True)
        store.close()

    @pytest.mark.parametrize(("asked", "whole"), [((), True), (("--destination", "crm"), False), ("--from", False)])
    def test_only_a_backfill_of_everybody_asks_for_it(
        self, asking: Asking, tmp_path: Path, asked: Any, whole: bool
    ) -> None:
        file = tmp_path / "few.csv"
        file.write_text(f"id,lastName\n{next(iter(asking.source.book))['id']},Quill\n")
        arguments = ("--from", str(file)) if asked == "--from" else asked
        assert asking.run("backfill", *arguments).exit_code == 0
        store = asking.store()
        assert store.runs.was_asked_for("sunrise") == whole
        store.close()

    @pytest.mark.slow
    def test_a_source_that_cannot_be_asked_is_noted_and_asked_again(self, asking: Asking, clock: Clock) -> None:
        store = asking.store(clock)
        asking.environment["KEY"] = "cc_ended"
        asking.watch(store, clock)()
        known = store.runs.compared("sunrise")
        assert known is not None
        assert "14 days" in known.problem
        asking.environment["KEY"] = KEY
        clock.forward(3_700_000)
        asking.watch(store, clock)()
        known = store.runs.compared("sunrise")
        assert known is not None
        assert (known.problem, known.done is not None) == ("", True)
        store.close()
