"""What HubSpot warns about in a record it accepted is an open item, and counts as neither written nor lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Response

from connector.sandbox.hubspot.faults import Answer
from connector.store.desk import Filter
from tests.promises.stage import a_person
from tests.promises.test_addresses import Portal, portal
from tests.promises.test_open_items import items

__all__ = ["portal"]


def accept(portal: Portal, message_id: str, at: int, **changes: Any) -> None:
    portal.stage.accept(message_id, a_person("c-1", at, **changes))
    portal.drain()


class TestAFieldWithAWarning:
    def test_is_an_open_item_and_its_delivery_says_so(self, portal: Portal) -> None:
        portal.sandbox.fault("/batch/upsert", portal.sandbox.warning("city"))
        accept(portal, "m", 1, city="Mesa")
        assert items(portal.stage) == [("city", "VALUE_IGNORED")]
        delivery = portal.stage.settled("m")
        assert (delivery.state, delivery.code, delivery.fields) == ("delivered", "VALUE_IGNORED", '["city"]')

    def test_closes_once_another_value_is_taken(self, portal: Portal) -> None:
        portal.sandbox.fault("/batch/upsert", portal.sandbox.warning("city"))
        accept(portal, "m", 1, city="Mesa")
        accept(portal, "n", 2, city="Yuma")
        assert items(portal.stage) == []
        assert portal.sandbox.records("contacts")[0]["city"] == "Yuma"

    def test_is_not_replaced_by_an_older_event(self, portal: Portal) -> None:
        portal.sandbox.fault("/batch/upsert", portal.sandbox.warning("city"))
        accept(portal, "m", 2, city="Mesa")
        accept(portal, "n", 1, city="Yuma")
        assert portal.sandbox.records("contacts")[0]["city"] == "Mesa"
        assert items(portal.stage) == [("city", "VALUE_IGNORED")]

    def test_is_sent_again_by_a_replay_and_not_by_the_same_value(self, portal: Portal) -> None:
        portal.sandbox.fault("/batch/upsert", portal.sandbox.warning("city"))
        accept(portal, "m", 1, city="Mesa")
        before = len(portal.sandbox.seen)
        accept(portal, "n", 2, city="Mesa")
        assert not any("batch/up" in seen.path for seen in portal.sandbox.seen[before:])
        portal.stage.store.desk.replay(Filter(message_id="n", state="delivered"), "ana")
        portal.drain()
        assert items(portal.stage) == []


class TestAWarningOfAnotherShape:
    @pytest.mark.parametrize(
        "context", [{"properties": ["city", "state"]}, {"name": "city"}, {"invalidProperty": ["city"]}]
    )
    def test_is_an_open_item_of_the_field_it_names(self, portal: Portal, context: dict[str, Any]) -> None:
        portal.sandbox.fault("/batch/upsert", warned(context))
        accept(portal, "m", 1, city="Mesa")
        assert ("city", "VALUE_IGNORED") in items(portal.stage)

    @pytest.mark.parametrize("context", [{"value": ["Mesa"]}, {"propertyName": "Mesa"}, {}, None])
    def test_without_a_field_of_ours_is_no_item_and_repeats_no_value(self, portal: Portal, context: Any) -> None:
        portal.sandbox.fault("/batch/upsert", warned(context))
        accept(portal, "m", 1, city="Mesa")
        assert items(portal.stage) == []
        assert (portal.stage.settled("m").state, portal.stage.settled("m").code) == ("delivered", "")


def warned(context: Any) -> Answer:
    """Handle the request, and warn in every result with this context."""

    def answer(handle: Callable[[], Response]) -> Response:
        response = handle()
        body = response.get_json()
        for result in body["results"]:
            result["warnings"] = [{"category": "PROPERTY_WARNING", "message": "made up", "context": context}]
        response.set_data(json.dumps(body))
        return response

    return answer


class TestAnOptOutWithAWarning:
    def test_is_owed_until_the_record_shows_it(self, portal: Portal) -> None:
        portal.sandbox.fault("/batch/up", portal.sandbox.warning("do_not_call", "false"))
        accept(portal, "m", 1, doNotCall=True)
        assert portal.state() != "applied"
        portal.stage.clock.forward(3_600_000)
        portal.drain()
        assert portal.state() == "applied"
        assert [contact["do_not_call"] for contact in portal.sandbox.records("contacts")] == ["true"]

    def test_is_done_where_the_record_shows_it(self, portal: Portal) -> None:
        portal.sandbox.fault("/batch/up", portal.sandbox.warning("do_not_call", "true"), times=9)
        accept(portal, "m", 1, doNotCall=True)
        assert portal.state() == "applied"
