"""What is wrong with an installation: each thing looked at, what was found, and what to do."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final

import requests

from connector import mapping
from connector.crm import Crm
from connector.errors import ConnectorError, DestinationUnusable
from connector.mapping import Severity
from connector.running import bootstrap
from connector.running.config import AgencyFile, Process
from connector.store import Store

TIMEOUT: Final = 10.0
SKEW: Final = 60.0
"""Seconds a clock may be off: careCycle's signatures are good for five minutes."""

LITTLE_SPACE: Final = 1 << 30


class Health(StrEnum):
    """How one thing is."""

    FINE = "fine"
    DOUBTFUL = "doubtful"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `do` is for the operator; empty where nothing is to be done."""

    thing: str
    health: Health
    found: str
    do: str = ""


def examine(
    process: Process, files: Sequence[AgencyFile], environment: Mapping[str, str], now: Callable[[], datetime], url: str
) -> Iterator[Finding]:
    """Look at everything, in the order in which it has to work. url: where careCycle reaches us, or empty."""
    yield from _database(process, environment, now)
    for file in files:
        for name in file.settings.destinations:
            yield from _destination(file, name, now)
        if url:
            yield _endpoint(f"{url.rstrip('/')}/hooks/{file.settings.agency}")
    yield _console(process)


def _database(process: Process, environment: Mapping[str, str], now: Callable[[], datetime]) -> Iterator[Finding]:
    try:
        store = bootstrap.open_process_store(process, environment)
    except ConnectorError as error:
        yield Finding("database and data key", Health.WRONG, str(error), "until this is mended nothing can be received")
        return
    try:
        yield Finding("database and data key", Health.FINE, "open, up to date, and the key fits")
        yield _skew("clock against the database's", now().timestamp() - store.database.moment() / 1000)
        yield from _space(store)
    finally:
        store.close()


def _space(store: Store) -> Iterator[Finding]:
    folder = store.database.folder()
    if folder is not None:
        free = shutil.disk_usage(folder).free
        little = free < LITTLE_SPACE
        found = f"{free / (1 << 30):.1f} GiB free beside the database"
        yield Finding("disk", Health.DOUBTFUL if little else Health.FINE, found, "make room" if little else "")


def _destination(file: AgencyFile, name: str, now: Callable[[], datetime]) -> Iterator[Finding]:
    thing = f"{file.settings.agency}/{name}"
    try:
        route = bootstrap.open_route(file, name)
    except ConnectorError as error:
        yield Finding(thing, Health.WRONG, str(error), "connector check shows every problem with its line")
        return
    try:
        schema = route.destination.describe(route.mapping.objects)
    except DestinationUnusable as error:
        yield Finding(thing, Health.WRONG, f"{error.problem} ({error.reason})", "docs/operating.md, Why a lane pauses")
    else:
        path = bootstrap.mapping_path(file, file.settings.destinations[name])
        yield _fit(thing, bootstrap.read_mapping(path, schema))
        yield from _crm_clock(route.mapping.crm, file.settings.destinations[name].endpoint, now)
    finally:
        route.destination.close()


def _fit(thing: str, loaded: mapping.Loaded) -> Finding:
    errors = sum(one.severity is Severity.ERROR for one in loaded.diagnostics)
    told = f"reached; {', '.join(sorted(loaded.mapping.objects))} can be read" if loaded.mapping else "reached"
    if not errors:
        return Finding(thing, Health.FINE, f"{told}; its mapping fits its fields")
    problems = f"its mapping does not fit its fields: {errors} problem{'s' if errors > 1 else ''}"
    return Finding(thing, Health.WRONG, problems, "connector check -c ... --live shows them with their lines")


def _crm_clock(crm: Crm, endpoint: str | None, now: Callable[[], datetime]) -> Iterator[Finding]:
    """This machine's clock against the CRM's: a wrong one refuses genuine messages and JWT logins."""
    try:
        answer = _asked("HEAD", endpoint or crm.address)
        theirs = parsedate_to_datetime(answer.headers["Date"])
    except (requests.RequestException, KeyError, ValueError):
        return  # the CRM was reached by its own way; only its clock stays unknown
    yield _skew(f"clock against {crm.title}'s", now().timestamp() - theirs.timestamp())


def _asked(method: str, address: str, body: bytes | None = None) -> requests.Response:
    """Raises requests.RequestException."""
    with requests.Session() as session:
        session.trust_env = False  # .netrc is for other programs
        return session.request(method, address, data=body, timeout=TIMEOUT, allow_redirects=False)


def _skew(thing: str, seconds: float) -> Finding:
    if abs(seconds) <= SKEW:
        return Finding(thing, Health.FINE, f"{abs(seconds):.0f} s apart")
    do = "set this machine's time by NTP: a wrong clock refuses genuine messages"
    return Finding(thing, Health.WRONG, f"{abs(seconds):.0f} s {'ahead' if seconds > 0 else 'behind'}", do)


def _endpoint(address: str) -> Finding:
    """An unsigned message must come as far as our own refusal."""
    try:
        answer = _asked("POST", address, b"{}")
    except requests.RequestException as error:
        found = f"cannot be reached: {type(error).__name__}"
        return Finding(address, Health.WRONG, found, "look at DNS, firewall and the proxy in front")
    match answer.status_code:
        case 401:
            return Finding(address, Health.FINE, "reached; what is not signed is refused")
        case 404:
            return Finding(address, Health.WRONG, "answers 404", "the path is /hooks/<agency>, as in the agency file")
        case 503:
            return Finding(address, Health.WRONG, "reached, but cannot keep events now", "look at the database")
        case status:
            found = f"answers {status}, which the connector would not"
            return Finding(address, Health.WRONG, found, "something in front of it answers: look at the proxy")


def _console(process: Process) -> Finding:
    if process.console_password_hash is None or process.admin_listen is None:
        return Finding("console", Health.DOUBTFUL, "is off", "connector console password, to switch it on")
    return Finding("console", Health.FINE, "is on")
