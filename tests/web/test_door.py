"""A request before it is a message: how its body is framed, what its headers say, and what room it takes."""

from __future__ import annotations

import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest
import requests

from tests.builders import NOBODYS, a_customer, signed
from tests.patience import PATIENCE, until
from tests.web.served import Served, begun, head, heard, shown_out

CHUNKED = "Transfer-Encoding: chunked"
CLOSE = "Connection: close"
KEPT = b"HTTP/1.1 204"
MIB = 1024 * 1024


def chunks(body: bytes, size: int = 100, extension: bytes = b"", trailer: bytes = b"") -> bytes:
    """A body in chunks, with what may stand beside them."""
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    framed = b"".join(b"%x%s\r\n%s\r\n" % (len(part), extension, part) for part in parts)
    return framed + b"0\r\n" + trailer + b"\r\n"


def statuses(answer: bytes) -> list[str]:
    return [line.split()[1] for line in answer.decode("latin-1").splitlines() if line.startswith("HTTP/1.")]


class TestABodyInChunks:
    @pytest.mark.parametrize(
        "framed",
        [
            chunks,
            lambda body: chunks(body, len(body)),
            lambda body: chunks(body, 1),
            lambda body: chunks(body, extension=b';name="a value"'),
            lambda body: chunks(body, trailer=b"X-Checksum: 1\r\nX-More: 2\r\n"),
        ],
        ids=["several", "one", "of a byte each", "with extensions", "with trailers"],
    )
    def test_is_kept_as_with_a_length(self, hook: Served, framed: Callable[[bytes], bytes]) -> None:
        body, headers = signed(a_customer())
        assert hook.say(head(headers, CHUNKED), framed(body)).startswith(KEPT)
        assert len(hook.deliveries()) == 2

    def test_may_arrive_in_pieces_cut_anywhere(self, hook: Served) -> None:
        body, headers = signed(a_customer())
        said = head(headers, CHUNKED) + chunks(body)
        assert hook.say(*(said[start : start + 37] for start in range(0, len(said), 37))).startswith(KEPT)

    def test_may_be_sent_again_and_again_by_one_client(self, hook: Served) -> None:
        with requests.Session() as session:
            for _ in range(3):
                body, headers = signed(a_customer())
                answer = session.post(hook.url, data=iter([body[:50], body[50:]]), headers=headers, timeout=PATIENCE)
                assert answer.status_code == 204

    def test_is_the_last_of_its_connection_because_a_length_beside_it_goes_unseen(self, hook: Served) -> None:
        body, headers = signed(a_customer())
        smuggled = head({}, "Content-Length: 0", path="/hooks/smuggled")
        answer = hook.say(head(headers, CHUNKED, "Content-Length: 5"), chunks(body), smuggled)
        assert statuses(answer) == ["204"]

    def test_may_wait_for_leave_to_be_sent(self, hook: Served) -> None:
        body, headers = signed(a_customer())
        with hook.connect(head(headers, CHUNKED, "Expect: 100-continue")) as wire:
            assert wire.recv(100).startswith(b"HTTP/1.1 100")
            wire.sendall(chunks(body))
            assert heard(wire).startswith(KEPT)

    @pytest.mark.parametrize("coding", ["gzip, chunked", "chunked, chunked", "identity", f"chunked\r\n{CHUNKED}"])
    def test_in_any_other_coding_is_400(self, hook: Served, coding: str) -> None:
        body, headers = signed(a_customer())
        assert statuses(hook.say(head(headers, f"Transfer-Encoding: {coding}", CLOSE), chunks(body))) == ["400"]

    @pytest.mark.parametrize("size", [b"zz", b"-5", b"", b"0x5", b"FFFFFFFFFFFFFFFFF"])
    def test_of_a_size_that_is_none_is_not_kept(self, hook: Served, size: bytes) -> None:
        body, headers = signed(a_customer())
        answer = hook.say(head(headers, CHUNKED), size + b"\r\n" + body + b"\r\n0\r\n\r\n")
        assert statuses(answer) in (["400"], ["401"])
        assert hook.deliveries() == []


class TestABodyWithALength:
    def test_may_be_followed_by_others_on_its_connection(self, hook: Served) -> None:
        said = b""
        for more in ([], [], [CLOSE]):
            body, headers = signed(a_customer())
            said += head(headers, f"Content-Length: {len(body)}", *more) + body
        assert statuses(hook.say(said)) == ["204"] * 3

    def test_that_ends_too_soon_is_400(self, hook: Served) -> None:
        body, headers = signed(a_customer())
        with hook.connect(head(headers, f"Content-Length: {len(body) + 5}"), body) as wire:
            wire.shutdown(socket.SHUT_WR)
            assert statuses(heard(wire)) == ["400"]
        assert hook.deliveries() == []

    @pytest.mark.parametrize("length", ["-1", "+5", "5, 6", "5\r\nContent-Length: 6", "0x5", "five", "9" * 30])
    def test_of_no_length_at_all_is_400(self, hook: Served, length: str) -> None:
        _, headers = signed(a_customer())
        assert statuses(hook.say(head(headers, f"Content-Length: {length}", CLOSE))) == ["400"]

    def test_in_the_manner_of_1_0_is_kept(self, hook: Served) -> None:
        body, headers = signed(a_customer())
        assert statuses(hook.say(head(headers, f"Content-Length: {len(body)}", version="1.0"), body)) == ["204"]


class TestABodyWithoutALength:
    def test_in_the_manner_of_1_0_is_411(self, hook: Served) -> None:
        body, headers = signed(a_customer())
        assert statuses(hook.say(head(headers, version="1.0"), body)) == ["411"]

    def test_is_none(self, hook: Served) -> None:
        _, headers = signed(a_customer())
        assert hook.say(head(headers, CLOSE)).endswith(b"wrong signature\n")


class TestHeadersAreJudgedFirst:
    """None of these sends a byte of the body it announces."""

    LENGTH = "Content-Length: 5000000"

    @pytest.mark.parametrize("framing", [LENGTH, CHUNKED])
    @pytest.mark.parametrize(
        ("status", "reason", "change"),
        [
            ("401", "signature headers missing", {"svix-id": None}),
            ("401", "signature headers missing", {"svix-timestamp": None}),
            ("401", "signature headers missing", {"svix-signature": None}),
            ("401", "malformed headers", {"svix-id": "msg.1"}),
            ("401", "stale timestamp", {"svix-timestamp": "1000000000"}),
            ("401", "timestamp in the future", {"svix-timestamp": "99999999999"}),
            ("401", "no v1 signature", {"svix-signature": "v1a,AAAA"}),
        ],
    )
    def test_a_forged_message_is_401(
        self, hook: Served, framing: str, status: str, reason: str, change: dict[str, str | None]
    ) -> None:
        sent = {name: value for name, value in {**signed(a_customer())[1], **change}.items() if value is not None}
        answer = hook.say(head(sent, framing))
        assert statuses(answer) == [status]
        assert answer.endswith(f"\r\n\r\n{reason}\n".encode())

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("path", "status"), [("/hooks/nobody", "404"), ("/elsewhere", "404"), ("//hooks//sunrise", "404")]
    )
    def test_a_path_that_is_none_is_404(self, hook: Served, path: str, status: str) -> None:
        assert statuses(hook.say(head(signed(a_customer())[1], self.LENGTH, path=path))) == [status]

    @pytest.mark.slow
    @pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE"])
    def test_any_other_method_is_405(self, hook: Served, method: str) -> None:
        said = head(signed(a_customer())[1], self.LENGTH).replace(b"POST", method.encode(), 1)
        assert statuses(hook.say(said)) == ["405"]

    def test_a_body_announced_as_too_large_is_413(self, hook: Served) -> None:
        assert statuses(hook.say(head(signed(a_customer())[1], "Content-Length: 6000000"))) == ["413"]

    @pytest.mark.slow
    def test_a_body_that_waits_for_leave_gets_the_answer_instead(self, hook: Served) -> None:
        answer = hook.say(head({}, self.LENGTH, "Expect: 100-continue"))
        assert statuses(answer) == ["401"]

    def test_a_refused_request_without_a_body_keeps_its_connection(self, hook: Served) -> None:
        said = head(signed(a_customer())[1]).replace(b"POST", b"GET", 1)
        assert statuses(hook.say(said, head({}, CLOSE))) == ["405", "401"]


class TestABodyOfSixMegabytes:
    @pytest.fixture
    def large(self) -> tuple[bytes, dict[str, str]]:
        return signed(a_customer(address="x" * 6 * MIB))

    def test_leaves_its_sender_the_413_to_read(self, hook: Served, large: tuple[bytes, dict[str, str]]) -> None:
        body, headers = large
        with hook.connect(head(headers, f"Content-Length: {len(body)}"), body) as wire:
            assert wire.recv(100).startswith(b"HTTP/1.1 413")

    def test_leaves_it_to_urllib(self, hook: Served, large: tuple[bytes, dict[str, str]]) -> None:
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(hook.url, *large), timeout=PATIENCE)
        with refused.value as answer:
            assert (answer.code, answer.read()) == (413, b"the body is too large\n")

    @pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
    @pytest.mark.parametrize("more", [[], [CHUNKED], ["Expect:"]], ids=["waits", "chunked", "at once"])
    def test_leaves_it_to_curl(
        self, hook: Served, large: tuple[bytes, dict[str, str]], more: list[str], tmp_path: Path
    ) -> None:
        body, headers = large
        (tmp_path / "body").write_bytes(body)
        said = [f"{name}: {value}" for name, value in headers.items()] + more
        options = [word for line in said for word in ("-H", line)]
        curl = ["curl", "-s", "--data-binary", f"@{tmp_path / 'body'}", *options, hook.url]
        assert subprocess.run(curl, capture_output=True, check=True).stdout == b"the body is too large\n"


class TestAHalfSentBody:
    @pytest.mark.parametrize("sent", [0, 4, 100_000, 4_000_000])
    def test_is_408(self, hasty: Served, sent: int) -> None:
        with hasty.connect(begun(5_000_000, sent)) as stalled:
            assert stalled.recv(100).startswith(b"HTTP/1.1 408")

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "sent", [b"", b"5\r\nhe", b"5\r\nhello\r\n", b"5\r\nhello\r\n0\r\n", b"5;a=", b"5\r\nhello\r\n0\r\nX: y"]
    )
    def test_in_chunks_is_408(self, hasty: Served, sent: bytes) -> None:
        with hasty.connect(head(signed(a_customer())[1], CHUNKED), sent) as stalled:
            assert stalled.recv(100).startswith(b"HTTP/1.1 408")

    @pytest.mark.slow
    def test_that_waits_for_leave_is_408(self, hasty: Served) -> None:
        with hasty.connect(head(signed(a_customer())[1], "Content-Length: 100", "Expect: 100-continue")) as stalled:
            assert statuses(heard(stalled)) == ["100", "408"]

    @pytest.mark.slow
    def test_after_others_on_its_connection_is_408(self, hasty: Served) -> None:
        body, headers = signed(a_customer())
        with hasty.connect(head(headers, f"Content-Length: {len(body)}"), body, begun(100)) as stalled:
            assert statuses(heard(stalled)) == ["204", "408"]

    @pytest.mark.slow
    def test_to_which_a_byte_is_added_now_and_then_is_408(self, hasty: Served) -> None:
        with hasty.connect(begun(1_000_000)) as dripping:
            dripping.settimeout(0.05)
            while not (answer := _next(dripping)):
                dripping.sendall(b"x")
            assert answer.startswith(b"HTTP/1.1 408")

    def test_three_hundred_times_stops_nobody(self, hook: Served) -> None:
        stalled = [hook.connect(begun(100)) for _ in range(300)]
        assert hook.post(a_customer()).status_code == 204
        for connection in stalled:
            connection.close()

    def test_of_one_source_too_often_is_503_for_the_oldest(self, hook: Served) -> None:
        hook.door.limits = replace(hook.door.limits, half_sent=3, moment=0.0)
        with _stalled(hook, 5) as stalled:
            for oldest in stalled[:2]:
                assert b"HTTP/1.1 503" in oldest.recv(200)
            assert shown_out(stalled[2:]) == []
            assert hook.post(a_customer()).status_code == 204

    def test_of_several_sources_is_counted_for_each(self, hook: Served) -> None:
        hook.door.limits = replace(hook.door.limits, half_sent=1, moment=0.0)
        hook.door.proxies = [ip_network("127.0.0.0/8")]
        with _stalled(hook, 4, "X-Forwarded-For: 203.0.113.{}") as stalled:
            assert hook.post(a_customer()).status_code == 204
            assert shown_out(stalled) == []

    def test_names_its_source_only_through_a_proxy_that_is_trusted(self, hook: Served) -> None:
        hook.door.limits = replace(hook.door.limits, half_sent=1, moment=0.0)
        with _stalled(hook, 2, "X-Forwarded-For: 203.0.113.{}") as stalled:
            assert b"HTTP/1.1 503" in stalled[0].recv(200)

    def test_of_all_sources_too_often_is_503_for_the_oldest(self, hook: Served) -> None:
        hook.door.limits = replace(hook.door.limits, half_sent_in_all=2, moment=0.0)
        with _stalled(hook, 3) as stalled:
            assert b"HTTP/1.1 503" in stalled[0].recv(200)
            assert shown_out(stalled[1:]) == []


@contextmanager
def _stalled(hook: Served, count: int, header: str = "X: {}") -> Iterator[list[socket.socket]]:
    """Connections on which a body has begun, one after another."""
    with ExitStack() as opened:
        made: list[socket.socket] = []
        for number in range(count):
            said = head(signed(a_customer())[1], "Content-Length: 100", header.format(number))
            known = set(hook.half_sent())
            made.append(opened.enter_context(hook.connect(said)))
            until(lambda known=known: hook.half_sent() - known)  # type: ignore[misc]  # a default binds it
        yield made


def _next(wire: socket.socket) -> bytes:
    try:
        return bytes(wire.recv(100))
    except TimeoutError:
        return b""


class TestRoom:
    def test_that_half_sent_bodies_take_is_made_for_one_that_arrives(self, hook: Served) -> None:
        hook.door.limits = replace(hook.door.limits, large=1_000, larger=150_000, moment=0.0)
        large = a_customer(address="x" * 60_000)
        with hook.connect(begun(200_000, 100_000)) as stalled:
            until(lambda: hook.taken()[True] == 100_000)
            assert hook.post(large).status_code == 204
            assert hook.post(large).status_code == 204
            assert b"HTTP/1.1 503" in stalled.recv(200)
        until(lambda: hook.taken() == {True: 0, False: 0})

    def test_for_which_nobody_gives_way_is_503(self, hook: Served) -> None:
        hook.door.limits = replace(hook.door.limits, large=1_000, larger=150_000)
        with hook.connect(begun(200_000, 100_000)):
            until(lambda: hook.taken()[True] == 100_000)
            answer = hook.post(a_customer(address="x" * 60_000))
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
            assert hook.post(a_customer()).status_code == 204  # small ones have room of their own
        until(lambda: hook.post(a_customer(address="x" * 60_000)).status_code == 204)

    def test_of_small_bodies_is_limited_too(self, hook: Served) -> None:
        hook.door.limits = replace(hook.door.limits, smaller=2_000)
        with hook.connect(begun(3_000, 1_900)):
            until(lambda: hook.taken()[False] == 1_900)
            answer = hook.post(a_customer())
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        until(lambda: hook.post(a_customer()).status_code == 204)


class TestAHeader:
    def test_given_twice_is_no_id(self, hook: Served) -> None:
        body, headers = signed(a_customer())
        said = head(headers, f"svix-id: {headers['svix-id']}", f"Content-Length: {len(body)}")
        assert hook.say(said, body).endswith(b"malformed headers\n")

    def test_of_signatures_may_be_given_twice(self, hook: Served) -> None:
        body, headers = signed(a_customer())
        said = head(headers, f"svix-signature: {NOBODYS}", f"Content-Length: {len(body)}", CLOSE)
        assert hook.say(said, body).startswith(KEPT)

    def test_that_is_not_ascii_counts_as_absent(self, hook: Served) -> None:
        body, headers = signed(a_customer())
        said = head({**headers, "svix-id": "msg_\xe9"}, f"Content-Length: {len(body)}")
        assert hook.say(said, body).endswith(b"signature headers missing\n")

    def test_of_another_name_that_is_not_ascii_is_nothing_against_it(self, hook: Served) -> None:
        body, headers = signed(a_customer())
        assert hook.say(head(headers, "X-Name: Zo\xeb", f"Content-Length: {len(body)}", CLOSE), body).startswith(KEPT)
