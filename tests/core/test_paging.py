"""A list is read to its end, whatever its pages say of themselves and whatever happens to it meanwhile."""

from __future__ import annotations

import doctest
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from connector.carecycle import api_names
from connector.source import paging, recording, replies
from connector.source.paging import EmptyPage, Listing, NeverEnds, as_listing, turns

Says = Callable[[dict[str, Any]], dict[str, Any]]


def as_documented(page: dict[str, Any]) -> dict[str, Any]:
    return page


def zeros_at_the_ends(page: dict[str, Any]) -> dict[str, Any]:
    return {**page, "nextPage": page["nextPage"] or 0}


def texts(page: dict[str, Any]) -> dict[str, Any]:
    return {name: value if name == "items" or value is None else str(value) for name, value in page.items()}


def without(*names: str) -> Says:
    return lambda page: {name: value for name, value in page.items() if name not in names}


class Server:
    """A list in ascending order, with pages of `most` at most. says: how a page is shown."""

    def __init__(self, count: int, most: int = 10, says: Says = as_documented) -> None:
        self.ids, self.most, self.says = [f"c-{number}" for number in range(count)], most, says
        self.asked: list[int] = []
        self.after: Callable[[int], None] = lambda number: None

    def __call__(self, number: int) -> Listing:
        self.asked.append(number)
        first, last = (number - 1) * self.most, number * self.most
        following = number + 1 if last < len(self.ids) else None
        page = {"itemsTotal": len(self.ids), "currentPage": number, "nextPage": following}
        listing = as_listing(self.says({**page, "items": [{"id": one} for one in self.ids[first:last]]}))
        assert listing is not None
        self.after(number)
        return listing


def read(server: Server, first: int = 1) -> list[str]:
    return [item["id"] for turn in turns(server, first, server.most) for item in turn.listing.items]


class TestTheEnd:
    @pytest.mark.parametrize(
        "says",
        [
            as_documented,
            zeros_at_the_ends,
            texts,
            without("nextPage"),
            without("itemsTotal"),
            without("currentPage"),
            without("nextPage", "currentPage"),
            without("itemsTotal", "nextPage"),
            without("itemsTotal", "nextPage", "currentPage"),
        ],
    )
    @pytest.mark.parametrize("count", [0, 1, 10, 25, 30])
    def test_everything_is_read_and_the_last_page_known(self, says: Says, count: int) -> None:
        server = Server(count, says=says)
        assert read(server) == server.ids
        assert [turn.last for turn in turns(server)][-1:] == [True]

    def test_a_last_page_is_not_asked_for_what_follows(self) -> None:
        server = Server(30)
        read(server)
        assert server.asked == [1, 2, 3]

    def test_a_page_that_says_too_early_that_it_is_the_last_is_not_believed(self) -> None:
        server = Server(25, says=lambda page: {**page, "nextPage": 0})
        assert read(server) == server.ids

    def test_a_next_page_for_ever_is_not_followed_for_ever(self) -> None:
        server = Server(25, says=lambda page: {**page, "nextPage": page["currentPage"] + 1})
        assert read(server) == server.ids
        assert server.asked == [1, 2, 3, 4]

    def test_reading_can_go_on_at_a_page(self) -> None:
        server = Server(25)
        assert read(server, 3) == server.ids[20:]


class TestAPageWithoutItems:
    """In the middle of a list, it is no end."""

    @pytest.mark.parametrize(
        ("says", "number"),
        [
            *((says, number) for says in (as_documented, without("nextPage")) for number in (1, 2, 3)),
            (without("itemsTotal"), 1),
            (without("itemsTotal"), 2),
        ],
    )
    def test_is_asked_for_again_and_then_an_error(self, says: Says, number: int) -> None:
        server = Server(25, says=emptied(says, number))
        with pytest.raises(EmptyPage) as raised:
            read(server)
        assert (raised.value.number, server.asked.count(number)) == (number, 3)

    @pytest.mark.parametrize("most", [10, 20])
    def test_is_none_where_the_list_became_shorter(self, most: int) -> None:
        assert [turn.last for turn in turns(Server(15), 3, most)] == [True]
        assert [turn.last for turn in turns(Server(25), 3, most)][-1:] == [True]

    def test_that_is_there_when_asked_again_costs_nothing(self) -> None:
        server = Server(25)
        server.says = lambda page: emptied(as_documented, 2)(page) if server.asked.count(2) == 1 else page
        assert read(server) == server.ids

    def test_with_some_of_its_items_is_read_and_noticed(self) -> None:
        server = Server(25, says=lambda page: {**page, "items": page["items"][: 10 - page["currentPage"]]})
        assert [(len(turn.listing.items), turn.lacking) for turn in turns(server)] == [(9, 0), (8, 1), (5, 2)]


def emptied(says: Says, number: int) -> Says:
    return lambda page: says({**page, "items": []} if page["currentPage"] == number else page)


class TestChanges:
    def test_a_customer_who_is_added_comes_at_the_end(self) -> None:
        server = Server(20)
        server.after = lambda number: server.ids.append("new") if number == 1 else None
        assert read(server) == server.ids

    @pytest.mark.parametrize("page", [1, 2, 3])
    def test_nobody_is_missed_when_one_goes_away(self, page: int) -> None:
        server = Server(40)
        server.after = lambda number: server.ids.remove("c-0") if number == page and "c-0" in server.ids else None
        assert set(read(server)) >= set(server.ids)

    def test_nobody_is_missed_when_the_last_page_goes_away(self) -> None:
        server = Server(31)
        server.after = lambda number: server.ids.remove("c-0") if number == 3 and "c-0" in server.ids else None
        assert set(read(server)) >= set(server.ids)

    def test_a_list_that_never_stops_shrinking_is_given_up(self) -> None:
        items, totals = [{"id": f"c-{number}"} for number in range(10)], iter(range(60, 0, -1))
        with pytest.raises(NeverEnds):
            list(turns(lambda number: Listing(items, next(totals), number, number + 1)))


class TestPagesThatDoNotMove:
    @pytest.mark.parametrize(
        "says",
        [
            as_documented,
            without("currentPage"),
            without("currentPage", "nextPage"),
            without("currentPage", "nextPage", "itemsTotal"),
            lambda page: {"items": [{"firstName": "X"} for _ in page["items"]]},
        ],
    )
    def test_a_parameter_of_another_name_is_noticed(self, says: Says) -> None:
        server = Server(40, says=says)
        with pytest.raises(NeverEnds) as raised:
            list(turns(lambda _: server(1)))
        assert (raised.value.number, raised.value.stuck) == (2, True)

    def test_it_is_noticed_although_new_customers_shift_the_first_page(self) -> None:
        server = Server(40)
        server.after = lambda _: server.ids.insert(0, f"new-{len(server.ids)}")
        with pytest.raises(NeverEnds):
            list(turns(lambda _: server(1)))

    def test_it_is_noticed_when_reading_goes_on_at_a_page(self) -> None:
        server = Server(40)
        with pytest.raises(NeverEnds):
            list(turns(lambda _: server(1), 3))


class TestExamples:
    @pytest.mark.parametrize("module", [api_names, paging, recording, replies])
    def test_those_in_the_docstrings_are_true(self, module: ModuleType) -> None:
        assert doctest.testmod(module).failed == 0
