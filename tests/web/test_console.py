"""The console page by page and action by action, over both databases."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from connector.carecycle import catalogue
from connector.carecycle.catalogue import Kind, Privacy
from connector.errors import FixConfiguration, InFlight, PauseReason
from connector.insight.problems import find_causes
from connector.settlement import ObligationState, Pause, Payment, Refusal, Settlement
from connector.settlement.listings import SentAlarm
from connector.store import Store
from connector.store.agencies import Terms
from connector.store.inbox import Owed
from connector.web.console import create_console
from connector.web.health import create_admin
from connector.web.passwords import Passwords, check_password, hash_password
from tests.builders import CUSTOMER, DESTINATION, LANE, NOON, a_call, a_customer, an_arrival
from tests.conftest import Clock
from tests.web.conftest import ACTIONS, HASH, KEY, MINUTE, PASSWORD, RECORD, act, deeds, log_in, refuse, settle, token


class TestPasswords:
    def test_a_password_fits_its_own_hash_alone(self) -> None:
        made = hash_password(PASSWORD)
        assert check_password(PASSWORD, made)
        assert not check_password(PASSWORD.upper(), made)

    @pytest.mark.slow
    def test_a_hash_is_scrypt_salted_and_costly(self) -> None:
        made = hash_password(PASSWORD)
        assert made.startswith("scrypt:131072:8:1$")
        assert hash_password(PASSWORD) != made

    @pytest.mark.parametrize(
        "mangled", ["", "secret", HASH.replace("$", ""), HASH[:-1]], ids=["empty", "secret", "no $", "short"]
    )
    def test_a_mangled_hash_stops_the_start(self, store: Store, mangled: str) -> None:
        with pytest.raises(FixConfiguration, match="CONNECTOR_CONSOLE_PASSWORD_HASH"):
            create_console(store, Passwords(mangled), KEY)


class TestLogin:
    def test_a_stranger_is_sent_to_the_login_from_every_page(self, stranger: FlaskClient) -> None:
        pages = ["", "/events", "/events/one", "/problems", "/problems/0", "/why", "/lanes/pause", "/nowhere"]
        answers = [stranger.get(f"/console{page}") for page in pages]
        assert {answer.status_code for answer in answers} == {303}
        assert {answer.headers["Location"].split("?")[0] for answer in answers} == {"/console/login"}

    def test_a_stranger_can_do_nothing(self, stranger: FlaskClient) -> None:
        answers = [stranger.post(f"/console{action}") for action in ACTIONS]
        assert {answer.headers["Location"] for answer in answers} == {"/console/login"}

    def test_the_password_opens_the_overview(self, stranger: FlaskClient) -> None:
        assert log_in(stranger).headers["Location"] == "/console"
        assert stranger.get("/console").status_code == 200

    def test_a_trailing_slash_is_welcome(self, operator: FlaskClient) -> None:
        assert operator.get("/console/").status_code == 200

    def test_the_login_leads_back_to_the_page_asked_for(self, stranger: FlaskClient) -> None:
        assert "next=/console/events?state%3Ddead" in stranger.get("/console/events?state=dead").headers["Location"]
        assert log_in(stranger, next="/console/events?state=dead").headers["Location"] == "/console/events?state=dead"

    def test_the_login_leads_nowhere_else(self, stranger: FlaskClient) -> None:
        places = ["//evil.example", "https://evil.example", "/consoles", "/console/\\evil", ""]
        assert {log_in(stranger, next=place).headers["Location"] for place in places} == {"/console"}

    def test_a_wrong_password_is_told_and_opens_nothing(self, stranger: FlaskClient) -> None:
        answer = log_in(stranger, "guess")
        assert answer.status_code == 403
        assert "Wrong password." in answer.text
        assert stranger.get("/console").status_code == 303

    def test_after_five_wrong_passwords_even_the_right_one_waits(self, stranger: FlaskClient) -> None:
        assert [log_in(stranger, "guess").status_code for _ in range(5)] == [403] * 5
        answer = log_in(stranger)
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "12")
        assert "Wait 12 seconds" in answer.text

    def test_a_minute_later_the_right_one_opens(self, stranger: FlaskClient, clock: Clock) -> None:
        for _ in range(6):
            log_in(stranger, "guess")
        clock.forward(MINUTE)
        assert log_in(stranger).status_code == 303

    def test_one_address_does_not_lock_out_another(self, app: Flask, stranger: FlaskClient) -> None:
        for _ in range(6):
            log_in(stranger, "guess")
        elsewhere = app.test_client()
        elsewhere.environ_base["REMOTE_ADDR"] = "192.0.2.7"
        assert log_in(elsewhere).status_code == 303

    def test_the_right_password_forgives_the_wrong_ones(self, stranger: FlaskClient) -> None:
        for password in ["guess"] * 4 + [PASSWORD] + ["guess"] * 4:
            log_in(stranger, password)
        assert log_in(stranger).status_code == 303

    def test_a_login_without_its_token_is_refused(self, stranger: FlaskClient) -> None:
        stranger.get("/console/login")
        assert stranger.post("/console/login", data={"password": PASSWORD}).status_code == 400

    def test_each_of_two_login_pages_that_are_open_opens_the_console(self, stranger: FlaskClient) -> None:
        first = {"token": token(stranger, "/console/login"), "password": PASSWORD}
        stranger.get("/console/login")
        assert stranger.post("/console/login", data=first).status_code == 303

    def test_a_login_without_its_cookie_is_refused(self, app: Flask, stranger: FlaskClient) -> None:
        form = {"token": token(stranger, "/console/login"), "password": PASSWORD}
        assert app.test_client().post("/console/login", data=form).status_code == 400


class TestSession:
    def test_the_cookie_is_kept_from_scripts_and_from_other_sites(self, stranger: FlaskClient) -> None:
        cookie = log_in(stranger).headers["Set-Cookie"]
        for part in ("HttpOnly", "SameSite=Strict", "Path=/console", "Max-Age=28800"):
            assert part in cookie

    def test_the_cookie_is_secure_over_https(self, stranger: FlaskClient) -> None:
        answer = stranger.get("/console/login", base_url="https://localhost")
        assert "Secure" in answer.headers["Set-Cookie"]

    def test_it_ends_after_eight_hours_however_much_is_done(self, operator: FlaskClient, clock: Clock) -> None:
        for _ in range(24):
            assert operator.get("/console/why").status_code == 200
            clock.forward(20 * MINUTE)
        assert operator.get("/console/why").status_code == 303

    def test_it_ends_after_thirty_minutes_without_anything_done(self, operator: FlaskClient, clock: Clock) -> None:
        clock.forward(30 * MINUTE - 1000)
        assert operator.get("/console/why").status_code == 200
        clock.forward(30 * MINUTE)
        assert operator.get("/console/why").status_code == 303

    def test_a_page_that_refreshes_itself_does_not_keep_it(self, operator: FlaskClient, clock: Clock) -> None:
        for _ in range(3):
            clock.forward(10 * MINUTE)
            status = operator.get("/console/why", headers={"HX-Request": "true"}).status_code
        assert status == 303

    def test_it_ends_when_the_clock_is_set_back(self, operator: FlaskClient, clock: Clock) -> None:
        clock.forward(-24 * 60 * MINUTE)
        assert operator.get("/console/why").status_code == 303

    def test_an_expired_one_changes_nothing(self, operator: FlaskClient, store: Store, clock: Clock) -> None:
        refuse(store, 1, "INVALID_OPTION", "not an option")
        form = {"token": token(operator), "destination": DESTINATION, "code": "INVALID_OPTION"}
        clock.forward(9 * 60 * MINUTE)
        assert operator.post("/console/problems/replay", data=form).headers["Location"] == "/console/login"
        assert store.desk.waiting() == 0

    def test_a_forged_one_opens_nothing(self, stranger: FlaskClient) -> None:
        stranger.set_cookie("connector_session", "eyJvcGVyYXRvciI6dHJ1ZX0.AAAA", path="/console")
        assert stranger.get("/console").status_code == 303

    def test_the_cookie_of_the_login_form_opens_nothing(self, stranger: FlaskClient) -> None:
        stranger.get("/console/login")
        cookie = stranger.get_cookie("connector_login", path="/console")
        assert cookie is not None
        stranger.set_cookie("connector_session", cookie.value, path="/console")
        assert stranger.get("/console").status_code == 303

    def test_a_new_password_ends_it(self, operator: FlaskClient, store: Store, clock: Clock) -> None:
        cookie = operator.get_cookie("connector_session", path="/console")
        assert cookie is not None
        changed = create_console(store, Passwords(hash_password("another")), KEY, lambda: clock() / 1000)
        client = create_admin(store, [changed]).test_client()
        client.set_cookie("connector_session", cookie.value, path="/console")
        assert client.get("/console").status_code == 303

    def test_logging_out_ends_it(self, operator: FlaskClient) -> None:
        assert "Log in" in act(operator, "/console/logout").text
        assert operator.get("/console").status_code == 303

    def test_looking_at_the_login_page_does_not_end_it(self, operator: FlaskClient) -> None:
        operator.get("/console/login")
        assert operator.get("/console").status_code == 200


class TestForms:
    @pytest.mark.parametrize("form", [{}, {"token": "forged"}, {"token": "ü"}])
    def test_a_post_without_the_token_is_refused(self, operator: FlaskClient, form: Mapping[str, str]) -> None:
        answers = [operator.post(f"/console{action}", data=form) for action in ACTIONS]
        assert {answer.status_code for answer in answers} == {400}
        assert all("Nothing was changed." in answer.text for answer in answers)

    def test_too_many_parts_are_refused_in_words(self, operator: FlaskClient) -> None:
        parts = '--x\r\nContent-Disposition: form-data; name="part"\r\n\r\n\r\n' * 1001 + "--x--\r\n"
        answer = operator.post("/console/people", data=parts, content_type="multipart/form-data; boundary=x")
        assert (answer.status_code, "This is too much" in answer.text) == (413, True)


class TestHeaders:
    def test_every_page_is_locked_down(self, operator: FlaskClient) -> None:
        for page in ("/console/login", "/console", "/console/nowhere", "/console/events/unknown"):
            headers = operator.get(page).headers
            policy = set(headers["Content-Security-Policy"].split("; "))
            assert policy >= {"default-src 'self'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"}
            assert headers["Content-Type"] == "text/html; charset=utf-8"
            assert headers["X-Frame-Options"] == "DENY"
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Referrer-Policy"] == "same-origin"
            assert headers["Cache-Control"] == "no-store"

    def test_no_page_carries_script_or_style_of_its_own(self, operator: FlaskClient) -> None:
        pages = [
            operator.get(f"/console{page}").text
            for page in ("/login", "", "/events", "/problems", "/why", "/mapping/try")
        ]
        assert not any(re.search(r"<script(?! src=)|<style|style=|\son\w+=|javascript:", page) for page in pages)

    @pytest.mark.parametrize("file", ["console.css", "icon.svg", "console.js", "htmx.min.js", "htmx.LICENSE.txt"])
    def test_the_look_is_served_from_here_even_to_strangers(self, stranger: FlaskClient, file: str) -> None:
        with stranger.get(f"/console/static/{file}") as answer:
            assert (answer.status_code, answer.headers["X-Content-Type-Options"]) == (200, "nosniff")


class TestNow:
    def test_a_refused_mapping_is_told_with_its_lines_and_leads_to_its_edit(
        self, operator: FlaskClient, store: Store
    ) -> None:
        store.lanes.open({LANE: DESTINATION})
        store.mappings.running(DESTINATION, "v1")
        store.mappings.refused(DESTINATION, "own.yaml:2:5: error[M101] no event has a field")
        page = operator.get("/console").text
        assert "version <code>v1</code> has been running" in page
        assert "own.yaml:2:5: error[M101]" in page
        assert f'href="/console/mapping/try?destination={DESTINATION}"' in page
        assert "<title>(1) Now" in page

    def test_the_days_figures_come_with_charts_and_their_tables(self, operator: FlaskClient, store: Store) -> None:
        store.inbox.accept([an_arrival()])
        settle(store, "delivered")
        page = operator.get("/console").text
        assert "All is well: 1 event today, all delivered." in page
        assert page.count("Show as a table") == 2
        assert page.count("<rect") == 48 + 14

    def test_an_unusual_silence_is_pointed_out(self, operator: FlaskClient, store: Store, clock: Clock) -> None:
        store.lanes.open({LANE: DESTINATION})
        store.inbox.accept([an_arrival(received_at=NOON - number * MINUTE) for number in range(30)])
        clock.forward(29 * MINUTE)
        assert 'id="silence-events"' not in operator.get("/console").text
        clock.forward(2 * MINUTE)
        page = operator.get("/console").text
        assert 'id="silence-events"' in page
        assert "The last event arrived 31 minutes ago." in page

    def test_calls_nobody_told_of_are_unknown(self, operator: FlaskClient, store: Store) -> None:
        store.lanes.open({LANE: DESTINATION})
        assert "unknown: the CRM has not reported them" in operator.get("/console").text

    def test_an_empty_one_says_what_to_do(self, operator: FlaskClient, store: Store) -> None:
        page = operator.get("/console").text
        assert "Nothing is set up yet" in page
        assert "https://your-address/hooks/sunrise" in page

    def test_todays_deliveries_are_counted_by_state(self, operator: FlaskClient, store: Store) -> None:
        store.inbox.accept([an_arrival(), an_arrival(received_at=NOON - 13 * 60 * MINUTE)])
        settle(store, "delivered")
        refuse(store, 2, "INVALID_OPTION", "not an option")
        page = operator.get("/console").text
        assert 'aria-label="sunrise: 1 delivery delivered"' in page
        assert 'aria-label="sunrise: 2 deliveries dead"' in page

    def test_a_late_opt_out_comes_first(self, operator: FlaskClient, store: Store, clock: Clock) -> None:
        store.lanes.open({LANE: DESTINATION})
        store.mappings.running(DESTINATION, "v1")
        store.inbox.accept([an_arrival(priority=1, raised=frozenset({"doNotCall"}))])
        clock.forward(7 * MINUTE)
        page = operator.get("/console").text
        assert "1 opt-out has not reached salesforce for 7 minutes" in page
        assert "1 opt-out is not yet in the CRM, the oldest for 7 minutes." in page
        assert page.index('id="opt-outs-late-') < page.index('id="no-worker-')

    def test_a_fresh_opt_out_is_no_alarm(self, operator: FlaskClient, store: Store) -> None:
        store.lanes.open({LANE: DESTINATION})
        store.mappings.running(DESTINATION, "v1")
        store.inbox.accept([an_arrival(priority=1, raised=frozenset({"doNotCall"}))])
        assert 'id="opt-outs-late-' not in operator.get("/console").text

    def test_a_lane_is_idle_waiting_draining_or_paused(self, operator: FlaskClient, store: Store) -> None:
        store.lanes.open({LANE: DESTINATION})
        assert "idle</span> until its next delivery" in operator.get("/console").text
        store.inbox.accept([an_arrival()])
        assert "waiting</span> for a worker" in operator.get("/console").text
        assert store.lanes.lease("a worker", [LANE], MINUTE)
        assert "a worker is writing to the CRM" in operator.get("/console").text

    def test_a_paused_lane_says_why_since_when_and_until_when(
        self, operator: FlaskClient, store: Store, clock: Clock
    ) -> None:
        store.inbox.accept([an_arrival()])
        settle(store, "ready", Pause(15 * MINUTE, PauseReason.QUOTA, "the day's limit of API calls is used up"))
        clock.forward(3 * MINUTE)
        page = operator.get("/console").text
        assert "paused</span> for 3 minutes: the day&#39;s limit of API calls is used up (quota)" in page
        assert '<time datetime="2026-06-18T12:15:00Z">Jun 18, 05:15 MST</time>' in page

    def test_a_lane_whose_crm_fails_is_not_draining_while_it_is_tried_again(
        self, operator: FlaskClient, store: Store, clock: Clock
    ) -> None:
        store.inbox.accept([an_arrival()])
        for _ in range(2):
            settle(store, "ready", Pause(MINUTE, PauseReason.UNREACHABLE, "Salesforce does not answer"))
            clock.forward(2 * MINUTE)
        assert store.lanes.lease("a worker", [LANE], MINUTE)
        page = operator.get("/console").text
        assert "failing</span> for 4 minutes: Salesforce does not answer (unreachable)" in page
        assert "draining" not in page

    def test_what_gets_through_ends_the_failure(self, operator: FlaskClient, store: Store, clock: Clock) -> None:
        store.inbox.accept([an_arrival()])
        settle(store, "ready", Pause(MINUTE, PauseReason.UNREACHABLE, "Salesforce does not answer"))
        clock.forward(2 * MINUTE)
        settle(store, "delivered")
        (lane,) = store.desk.lanes()
        assert (lane.fails, lane.stopped_since) == (False, 0)
        assert "All is well: 1 event today, all delivered." in operator.get("/console").text

    def test_an_alarm_that_is_not_over_has_an_entry_even_if_nothing_else_speaks_of_it(
        self, operator: FlaskClient, store: Store
    ) -> None:
        store.lanes.open({LANE: DESTINATION})
        assert store.watches.take("sunrise", 1)
        store.watches.remember("sunrise", {"mail": {"was down connector": SentAlarm(NOON, on=True)}})
        assert 'id="was-down-connector"' in operator.get("/console").text


class TestSettingAside:
    @pytest.fixture(autouse=True)
    def _paused_lane(self, store: Store) -> None:
        store.lanes.open({LANE: DESTINATION})
        store.inbox.accept([an_arrival("msg_culprit")])
        lease = store.lanes.lease("worker", [LANE], MINUTE)
        assert lease is not None
        in_flight = InFlight(1, "contact", "Contact", "003A", 12)
        pause = Pause(15 * MINUTE, PauseReason.REQUEST, "our request is rejected", in_flight=in_flight)
        store.lanes.settle(lease, Settlement("", pause=pause), MINUTE)

    def test_the_overview_names_the_event_and_the_record_a_lane_paused_at(self, operator: FlaskClient) -> None:
        page = " ".join(operator.get("/console").text.split())
        assert 'href="/console/events/msg_culprit">msg_culprit</a> (record contact, Contact 003A)' in page
        assert "the first of 12 records in that call" in page

    def test_it_is_confirmed_first(self, operator: FlaskClient, store: Store) -> None:
        page = operator.get(f"/console/lanes/set-aside?lane={LANE}").text
        assert "<button>Set the event aside</button>" in page
        assert store.desk.lanes()[0].paused

    def test_it_ends_the_pause_and_is_recorded(self, operator: FlaskClient, store: Store) -> None:
        page = act(operator, "/console/lanes/set-aside", delivery="1", reason="it stops the CRM").text
        assert "The event is set aside." in page
        assert (store.desk.lanes()[0].paused, store.desk.story("msg_culprit")[0].code) == (False, "SET_ASIDE")
        assert "it stops the CRM" in deeds(store)[0].reason

    def test_it_needs_a_reason(self, operator: FlaskClient, store: Store) -> None:
        assert "enter a reason" in act(operator, "/console/lanes/set-aside", delivery="1", reason=" ").text
        assert store.desk.lanes()[0].paused

    def test_an_event_that_no_longer_waits_is_left_alone(self, operator: FlaskClient, store: Store) -> None:
        store.desk.set_aside(1, "ana", "why")
        page = act(operator, "/console/lanes/set-aside", delivery="1", reason="why").text
        assert "the event no longer waits" in page
        assert operator.get(f"/console/lanes/set-aside?lane={LANE}").status_code == 404


class TestLanes:
    @pytest.fixture(autouse=True)
    def _one_lane(self, store: Store) -> None:
        store.lanes.open({LANE: DESTINATION})

    @pytest.mark.parametrize("action", ["pause", "resume"])
    def test_an_action_is_confirmed_first(self, operator: FlaskClient, store: Store, action: str) -> None:
        page = operator.get(f"/console/lanes/{action}?lane={LANE}").text
        assert f"<button>{action.capitalize()} the lane</button>" in page
        assert deeds(store) == []

    def test_pausing_is_done_told_once_and_written_down(self, operator: FlaskClient, store: Store) -> None:
        page = act(operator, "/console/lanes/pause", lane=LANE).text
        assert f"{LANE} is paused until" in page
        assert "paused</span> by console, until someone resumes it" in page
        assert [(one.who, one.action, one.thing) for one in deeds(store)] == [("console", "pause", LANE)]
        assert f"{LANE} is paused until" not in operator.get("/console").text

    def test_resuming_lets_it_go_on(self, operator: FlaskClient, store: Store) -> None:
        store.desk.pause(LANE, "somebody")
        assert f"{LANE} is resumed." in act(operator, "/console/lanes/resume", lane=LANE).text
        assert not store.desk.lanes()[0].paused

    def test_pausing_what_is_paused_by_hand_says_so(self, operator: FlaskClient, store: Store) -> None:
        store.desk.pause(LANE, "somebody")
        page = act(operator, "/console/lanes/pause", lane=LANE).text
        assert f"Nothing was changed: {LANE} was already paused by hand." in page

    def test_resuming_what_is_not_paused_says_so(self, operator: FlaskClient) -> None:
        page = act(operator, "/console/lanes/resume", lane=LANE).text
        assert f"Nothing was changed: {LANE} was no longer paused." in page

    def test_a_lane_that_paused_itself_may_be_resumed_or_held(self, operator: FlaskClient, store: Store) -> None:
        store.inbox.accept([an_arrival()])
        settle(store, "ready", Pause(MINUTE, PauseReason.AUTH, "the login is refused"))
        page = operator.get("/console").text
        assert f"/console/lanes/resume?lane={LANE}" in page
        assert f"/console/lanes/pause?lane={LANE}" in page

    def test_an_unknown_lane_is_not_found(self, operator: FlaskClient) -> None:
        assert operator.get("/console/lanes/pause?lane=nobody").status_code == 404
        assert act(operator, "/console/lanes/pause", lane="nobody").status_code == 404


class TestEvents:
    def test_an_empty_list_says_what_to_expect(self, operator: FlaskClient) -> None:
        assert "No events yet: point careCycle" in operator.get("/console/events").text

    def test_the_newest_comes_first(self, operator: FlaskClient, store: Store) -> None:
        store.inbox.accept([an_arrival("msg_older")])
        store.inbox.accept([an_arrival("msg_newer", received_at=NOON + 1000)])
        page = operator.get("/console/events").text
        assert page.index("msg_newer") < page.index("msg_older")
        assert '<time datetime="2026-06-18T12:00:01Z">Jun 18, 05:00:01 MST</time>' in page

    def test_a_search_finds_what_matches(self, operator: FlaskClient, store: Store) -> None:
        changes = {"type": "call.completed", "customer_id": "somebody-else", "state": "ignored", "code": "UNKNOWN_TYPE"}
        elsewhere = Owed("sunrise/hubspot", "sunrise/hubspot/0")
        store.lanes.open({elsewhere.lane: elsewhere.destination})
        store.inbox.accept([an_arrival("msg_other"), an_arrival("msg_wanted", owed=(elsewhere,), **changes)])
        searches = {**changes, "message_id": " msg_wanted ", "destination": "sunrise/hubspot"}
        for name, value in searches.items():
            page = operator.get("/console/events", query_string={name: value}).text
            assert ("msg_wanted</a>" in page, "msg_other" in page) == (True, False), name

    def test_a_search_by_time_takes_the_first_moment_and_leaves_the_last(
        self, operator: FlaskClient, store: Store
    ) -> None:
        store.inbox.accept([an_arrival("msg_noon"), an_arrival("msg_one", received_at=NOON + 60 * MINUTE)])
        times = {"since": "2026-06-18T05:00", "until": "2026-06-18T06:00"}
        page = operator.get("/console/events", query_string=times).text
        assert ("msg_noon</a>" in page, "msg_one" in page) == (True, False)
        assert 'value="2026-06-18T05:00"' in page

    def test_a_search_keeps_what_was_typed(self, operator: FlaskClient) -> None:
        page = operator.get('/console/events?code="><b>&state=dead').text
        assert 'value="&#34;&gt;&lt;b&gt;"' in page
        assert '<option value="dead" selected>' in page
        assert "No event matches." in page

    def test_pages_go_backwards_by_key(self, operator: FlaskClient, store: Store) -> None:
        store.inbox.accept([an_arrival(f"msg_page_{number:03d}") for number in range(51)])
        first = operator.get("/console/events?state=ready").text
        older = re.search(r'href="([^"]+)">Older<', first)
        assert older is not None
        second = operator.get(older[1].replace("&amp;", "&")).text
        assert (first.count(">msg_page_"), second.count(">msg_page_")) == (50, 1)
        assert "Newest" in second
        assert "Older" not in second

    def test_a_nonsensical_search_is_survived(self, operator: FlaskClient) -> None:
        searches = ["before=x", "before=-1", f"before={10**30}", "code=%00", "before=%C2%B2"]
        assert {operator.get(f"/console/events?{search}").status_code for search in searches} == {200}


class TestOneEvent:
    def test_its_story_is_told_in_order(self, operator: FlaskClient, store: Store, clock: Clock) -> None:
        store.inbox.accept([an_arrival("msg_story")])
        settle(store, "ready", why=Refusal("UNABLE_TO_LOCK_ROW"), outcome="deferred", wait_ms=5000)
        clock.forward(MINUTE)
        settle(store, "delivered", records=[RECORD])
        page = operator.get("/console/events/msg_story").text
        told = ["Received and verified", "postponed, to be retried", "written to the CRM", "now <span"]
        places = [page.index(one) for one in told]
        assert places == sorted(places)

    def test_what_became_of_its_opt_outs_is_told_apart(self, operator: FlaskClient, store: Store) -> None:
        store.lanes.open({LANE: DESTINATION})
        store.inbox.accept([an_arrival("msg_story", priority=1, raised=frozenset({"doNotCall"}))])
        lease = store.lanes.lease("a worker", [LANE], MINUTE)
        assert lease is not None
        (owed,) = store.obligations.due(LANE, 9)
        paid = Payment(owed, ObligationState.APPLIED, object="Contact", crm_id="003X")
        store.lanes.settle(lease, Settlement("", payments=[paid]), MINUTE)
        page = operator.get("/console/events/msg_story").text
        assert "opt-out <code>doNotCall</code>" in page
        assert "It is in the CRM: Contact 003X." in page

    def test_an_attempt_tells_what_was_written_and_what_not(self, operator: FlaskClient, store: Store) -> None:
        store.inbox.accept([an_arrival("msg_story")])
        settle(store, "delivered", records=[RECORD])
        page = operator.get("/console/events/msg_story").text
        told = [
            "Contact",
            "003000000000001AAA",
            "<code>FirstName</code>, <code>LastName</code>",
            "<code>MobilePhone</code> (<code>doNotCall</code>)",
            "<code>LeadSource</code>",
            "mapping-v1",
            "request-7",
            "120 ms",
        ]
        assert [one for one in told if one not in page] == []

    def test_it_begins_with_whose_it_is_and_a_light_for_each_crm(self, operator: FlaskClient, store: Store) -> None:
        store.inbox.accept([an_arrival("msg_story", priority=1, raised=frozenset({"doNotCall"}))])
        settle(store, "delivered", records=[RECORD])
        head, _, _ = operator.get("/console/events/msg_story").text.partition("What happened")
        assert f'href="/console/people/sunrise/{CUSTOMER}"' in head
        assert '<span class="state dead">opt-out</span> <code>doNotCall</code>' in head
        assert (
            f'{DESTINATION}: <span class="light delivered"><span aria-hidden="true">●</span> delivered</span>' in head
        )
        assert "<code>FirstName</code>, <code>LastName</code>; withheld by consent: <code>MobilePhone</code>" in head

    def test_it_can_be_replayed_alone(self, operator: FlaskClient, store: Store) -> None:
        store.inbox.accept([an_arrival("msg_other"), an_arrival("msg_story")])
        settle(store, "delivered")
        link = re.search(r'href="([^"]+)">Replay…', operator.get("/console/events/msg_story").text)
        assert link is not None
        assert "Replay 1 event?" in operator.get(unescape(link[1])).text

    def test_what_was_fetched_is_not_called_signed(self, operator: FlaskClient, store: Store) -> None:
        store.inbox.accept([an_arrival("msg_fetched", priority=-1)])
        page = operator.get("/console/events/msg_fetched").text
        assert "<h3>Fetched</h3>" in page
        assert "signature" not in page

    def test_a_record_leads_to_the_crm(self, operator: FlaskClient, store: Store) -> None:
        store.inbox.accept([an_arrival("msg_story")])
        settle(store, "delivered", records=[RECORD])
        page = operator.get("/console/events/msg_story").text
        assert 'href="https://sunrise.my.salesforce.com/003000000000001AAA"' in page

    def test_a_dead_one_tells_its_cause_and_where_to_go(self, operator: FlaskClient, store: Store) -> None:
        store.inbox.accept([an_arrival("msg_dead")])
        settle(store, "dead", why=Refusal("INVALID_OPTION", "none of the options of 'state'", fields=("state",)))
        page = operator.get("/console/events/msg_dead").text
        assert "none of the options of &#39;state&#39;" in page
        assert "What to do: see Problems" in page

    def test_one_that_waits_tells_when_it_is_due(self, operator: FlaskClient, store: Store) -> None:
        store.inbox.accept([an_arrival("msg_waits", priority=1)])
        page = operator.get("/console/events/msg_waits").text
        assert f"Jun 18, 05:00:00 MST</time> in lane {LANE}" in page
        assert "because it carries an opt-out" in page

    def test_operational_values_are_shown_and_private_ones_named(self, operator: FlaskClient, store: Store) -> None:
        store.inbox.accept([an_arrival("msg_one", a_customer(firstName="Zebulon"))])
        page = operator.get("/console/events/msg_one").text
        assert "America/Phoenix" in page
        assert "customer.firstName" in page
        assert "Zebulon" not in page

    def test_they_are_searched_by_the_code_of_a_field_left_out(self, operator: FlaskClient, store: Store) -> None:
        store.inbox.accept([an_arrival("msg_whole")])
        settle(store, "delivered")
        page = operator.get("/console/events?state=delivered&left_out=INVALID_EMAIL").text
        assert "No event matches" in page

    def test_a_body_nobody_can_read_is_told(self, operator: FlaskClient, store: Store) -> None:
        store.inbox.accept([an_arrival("msg_broken", type="", body=b"{", state="dead", code="E210", reason="not JSON")])
        page = operator.get("/console/events/msg_broken").text
        assert "could not be read" in page

    def test_an_unknown_one_is_not_found(self, operator: FlaskClient) -> None:
        answers = [operator.get(f"/console/events/{one}") for one in ("msg_nobody", "a/b", "%00", "%3Cscript%3E")]
        assert {answer.status_code for answer in answers} == {404}
        assert all("No event with this ID" in answer.text for answer in answers)
        assert not any("<script>" in answer.text for answer in answers)


class TestRevealing:
    @pytest.fixture
    def allowed(self, store: Store) -> Store:
        store.agencies.announce([Terms("sunrise", True, 90)])
        store.inbox.accept([an_arrival("msg_one", a_customer(firstName="Zebulon", odd="Quokka"))])
        return store

    def test_is_off_unless_the_agency_file_allows_it(self, operator: FlaskClient, store: Store) -> None:
        store.inbox.accept([an_arrival("msg_one", a_customer(firstName="Zebulon"))])
        assert "Show every value" not in operator.get("/console/events/msg_one").text
        answer = act(operator, "/console/reveal/msg_one", reason="I want to")
        assert ("Zebulon" in answer.text, "reveal_values: true" in answer.text) == (False, True)
        assert deeds(store) == []

    def test_shows_every_value_in_answer_to_the_form_alone(self, operator: FlaskClient, allowed: Store) -> None:
        answer = act(operator, "/console/reveal/msg_one", reason="the agent called")
        assert ("Zebulon" in answer.text, "Quokka" in answer.text) == (True, True)
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Zebulon" not in operator.get("/console/events/msg_one").text

    def test_is_written_down_with_who_when_which_and_why(self, operator: FlaskClient, allowed: Store) -> None:
        act(operator, "/console/reveal/msg_one", reason="the agent\ncalled")
        (row,) = deeds(allowed)
        assert (row.who, row.action) == ("console:127.0.0.1", "reveal")
        assert (row.at, row.thing, row.reason) == (NOON, "sunrise/msg_one", "the agent called")

    @pytest.mark.parametrize("reason", ["", "  \n"])
    def test_needs_a_reason(self, operator: FlaskClient, allowed: Store, reason: str) -> None:
        answer = act(operator, "/console/reveal/msg_one", reason=reason)
        assert (answer.status_code, "Zebulon" in answer.text, "Enter a reason" in answer.text) == (400, False, True)
        assert deeds(allowed) == []

    def test_needs_the_token_of_a_form_of_ours(self, operator: FlaskClient, allowed: Store) -> None:
        assert operator.post("/console/reveal/msg_one", data={"reason": "x"}).status_code == 400
        assert deeds(allowed) == []

    def test_of_an_unknown_event_is_not_found(self, operator: FlaskClient, allowed: Store) -> None:
        assert act(operator, "/console/reveal/msg_two", reason="x").status_code == 404


class TestExpiring:
    def test_dead_letters_near_their_end_are_pointed_out(
        self, operator: FlaskClient, store: Store, clock: Clock
    ) -> None:
        refuse(store, 4, "INVALID_EMAIL", "no e-mail address", "email")
        store.agencies.announce([Terms("sunrise", False, 90)])
        told = "4 dead letters will be discarded within 7 days"
        clock.forward(82 * 24 * 60 * MINUTE)
        log_in(operator)
        assert told not in operator.get("/console/problems").text
        clock.forward(2 * 24 * 60 * MINUTE)
        log_in(operator)
        log_in(operator)
        assert [told in operator.get(f"/console{page}").text for page in ("", "/problems")] == [True, True]


class TestWhatGoesWrong:
    @pytest.fixture
    def ready_address(self, database_address: str) -> str:
        """What is broken here is no other test's."""
        return database_address

    def test_an_unknown_page_has_the_same_look(self, operator: FlaskClient) -> None:
        answer = operator.get("/console/nowhere")
        assert answer.status_code == 404
        assert "Page not found" in answer.text
        assert "console.css" in answer.text

    def test_a_database_without_its_tables_is_a_503_in_the_same_look(self, operator: FlaskClient, store: Store) -> None:
        with store.database.transaction() as connection:
            for table in ("attempts", "deliveries"):
                connection.execute(text(f"DROP TABLE {table}"))
        answers = [operator.get(f"/console{page}") for page in ("", "/events", "/events/one", "/problems")]
        assert {answer.status_code for answer in answers} == {503}
        assert all("The database could not do this" in one.text and "console.css" in one.text for one in answers)

    def test_content_under_a_lost_key_says_which_setting_to_fix(self, operator: FlaskClient, store: Store) -> None:
        store.inbox.accept([an_arrival("msg_sealed")])
        with store.database.transaction() as connection:
            connection.execute(text("UPDATE events SET payload = :other"), {"other": b"n" * 80})
        answer = operator.get("/console/events/msg_sealed")
        assert answer.status_code == 200
        assert "CONNECTOR_DATA_KEY" in answer.text


def _planted(path: str, kind: Kind) -> Any:
    """A value nothing else on any page could contain."""
    number = 70_000_000 + list(catalogue.FIELDS).index(path)
    match kind:
        case Kind.INTEGER:
            return number
        case Kind.DATE:
            return f"{1000 + number % 1000}-01-02"
        case Kind.BOOLEAN:
            return True
        case _:
            return f"canary-{number}"


def _canaries() -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """A customer, a call and every value in them that no page may show."""
    private = [one for one in catalogue.FIELDS.values() if one.privacy is not Privacy.OPERATIONAL]
    planted = {one.path: _planted(one.path, one.kind) for one in private}
    of = {
        head: {path.split(".")[1]: v for path, v in planted.items() if path.startswith(head)}
        for head in ("customer", "call")
    }
    customer = a_customer(**of["customer"], unknownField="canary-extra")
    call = a_call(customer, **of["call"], another={"deep": "canary-deep"})
    return customer, call, [*(str(v) for v in planted.values() if v is not True), "canary-"]


class TestPrivacy:
    def test_no_page_shows_a_payload_value(self, operator: FlaskClient, store: Store) -> None:
        customer, call, planted = _canaries()
        store.inbox.accept(
            [
                an_arrival("msg_a", customer),
                an_arrival("msg_b", call, type="call.completed"),
                an_arrival("msg_c", {"event_type": "canary-type", "name": "canary-name"}, type="", state="ignored"),
            ]
        )
        settle(store, "dead", why=Refusal("INVALID_OPTION", "none of the options"), records=[RECORD])
        pages = ["", "/events", f"/events?customer_id={CUSTOMER}", "/problems"]
        pages += [f"/events/msg_{one}" for one in "abc"]
        (cause,) = find_causes(store)
        pages += [
            f"/problems/{cause.id}",
            f"/problems/{cause.id}/replay",
            f"/why?id={CUSTOMER}",
            f"/lanes/pause?lane={LANE}",
        ]
        shown = {page: operator.get(f"/console{page}") for page in pages}
        assert {answer.status_code for answer in shown.values()} == {200}
        assert [(page, value) for page, answer in shown.items() for value in planted if value in answer.text] == []
