"""Check an installation: each thing that must work, how it is, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from datetime import datetime
from typing import Final

from connector import destinations, mapping
from connector.crm import Crm, CrmAccount
from connector.errors import ConnectorError, DestinationUnusable, StoreUnavailable
from connector.insight.clocks import about_clock, about_deletion
from connector.insight.disk import LITTLE_SPACE, free_space, space_words
from connector.insight.words import age
from connector.mapping import Severity
from connector.running import bootstrap
from connector.running.clocks import crm_time
from connector.running.config import AgencyFile, Process
from connector.running.console_check import check_console
from connector.running.endpoint import check_endpoint
from connector.running.findings import Finding, Health
from connector.running.source import open_source
from connector.running.source_check import check_source
from connector.running.whose import Compared, Match, compare, known_accounts
from connector.settlement.clocks import CLOCK_TOLERANCE, Hold, ProcessClock
from connector.store import Store, open_store
from connector.store.database import Database
from connector.store.durable import forced, weaknesses
from connector.store.integrity import Checksums, begin_check, checksums
from connector.store.meaning import damaged
from connector.store.undecrypted import Undecrypted, find_undecrypted

SKEW: Final = CLOCK_TOLERANCE / 1000
"""Seconds a clock may be off: careCycle's signatures are good for five minutes, and a worker stops sooner."""

CHECK: Final = 120.0
"""Seconds the check of a whole database may take."""

REPAIRED: Final = "The check finds nothing now: once you have repaired it, run connector doctor --repaired"


def examine(
    process: Process,
    files: Sequence[AgencyFile],
    environment: Mapping[str, str],
    now: Callable[[], datetime],
    url: str,
    *,
    repaired: bool = False,
) -> Iterator[Finding]:
    """Check everything, in the order in which it has to work.

    url: where careCycle reaches us, or empty. repaired: whether to forget the database's damage if it is sound now.
    """
    yield from _database(process, environment, now, repaired=repaired)
    ledgers = known_accounts(process.database_url)
    for file in files:
        for name in file.settings.destinations:
            yield from _destination(file, name, now, ledgers)
            yield from _version(file, name, now)
        yield from _source(process, file, environment)
        if url:
            secret = file.settings.webhook.secrets[0].get_secret_value()
            address = f"{url.rstrip('/')}/hooks/{file.settings.agency}"
            yield from check_endpoint(address, secret.strip(), now, environment.get("REQUESTS_CA_BUNDLE"))
    yield check_console(process)


def _database(
    process: Process, environment: Mapping[str, str], now: Callable[[], datetime], *, repaired: bool
) -> Iterator[Finding]:
    try:
        store = open_store(process.database_url, environment, make=False)
    except ConnectorError as error:
        yield Finding(
            "database and data key", Health.WRONG, str(error), "fix this first: nothing is received until then"
        )
        return
    try:
        yield Finding("database and data key", Health.FINE, "open, up to date, and the key matches")
        if left := store.rewriting.left():
            what = f"{left:,} rows of an earlier version are being rewritten; deliveries wait for it"
            yield Finding("rewriting", Health.DOUBTFUL, what, "let a worker run: it takes some minutes")
        yield _writing(store)
        yield _skew("clock compared with the database's", now().timestamp() - store.database.moment() / 1000)
        yield from map(_process, store.processes.all())
        yield _deletion(store.retention.hold())
        yield from _durable(store.database)
        yield _integrity(store, repaired=repaired)
        yield _payloads(find_undecrypted(store.database))
        yield from _space(store)
        yield _backup(store)
    finally:
        store.close()


def _writing(store: Store) -> Finding:
    """Report whether an event could be stored: a database that can be read may be read-only, locked or full."""
    try:
        store.prove()
    except StoreUnavailable as error:
        do = "fix this first: events get 503 and nothing is delivered until then"
        return Finding("writing to the database", Health.WRONG, error.problem, do)
    return Finding("writing to the database", Health.FINE, "an event can be stored")


def _process(process: ProcessClock) -> Finding:
    """Report how far a running process's clock is ahead of the database's."""
    thing, problem = f"clock of {process.role} on {process.name}", about_clock(process)
    seconds = process.offset_ms / 1000
    apart = f"{abs(seconds):.0f} s {'ahead of' if seconds >= 0 else 'behind'} the database's"
    if not problem:
        return Finding(thing, Health.FINE, apart)
    return Finding(thing, Health.WRONG, apart, problem)


def _deletion(hold: Hold) -> Finding:
    """Report whether retention waits because the clock jumped or nothing ran."""
    if not hold.matters:
        return Finding("retention", Health.FINE, "is applied")
    return Finding("retention", Health.DOUBTFUL, "waits", about_deletion(hold))


def _durable(database: Database) -> Iterator[Finding]:
    """Report whether acknowledged events survive a cut of power."""
    weak = weaknesses(database)
    for weakness in weak:
        health = Health.WRONG if weakness.loses else Health.DOUBTFUL
        yield Finding("durable commits", health, f"{weakness.setting}: {weakness.why}", weakness.do)
    if not weak:
        replaced = forced(database)
        beside = f"; {replaced} is set here, and our transactions replace it" if replaced else ""
        yield Finding("durable commits", Health.FINE, f"on disk before an event is acknowledged{beside}")


def _integrity(store: Store, *, repaired: bool) -> Finding:
    """Read the whole database for damage. repaired: the operator says that what was damaged no longer is."""
    damage, engine = store.database.damage, store.database.engine
    try:
        problems = begin_check(engine, thorough=True).result(CHECK)
    except (StoreUnavailable, TimeoutError) as error:
        text = error.problem if isinstance(error, StoreUnavailable) else f"the check takes more than {CHECK:.0f} s"
        return Finding("integrity", Health.DOUBTFUL, text, "check a copy: connector backup FILE verifies it")
    if problems:
        damage.note(damaged("; ".join(problems)))
    elif damage.known() and repaired:
        damage.clear()
    if known := damage.known():
        now_sound = "" if problems else f" {REPAIRED}"
        return Finding("integrity", Health.WRONG, known, f"see docs/operating.md: A damaged database.{now_sound}")
    return _checksums(checksums(engine))


def _checksums(pages: Checksums | None) -> Finding:
    """Report how a sound database would notice damage. pages: None for an embedded one, of which all was read."""
    if pages is None:
        return Finding("integrity", Health.FINE, "every page and every index is sound")
    if pages.failures:
        text = f"the server has met {pages.failures} damaged pages in this database"
        return Finding("integrity", Health.WRONG, text, "see docs/operating.md: A damaged database")
    indexes = "its indexes are sound" if pages.amcheck else "its indexes were not checked: CREATE EXTENSION amcheck"
    if pages.on:
        return Finding("integrity", Health.FINE, f"every table is there, and each page is checked when read; {indexes}")
    text = f"every table is there; {indexes}; page checksums are off"
    return Finding("integrity", Health.DOUBTFUL, text, "turn them on with pg_checksums, or damage is noticed late")


def _payloads(undecrypted: Undecrypted) -> Finding:
    """Report payloads that no given key decrypts."""
    if not undecrypted.count:
        return Finding("payloads", Health.FINE, f"all {undecrypted.looked_at:,} newest can be decrypted")
    causes = [f"{count:,} need the key {key}" for key, count in undecrypted.missing.items()]
    causes += [f"{undecrypted.changed:,} changed or cut short"] if undecrypted.changed else []
    named = ", ".join(undecrypted.messages)
    what = f"{undecrypted.count:,} of {undecrypted.looked_at:,} cannot be decrypted: {', '.join(causes)} ({named})"
    key = "add the key to CONNECTOR_DATA_KEY, restart every role, then connector events replay --code UNOPENABLE"
    do = key if undecrypted.missing else "have careCycle send them again, or restore them from a backup"
    return Finding("payloads", Health.WRONG, what, do)


def _space(store: Store) -> Iterator[Finding]:
    free = free_space(store.database.folder())
    if free is not None:
        shown = space_words(free)
        if free < LITTLE_SPACE:
            yield Finding("disk", Health.DOUBTFUL, shown, "free some space")
        else:
            yield Finding("disk", Health.FINE, shown)


def _backup(store: Store) -> Finding:
    """Report when the last backup was made. An alarm about its age is the agency file's to ask for."""
    last = store.backups.last()
    if last is None:
        return Finding(
            "backup", Health.FINE, "none is noted; after one made otherwise: connector backup --made-otherwise"
        )
    return Finding("backup", Health.FINE, f"the last was made {age(store.database.time() - last)} ago")


def _destination(
    file: AgencyFile, name: str, now: Callable[[], datetime], ledgers: Mapping[str, CrmAccount]
) -> Iterator[Finding]:
    thing = f"{file.settings.agency}/{name}"
    try:
        route = bootstrap.open_route(file, name)
    except ConnectorError as error:
        yield Finding(thing, Health.WRONG, str(error), "run connector check: it lists every problem with its line")
        return
    try:
        schema = route.destination.describe(route.mapping.objects)
        account = route.destination.account()
    except DestinationUnusable as error:
        do = "run connector setup -c ...: it names the step; see also docs/operating.md: Why a lane pauses"
        yield Finding(thing, Health.WRONG, f"{error.problem} ({error.reason})", do)
    else:
        path = bootstrap.mapping_path(file, file.settings.destinations[name])
        yield _fit(thing, bootstrap.read_mapping(path, schema))
        for unread, problem in schema.unread.items():
            yield Finding(f"{thing}: {unread}", Health.DOUBTFUL, problem, "let the connector's user see this object")
        yield _account(thing, compare(route.mapping.crm, account, thing, ledgers.get(thing)))
        yield from _crm_clock(route.mapping.crm, file.settings.destinations[name].endpoint, now)
    finally:
        route.destination.close()


def _source(process: Process, file: AgencyFile, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Try careCycle's API, if the agency has a key and there is a database, which keeps the pace of the requests."""
    if file.settings.carecycle is None:
        return
    with suppress(ConnectorError), ExitStack() as closing:
        store = open_store(process.database_url, environment, make=False)
        closing.callback(store.close)
        source = open_source(file, store)
        assert source is not None, "the agency has a key"
        closing.callback(source.close)
        yield from check_source(source, file.settings.agency, file.settings.carecycle.parameters)


def _version(file: AgencyFile, name: str, now: Callable[[], datetime]) -> Iterator[Finding]:
    """Report how long the CRM supports the version of its API that is used."""
    settings = file.settings.destinations[name]
    if versions := destinations.vendor_of(settings).versions:
        notice = versions.notice(settings.api_version, now().date())
        health = Health.DOUBTFUL if notice else Health.FINE
        yield Finding(
            f"{file.settings.agency}/{name}: API version", health, versions.about(settings.api_version), notice
        )


def _account(thing: str, compared: Compared) -> Finding:
    health = {Match.ANOTHER: Health.WRONG, Match.UNKNOWN: Health.DOUBTFUL}.get(compared.match, Health.FINE)
    return Finding(f"{thing}: account", health, compared.about, compared.do)


def _fit(thing: str, loaded: mapping.Loaded) -> Finding:
    errors = sum(problem.severity is Severity.ERROR for problem in loaded.diagnostics)
    if not errors:
        objects = f"; {', '.join(sorted(loaded.mapping.objects))} can be read" if loaded.mapping else ""
        return Finding(thing, Health.FINE, f"reached{objects}; the mapping fits the account's fields")
    problems = f"the mapping does not fit the account's fields: {errors} problem{'s' if errors > 1 else ''}"
    return Finding(thing, Health.WRONG, problems, "run connector check -c ... --live: it lists them with their lines")


def _crm_clock(crm: Crm, endpoint: str | None, now: Callable[[], datetime]) -> Iterator[Finding]:
    """Compare this machine's clock with the CRM's: with a wrong clock, valid messages and JWT logins are rejected."""
    theirs = crm_time(endpoint or crm.address)
    if theirs is not None:  # the CRM itself was reached
        yield _skew(f"clock compared with {crm.title}'s", now().timestamp() - theirs)


def _skew(thing: str, seconds: float) -> Finding:
    if abs(seconds) <= SKEW:
        return Finding(thing, Health.FINE, f"{abs(seconds):.0f} s apart")
    do = "set this machine's clock with NTP: with a wrong clock, valid messages are rejected"
    return Finding(thing, Health.WRONG, f"{abs(seconds):.0f} s {'ahead' if seconds > 0 else 'behind'}", do)
