"""careCycle's customers and calls, in the shape of its webhooks.

https://docs.carecycle.ai/docs/api-reference/customers/get-paginated-list-of-customers
https://docs.carecycle.ai/docs/api-reference/customers/get-customer-by-id
https://docs.carecycle.ai/docs/api-reference/customers/get-paginated-customer-calls
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final
from urllib.parse import quote

from connector.carecycle import recognise
from connector.carecycle.api_names import call_payload, customer_payload, lost
from connector.carecycle.coercions import as_id
from connector.errors import PauseReason, SourceUnusable
from connector.source.exchange import Exchange, Pace, Sleep
from connector.source.paging import EmptyPage, Listing, NeverEnds, Turn, as_listing, turns
from connector.source.recording import recording_link
from connector.source.settings import CareCycleSettings
from connector.telemetry import source as telemetry

CUSTOMERS: Final = "/v2/customers"
CUSTOMER: Final = "/v2/customers/{id}"
CALLS: Final = "/v2/customers/{id}/calls"
PAGE: Final = 100
"""Items asked for at a time, the most there may be."""

Payload = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """A page of customers, as payloads of customer.updated. total: of the whole list, if careCycle says it.

    places: of the items left out because they have no usable id, their numbers on the page, from 1.
    lacking: how many more it should have had, by the total. unclear: the fields left out, and why.
    """

    number: int
    customers: tuple[Payload, ...]
    unreadable: int
    total: int | None
    last: bool
    places: tuple[int, ...] = ()
    lacking: int = 0
    unclear: tuple[tuple[str, str], ...] = ()


class CareCycle:
    """One agency's customers and calls. Every method raises SourceUnusable where careCycle cannot be asked."""

    def __init__(self, agency: str, settings: CareCycleSettings, pace: Pace, sleep: Sleep = time.sleep) -> None:
        self._agency, self._names, self._hosts = agency, settings.parameters, settings.recording_hosts
        self.exchange = Exchange(agency, settings, pace, sleep)

    def close(self) -> None:
        """Close every connection."""
        self.exchange.close()

    def pages(self, first: int = 1) -> Iterator[Page]:
        """Every customer, the oldest first, from a page on. The same customer, or the same page, may come again."""
        for turn in self._turns(CUSTOMERS, "", first):
            customers, places = self._readable(turn, CUSTOMERS, customer_payload)
            unclear = tuple(chain.from_iterable(unread(item) for item in turn.listing.items))
            total = turn.listing.total
            yield Page(turn.number, customers, len(places), total, turn.last, places, turn.lacking, unclear)

    def customer(self, customer_id: str) -> Payload | None:
        """One customer; None if careCycle does not have them, or answers about somebody else."""
        customer = self.exchange.get(CUSTOMER, _one, id=quote(customer_id, safe=""))
        return customer if customer and customer["id"] == customer_id else None

    def calls(self, customer_id: str, customer: Payload) -> Iterator[Payload]:
        """A customer's calls, the oldest first, as payloads of call.completed with this customer inside."""
        for turn in self._turns(CALLS, quote(customer_id, safe=""), 1):
            yield from self._readable(turn, CALLS, lambda item: self._call(item, customer))[0]

    def recording(self, customer_id: str, call_id: str) -> str | None:
        """The link to the recording of one of a customer's latest calls; None while there is none."""
        page = self._listing(CALLS, quote(customer_id, safe=""), 1, PAGE, "desc") or Listing(())
        own = (item for item in page.items if isinstance(item, Mapping) and as_id(item.get("id")) == call_id)
        return recording_link(next(own, None), self._hosts)

    def _call(self, item: Any, customer: Payload) -> Payload | None:
        payload, link = call_payload(item, customer), recording_link(item, self._hosts)
        return {**payload, "recordingUrl": link} if payload and link else payload

    def probe(self, number: int) -> Listing:
        """A page of one customer, as it came."""
        return self._page(CUSTOMERS, "", number, 1)

    def readable(self, page: Listing) -> list[Payload]:
        """The customers of a page that can be read."""
        return [payload for payload in map(customer_payload, page.items) if payload is not None]

    def _listing(self, template: str, id: str, number: int, size: int, order: str = "asc") -> Listing | None:
        """One page of a list as it came; None if careCycle does not have what it is a list of."""
        names = self._names
        query = {names.page: str(number), names.size: str(size), names.sort: "createdAt", names.direction: order}
        query.pop("", None)  # those that are not sent
        return self.exchange.get(template, as_listing, id=id, query=query)

    def _page(self, template: str, id: str, number: int, size: int) -> Listing:
        """One page of a list as it came. The calls of a customer who is gone are none."""
        page = self._listing(template, id, number, size)
        if page is None and not id:
            problem = f"GET {template} is not there: check `endpoint`"
            raise SourceUnusable("careCycle's API", problem, PauseReason.CONFIGURATION)
        return page or Listing(())

    def _turns(self, template: str, id: str, first: int) -> Iterator[Turn]:
        try:
            yield from turns(lambda number: self._page(template, id, number, PAGE), first, PAGE)
        except NeverEnds as error:
            why = "another page came" if error.stuck else "the list does not end"
            problem = f"{why} when asked for page {error.number}: is it called `{self._names.page}`?"
            hint = "set carecycle.parameters.page in the agency file; connector doctor tries it"
            raise SourceUnusable("careCycle's API", f"{problem} ({hint})", PauseReason.CONFIGURATION) from None
        except EmptyPage as error:
            of = "more pages follow" if error.total is None else f"there are {error.total:,} items in all"
            problem = f"page {error.number} of GET {template} came empty, although it says that {of}"
            raise SourceUnusable("careCycle's API", problem, PauseReason.REPLY) from None

    def _readable(
        self, turn: Turn, template: str, payload_of: Callable[[Any], Payload | None]
    ) -> tuple[tuple[Payload, ...], tuple[int, ...]]:
        """The payloads of a page, and the numbers of the items that have none."""
        payloads = [payload_of(item) for item in turn.listing.items]
        places = tuple(number for number, payload in enumerate(payloads, 1) if payload is None)
        if places:
            telemetry.unreadable(self._agency, template, turn.number, places)
        return tuple(payload for payload in payloads if payload is not None), places


def unread(item: Any) -> list[tuple[str, str]]:
    """The fields of a customer that cannot be used, and why.

    >>> unread({"id": "c-1", "doNotCall": "perhaps", "email": ["a@example.com"]})
    [('customer.email', 'a list'), ('customer.doNotCall', 'not true or false')]
    """
    payload = customer_payload(item)
    reading = recognise.read(payload, "") if payload else None
    odd = reading.unread if reading else ()
    return [*lost(item), *((field.path, f"not {field.expected}") for field in odd)]


def _one(body: Any) -> Payload | None:
    """The customer of an answer, which may be inside another object."""
    inner = body.get("customer") if isinstance(body, Mapping) and "id" not in body else body
    return customer_payload(inner)
