"""HubSpot out of order: limits, outages, wrong credentials, answers that are none. Nothing is lost, nothing echoed."""

from __future__ import annotations

import logging
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import ClassVar

import pytest

from connector.destinations.base import Verdict
from connector.destinations.hubspot.account import LIMITS, HubSpot
from connector.destinations.hubspot.auth import HubSpotAuth
from connector.errors import DestinationUnusable
from connector.sandbox.hubspot.limits import Tier
from tests.destinations.hubspot_fixtures import a_contact, sandbox_and_destination

UPSERTS = "/batch/upsert"
SECRET = "zyxcanary@example.org"


def unusable(hubspot: HubSpot) -> DestinationUnusable:
    with pytest.raises(DestinationUnusable) as caught:
        hubspot.write([a_contact(email=SECRET)])
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    return caught.value


class TestShortTroublesAreWaitedOutInsideTheAttempt:
    def test_a_ten_second_limit_waits_ten_seconds_where_hubspot_names_no_time(self, portal, hubspot, naps):
        portal.fault(UPSERTS, portal.rate_limited("TEN_SECONDLY_ROLLING"))
        assert hubspot.write([a_contact()])[0].verdict is Verdict.DELIVERED
        assert naps == [10.0]

    def test_a_ten_second_limit_waits_as_long_as_hubspot_says(self, portal, hubspot, naps):
        portal.fault(UPSERTS, portal.rate_limited("TEN_SECONDLY_ROLLING", retry_after=3))
        assert hubspot.write([a_contact()])[0].verdict is Verdict.DELIVERED
        assert naps == [3.0]

    def test_a_lock_is_waited_out_for_its_two_seconds(self, portal, hubspot, naps):
        portal.fault(UPSERTS, portal.locked_423())
        assert hubspot.write([a_contact()])[0].verdict is Verdict.DELIVERED
        assert naps == [2.0]

    def test_an_outage_is_asked_again_at_growing_distances(self, portal, hubspot, naps):
        portal.fault(UPSERTS, portal.html(502), times=2)
        assert hubspot.write([a_contact()])[0].verdict is Verdict.DELIVERED
        assert naps == [1.0, 2.0]

    def test_a_lost_reply_is_asked_again_and_writes_nothing_twice(self, portal, hubspot):
        portal.fault(UPSERTS, portal.lose_reply)
        assert hubspot.write([a_contact()])[0].verdict is Verdict.DELIVERED
        assert len(portal.records("contacts")) == 1

    def test_a_connection_closed_before_any_work_is_asked_again(self, portal, hubspot):
        portal.fault(UPSERTS, portal.refuse)
        assert hubspot.write([a_contact()])[0].verdict is Verdict.DELIVERED

    def test_the_last_request_of_ten_seconds_is_followed_by_a_rest(self, naps):
        knobs = {"tier": Tier(burst=1), "clock": lambda: sum(naps)}
        with sandbox_and_destination(sleep=naps.append, **knobs) as (portal, hubspot):
            hubspot.write([a_contact("c-1")])
            hubspot.write([a_contact("c-2")])
            assert [seen.status for seen in portal.seen] == [200, 200]
        assert len(naps) == 1

    def test_a_search_limit_waits_a_second(self, portal, hubspot, naps):
        portal.fault("/search", portal.rate_limited("SECONDLY"))
        hubspot.find("contacts", "city", ["Phoenix"], ["city"])
        assert naps == [1.0]


class TestLongTroublesPauseTheLane:
    def test_the_daily_limit_is_asked_again_after_an_hour(self, portal, hubspot, naps):
        portal.fault(UPSERTS, portal.rate_limited("DAILY"))
        error = unusable(hubspot)
        assert (error.reason, error.retry_after, naps) == ("quota", 3600, [])

    def test_a_limit_longer_than_an_attempt_is_left_to_the_lane(self, portal, hubspot, naps):
        portal.fault(UPSERTS, portal.rate_limited("TEN_SECONDLY_ROLLING", retry_after=120))
        error = unusable(hubspot)
        assert (error.reason, error.retry_after, naps) == ("rate", 120, [])

    def test_a_limit_that_stays_after_a_few_tries_is_left_to_the_lane(self, portal, hubspot, naps):
        portal.fault(UPSERTS, portal.rate_limited("TEN_SECONDLY_ROLLING"), times=9)
        error = unusable(hubspot)
        assert (error.reason, error.retry_after, naps) == ("rate", 10, [10.0, 10.0])

    @pytest.mark.parametrize(("told", "kept"), [(7200, 7200), (None, 3600)])
    def test_a_migration_parks_the_lane_for_as_long_as_it_takes(self, portal, hubspot, told, kept):
        portal.fault(UPSERTS, portal.migration_477(told))
        error = unusable(hubspot)
        assert (error.reason, error.retry_after) == ("maintenance", kept)

    @pytest.mark.parametrize("status", [500, 502, 503, 504, 521, 522, 523, 524, 525, 526, 599])
    def test_an_outage_that_stays_is_an_outage(self, portal, hubspot, status):
        portal.fault(UPSERTS, portal.html(status), times=9)
        assert unusable(hubspot).reason == "outage"
        assert len(portal.seen) == 3

    def test_the_sandboxs_own_limit_pauses_the_lane(self):
        tier = Tier(burst=2)
        with sandbox_and_destination(tier=tier, clock=lambda: 0.0) as (_, hubspot):
            for _ in range(2):
                hubspot.write([a_contact()])
            assert unusable(hubspot).reason == "rate"

    def test_a_server_that_never_answers_is_given_up(self, portal):
        with sandbox_and_destination(limits=replace(LIMITS, read=0.05), latency=0.3) as (_, hubspot):
            assert unusable(hubspot).reason == "network"

    @pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "http://[", "http://nowhere.invalid"])
    def test_nobody_at_the_address_is_a_network_trouble(self, endpoint):
        hubspot = HubSpot(
            HubSpotAuth.model_validate({"access_token": "t"}),
            endpoint=endpoint,
            on_call=lambda *_: None,
            sleep=lambda _: None,
        )
        assert unusable(hubspot).reason == "network"

    def test_a_failed_tls_handshake_is_a_network_trouble(self):
        with sandbox_and_destination() as (portal, _):
            portal.fault("", portal.refuse, times=9)
            endpoint = portal.url.replace("http:", "https:")
            auth = HubSpotAuth.model_validate({"access_token": portal.token})
            hubspot = HubSpot(auth, endpoint=endpoint, on_call=lambda *_: None, sleep=lambda _: None)
            assert unusable(hubspot).reason == "network"


class TestCredentials:
    def test_a_wrong_token_is_told_at_once(self):
        with sandbox_and_destination(token="wrong") as (portal, hubspot):
            assert unusable(hubspot).reason == "auth"
            assert len(portal.seen) == 1

    def test_a_token_cloudflare_cannot_read_is_told_as_one(self, portal, hubspot):
        portal.fault(UPSERTS, portal.html(530))
        assert unusable(hubspot).reason == "auth"

    def test_a_missing_scope_is_named(self):
        with sandbox_and_destination(scopes={"crm.objects.contacts.read"}) as (_, hubspot):
            error = unusable(hubspot)
        assert error.reason == "permissions"
        assert "crm.objects.contacts.write" in str(error)

    @pytest.mark.parametrize("token", ["", "  ", "two words", "line\nbreak", "schlüssel"])
    def test_a_token_that_fits_no_header_is_refused_without_printing_it(self, token):
        with pytest.raises(ValueError, match="access_token") as caught:
            HubSpotAuth.model_validate({"access_token": token})
        assert not token.strip() or token not in str(caught.value)

    def test_blanks_around_a_token_are_dropped(self):
        auth = HubSpotAuth.model_validate({"access_token": " pat-1\n"})
        assert auth.access_token.get_secret_value() == "pat-1"


class TestAnswersThatAreNone:
    def test_a_page_of_html_with_status_200_is_not_taken_for_success(self, portal, hubspot):
        portal.fault(UPSERTS, portal.html(200), times=9)
        assert unusable(hubspot).reason == "reply"

    def test_a_redirect_is_not_followed(self, portal, hubspot):
        portal.fault(UPSERTS, portal.html(302), times=9)
        assert unusable(hubspot).reason == "reply"
        assert len(portal.seen) == 1

    @pytest.mark.parametrize("body", ["[1]", '"text"', "{"])
    def test_json_of_another_shape_is_not_taken_for_success(self, portal, hubspot, body):
        portal.fault(UPSERTS, portal.empty_2xx(200, body), times=9)
        assert unusable(hubspot).reason == "reply"

    @pytest.mark.parametrize("status", [200, 202, 204])
    @pytest.mark.parametrize(
        "body", ["", '{"status": "COMPLETE", "results": []}', '{"results": 1}', '{"results": [5]}']
    )
    def test_a_success_that_tells_of_no_row_defers_the_rows(self, portal, hubspot, status, body):
        portal.fault(UPSERTS, portal.empty_2xx(status, "" if status == 204 else body))
        outcomes = hubspot.write([a_contact("c-1"), a_contact("c-2")])
        assert {(outcome.verdict, outcome.code) for outcome in outcomes} == {(Verdict.DEFERRED, "UNACCOUNTED")}

    def test_an_error_that_is_not_utf8_keeps_its_status(self, portal, hubspot):
        portal.fault(UPSERTS, portal.not_utf8(503), times=9)
        assert unusable(hubspot).reason == "outage"

    def test_a_refusal_that_is_not_utf8_rejects_its_row(self, portal, hubspot):
        portal.fault(UPSERTS, portal.not_utf8(400))
        assert hubspot.write([a_contact()])[0].code == "HTTP_400"

    def test_a_success_that_is_not_utf8_is_not_taken_for_one(self, portal, hubspot):
        portal.fault(UPSERTS, portal.not_utf8(200), times=9)
        assert unusable(hubspot).reason == "reply"

    def test_errors_inside_a_plain_success_are_read(self, portal, hubspot):
        portal.fault(UPSERTS, portal.success_with_errors())
        good, bad = hubspot.write([a_contact("c-1"), a_contact("c-2", hs_language="la")])
        assert (good.verdict, bad.code) == (Verdict.DELIVERED, "INVALID_OPTION")

    def test_an_undocumented_refusal_pauses_the_lane(self, portal, hubspot):
        portal.fault(UPSERTS, portal.html(418))
        error = unusable(hubspot)
        assert (error.reason, "418" in str(error)) == ("reply", True)

    def test_a_404_that_is_not_hubspots_kills_no_row(self, portal, hubspot):
        portal.fault(UPSERTS, portal.html(404))
        assert unusable(hubspot).reason == "reply"

    def test_an_empty_answer_to_a_read_is_not_taken_for_nobody(self, portal, hubspot):
        portal.fault("/batch/read", portal.empty_2xx())
        with pytest.raises(DestinationUnusable):
            hubspot.find("contacts", "email", [SECRET], [])


class TestNothingIsEchoed:
    @pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 423, 429, 500])
    def test_hubspots_own_words_stay_inside(self, portal, hubspot, status):
        message = f'{SECRET} [{{"error": "{SECRET}", "name": "{SECRET}"}}]'
        portal.fault(UPSERTS, portal.refused(status, SECRET, message), times=9)
        try:
            told = repr(hubspot.write([a_contact(email=SECRET)]))
        except DestinationUnusable as error:
            told = repr(error) + str(error)
        assert "zyxcanary" not in told

    def test_the_call_log_shows_paths_without_addresses(self):
        log: list[tuple[str, str, int, float]] = []
        with sandbox_and_destination(on_call=lambda *call: log.append(call)) as (_, hubspot):
            hubspot.write([a_contact(email=SECRET, unsubscribe=SECRET)])
        assert [call[:3] for call in log] == [
            ("POST", "/crm/objects/2026-03/contacts/batch/upsert", 200),
            ("POST", "/communication-preferences/2026-03/statuses/{address}/unsubscribe-all", 200),
        ]
        assert all(milliseconds > 0 for *_, milliseconds in log)

    def test_the_call_log_tells_of_every_try(self):
        log: list[int] = []
        with sandbox_and_destination(on_call=lambda *call: log.append(call[2])) as (portal, hubspot):
            portal.fault(UPSERTS, portal.html(502))
            portal.fault(UPSERTS, portal.refuse)
            hubspot.write([a_contact()])
        assert log == [502, 0, 200]

    def test_no_logger_prints_an_address_at_any_level(self, portal, hubspot, caplog):
        with caplog.at_level(logging.DEBUG):
            hubspot.write([a_contact(email=SECRET, unsubscribe=SECRET)])
        assert "zyxcanary" not in caplog.text


class _KeepsConnections(BaseHTTPRequestHandler):
    """A server that keeps connections open, as HubSpot does and the sandbox does not."""

    protocol_version = "HTTP/1.1"
    ports: ClassVar[list[int]] = []

    def do_POST(self) -> None:
        self.ports.append(self.client_address[1])
        self.rfile.read(int(self.headers["Content-Length"]))
        status, body = (400, b"{}") if len(self.ports) == 2 else (200, b'{"results": []}')
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


class TestConnections:
    def test_one_connection_serves_every_call_whatever_they_answer(self):
        with ThreadingHTTPServer(("127.0.0.1", 0), _KeepsConnections) as server:
            Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            auth = HubSpotAuth.model_validate({"access_token": "t"})
            endpoint = f"http://127.0.0.1:{server.server_port}"
            hubspot = HubSpot(auth, endpoint=endpoint, on_call=lambda *_: None, sleep=lambda _: None)
            for _ in range(3):
                hubspot.write([a_contact()])
            hubspot.close()
            server.shutdown()
        assert len(_KeepsConnections.ports) == 3
        assert len(set(_KeepsConnections.ports)) == 1


class TestTheVendorsClientIsKeptFromOurLogging:
    def test_the_level_of_urllib3s_logger_stays_as_it_was(self):
        logger = logging.getLogger("urllib3")
        logger.setLevel(logging.ERROR)
        try:
            with sandbox_and_destination():
                assert logger.level == logging.ERROR
        finally:
            logger.setLevel(logging.NOTSET)
