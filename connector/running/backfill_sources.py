"""What a backfill reads from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

from connector.errors import FixConfiguration, SourceForbidden, SourceUnusable
from connector.running.backfill import Tally
from connector.running.config import AgencyFile
from connector.running.source import open_source as open_api
from connector.settlement.newest import Origin
from connector.source.client import CareCycle
from connector.source.columns import Column
from connector.source.files import open_source, reading
from connector.source.patience import Patience
from connector.source.steps import Payload, Step, api_steps, file_steps
from connector.store import Store


@dataclass(frozen=True, slots=True)
class Source:
    """Where customers come from.

    content: names what is in it, and is another where that is another. unit: what a cursor counts. changes: it is not
    the same tomorrow. total: of what a step's `reached` counts, if it is known from the beginning.
    """

    origin: Origin
    content: str
    unit: str
    steps: Callable[[str], Iterator[Step]]
    changes: bool = False
    total: int | None = None
    columns: Sequence[Column] = ()


def file_source(path: Path, encoding: str, store: Store) -> Source:
    """Open a file. Raises FixConfiguration."""
    file = open_source(path, encoding)
    content, lines = hashlib.sha256(), 0
    with reading(path) as opened:
        while block := opened.read(1 << 20):
            content.update(block)
            lines += block.count(b"\n")
    named = store.database.digest(f"{content.hexdigest()} {encoding}")
    return Source(
        Origin.FILE, named, "line", lambda cursor: file_steps(file, cursor), total=lines, columns=file.columns
    )


def api_source(api: CareCycle) -> Source:
    """All of careCycle's customers."""
    return Source(Origin.CARECYCLE, "", "page", lambda cursor: api_steps(api, cursor), changes=True)


def opened_api(file: AgencyFile, store: Store, opened: ExitStack) -> CareCycle:
    """Open careCycle's API for as long as `opened`. Raises FixConfiguration where the agency file has no key."""
    api = open_api(file, store)
    if api is None:
        action = "add `carecycle: { api_key: ${NAME} }`, or name a file: --from customers.csv"
        raise FixConfiguration(str(file.path), "has no key for careCycle's API", action)
    return opened.enter_context(closing(api))


@dataclass(slots=True)
class Calls:
    """Asks for the calls of customers, until careCycle says that the key may not.

    Single customers of whom it does not answer are passed over, and named.
    """

    api: CareCycle
    tally: Tally
    forbidden: bool = False
    patience: Patience = field(default_factory=Patience)

    def of(self, customer: Payload) -> Iterator[Payload]:
        """Yield a customer's calls. Raises SourceUnusable."""
        if self.forbidden:
            return
        try:
            yield from self.api.calls(customer["id"], customer)
            self.patience.answered()
        except SourceForbidden as error:
            self.forbidden = True
            self.tally.read(Step(bad=[("calls", error.problem)]))
        except SourceUnusable as error:
            self.patience.pass_over(error)
            self.tally.read(Step(bad=[(f"customer {customer['id']}", f"the calls: {error.problem}")]))
