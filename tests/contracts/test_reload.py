"""Edited mappings take their place without a restart, and broken ones do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from connector.deliver import Route
from connector.destinations.base import Destination
from connector.mapping import load, shipped_folder
from connector.reload import Watched, fingerprint
from connector.store import Store

GOOD = "extends: hubspot\n"
OTHER = "extends: hubspot\nrecords: {contact: {fields: {remove: [state]}}}\n"
BROKEN = "extends: hubspot\nrecords: {contact: {fields: {city: customer.citty}}}\n"


class Edited:
    """A mapping file somebody edits while a route runs it."""

    def __init__(self, path: Path, store: Store) -> None:
        self.path, self.store, self.edits = path, store, 0
        path.write_text(GOOD)
        first = self.load()
        assert first.mapping is not None
        nobody = cast(Destination, None)  # nothing is delivered here
        self.route = Route("sunrise/crm", nobody, first.mapping, "America/New_York")
        self.watched = Watched(self.route, self.load, fingerprint(first.files))

    def load(self) -> Any:
        return load(self.path, shipped=shipped_folder())

    def save(self, text: str) -> None:
        self.path.write_text(text)
        self.watched.refresh(self.store)

    def told(self) -> dict[str, Any]:
        (row,) = self.store.mappings.all()
        return row


@pytest.fixture
def edited(tmp_path: Path, store: Store) -> Edited:
    return Edited(tmp_path / "own.yaml", store)


class TestReloading:
    def test_an_edited_mapping_takes_its_place(self, edited: Edited) -> None:
        before = edited.route.mapping.version
        edited.save(OTHER)
        assert edited.route.mapping.version != before
        assert edited.told()["version"] == edited.route.mapping.version

    def test_a_broken_one_is_refused_and_the_last_good_one_runs_on(self, edited: Edited) -> None:
        before = edited.route.mapping
        edited.save(BROKEN)
        assert edited.route.mapping is before
        assert "own.yaml:2:" in edited.told()["problem"]

    def test_mended_it_runs_and_the_refusal_is_forgotten(self, edited: Edited) -> None:
        edited.save(BROKEN)
        edited.save(OTHER)
        assert (edited.told()["problem"], edited.told()["refused_at"]) == ("", None)

    def test_a_file_that_disappears_changes_nothing_but_is_told(self, edited: Edited) -> None:
        before = edited.route.mapping
        edited.path.unlink()
        edited.watched.refresh(edited.store)
        assert edited.route.mapping is before
        assert "cannot be read" in edited.told()["problem"]

    def test_another_crms_mapping_is_refused(self, edited: Edited) -> None:
        edited.save("extends: salesforce-contact\n")
        assert "a restart is needed" in edited.told()["problem"]

    def test_an_unchanged_file_is_not_loaded_again(self, edited: Edited) -> None:
        edited.save(OTHER)
        running = edited.route.mapping
        edited.watched.refresh(edited.store)
        assert edited.route.mapping is running
