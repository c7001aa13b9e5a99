"""The comparison notices what a broken product would do, and the tools do what their names say."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain

import pytest

from connector.cli.stage import free_ports
from tests import processes
from tests.chaos.compare import Call, Comparison, Contact, Held, compare
from tests.chaos.conftest import Case
from tests.chaos.disks import SmallDisk
from tests.chaos.faketime import FakeClock
from tests.chaos.pgbouncer import PgBouncer
from tests.chaos.proxy import Proxy
from tests.chaos.traffic import Story
from tests.chaos.world import World
from tests.patience import PATIENCE, until
from tests.ports import free_port, ports_of

STORY = Story(3)
NUMBERS = range(30)


def right() -> Held:
    """What a CRM holds after all of the story."""
    contacts = []
    for person in range(3):
        mine = [number for number in NUMBERS if number % 3 == person]
        city = max((number for number in mine if STORY.city(number)), default=None)
        flags = frozenset(flag for number in mine if (flag := STORY.flag(number)))
        contacts.append(Contact(f"id-{person}", f"c-{person}", f"Name {mine[-1]}", city and f"City {city}", flags))
    calls = [Call(call, frozenset({f"id-{n % 3}"})) for n in NUMBERS if (call := STORY.call(n))]
    return Held("crm", contacts, calls)


def differs(held: Held, acknowledged: range | list[int] = NUMBERS) -> Comparison:
    return compare(STORY, NUMBERS, acknowledged, [held])


class TestComparison:
    def test_what_was_acknowledged_is_clean(self) -> None:
        assert differs(right()).clean

    def test_what_was_sent_and_not_acknowledged_may_be_there(self) -> None:
        assert differs(right(), [*range(20)]).clean

    @pytest.mark.parametrize(
        ("kind", "breaks"),
        [
            ("lost", lambda held: held.contacts.pop()),
            ("lost", lambda held: held.calls.pop()),
            ("lost", lambda held: held.calls.append(replace(held.calls.pop(), contacts=frozenset()))),
            ("lost", lambda held: held.calls.append(replace(held.calls.pop(), contacts=frozenset({"id-0"})))),
            ("twice", lambda held: held.contacts.append(replace(held.contacts[0], id="other"))),
            ("twice", lambda held: held.calls.append(held.calls[0])),
            ("stale", lambda held: held.contacts.append(replace(held.contacts.pop(), last="Name 2"))),
            ("stale", lambda held: held.contacts.append(replace(held.contacts.pop(0), city="City 3"))),
            ("strange", lambda held: held.contacts.append(replace(held.contacts.pop(), last="Name 300"))),
            ("strange", lambda held: held.contacts.append(replace(held.contacts[0], customer="c-9"))),
            ("strange", lambda held: held.calls.append(Call("call-999", frozenset()))),
            ("opt_outs", lambda held: held.contacts.append(replace(held.contacts.pop(0), flags=frozenset()))),
            ("opt_outs", lambda held: held.contacts.append(replace(held.contacts.pop(0), unsubscribed=False))),
        ],
    )
    def test_notices(self, kind: str, breaks: Callable[[Held], object]) -> None:
        held = right()
        breaks(held)
        assert getattr(differs(held), kind)

    def test_an_event_acknowledged_and_not_kept_shows(self, case: Case) -> None:
        world = case.world()
        world.role("run")
        world.ready()
        with world.send(people=5, rate=100) as traffic:
            traffic.more(40)
        assert world.settle(30).clean
        traffic.sent.add(10**6), traffic.acknowledged.update({10**6: 0.0})
        assert world.compare().lost or world.compare().stale


class TestPorts:
    def test_none_is_given_twice(self) -> None:
        assert len({free_port() for _ in range(500)}) == len({*free_ports(500)}) == 500

    @pytest.mark.parametrize("workers", [1, 3, 4])
    def test_no_two_processes_of_a_run_have_one_in_common(self, workers: int) -> None:
        shares = [ports_of(f"gw{number}", workers) for number in range(workers)]
        assert len({*chain.from_iterable(shares)}) == sum(map(len, shares))


FAMILY = """\
import os, time
for _ in range(2_000):
    if not os.fork():
        time.sleep(600)
time.sleep(600)
"""


class TestProcesses:
    @pytest.fixture
    def growing(self) -> Iterator[subprocess.Popen[bytes]]:
        """A process that starts one after the other."""
        with subprocess.Popen([sys.executable, "-c", FAMILY]) as parent:
            until(lambda: len(processes.children(parent.pid)) > 20)
            yield parent
            processes.kill(parent.pid)

    def test_none_goes_on_that_is_started_while_they_are_stopped(self, growing: subprocess.Popen[bytes]) -> None:
        stopped = processes.freeze(growing.pid)
        assert {processes.state(pid) for pid in (growing.pid, *processes.children(growing.pid))} == {"T"}
        assert set(stopped) == {growing.pid, *processes.children(growing.pid)}

    def test_none_is_left_when_they_are_killed(self, growing: subprocess.Popen[bytes]) -> None:
        known = processes.children(growing.pid)
        processes.kill(growing.pid)
        assert all(map(processes.ended, [growing.pid, *known]))


class Echo:
    """A server that says everything again."""

    def __init__(self) -> None:
        script = (
            "import socket,threading\n"
            "s=socket.create_server(('127.0.0.1',0));print(s.getsockname()[1],flush=True)\n"
            "def serve(c):\n"
            "    while (d:=c.recv(65536)): c.sendall(d)\n"
            "while True: threading.Thread(target=serve,args=(s.accept()[0],),daemon=True).start()\n"
        )
        self.process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def proxy(case: Case) -> Proxy:
    made: Proxy = case.keep(Proxy(case.keep(Echo()).port))
    return made


def dial(proxy: Proxy, patience: float = PATIENCE) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=patience)


def says(line: socket.socket, text: bytes = b"hello") -> bytes:
    """What comes back, or nothing within the socket's patience."""
    line.sendall(text)
    try:
        return line.recv(100)
    except TimeoutError:
        return b"silence"


class TestProxy:
    def test_old_connections_are_mute_while_new_ones_pass(self, proxy: Proxy) -> None:
        with dial(proxy) as old:
            assert says(old) == b"hello"
            proxy.mute(new=False)
            old.settimeout(1.0)
            assert says(old) == b"silence"
            with dial(proxy) as new:
                assert says(new) == b"hello"
            assert says(old) == b"silence"

    def test_a_cut_is_a_reset_or_an_end(self, proxy: Proxy) -> None:
        with dial(proxy) as line:
            assert says(line) == b"hello"
            proxy.cut(reset=False)
            assert line.recv(10) == b""
        with dial(proxy) as line:
            assert says(line) == b"hello"
            proxy.cut()
            with pytest.raises(ConnectionResetError):
                line.recv(10)

    def test_half_a_reply(self, proxy: Proxy) -> None:
        proxy.cut_replies(1)
        with dial(proxy) as line:
            assert says(line, b"12345678") == b"1234"
        with dial(proxy) as line:
            assert says(line) == b"hello"

    def test_delay_and_drip(self, proxy: Proxy) -> None:
        proxy.delay = 0.1
        with dial(proxy) as line:
            began = time.monotonic()
            assert says(line) == b"hello"
            assert time.monotonic() - began >= 0.2
            proxy.delay, proxy.drip = 0.0, 0.5
            assert says(line) in (b"h", b"he", b"hel", b"hell")

    def test_refused_and_accepted_again(self, proxy: Proxy) -> None:
        proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            dial(proxy)
        proxy.accept()
        with dial(proxy) as line:
            assert says(line) == b"hello"


class TestPostgres:
    def test_it_freezes_is_read_only_and_comes_back_as_an_older_copy(self, case: Case) -> None:
        server = case.postgres()
        assert (server.value("SHOW fsync"), server.value("SHOW synchronous_commit")) == ("on", "on")
        with server.connection() as connection:
            connection.execute("CREATE TABLE told (what int)")
        copy = server.copy()
        with server.connection() as connection:
            connection.execute("INSERT INTO told VALUES (1)")
        server.freeze()
        assert not server.answers()
        server.thaw()
        assert server.answers()
        server.read_only(True)
        assert server.value("SHOW transaction_read_only") == "on"
        server.read_only(False)
        server.kill()
        server.start()
        assert server.value("SELECT count(*) FROM told") == 1
        server.fail_over(copy)
        assert server.value("SELECT count(*) FROM told") == 0

    def test_pgbouncer_passes_on(self, case: Case) -> None:
        bouncer: PgBouncer = case.keep(PgBouncer(case.postgres(), "transaction"))
        bouncer.start()
        bouncer.restart()
        assert bouncer.answers()


class TestClocksAndDisks:
    def test_a_process_follows_its_clock(self, case: Case) -> None:
        clock = FakeClock(case.folder, seconds=86_400)
        script = (
            "import sys, time; print(time.time(), flush=True); began = time.monotonic(); input()\n"
            "while time.time() > float(sys.argv[1]): time.sleep(0.05)\n"
            "print(time.time(), time.monotonic() - began)"
        )
        command = [sys.executable, "-c", script, str(time.time())]
        environment = {**os.environ, **clock.environment}
        with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert abs(float(process.stdout.readline()) - time.time() - 86_400) < 60
            clock.move(-3_600)
            output, _ = process.communicate(b"\n", timeout=120)
            shown, passed = map(float, output.split())
            assert abs(shown - time.time() + 3_600) < 60
            assert passed < 120

    def test_a_small_disk_is_full_and_has_room_again(self, case: Case) -> None:
        disk: SmallDisk = case.keep(SmallDisk(case.folder / "disk", megabytes=2))
        disk.fill()
        with pytest.raises(OSError, match="No space"):
            (disk.folder / "file").write_bytes(b"\0" * 8192)
        disk.empty()
        (disk.folder / "file").write_bytes(b"\0" * 8192)
        assert disk.read_only(True)
        with pytest.raises(OSError, match="Read-only"):
            (disk.folder / "other").write_bytes(b"\0")
        assert disk.read_only(False)


class TestWorld:
    def test_traffic_in_both_crms(self, case: Case, open_world: Callable[..., World]) -> None:
        world = open_world()
        world.role("receive")
        world.role("work")
        world.ready()
        with world.send() as traffic:
            traffic.more(60)
            world.crash("work")
            world.repaired()
            traffic.more(60)
        assert case.record("a worker is killed", world).clean
