"""The organisation as its sandbox's page shows it: its customers and calls, and every request with its answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from connector.sandbox.carecycle import CareCycleSandbox, answer
from connector.sandbox.history import History
from connector.sandbox.page.desk import Card, Field, NotDone, Row, Trouble

CUSTOMERS: Final = "customers"
CALLS: Final = "calls"
REQUESTS: Final = "requests"
_FLAGS: Final = {"true": True, "false": False}


class CareCycleDesk:
    """One organisation. Callers hold its lock."""

    crm = "careCycle"

    def __init__(self, wire: CareCycleSandbox) -> None:
        self.wire, self.book, self.history = wire, wire.book, History(wire.now)
        ended = answer({"message": "Invalid API key", "code": "UNAUTHORIZED"}, 401)
        troubles = (
            Trouble(
                "limit", "Rate limit", "429, try again in 23 seconds.", lambda times: wire.rate_limited(times=times)
            ),
            Trouble("outage", "Outage", "502 with a proxy's page.", lambda times: wire.html(times=times)),
            Trouble("key", "Expired key", "401.", lambda times: wire.fault("/v2/", ended, times=times)),
        )
        self.troubles = {trouble.name: trouble for trouble in troubles}

    def counts(self) -> Mapping[str, tuple[int, int]]:
        calls = sum(len(self.book.calls(customer["id"])) for customer in self.book)
        return {CUSTOMERS: (len(self.book), 0), CALLS: (calls, 0), REQUESTS: (len(self.wire.seen), 0)}

    def rows(self, kind: str, words: str, *, deleted: bool) -> list[Row]:
        held = [] if deleted else list(self._all(kind))
        return [_row(kind, own) for own in reversed(held) if _has(own, words.lower())]

    def card(self, kind: str, id: str) -> Card | None:
        own = next((item for item in self._all(kind) if item["id"] == id), None)
        if own is None:
            return None
        links = [("call", _row(CALLS, call)) for call in self.book.calls(id)] if kind == CUSTOMERS else []
        return Card(
            _row(kind, own), [Field(name, own[name], kind == CUSTOMERS and name != "id") for name in own], links
        )

    def _all(self, kind: str) -> Iterator[dict[str, Any]]:
        if kind == CUSTOMERS:
            yield from self.book
        elif kind == CALLS:
            yield from (call for customer in self.book for call in self.book.calls(customer["id"]))
        else:  # without headers: the key is among them
            for number, seen in enumerate(self.wire.seen, 1):
                yield {"id": str(number), "method": seen.method, "path": seen.path, "status": seen.status}

    def opted_out(self) -> list[tuple[str, Row | None]]:
        return [(own["email"], _row(CUSTOMERS, own)) for own in self.book if own["doNotEmail"]]

    def create(self, kind: str, texts: Mapping[str, str]) -> str:
        if kind != CUSTOMERS:
            raise NotDone("only customers can be added")
        made = self.book.add(**{name: _value(text) for name, text in texts.items() if name != "id"})
        self.history.add(kind, made["id"], "created", {}, made)
        return str(made["id"])

    def edit(self, kind: str, id: str, field: str, text: str) -> None:
        before = self._customer(kind, id)
        after = self.book.change(id, **{field: _value(text)})
        self.history.add(kind, id, "changed", before, after)

    def delete(self, kind: str, id: str) -> None:
        before = self._customer(kind, id)
        self.book.remove(id)
        self.history.add(kind, id, "deleted", before, {})

    def restore(self, kind: str, id: str) -> None:
        raise NotDone("careCycle deletes customers for good")

    def merge(self, kind: str, loser: str, winner: str) -> str:
        raise NotDone("careCycle does not merge customers")

    def _customer(self, kind: str, id: str) -> dict[str, Any]:
        customer = self.book.find(id) if kind == CUSTOMERS else None
        if customer is None:
            raise NotDone("only customers can be changed")
        return customer


def _row(kind: str, own: Mapping[str, Any]) -> Row:
    if kind == REQUESTS:
        return Row(kind, own["id"], f"{own['method']} {own['path']}", f"answered with {own['status']}")
    if kind == CALLS:
        return Row(kind, own["id"], str(own["disposition"]), str(own["createdAt"]))
    return Row(kind, own["id"], f"{own['firstName']} {own['lastName']}", str(own["email"]))


def _has(own: Mapping[str, Any], words: str) -> bool:
    return any(words in str(value).lower() for value in own.values())


def _value(text: str) -> Any:
    return _FLAGS.get(text, text or None)
