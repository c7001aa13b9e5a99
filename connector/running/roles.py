"""The roles as they run: receive and console serve listeners, work serves lanes."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from socket import socket
from typing import Final

from flask import Blueprint

from connector import telemetry
from connector.delivery.listen import Listener
from connector.delivery.rolling import Rolling
from connector.delivery.route import Pace, Route
from connector.delivery.worker import Worker
from connector.errors import StoreUnavailable
from connector.insight.alarm_watch import Watch
from connector.insight.sending import Subscriber
from connector.running import bootstrap
from connector.running.clocks import OwnClock
from connector.running.config import AgencyFile, Process
from connector.running.inspection import Inspection
from connector.running.memory import give_back_early
from connector.running.opening import Announced, Opening, in_background
from connector.running.outages import outages_reported, proven, receiving, repeated
from connector.running.partitions import Mover, lanes_of, partitions_of
from connector.running.proof import Proof
from connector.running.source_asking import source_asked
from connector.running.state import open_state
from connector.running.supervisor import GRACE
from connector.running.upkeep import Keep, Upkeep
from connector.store import Store
from connector.store.agencies import Terms
from connector.store.durable import require
from connector.store.line import RECEIVING, SHOWING, WORKING, Patience
from connector.store.writer import Bounded, Writer
from connector.web.console import create_console
from connector.web.door import SOCKETS, Door, Limits, serve_all
from connector.web.gate import ROOT
from connector.web.health import create_admin
from connector.web.hooks import create_hooks
from connector.web.hosts import read_hosts
from connector.web.listening import listen
from connector.web.openid_settings import OpenId, complete
from connector.web.origin import Origin, read_origin
from connector.web.passwords import Passwords
from connector.web.roster import Roster
from connector.web.waiting import create_waiting_admin, create_waiting_hooks

_NEW: Final = 10_000
"""New objects between two garbage collections. With Python's 700, which is a few events, a batch in use was collected
a hundred times, which took a tenth of its time.
"""

_SWITCH: Final = 0.0005
"""Seconds that one thread of a worker computes while others wait. With Python's 0.005, a lane with few events waits for
those with many at each of its steps, and new events for each statement of a commit that such a lane makes.
"""

STUCK: Final = 70
"""The exit status of a worker one of whose lanes did not move: EX_SOFTWARE of sysexits.h."""


def collect_rarely() -> None:
    """Collect garbage less often than Python does by default, and keep no memory that is free."""
    gc.set_threshold(_NEW)
    give_back_early()


def _announce(store: Store, files: Sequence[AgencyFile], routes: Iterable[Route] = ()) -> None:
    """Record these agencies' lanes and settings, and which mappings run. Raises StoreUnavailable."""
    store.lanes.open(lanes_of(partitions_of(files)))
    settings = [file.settings for file in files]
    store.agencies.announce([Terms(own.agency, own.reveal_values, own.retention.dead_letters) for own in settings])
    for route in routes:
        store.mappings.running(route.name, route.mapping.version, route.mapping.files)


@dataclass(frozen=True, slots=True)
class Listeners:
    """The sockets of one process, which listen before anything of it is recorded in the database."""

    hooks: socket | None = None
    admin: socket | None = None

    def close(self) -> None:
        """Listen no more in this process; another that has them from a fork still does."""
        for listening in filter(None, (self.hooks, self.admin)):
            listening.close()


def open_listeners(process: Process, *, hooks: bool) -> Listeners:
    """Listen where a role is to listen. Raises FixConfiguration if another program does."""
    with ExitStack() as opened:
        public = opened.enter_context(listen(process.listen)) if hooks else None
        admin = listen(process.admin_listen) if process.admin_listen else None
        opened.pop_all()
    return Listeners(public, admin)


def serve_web(
    process: Process, files: Sequence[AgencyFile], listeners: Listeners, *, hooks: bool, console: bool
) -> None:
    """Serve the hooks listener, or the admin listener, or both, until SIGTERM. Raises FixConfiguration."""
    collect_rarely()
    role, reported = ("receive", files) if hooks else ("console", ())
    agencies, hosts = bootstrap.open_agencies(files), _check_console(process)
    inspection, stores, proofs, openings = Inspection(hourly=False), list[Store](), list[Proof](), list[Opening]()
    pages = partial(_pages, process=process, files=files, console=console)
    hooks_door = _hooks_door(process, listeners.hooks) if listeners.hooks else None
    problem = partial(_first_problem, openings)
    admin_door = _admin_door(process, listeners.admin, problem)
    doors = list(filter(None, (hooks_door, admin_door)))

    def open_admin(closing: ExitStack) -> None:
        stores.append(store := _opened(process, closing, inspection, SHOWING))
        if admin_door:  # pages are shown though nothing may be written yet
            writer = _not_yet(store, problem, closing) if hooks else None
            admin_door.app = create_admin(store, pages(store), writer, hosts=hosts)

    def open_hooks(closing: ExitStack) -> None:
        if hooks_door:
            _allow_sockets()
            inbox = bootstrap.open_process_store(process, os.environ, RECEIVING)  # its own: pages never use it up
            closing.callback(inbox.close)
            closing.enter_context(bootstrap.open_marks(process, os.environ, inbox, "receive").kept())
            require(inbox.database, accepted=process.accept_data_loss)
            accept = Bounded(inbox.inbox.accept, inbox.inbox.waiting, process.inbox_limit)
            writer, full = Writer(accept, partial(_try_out, accept, inbox)), accept.full
            closing.callback(writer.close)
            names = [file.settings.agency for file in files]
            closing.enter_context(proven(proofs[-1], partial(receiving, writer, inbox, names)))
            writer.tell, hooks_door.proxies = hooks_door.soon, _entrance(process)[0].proxies
            hooks_door.app = create_hooks(agencies, writer)
            stores.append(_for_writing(stores[-1], process, closing, inspection))
            if admin_door:
                admin_door.app = create_admin(stores[-1], pages(stores[-1]), writer, full, hosts=hosts)

    def announce(closing: ExitStack) -> None:
        _announce(stores[-1], files)
        closing.callback(OwnClock(stores[-1], role, ()).keep_beating())
        telemetry.role_started(role, " ".join(f"{door.host}:{door.port}" for door in doors))

    with ExitStack() as closing:
        proofs.append(closing.enter_context(outages_reported(process, reported, "receiver")))
        steps = [Opening(step, proofs[-1].failed) for step in (open_admin, open_hooks, announce)]
        openings.extend(steps)
        asyncio.run(_until_stopped(doors, steps, closing))
    telemetry.role_stopped(role)


def _opened(process: Process, closing: ExitStack, inspection: Inspection, patience: Patience) -> Store:
    """Open the store and have it checked from now on. Raises FixConfiguration, StoreUnavailable."""
    store = bootstrap.open_process_store(process, os.environ, patience)
    closing.callback(store.close)
    inspection.first(store.database)
    closing.callback(inspection.go_on(store.database))
    return store


def _for_writing(store: Store, process: Process, closing: ExitStack, inspection: Inspection) -> Store:
    """Open it again if it was opened for reading alone, when its file could not be written: it would stay so."""
    return _opened(process, closing, inspection, SHOWING) if store.database.reads_alone() else store


def _first_problem(openings: Sequence[Opening]) -> str:
    """Why something is not open yet; empty if everything is."""
    return next((step.problem for step in openings if not step.is_open), "")


def _not_yet(store: Store, problem: Callable[[], str], closing: ExitStack) -> Writer:
    """What the admin port takes for the writer of events until there is one. problem: why not; empty if there is."""

    def refuse() -> None:
        if why := problem():
            raise StoreUnavailable("database", why)

    writer = Writer(store.inbox.accept, refuse)
    closing.callback(writer.close)
    return writer


def _allow_sockets() -> None:
    """Raise the soft limit of open files, often 1,024, so that many idle connections do not use it up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = SOCKETS if hard == resource.RLIM_INFINITY else min(hard, SOCKETS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _try_out(accept: Bounded, store: Store) -> None:
    """Write as an arrival is written, and look whether the inbox is full. Raises StoreUnavailable."""
    accept.look()
    store.prove()


def _hooks_door(process: Process, listening: socket) -> Door:
    """The door of the hooks port, whose application waits for nothing."""
    return Door(create_waiting_hooks(), *process.listen, Limits(threads=0), listening=listening)


def _admin_door(process: Process, listening: socket | None, problem: Callable[[], str]) -> Door | None:
    """The door of the admin port, if there is to be one. problem: why the database cannot be used yet."""
    if process.admin_listen is None or listening is None:
        return None
    waiting = create_waiting_admin(problem, _hosts(process))
    return Door(waiting, *process.admin_listen, pages=ROOT, at_once=frozenset({"/livez"}), listening=listening)


def _hosts(process: Process) -> frozenset[str]:
    """The names of the admin port that are configured. Raises FixConfiguration."""
    named, url = read_hosts(process.admin_hosts), read_origin(process.console_url, "").host
    own = process.admin_listen[0].lower() if process.admin_listen else ""
    return named | {own, url.rpartition(":")[0] or url} - {""}


def _pages(store: Store, process: Process, files: Sequence[AgencyFile], *, console: bool) -> list[Blueprint]:
    """The console, if it is wanted and has a password."""
    passwords, roster = _people(process)
    if not (console and (passwords.people or roster.people())):
        return []
    accounts, (origin, openid) = bootstrap.open_accounts(files, store.accounts.of), _entrance(process)
    key = _cookie_key(store)
    return [create_console(store, passwords, key, accounts=accounts, roster=roster, origin=origin, openid=openid)]


def _people(process: Process) -> tuple[Passwords, Roster]:
    """Who may sign in to the console. Raises FixConfiguration."""
    roster = Roster(process.console_people)
    roster.require()
    return Passwords(process.console_password_hash, process.console_viewer_password_hash), roster


def _check_console(process: Process) -> frozenset[str]:
    """Return the names of its port that are configured. Raises FixConfiguration."""
    _people(process)
    return _entrance(process)[0].names


def _entrance(process: Process) -> tuple[Origin, OpenId | None]:
    """Where the console is reached, and through whom people sign in. Raises FixConfiguration."""
    origin = replace(read_origin(process.console_url, process.console_proxies), names=_hosts(process))
    return origin, complete(process.console_openid, process.console_url)


def _cookie_key(store: Store) -> bytes:
    """Return the key of the console's cookies, the same after a restart and in every container of one database."""
    return bytes.fromhex(store.database.digest("console cookies", size=32))


async def _until_stopped(doors: Sequence[Door], steps: Sequence[Opening], closing: ExitStack) -> None:
    """Serve until a signal, or until opening fails for good: raises what it raised."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _close_all, doors)
    opened = in_background(steps, closing)
    opened.add_done_callback(lambda done: _close_all(doors) if done.exception() else None)
    await serve_all(doors)
    for step in steps:
        step.stop()
    if opened.done():
        opened.result()


def _close_all(doors: Sequence[Door]) -> None:
    for door in doors:
        door.close()


def serve_work(process: Process, files: Sequence[AgencyFile]) -> None:
    """Deliver until SIGTERM, then finish the current batch. Raises FixConfiguration, FixMapping."""
    collect_rarely()
    sys.setswitchinterval(_SWITCH)
    inspection, stores = Inspection(hourly=True), list[Store]()
    door = _admin_door(process, open_listeners(process, hooks=False).admin, lambda: opening.problem)
    with ExitStack() as closing:
        proof = closing.enter_context(outages_reported(process, files, "worker"))
        opened = partial(_open_work, process, inspection, proof, stores)
        opening = Opening(opened, proof.failed)
        if door:
            closing.callback(_beside(door))
        opening.until_open(closing)
        store = stores[-1]
        watched = bootstrap.open_routes(files, store, allow_failing_tests=process.allow_failing_tests)
        routes = {mapping.route.name: mapping.route for mapping in watched}
        for route in routes.values():
            closing.callback(route.destination.close)
        partitions = partitions_of(files)
        lanes = lanes_of(partitions)
        keep = {file.settings.agency: Keep(**dict(file.settings.retention)) for file in files}
        upkeep = Upkeep(store, keep, watched, time.monotonic)
        watch = Watch(store, _subscribers(process, files), open_state(process.database_url, os.environ), time.monotonic)
        closing.enter_context(repeated("alarms", watch))
        closing.enter_context(source_asked(files, store, routes.values()))
        own = OwnClock(store, "work", bootstrap.crm_clocks(files, routes))
        listener = Listener(store, list(routes.values()))
        mover = Mover(store, partitions, time.monotonic)
        announced = Announced(
            partial(_announce, store, files, routes.values()), partial(_announce, store, files), store.database.doubts
        )
        announced()
        rolling = Rolling(store, bootstrap.compared(files, routes), time.monotonic)
        beside = (announced, _while_right(own, upkeep, mover, listener), _while_right(own, rolling))
        served = {lane: routes[name] for lane, name in lanes.items()}
        pace = Pace(hold_ms=process.lease_seconds * 1000)
        worker = Worker(store, served, pace, beside, most=process.worker_lanes, may_work=lambda: not own.is_wrong())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: worker.stop())
        if door:
            door.app = create_admin(store, hosts=_hosts(process))
        closing.callback(own.keep_beating())
        telemetry.role_started("work", f"{len(lanes)} lanes")
        worker.run()
        if worker.stuck:
            os._exit(STUCK)  # a thread that does not move would keep this process from ending
        telemetry.role_stopped("work")


def _subscribers(process: Process, files: Sequence[AgencyFile]) -> list[Subscriber]:
    """The agencies that are alerted in some way."""
    every = [bootstrap.subscriber(file, process.console_url) for file in files]
    return [own for own in every if own.ways or own.heartbeat]


def _open_work(process: Process, inspection: Inspection, proof: Proof, stores: list[Store], closing: ExitStack) -> None:
    """Open the store of a worker and add it to `stores`. Raises FixConfiguration, StoreUnavailable."""
    store = _opened(process, closing, inspection, WORKING)
    closing.enter_context(bootstrap.open_marks(process, os.environ, store, "work").kept())
    require(store.database, accepted=process.accept_data_loss)
    closing.enter_context(proven(proof, store.watches.try_to_write))
    stores.append(store)


def _while_right(own: OwnClock, *tasks: Callable[[], None]) -> Callable[[], None]:
    """Do these tasks only while this machine's clock is right."""

    def act() -> None:
        for task in tasks:
            if not own.is_wrong():
                task()

    return act


def _beside(door: Door) -> Callable[[], None]:
    """Serve a listener in its own thread. Returns a function that stops it."""
    thread = threading.Thread(target=lambda: asyncio.run(serve_all([door])), name="admin", daemon=True)
    thread.start()

    def stop() -> None:
        door.close()
        thread.join(GRACE)

    return stop
