"""careCycle's REST API over HTTP, as it is documented and as it might be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from connector.errors import PauseReason, SourceForbidden, SourceUnusable
from connector.sandbox.carecycle import KEY, CareCycleSandbox, answer
from connector.sandbox.carecycle.book import Book
from connector.sandbox.carecycle.shapes import SECRET
from connector.source.client import CareCycle, Page
from connector.source.settings import CareCycleSettings, Parameters


class Pace:
    """Lets every request be made at once, and notes how long others were to keep off."""

    def __init__(self) -> None:
        self.held: list[float] = []
        self.waits: list[float] = []

    def take(self) -> float:
        return self.waits.pop() if self.waits else 0.0

    def hold(self, seconds: float) -> None:
        self.held.append(seconds)


@pytest.fixture
def sandbox() -> Iterator[CareCycleSandbox]:
    sandbox = CareCycleSandbox(Book(231), a_minute=0)
    with sandbox:
        yield sandbox


class Reader:
    """A client of a sandbox, with what it waited for."""

    def __init__(self, sandbox: CareCycleSandbox, **settings: Any) -> None:
        self.pace, self.slept = Pace(), list[float]()
        given = {"api_key": KEY, "endpoint": sandbox.url, **settings}
        self.api = CareCycle("sunrise", CareCycleSettings.model_validate(given), self.pace, self.slept.append)

    def pages(self, first: int = 1) -> list[Page]:
        return list(self.api.pages(first))

    def ids(self) -> list[str]:
        return [customer["id"] for page in self.pages() for customer in page.customers]

    def refused(self) -> SourceUnusable:
        with pytest.raises(SourceUnusable) as raised:
            self.pages()
        return raised.value


@pytest.fixture
def reader(sandbox: CareCycleSandbox) -> Iterator[Reader]:
    reader = Reader(sandbox)
    yield reader
    reader.api.close()


class TestCustomers:
    def test_all_come_page_by_page_in_the_shape_of_webhooks(self, sandbox: CareCycleSandbox, reader: Reader) -> None:
        pages = reader.pages()
        assert [(page.number, len(page.customers), page.total, page.last) for page in pages] == [
            (1, 100, 231, False),
            (2, 100, 231, False),
            (3, 31, 231, True),
        ]
        assert [dict(customer, agentNpn="8419302") for page in pages for customer in page.customers] == [
            sandbox.webhook(customer["id"]) for customer in sandbox.book
        ]

    def test_those_added_and_removed_meanwhile_make_nobody_be_missed(
        self, sandbox: CareCycleSandbox, reader: Reader
    ) -> None:
        before = [customer["id"] for customer in sandbox.book]

        def change(page: int) -> None:
            if page == 1 and len(sandbox.book) == 231:
                sandbox.book.add(firstName="Late")
                sandbox.book.remove(before[0])
                sandbox.book.remove(before[5])

        sandbox.on_page = change
        assert set(reader.ids()) >= {customer["id"] for customer in sandbox.book}

    def test_consent_flags_that_are_not_shown_are_absent(self, sandbox: CareCycleSandbox, reader: Reader) -> None:
        sandbox.shows_flags = False
        assert not {"doNotCall", "doNotSMS"} & {*reader.pages()[0].customers[0]}

    def test_parameters_may_have_other_names(self) -> None:
        names = {"page": "pageNumber", "size": "perPage", "sort": "orderBy", "direction": "order"}
        sandbox = CareCycleSandbox(Book(120), a_minute=0, parameters=names, strict=True)
        with sandbox:
            assert len(Reader(sandbox, parameters=Parameters(**names)).ids()) == 120
            assert Reader(sandbox).refused().reason is PauseReason.REQUEST

    def test_a_page_parameter_of_another_name_is_an_error_that_says_what_to_set(self) -> None:
        sandbox = CareCycleSandbox(Book(231), a_minute=0, parameters={**NAMES, "page": "pageNumber"})
        with sandbox:
            error = Reader(sandbox).refused()
        assert error.reason is PauseReason.CONFIGURATION
        assert "page 2" in str(error)
        assert "carecycle.parameters.page" in str(error)

    def test_items_that_cannot_be_read_are_counted_by_their_places(
        self, sandbox: CareCycleSandbox, reader: Reader
    ) -> None:
        sandbox.reshape(lambda body: {**body, "items": [None, {"firstName": "X"}, *body["items"][2:]]})
        first = reader.pages()[0]
        assert (len(first.customers), first.unreadable, first.places) == (98, 2, (1, 2))


class TestOneCustomer:
    def test_the_details_hold_nothing_but_what_webhooks_have(self, sandbox: CareCycleSandbox, reader: Reader) -> None:
        (known,) = sandbox.book.part(7, 8)
        found = reader.api.customer(known["id"])
        assert found is not None
        assert dict(found, agentNpn="8419302") == sandbox.webhook(known["id"])
        assert SECRET not in str(found)

    def test_one_who_is_gone_is_none(self, reader: Reader) -> None:
        assert reader.api.customer("ffffffff-cafe-4000-8000-000000000000") is None

    def test_an_answer_about_somebody_else_is_none(self, sandbox: CareCycleSandbox, reader: Reader) -> None:
        one, other = sandbox.book.part(0, 2)
        sandbox.reshape(lambda body: {**body, "id": other["id"]})
        assert reader.api.customer(one["id"]) is None

    def test_it_may_be_inside_another_object(self, sandbox: CareCycleSandbox, reader: Reader) -> None:
        (known,) = sandbox.book.part(0, 1)
        sandbox.reshape(lambda body: {"customer": body})
        assert reader.api.customer(known["id"]) is not None


class TestCalls:
    def test_all_come_with_their_customer(self, sandbox: CareCycleSandbox, reader: Reader) -> None:
        (known,) = sandbox.book.part(3, 4)
        made = [sandbox.book.add_call(known["id"], disposition=f"Call {number}") for number in range(120)]
        calls = list(reader.api.calls(known["id"], sandbox.webhook(known["id"])))
        assert {call["id"] for call in calls} >= {call["id"] for call in made}
        assert len(calls) == 121
        assert {call["event_type"] for call in calls} == {"call.completed"}
        assert calls[0]["customer"]["id"] == known["id"]

    def test_a_customer_who_is_gone_has_none(self, reader: Reader) -> None:
        assert list(reader.api.calls("ffffffff-cafe-4000-8000-000000000000", {})) == []

    def test_a_missing_permission_is_for_calls_alone(self, sandbox: CareCycleSandbox, reader: Reader) -> None:
        sandbox.forbidden = {"calls"}
        with pytest.raises(SourceForbidden, match="lacks the permission"):
            list(reader.api.calls(sandbox.book.part(0, 1)[0]["id"], {}))
        assert len(reader.ids()) == 231


class TestTroubles:
    def test_a_playground_key_that_died_is_named(self) -> None:
        moment = [1_000_000.0]
        sandbox = CareCycleSandbox(Book(3), a_minute=0, playground=True, now=lambda: moment[0])
        with sandbox:
            reader = Reader(sandbox)
            assert len(reader.ids()) == 3
            moment[0] += 14 * 86_400
            error = reader.refused()
        assert (error.reason, error.code) == (PauseReason.AUTH, "E410")
        assert "14 days" in str(error)

    def test_a_429_is_waited_for_by_all(self, sandbox: CareCycleSandbox, reader: Reader) -> None:
        sandbox.rate_limited(23, times=2)
        reader.pace.waits = [0.25]
        assert len(reader.ids()) == 231
        assert (reader.pace.held, reader.slept) == ([23.0, 23.0], [0.25, 0.0, 0.0])

    @pytest.mark.parametrize(
        ("said", "headers", "seconds"),
        [(None, {}, 60.0), ("soon", {}, 60.0), (0, {}, 1.0), (9000, {}, 300.0), (5, {"Retry_After": "40"}, 40.0)],
    )
    def test_how_long_is_read_leniently(
        self, sandbox: CareCycleSandbox, reader: Reader, said: Any, headers: dict[str, str], seconds: float
    ) -> None:
        sandbox.rate_limited(said, **headers)
        assert reader.pages()
        assert reader.pace.held == [seconds]

    def test_429s_without_end_are_given_up_with_the_time_to_wait(
        self, sandbox: CareCycleSandbox, reader: Reader
    ) -> None:
        sandbox.rate_limited(23, times=99)
        error = reader.refused()
        assert (error.reason, error.retry_after) == (PauseReason.RATE, 23.0)

    @pytest.mark.parametrize("status", [200, 502])
    def test_pages_of_a_proxy_are_tried_again(self, sandbox: CareCycleSandbox, reader: Reader, status: int) -> None:
        sandbox.html(status, times=2)
        assert len(reader.ids()) == 231
        assert reader.slept == [1.0, 2.0]

    @pytest.mark.parametrize(
        ("status", "reason"),
        [
            (200, PauseReason.REPLY),
            (404, PauseReason.UNREACHABLE),
            (503, PauseReason.OUTAGE),
        ],
    )
    def test_a_proxy_s_pages_are_not_taken_for_carecycle_s_word(
        self, sandbox: CareCycleSandbox, reader: Reader, status: int, reason: PauseReason
    ) -> None:
        sandbox.html(status, times=9)
        assert reader.refused().reason is reason

    @pytest.mark.parametrize("body", [[], {}, {"items": "none"}, {"results": []}, None])
    def test_nonsense_is_an_error(self, sandbox: CareCycleSandbox, reader: Reader, body: Any) -> None:
        sandbox.reshape(lambda _: body, times=9)
        assert reader.refused().reason is PauseReason.REPLY

    def test_no_answer_is_tried_again(self, sandbox: CareCycleSandbox, reader: Reader) -> None:
        sandbox.fault("/v2/", sandbox.refuse, times=2)
        assert len(reader.ids()) == 231

    def test_what_an_error_repeats_is_not_repeated(self, sandbox: CareCycleSandbox, reader: Reader) -> None:
        errors = [{"path": ["email"], "message": "odessa@example.com", "received": "odessa@example.com"}]
        body = {"message": "odessa@example.com", "code": "VALIDATION_ERROR", "errors": errors}
        sandbox.fault("/v2/", answer(body, 422))
        error = reader.refused()
        assert error.reason is PauseReason.REQUEST
        assert "odessa" not in str(error)

    def test_an_error_is_known_by_its_code_whatever_its_status(self, sandbox: CareCycleSandbox, reader: Reader) -> None:
        sandbox.fault("/v2/", answer({"message": "", "code": "UNAUTHORIZED"}, 403))
        assert reader.refused().reason is PauseReason.AUTH

    def test_the_key_is_sent_to_no_other_host(self, sandbox: CareCycleSandbox, reader: Reader) -> None:
        elsewhere = CareCycleSandbox()
        with elsewhere:
            reply = answer({}, 302)
            reply.headers["Location"] = f"{elsewhere.url}/v2/customers"
            sandbox.fault("/v2/", reply)
            assert reader.refused().reason is PauseReason.CONFIGURATION
            assert elsewhere.seen == []


NAMES = {"page": "page", "size": "limit", "sort": "sortBy", "direction": "sortOrder"}
