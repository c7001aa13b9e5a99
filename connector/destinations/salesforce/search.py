"""Search an object's records by a field: a value that Salesforce cannot be asked for affects no other value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, ValidationError

from connector.destinations.base import Answers, Found, Outcome, Verdict
from connector.destinations.salesforce import search_rules, values
from connector.destinations.salesforce.abreast import Abreast
from connector.destinations.salesforce.api_error import ApiError
from connector.destinations.salesforce.client import UNREADABLE, Client
from connector.destinations.salesforce.pages import Pages
from connector.destinations.salesforce.together import REFERENCE, Fault, Replies, Request, Together
from connector.errors import DestinationUnusable, PauseReason
from connector.settlement import Refusal

SPLITS: Final = 32
"""Extra calls to isolate the values that a query is refused for."""

_MOST_VALUES: Final = 400
_LONGEST_QUERY: Final = 14_000
"""URL-encoded bytes. Salesforce rejects a URL, or a URL with its headers, of more than 16,384 bytes."""
_MOST_TOGETHER: Final = 2_000
"""Records of a page: where each value has one record, an answer is one page."""
_LONGEST_TOGETHER: Final = 90_000
"""URL-encoded bytes of a query inside another request's body, where 100,000 characters are allowed.

https://help.salesforce.com/s/articleView?id=000386264&type=1
"""
_MOST_RECORDS: Final = 10_000
"""Of a wide search: more are read in smaller ones, so that a value of many records spoils the answer for few others."""

_AGAIN: Final = "replay: the search is repeated"
_LEFT_OVER: Final = Outcome(
    Verdict.DEFERRED,
    refusal=Refusal("SEARCH_REFUSED", "its search was refused because of other values, too many to tell which", _AGAIN),
)
_UNREAD: Final = Outcome(
    Verdict.DEFERRED,
    refusal=Refusal(UNREADABLE, "Salesforce's answer to a search has a record that cannot be read", _AGAIN),
)
_ENDLESS: Final = Outcome(
    Verdict.DEFERRED,
    refusal=Refusal(
        "LIST_ENDLESS",
        "Salesforce's answer to a search does not end, so a record that is not in what was read may exist",
        "replay: the search is repeated; if it happens again, open a case with Salesforce support",
    ),
)


@dataclass(frozen=True, slots=True)
class Query:
    """Which records to search for. kind, length: of the field. read: the fields to read of each record.

    further: what else they must have, as a query says it.
    """

    object: str
    field: str
    kind: str
    length: int
    read: tuple[str, ...]
    further: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """All fields that the query names."""
        return tuple(dict.fromkeys(["Id", self.field, *self.read]))

    def query(self, literals: Iterable[str]) -> str:
        """The query for some values. https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/"""
        head = " ".join(("SELECT", ", ".join(self.names), "FROM", self.object, "WHERE", self.field, "IN"))
        return f"{head} ({','.join(literals)}){self.further}"

    def literal(self, value: str) -> str | None:
        """The value as a query has it; None if no record can have it."""
        return values.literal(self.kind, value, self.length)

    def spelling(self, value: Any) -> str:
        """The value as it compares equal to what a record shows."""
        compare = values.comparing(self.kind) or values.folded
        return compare(value if isinstance(value, str | int | float) else None)


class _Asked(NamedTuple):
    """The literals of one query, and the first page of its answer, if they were asked for already."""

    literals: list[str]
    first: Any = None


def search(client: Client, abreast: Abreast, together: Together, question: Query, asked: Sequence[str]) -> Answers:
    """The records that have each of the values `asked`. Raises DestinationUnusable."""
    answers: Answers = {value: [] for value in asked}
    askers: dict[str, list[str]] = {}
    for value in answers:
        if (literal := question.literal(value)) is not None:
            askers.setdefault(literal, []).append(value)
    for portion in _portions(client, abreast, together, question, sorted(askers)):
        records = portion.by_spelling()
        for literal in portion.literals:
            for value in askers[literal]:
                answers[value] = portion.refused.get(literal) or records.get(question.spelling(value)) or portion.rest
    return answers


def _portions(
    client: Client, abreast: Abreast, together: Together, question: Query, literals: Sequence[str]
) -> list[_Portion]:
    queries, fault = _few(question, literals), None
    if len(queries) > 1 and together.most > 1:
        queries, fault = _asked_together(together, question, literals)
    portions = abreast([partial(_Portion(client, question).run, *query) for query in queries])
    if fault:
        together.learn(fault)
    return portions


def _few(question: Query, literals: Iterable[str]) -> list[_Asked]:
    """Queries that fit into an address."""
    room = max(_LONGEST_QUERY - len(quote(question.query(()))), 1_000)
    return [_Asked(portion) for portion in values.portions(literals, _MOST_VALUES, room)]


def _asked_together(together: Together, question: Query, literals: Sequence[str]) -> tuple[list[_Asked], Fault | None]:
    """Ask for more values at once, in a call's body; those without a usable answer are to be asked for in few."""
    wide = list(values.portions(literals, _MOST_TOGETHER, _LONGEST_TOGETHER))
    requests = [Request("GET", f"query?q={quote(question.query(portion))}") for portion in wide]
    sizes = list(map(_size, wide, requests))
    asked: list[_Asked] = []
    fault = None
    for bundle in together.bundles(sizes):
        replies = Replies([None]) if sizes[bundle[0]] is None else together.ask([requests[place] for place in bundle])
        fault = fault or replies.fault
        for place, reply in zip(bundle, replies.each, strict=True):
            asked += _answered(question, wide[place], reply.body if reply else None)
    return asked, fault


def _size(literals: list[str], request: Request) -> int | None:
    return None if REFERENCE in "".join(literals) else len(request.path)


def _answered(question: Query, literals: list[str], page: Any) -> list[_Asked]:
    total = page.get("totalSize") if isinstance(page, dict) else None
    is_usable = isinstance(total, int) and (total <= _MOST_RECORDS or page.get("done") is True)
    return [_Asked(literals, page)] if is_usable else _few(question, literals)


class _Page(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")
    records: list[Any]


@dataclass(slots=True)
class _Portion:
    """Some values of a search, halved where Salesforce refuses the query until those at fault are alone.

    records: by id, with field names in lower case. refused: literal -> what becomes of a record that needs the answer.
    rest: the answer for a value without a record: one that could not be read may have it.
    """

    client: Client
    question: Query
    splits: int = SPLITS
    literals: list[str] = field(default_factory=list)
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: dict[str, Outcome] = field(default_factory=dict)
    rest: list[Found] | Outcome = field(default_factory=list)

    def run(self, literals: list[str], first: Any = None) -> _Portion:
        """Ask for these values. first: the first page of the answer, if it is there already."""
        self.literals = literals
        self._ask(literals, first)
        return self

    def by_spelling(self) -> dict[str, list[Found]]:
        """The records by their value."""
        holders: dict[str, list[Found]] = {}
        for record in self.records.values():
            read = {name: _blank_is_none(record.get(name.lower())) for name in self.question.read}
            spelling = self.question.spelling(record.get(self.question.field.lower()))
            holders.setdefault(spelling, []).append(Found(record["id"], read))
        return holders

    def _ask(self, literals: list[str], first: Any = None) -> None:
        pages = Pages(self.client, "query", self.question.query(literals), first)
        for reply in pages:
            if isinstance(reply, ApiError) and reply.code != UNREADABLE:
                self._refuse(literals, reply)
                return
            self._take(_page(reply, self.question.object).records)
        if not pages.complete:
            self.rest = _ENDLESS

    def _take(self, records: list[Any]) -> None:
        for record in records:
            named = {name.lower(): value for name, value in record.items()} if isinstance(record, dict) else {}
            value = named.get(self.question.field.lower())
            if isinstance(named.get("id"), str) and isinstance(value, str | int | float):
                self.records[named["id"]] = named
            else:
                self.rest = _UNREAD

    def _refuse(self, literals: list[str], error: ApiError) -> None:
        """Handle the rejection of a query: ask for half of its values at a time."""
        rule = search_rules.rule_for(error)
        if len(literals) == 1 or rule.every:
            outcome = search_rules.outcome(error, rule, self.question.names, self.question.field)
            self.refused |= dict.fromkeys(literals, outcome)
        elif self.splits < 2:
            self.refused |= dict.fromkeys(literals, _LEFT_OVER)
        else:
            self.splits -= 2
            middle = len(literals) // 2
            self._ask(literals[:middle])
            self._ask(literals[middle:])


def _page(reply: Any, object: str) -> _Page:
    """Parse a page. Raises DestinationUnusable where the reply is not one."""
    try:
        return _Page.model_validate(reply, strict=True)
    except ValidationError:  # its text repeats the reply, so it must not become our error's context
        pass
    problem = f"Salesforce returned {object} records in a format we cannot read"
    raise DestinationUnusable("Salesforce", PauseReason.OUTAGE, problem)


def _blank_is_none(value: Any) -> Any:
    return None if value == "" else value
