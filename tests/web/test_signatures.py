"""Which signatures, IDs and timestamps are good: the form of Standard Webhooks, and nothing that fits two messages."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping

import pytest

from connector.carecycle.signature import Verifier
from connector.errors import RefuseMessage
from tests.builders import NOBODYS, SECRET, a_customer, signed
from tests.web.served import OLD_SECRET

VERIFIER = Verifier("sunrise", [SECRET, OLD_SECRET])
BODY = json.dumps(a_customer()).encode()


def sign(message_id: str, timestamp: str, body: bytes = BODY, secret: str = SECRET) -> str:
    """A signature over exactly this, whatever its form."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()


def headers(message_id: str = "msg_1", timestamp: str = "", *, family: str = "svix", **more: str) -> dict[str, str]:
    timestamp = timestamp or str(int(time.time()))
    parts = {"id": message_id, "timestamp": timestamp, "signature": sign(message_id, timestamp), **more}
    return {f"{family}-{name}": value for name, value in parts.items()}


def verified(sent: Mapping[str, str], body: bytes = BODY) -> str:
    """The id of a message that is accepted: by its headers alone at first, and then with its body."""
    return VERIFIER.verify(body, VERIFIER.expect(sent, time.time()))


def refusal(sent: Mapping[str, str], body: bytes = BODY) -> str:
    """Why it is refused; empty if it is accepted."""
    try:
        verified(sent, body)
    except RefuseMessage as refused:
        return refused.reason
    return ""


class TestAmongSeveralSignatures:
    @pytest.mark.parametrize(
        "beside",
        [NOBODYS, "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5B==", "v2,AAAA", "v1", "v1,", ",", "v1,a", "v1,=",
         "v1,%%%%", "nonsense", "v1,a,b", "v1,\u00e9", "=" * 4_000],
    )  # fmt: skip
    def test_any_good_one_serves(self, beside: str) -> None:
        good = headers()["svix-signature"]
        for listed in (f"{beside} {good}", f"{good} {beside}", f"  {beside}   {good} {beside} ", f"{beside}, {good}"):
            assert refusal(headers(signature=listed)) == "", listed

    def test_any_secret_may_have_made_it(self) -> None:
        now = str(int(time.time()))
        old = sign("msg_1", now, secret=OLD_SECRET)
        assert refusal(headers(timestamp=now, signature=f"{NOBODYS} {old}")) == ""

    def test_a_hundred_of_which_none_is_good_are_refused(self) -> None:
        assert refusal(headers(signature=" ".join([NOBODYS] * 100))) == "wrong signature"

    def test_a_good_one_may_begin_with_any_letter(self) -> None:
        for number in range(300):
            assert refusal(headers(f"msg_{number}")) == ""


class TestAnId:
    @pytest.mark.parametrize(
        "message_id", ["msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", "5b1f7c0e-3a4d-4e5f-8a9b-0c1d2e3f4a5b", "evt:1/2", "x" * 256]
    )
    def test_is_of_any_visible_characters(self, message_id: str) -> None:
        assert refusal(headers(message_id)) == ""

    @pytest.mark.parametrize(
        "message_id", ["msg.1", ".", "msg_1.", "msg 1", "msg\t1", "m\u00e9", "m\x7f", "m\0", "x" * 257, "a, a"]
    )
    def test_of_any_other_form_is_refused(self, message_id: str) -> None:
        assert refusal(headers(message_id)) == "malformed headers"

    def test_cannot_take_the_beginning_of_a_body_to_itself(self) -> None:
        """msg_1.<time>.<time>.{} is the content of two messages, if the second's ID may have a dot."""
        now = str(int(time.time()))
        genuine = headers(timestamp=now, signature=sign("msg_1", now, f"{now}.{{}}".encode()))
        assert refusal(genuine, f"{now}.{{}}".encode()) == ""
        assert refusal({**genuine, "svix-id": f"msg_1.{now}"}, b"{}") == "malformed headers"


class TestATimestamp:
    @pytest.mark.parametrize(
        "form", ["{}.0", "+{}", "-{}", "{}e0", "0{}", "{}_0", "0x{}", "{} {}", "\u0661{}", "", " "]
    )
    def test_of_any_other_form_than_a_whole_number_is_refused(self, form: str) -> None:
        timestamp = form.format(*[int(time.time())] * 2)
        reason = "malformed headers" if timestamp.strip() else "signature headers missing"
        assert refusal({**headers(), "svix-timestamp": timestamp}) == reason

    @pytest.mark.parametrize("timestamp", ["nan", "inf", "1" * 12, "9" * 12, "1" * 13, "1" * 400])
    def test_that_is_no_time_is_refused(self, timestamp: str) -> None:
        assert refusal(headers(timestamp=timestamp)) in ("malformed headers", "timestamp in the future")

    @pytest.mark.parametrize(("seconds", "reason"), [(-330, "stale timestamp"), (330, "timestamp in the future")])
    def test_of_another_time_is_refused_without_its_body(self, seconds: int, reason: str) -> None:
        with pytest.raises(RefuseMessage, match=reason):
            VERIFIER.expect(headers(timestamp=str(int(time.time()) + seconds)), time.time())

    @pytest.mark.parametrize("seconds", [-270, 270])
    def test_may_be_some_minutes_off(self, seconds: int) -> None:
        assert refusal(headers(timestamp=str(int(time.time()) + seconds))) == ""

    def test_may_have_the_spaces_around_it_that_http_allows(self) -> None:
        sent = headers()
        assert refusal({**sent, "svix-timestamp": f" \t{sent['svix-timestamp']} "}) == ""


class TestBothFamilies:
    def test_may_come_together_and_svix_gives_the_id(self) -> None:
        assert verified({**headers("a", family="webhook"), **headers("b")}) == "b"

    @pytest.mark.parametrize(
        "spoilt",
        [
            {"svix-id": ""},
            {"svix-id": "a.b"},
            {"svix-timestamp": "1"},
            {"svix-signature": NOBODYS},
            {"svix-signature": "v2,A"},
        ],
    )
    def test_are_each_enough(self, spoilt: dict[str, str]) -> None:
        sent = {**headers("a", family="webhook"), **headers("b"), **spoilt}
        assert verified(sent) == "a"

    def test_are_never_mixed(self) -> None:
        svix, webhook = headers("a"), headers("b", family="webhook")
        mixed = {"svix-id": "a", "svix-timestamp": svix["svix-timestamp"], "webhook-signature": svix["svix-signature"]}
        assert refusal(mixed) == "signature headers missing"
        assert refusal({**webhook, "webhook-id": "a"}) == "wrong signature"


def test_what_is_signed_as_carecycle_does_is_accepted() -> None:
    body, sent = signed(a_customer())
    assert verified(sent, body) == sent["svix-id"]
