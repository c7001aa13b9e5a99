"""The one place that turns configuration into objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

from connector import destinations, telemetry
from connector.backoff import DAY, SECOND
from connector.carecycle.signature import Verifier
from connector.crm import CrmAccount
from connector.delivery import movement
from connector.delivery.budget import Allowance, Budget
from connector.delivery.reload import UNCHECKED, UNTESTED, Watched, exposing, fingerprint
from connector.delivery.route import Route, Running
from connector.destinations import VENDORS
from connector.destinations.settings import DestinationSettings
from connector.errors import FixConfiguration, FixMapping
from connector.insight import notify
from connector.insight.accounts import Account, Link, no_link, no_notice
from connector.insight.alarms import MINUTE
from connector.insight.mapping_files import Home
from connector.insight.sending import Subscriber, Way
from connector.mapping import Loaded, load, render, shipped_folder, shipped_names, target, tested
from connector.mapping import Mapping as CompiledMapping
from connector.mapping.extending import absolute
from connector.mapping.regular import NotRegularError, read_file
from connector.mapping.suggestions import closest
from connector.mapping.target import TargetSchema
from connector.mapping.tree import find
from connector.receive import Agency
from connector.running.config import AgencyFile, Alarms, Process, read_tree
from connector.running.marks import Marks
from connector.running.settings_hidden import is_doubtful
from connector.running.settings_problems import where as written_at
from connector.running.state import open_state
from connector.store import Store, open_store
from connector.store import preload as preload_store
from connector.store.clock import RemoteClock, moment_of
from connector.store.line import PATIENT, Patience

KnownAccount = Callable[[str], CrmAccount | None]
"""A destination's full name -> the account that its ledger was written to."""


def open_agencies(files: Sequence[AgencyFile]) -> dict[str, Agency]:
    """Build the agencies that the receiver accepts messages for. Raises FixConfiguration."""
    return {file.settings.agency: _agency(file) for file in files}


def _agency(file: AgencyFile) -> Agency:
    settings = file.settings
    secrets = [secret.get_secret_value() for secret in settings.webhook.secrets]
    spread = {name: destination.partitions for name, destination in settings.destinations.items()}
    return Agency(settings.agency, Verifier(settings.agency, secrets), spread)


def preload(process: Process, files: Sequence[AgencyFile]) -> None:
    """Import and build what forks of this process share: in a fork, that would also copy much of what is there."""
    preload_store(process.database_url)
    for file in files:
        for settings in file.settings.destinations.values():
            destinations.preload(settings)


def open_process_store(process: Process, environment: Mapping[str, str], patience: Patience = PATIENT) -> Store:
    """Open the store that this process's environment names. Raises FixConfiguration, StoreUnavailable."""
    return open_store(process.database_url, environment, patience=patience)


def open_marks(process: Process, environment: Mapping[str, str], store: Store, role: str) -> Marks:
    """What keeps, outside the database, how far this process has come."""
    return Marks(store, open_state(process.database_url, environment), role)


def mapping_path(file: AgencyFile, settings: DestinationSettings) -> Path:
    """Find the file of a destination's mapping: beside the agency file, or shipped. Raises FixConfiguration."""
    own, shipped = file.path.parent / settings.mapping, shipped_folder() / f"{settings.mapping}.yaml"
    if not own.is_dir():  # it may have the name of a shipped mapping
        _require_within(file, settings, own)
    for path in (own, shipped):
        if path.is_file():
            return path
    near = closest(settings.mapping, tuple(shipped_names(shipped_folder())))
    hint = f"did you mean {near}?" if near else "name a file beside the agency file, or a shipped mapping"
    problem = "there is no such mapping: neither a file beside this one nor a shipped one"
    if not is_doubtful(settings.mapping):  # it may be a secret in the wrong line
        problem = f"there is no mapping {settings.mapping}: neither {own} nor a shipped one"
    raise FixConfiguration(_place_of_mapping(file, settings), problem, hint)


def _require_within(file: AgencyFile, settings: DestinationSettings, own: Path) -> None:
    """Raises FixConfiguration for what is no regular file, or not in the agency's folder: a link may lead elsewhere."""
    try:
        read_file(own, 0, file.path.parent)
    except NotRegularError as error:
        hint = "a mapping is an ordinary file in the agency's folder, or a shipped one: copy it there"
        problem = f"the mapping is not read: {error.strerror}"
        raise FixConfiguration(_place_of_mapping(file, settings), problem, hint) from None
    except OSError:  # as if it were not there
        return


def _place_of_mapping(file: AgencyFile, settings: DestinationSettings) -> str:
    """Where the agency file names the mapping of a destination."""
    name = next((name for name, own in file.settings.destinations.items() if own is settings), "")
    try:
        return written_at(find(read_tree(file.path), ("destinations", name, "mapping")).place)
    except FixConfiguration:  # it was changed meanwhile
        return str(file.path)


def read_mapping(path: Path, schema: TargetSchema | None = None, *, checked: bool = True) -> Loaded:
    """Load a mapping with its diagnostics. schema: the account's own, if known. checked: against it, too."""
    return load(path, schema=schema, shipped=shipped_folder(), crms=VENDORS, checked=checked)


def read_live(path: Path, schema: TargetSchema | None = None, *, checked: bool = True) -> Loaded:
    """Load a mapping that is to go live: it only loads if its own tests pass.

    They run without the CRM's schema, as `connector test` runs them; the load that has it comes after one without.
    """
    loaded = read_mapping(path, schema, checked=checked)
    return loaded if schema else tested(loaded)


def load_mapping(path: Path, schema: TargetSchema | None = None) -> CompiledMapping:
    """Load a mapping that must be correct. Raises FixMapping with every diagnostic and its line."""
    return _correct(path, read_mapping(path, schema))


def _correct(path: Path, loaded: Loaded) -> CompiledMapping:
    if loaded.mapping is None:
        raise FixMapping(str(path), "does not load\n" + render(loaded.diagnostics, loaded.texts))
    return loaded.mapping


def open_routes(files: Sequence[AgencyFile], store: Store, *, allow_failing_tests: bool = False) -> list[Watched]:
    """Open the route of every destination, with its mapping watched for changes.

    allow_failing_tests: of the mappings' own; otherwise such a destination sends nothing. Raises FixConfiguration,
    FixMapping: the process must not start with a configuration that cannot work.
    """
    watched, read = [], read_mapping if allow_failing_tests else read_live
    today = datetime.fromtimestamp(store.database.time() / 1000, UTC).date()
    for file in files:
        for where, notice in notices(file, today):
            telemetry.settings_deprecated(where, notice)
        for name, settings in file.settings.destinations.items():
            path = mapping_path(file, settings)
            first = read(path)
            mapping = _correct(path, first if first.mapping else read_mapping(path))
            route = open_route(file, name)
            bar = UNCHECKED if exposing(first) else None
            route.running = Running(mapping, bar if first.mapping else UNTESTED)
            route.undo = file.settings.retention.undo > 0
            watched.append(Watched(route, partial(read, path), fingerprint(first.files), store))
    return watched


def crm_clocks(files: Sequence[AgencyFile], routes: Mapping[str, Route]) -> list[tuple[str, RemoteClock]]:
    """List the address and the clock of each destination's CRM."""
    return [
        (settings.endpoint or routes[full_name].mapping.crm.address, routes[full_name].clock)
        for file in files
        for name, settings in file.settings.destinations.items()
        if (full_name := f"{file.settings.agency}/{name}")
    ]


def compared(files: Sequence[AgencyFile], routes: Mapping[str, Route]) -> list[tuple[Route, int]]:
    """List the destinations whose records are compared all the time, with the ms within which all of them are."""
    settings = {
        f"{file.settings.agency}/{name}": own for file in files for name, own in file.settings.destinations.items()
    }
    return [(routes[name], own.compare_days * DAY) for name, own in settings.items() if own.compare_days]


def notices(file: AgencyFile, today: date) -> list[tuple[str, str]]:
    """List what of an agency's file will not work for ever: the destination, and what to change."""
    return [
        (f"{file.settings.agency}/{name}", notice)
        for name, settings in file.settings.destinations.items()
        for notice in (settings.notice, _version_notice(settings, today))
        if notice
    ]


def _version_notice(settings: DestinationSettings, today: date) -> str:
    versions = destinations.vendor_of(settings).versions
    return versions.notice(settings.api_version, today) if versions else ""


def open_route(file: AgencyFile, name: str) -> Route:
    """Open a destination with its mapping. Raises FixConfiguration, FixMapping."""
    settings = file.settings.destinations[name]
    full_name = f"{file.settings.agency}/{name}"
    mapping = load_mapping(mapping_path(file, settings))
    budget = Budget(full_name)

    clock = RemoteClock()

    def on_call(method: str, path: str, status: int, duration_ms: float) -> None:
        telemetry.crm_called(full_name, method, path, status, duration_ms)
        if (moment := moment_of(destination.date)) is not None:
            clock.set(moment)
        movement.moved()
        if not mapping.crm.is_login(path):
            budget.called()

    destination = destinations.connect(mapping.crm, settings, on_call)
    day, timezone = mapping.crm.day, file.settings.timezone
    limit = settings.daily_limit or day.limit
    budget.allowance = Allowance(settings.budget, limit, timezone if day.until_midnight else "")
    lag = settings.search_lag * SECOND
    return Route(full_name, destination, Running(mapping), timezone, lag, budget=budget, clock=clock)


def subscriber(file: AgencyFile, console_url: str = "") -> Subscriber:
    """Build the ways an agency is alerted. console_url: where its messages lead; empty if unknown."""
    settings = file.settings.alarms
    renewals = [(name, own.renew_by) for name, own in file.settings.destinations.items() if own.renew_by]
    beat = settings.heartbeat
    heartbeat = partial(notify.ping, beat.get_secret_value(), insecure=settings.insecure) if beat else None
    window, days = settings.every * MINUTE, settings.backup_days
    return Subscriber(file.settings.agency, _ways(settings), window, renewals, heartbeat, console_url, days)


def _ways(settings: Alarms) -> dict[str, Way]:
    ways: dict[str, Way] = {}
    if settings.webhook:
        ways["webhook"] = partial(notify.post, settings.webhook.get_secret_value(), insecure=settings.insecure)
    if mail := settings.mail:
        host, _, port = mail.server.rpartition(":")
        login = mail.username, mail.password.get_secret_value()
        to = notify.Mail(mail.to, mail.sender, host, int(port), mail.security, *login, insecure=mail.insecure)
        ways["mail"] = partial(notify.send, to)
    return ways


def open_accounts(files: Sequence[AgencyFile], known: KnownAccount = lambda _: None) -> list[Account]:
    """Build every CRM account as operators see it, without calling any CRM.

    known: what its CRM said of a destination's account, if it was asked before.
    """
    kept = frozenset(absolute(file.path) for file in files)
    return [_account(file, name, known, kept) for file in files for name in file.settings.destinations]


def _account(file: AgencyFile, name: str, known: KnownAccount, kept: frozenset[Path]) -> Account:
    settings = file.settings.destinations[name]
    try:
        path = mapping_path(file, settings)
    except FixConfiguration:  # workers refuse to start without it; receiving events and the console go on
        path = file.path.parent / settings.mapping
    full_name, vendor = f"{file.settings.agency}/{name}", destinations.vendor_of(settings)
    return Account(
        full_name,
        file.settings.timezone,
        partial(read_mapping, path),
        lambda: target.load(saved) if (saved := saved_path(file, name)).is_file() else None,
        lambda: destinations.connect(load_mapping(path).crm, settings, partial(telemetry.crm_called, full_name)),
        _link(settings, partial(known, full_name)),
        Home(path, file.path.parent, not path.is_relative_to(shipped_folder()), kept),
        vendor.title,
        settings.renew_by,
        file.settings.alarms.backup_days,
        partial(versions.notice, settings.api_version) if (versions := vendor.versions) else no_notice,
    )


def saved_path(file: AgencyFile, name: str) -> Path:
    """Return where the schema of a destination is saved: beside the agency file."""
    return file.path.parent / f"{file.settings.agency}-{name}.schema.json"


def _link(settings: DestinationSettings, known: Callable[[], CrmAccount | None]) -> Link:
    """Return what links to an account's records; a sandbox or proxy has no pages to link to."""
    if settings.endpoint is not None:
        return no_link
    address = destinations.vendor_of(settings).record_address
    return lambda kind, crm_id: address(settings, known(), kind, crm_id)
