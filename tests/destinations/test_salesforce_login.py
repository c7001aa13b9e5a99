"""Coming in to Salesforce: credentials, one login at a time, sessions that end."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Response
from pydantic import ValidationError

from connector.destinations.base import Outcome, Verdict
from connector.destinations.salesforce.account import Salesforce, connect
from connector.destinations.salesforce.auth import Credentials
from connector.destinations.salesforce.settings import SalesforceSettings
from connector.errors import DestinationUnusable
from connector.sandbox.salesforce import INSTANCE_URL, SalesforceSandbox
from connector.sandbox.salesforce.faults import reply
from connector.sandbox.wire import Wire
from tests.destinations.salesforce_fixtures import (
    Calls,
    a_contact,
    client_credentials,
    credentials,
    jwt,
    key_pair,
    password,
    sandbox_and_destination,
)
from tests.patience import one_in_three

TOKEN = "/services/oauth2/token"


def unusable(salesforce: Salesforce) -> DestinationUnusable:
    with pytest.raises(DestinationUnusable) as caught:
        salesforce.write([a_contact()])
    return caught.value


class TestFlows:
    def test_client_credentials_log_in_at_the_orgs_own_domain(self) -> None:
        with sandbox_and_destination(client_credentials()) as (sandbox, salesforce):
            (outcome,) = salesforce.write([a_contact()])
        assert outcome.verdict is Verdict.DELIVERED
        assert [call.host for call in sandbox.calls(TOKEN)] == ["youragency.my.salesforce.com"]

    def test_a_jwt_is_signed_for_login(self) -> None:
        with sandbox_and_destination(jwt(), public_key=key_pair()[1]) as (sandbox, salesforce):
            salesforce.write([a_contact()])
        assert [call.host for call in sandbox.calls(TOKEN)] == ["login.salesforce.com"]

    @pytest.mark.parametrize(
        ("domain", "is_sandbox"),
        [
            ("acme.my.salesforce.com", False),
            ("acme-dev-ed.develop.my", False),
            ("acme--uat.sandbox.my", True),
            ("acme-dev-ed.scratch.my", True),
            ("test", True),
        ],
    )
    def test_a_jwt_goes_to_any_domain_with_the_audience_of_its_kind_of_org(self, domain: str, is_sandbox: bool) -> None:
        auth, knobs = jwt(domain=domain), {"public_key": key_pair()[1], "is_sandbox": is_sandbox}
        with sandbox_and_destination(auth, **knobs) as (_, salesforce):
            assert salesforce.write([a_contact()])[0].verdict is Verdict.DELIVERED

    @pytest.mark.parametrize("flow", [client_credentials, jwt, password])
    def test_a_government_org_is_reached_at_its_own_address(self, flow: Callable[..., Credentials]) -> None:
        auth = flow(domain="https://acme.my.salesforce.mil/")
        with sandbox_and_destination(auth, public_key=key_pair()[1]) as (sandbox, salesforce):
            sandbox.gate.instance_url = "https://acme.my.salesforce.mil"
            assert salesforce.write([a_contact()])[0].verdict is Verdict.DELIVERED
            assert {call.host for call in sandbox.calls()} == {"acme.my.salesforce.mil"}

    def test_a_user_logs_in_with_password_and_security_token_in_one(self) -> None:
        auth = password(password="sandbox-", security_token="password", domain="youragency.my")
        with sandbox_and_destination(auth) as (sandbox, salesforce):
            assert salesforce.write([a_contact()])[0].verdict is Verdict.DELIVERED
            (login,) = sandbox.calls(TOKEN)
        assert (login.host, "grant_type=password" in login.body) == ("youragency.my.salesforce.com", True)

    def test_a_password_with_signs_of_xml_arrives_as_it_is(self) -> None:
        with sandbox_and_destination(password(password="a<b>&c")) as (sandbox, salesforce):
            sandbox.gate.users["integration@youragency.com"] = "a<b>&c"
            assert salesforce.write([a_contact()])[0].verdict is Verdict.DELIVERED

    def test_an_open_session_needs_no_login(self) -> None:
        with sandbox_and_destination() as (sandbox, salesforce):
            salesforce.write([a_contact()])
            assert sandbox.calls(TOKEN) == []

    def test_nothing_is_called_before_it_is_needed(self) -> None:
        with sandbox_and_destination(client_credentials()) as (sandbox, _):
            assert sandbox.calls() == []


class TestCredentials:
    @pytest.mark.parametrize(
        "domain", ["acme.my", "acme.my.salesforce.com", " https://acme.my.salesforce.com/ ", "ACME.my.salesforce.com"]
    )
    def test_a_domain_may_be_written_in_any_way(self, domain: str) -> None:
        assert client_credentials(domain=domain).model_dump()["domain"] == "acme.my"

    @pytest.mark.parametrize(
        "domain", ["", "login", "test", "https://login.salesforce.com", "acme.lightning.force.com", "evil.com#", "a b"]
    )
    def test_client_credentials_need_a_my_domain(self, domain: str) -> None:
        with pytest.raises(ValidationError, match=r"My Domain"):
            client_credentials(domain=domain)

    @pytest.mark.parametrize("key", ["", "not a key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"])
    def test_a_private_key_must_be_one(self, key: str) -> None:
        with pytest.raises(ValidationError, match="RSA private key in PEM"):
            jwt(private_key=key)

    def test_a_key_of_another_kind_is_refused(self) -> None:
        curve = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with pytest.raises(ValidationError, match="RSA private key"):
            jwt(private_key=curve.decode())

    def test_a_misspelt_setting_is_refused(self) -> None:
        with pytest.raises(ValidationError, match="client_secrets"):
            credentials(flow="client_credentials", client_id="x", client_secrets="y", domain="acme.my")

    def test_an_instance_url_must_be_an_address(self) -> None:
        with pytest.raises(ValidationError, match="expected an address"):
            credentials(flow="session", session_id="x", instance_url="https://")

    def test_an_unknown_flow_is_refused(self) -> None:
        with pytest.raises(ValidationError, match="flow"):
            credentials(flow="device", username="x")

    def test_no_secret_is_ever_printed(self) -> None:
        secrets = [client_credentials(client_secret="s3cret"), password(password="s3cret"), jwt()]
        assert "s3cret" not in repr(secrets)
        assert "PRIVATE KEY" not in repr(secrets)

    def test_no_secret_is_printed_when_it_is_refused(self) -> None:
        with pytest.raises(ValidationError) as caught:
            jwt(private_key="s3cret", domain="not a domain s3cret")
        assert "s3cret" not in str(caught.value)

    def test_every_setting_says_what_it_is(self) -> None:
        for auth in (
            client_credentials(),
            jwt(),
            password(),
            credentials(flow="session", session_id="x", instance_url="acme.my"),
        ):
            fields = type(auth).model_fields
            assert all(field.description for name, field in fields.items() if name != "flow")


class TestLoginsThatFail:
    @pytest.mark.parametrize(
        ("auth", "says"),
        [
            (client_credentials(client_id="nobody"), "check client_id"),
            (client_credentials(client_secret="wrong"), "check client_id and client_secret"),
            (jwt(username="nobody@youragency.com"), "pre-authorize"),
            (jwt(client_id="nobody"), "check client_id"),
            (password(password="wrong"), "check the user"),
            (password(client_id="nobody"), "check client_id"),
        ],
    )
    def test_what_to_fix_is_told(self, auth: Any, says: str) -> None:
        with sandbox_and_destination(auth, public_key=key_pair()[1]) as (sandbox, salesforce):
            error = unusable(salesforce)
            assert (error.reason, len(sandbox.calls())) == ("auth", 1)
        assert says in str(error)

    def test_a_key_of_another_certificate_is_refused(self) -> None:
        with sandbox_and_destination(jwt()) as (_, salesforce):  # the sandbox holds no certificate
            assert unusable(salesforce).reason == "auth"

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            (Response("<html>", 503, content_type="text/html"), "outage"),
            (reply([{"errorCode": "SERVER_UNAVAILABLE", "message": ""}], 503), "outage"),
            (reply({"error": "unknown_error", "error_description": "retry your request"}, 400), "outage"),
            (reply({"error": "invalid_grant", "error_description": "login rate exceeded"}, 400), "rate"),
            (reply({"error": "rate_limit_exceeded"}, 429), "unreachable"),
            (Response("<html>", 200, content_type="text/html"), "unreachable"),
            (reply({"access_token": "x"}), "unreachable"),
            (reply({"instance_url": INSTANCE_URL}), "unreachable"),
            (Response("", 302, {"Location": "https://elsewhere.example.org/"}), "unreachable"),
            (Response("<html>", 404, content_type="text/html"), "auth"),
            (reply({"error": "invalid_grant"}, 400), "auth"),
            (reply({"error": "inactive_user", "error_description": "user is inactive"}, 400), "auth"),
            (reply({"error": "something_new", "error_description": "x"}, 400), "auth"),
        ],
    )
    def test_passing_faults_are_told_from_lasting_ones(self, answer: Response, reason: str) -> None:
        with sandbox_and_destination(client_credentials()) as (sandbox, salesforce):
            sandbox.fault(TOKEN, answer)
            assert unusable(salesforce).reason == reason

    @pytest.mark.parametrize(
        ("error", "description", "says"),
        [
            ("invalid_grant", "no client credentials user enabled", "Run As user"),
            ("invalid_grant", "request not supported on this domain", "My Domain"),
            ("invalid_grant", "client credentials flow not enabled", "Enable Client Credentials Flow"),
            ("invalid_grant", "no valid scopes", "add the scope"),
            ("invalid_grant", "user hasn't approved this consumer", "permission set"),
            ("invalid_grant", "audience is invalid", "test for a sandbox"),
            ("invalid_grant", "invalid assertion", "clock"),
            ("invalid_grant", "ip restricted", "IP ranges"),
            ("invalid_grant", "inactive user", "activate the user"),
            ("invalid_grant", "expired access/refresh token", "new credentials"),
            ("invalid_grant", "authentication failure - Invalid Password", "password"),
            ("invalid_grant", "something new", "check the user"),
            ("invalid_client", "invalid client credentials", "client_secret"),
            ("invalid_app_access", "user is not admin approved to access this app", "admit the user"),
            ("unsupported_grant_type", "grant type not supported", "enable it"),
        ],
    )
    def test_each_refusal_has_a_sentence_of_its_own(self, error: str, description: str, says: str) -> None:
        with sandbox_and_destination(client_credentials()) as (sandbox, salesforce):
            sandbox.deny_login(error, description)
            refused = unusable(salesforce)
        assert (refused.reason, says in str(refused)) == ("auth", True)

    @pytest.mark.parametrize(
        ("description", "shown"),
        [
            ("activation secret invalid", '"activation secret invalid"'),
            ("wait 15 minutes", '"wait 15 minutes"'),
            ("user 005Hb00000Xy1 (ana@acme.example) is locked", '"user ... ... is locked"'),
            ("sandbox-client-secret is wrong", '"... is wrong"'),
            ("sorry " * 99, "sorry sorry"),
        ],
    )
    def test_an_unknown_text_is_shown_without_ids_or_secrets(self, description: str, shown: str) -> None:
        with sandbox_and_destination(client_credentials()) as (sandbox, salesforce):
            sandbox.deny_login("invalid_grant", description)
            problem = unusable(salesforce).problem
        assert (shown in problem, len(problem) < 300) == (True, True)

    def test_no_answer_is_unreachable(self) -> None:
        with sandbox_and_destination(client_credentials()) as (sandbox, salesforce):
            sandbox.fault(TOKEN, Wire.refuse)
            assert unusable(salesforce).reason == "unreachable"

    def test_the_reply_is_never_repeated(self) -> None:
        with sandbox_and_destination(client_credentials()) as (sandbox, salesforce):
            sandbox.fault(TOKEN, reply({"error": "invalid_grant", "error_description": "s3cret"}, 400))
            error: BaseException | None = unusable(salesforce)
        while error:
            assert "s3cret" not in str(error)
            error = error.__cause__ or error.__context__

    def test_a_later_write_logs_in_again(self) -> None:
        with sandbox_and_destination(client_credentials()) as (sandbox, salesforce):
            sandbox.fault(TOKEN, Response("", 503))
            unusable(salesforce)
            assert salesforce.write([a_contact()])[0].verdict is Verdict.DELIVERED


class TestAnOrgThatMoved:
    @pytest.mark.parametrize("redirect", [True, False])
    def test_one_new_login_finds_its_new_address(self, redirect: bool) -> None:
        with sandbox_and_destination(client_credentials()) as (sandbox, salesforce):
            salesforce.write([a_contact()])
            sandbox.move_to("renamed.my.salesforce.com", redirect=redirect)
            (outcome,) = salesforce.write([a_contact()])
            assert (outcome.verdict, len(sandbox.calls(TOKEN))) == (Verdict.DELIVERED, 2)
            assert sandbox.calls("/composite")[-1].host == "renamed.my.salesforce.com"

    @pytest.mark.parametrize("status", [302, 404])
    def test_the_domain_is_to_be_checked_only_if_that_does_not_help(self, status: int) -> None:
        with sandbox_and_destination(client_credentials()) as (sandbox, salesforce):
            sandbox.fault("/composite", Response("<html>", status, content_type="text/html"), times=9)
            error = unusable(salesforce)
            assert (len(sandbox.calls(TOKEN)), "correct `domain`" in str(error)) == (2, True)

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_a_login_follows_to_where_the_org_lives_now(self, status: int) -> None:
        with sandbox_and_destination(client_credentials()) as (sandbox, salesforce):
            sandbox.move_to("renamed.my.salesforce.com", keeps_logins=False)
            there = "https://renamed.my.salesforce.com/services/oauth2/token"
            sandbox.fault(TOKEN, Response("", status, {"Location": there}))
            assert salesforce.write([a_contact()])[0].verdict is Verdict.DELIVERED
            assert [call.method for call in sandbox.calls(TOKEN)] == ["POST", "POST"]
            assert {call.host for call in sandbox.calls()[1:]} == {"renamed.my.salesforce.com"}

    def test_so_does_the_new_login_of_an_org_that_moved_meanwhile(self) -> None:
        with sandbox_and_destination(client_credentials()) as (sandbox, salesforce):
            salesforce.write([a_contact()])
            sandbox.move_to("renamed.my.salesforce.com", keeps_logins=False)
            assert salesforce.write([a_contact()])[0].verdict is Verdict.DELIVERED

    @pytest.mark.parametrize(
        "there",
        [
            "https://elsewhere.example.org/",
            "https://salesforce.com.example.org/",
            "https://acme.my.salesforce.com@example.org/",
            "http://renamed.my.salesforce.com/",
            "https://renamed.my.salesforce.com:8443/",
            "/services/oauth2/token",
        ],
    )
    def test_no_credentials_go_to_any_other_host(self, there: str) -> None:
        with sandbox_and_destination(client_credentials()) as (sandbox, salesforce):
            sandbox.fault(TOKEN, Response("", 302, {"Location": there}), times=9)
            error = unusable(salesforce)
            assert (error.reason, "My Domain" in str(error), len(sandbox.calls())) == ("unreachable", True, 1)

    def test_an_address_without_a_login_asks_for_the_current_one(self) -> None:
        with sandbox_and_destination(client_credentials()) as (sandbox, salesforce):
            sandbox.move_to("renamed.my.salesforce.com", redirect=False, keeps_logins=False)
            error = unusable(salesforce)
            assert (error.reason, "current My Domain" in str(error)) == ("auth", True)

    def test_a_circle_of_redirects_ends(self) -> None:
        with sandbox_and_destination(client_credentials()) as (sandbox, salesforce):
            for host in ("one", "two", "one"):
                there = f"https://{host}.my.salesforce.com{TOKEN}"
                sandbox.fault(TOKEN, Response("", 302, {"Location": there}))
            error = unusable(salesforce)
            assert (error.reason, "in a circle" in str(error), len(sandbox.calls())) == ("unreachable", True, 3)

    def test_no_token_goes_to_an_address_that_is_not_salesforces(self) -> None:
        with sandbox_and_destination(client_credentials()) as (sandbox, salesforce):
            sandbox.gate.instance_url = "https://salesforce.com.example.org"
            assert (unusable(salesforce).reason, len(sandbox.calls())) == ("unreachable", 1)

    def test_a_session_given_to_us_stays_where_it_is(self) -> None:
        with sandbox_and_destination() as (sandbox, salesforce):
            sandbox.move_to("renamed.my.salesforce.com")
            assert "correct `domain`" in str(unusable(salesforce))


class TestSessionsThatEnd:
    def test_one_new_login_and_the_same_call_again(self) -> None:
        with sandbox_and_destination(client_credentials()) as (sandbox, salesforce):
            salesforce.write([a_contact()])
            sandbox.expire_sessions()
            (outcome,) = salesforce.write([a_contact()])
            assert (outcome.verdict, len(sandbox.calls(TOKEN))) == (Verdict.DELIVERED, 2)

    def test_the_second_call_carries_the_headers_of_the_first(self) -> None:
        with sandbox_and_destination(client_credentials()) as (sandbox, salesforce):
            sandbox.session_expired()
            salesforce.write([a_contact()])
            refused, written = sandbox.calls("/composite")
        for header in ("Sforce-Auto-Assign", "Sforce-Duplicate-Rule-Header"):
            assert refused.headers[header] == written.headers[header]

    def test_a_second_refusal_is_a_matter_for_people(self) -> None:
        with sandbox_and_destination(client_credentials()) as (sandbox, salesforce):
            sandbox.session_expired(times=9)
            assert unusable(salesforce).reason == "auth"
            assert len(sandbox.calls(TOKEN)) == 2

    def test_a_refusal_in_html_counts_as_well(self) -> None:
        with sandbox_and_destination(client_credentials()) as (sandbox, salesforce):
            sandbox.fault("/composite", Response("<html>", 401, content_type="text/html"))
            assert salesforce.write([a_contact()])[0].verdict is Verdict.DELIVERED

    def test_a_session_that_may_not_use_the_api_is_not_renewed(self) -> None:
        with sandbox_and_destination(client_credentials()) as (sandbox, salesforce):
            sandbox.fail(401, "INVALID_SESSION_ID", "This session is not valid for use with the REST API", times=9)
            assert unusable(salesforce).reason == "auth"
            assert len(sandbox.calls(TOKEN)) == 1

    @pytest.mark.parametrize(
        "refusal",
        [
            (401, "INVALID_SESSION_ID", "This session is not valid for use with the REST API"),
            (403, "API_DISABLED_FOR_ORG", "API is not enabled for this Organization or Partner"),
        ],
    )
    def test_what_a_session_may_not_do_is_tried_with_a_new_one_when_the_lane_resumes(
        self, refusal: tuple[int, str, str]
    ) -> None:
        with sandbox_and_destination(client_credentials()) as (sandbox, salesforce):
            sandbox.fail(*refusal)
            assert unusable(salesforce).reason == "auth"
            assert salesforce.write([a_contact()])[0].verdict is Verdict.DELIVERED
            refused, written = (call.headers["Authorization"] for call in sandbox.calls("/composite"))
            assert refused != written

    def test_a_session_given_to_us_cannot_be_renewed(self) -> None:
        with sandbox_and_destination() as (sandbox, salesforce):
            sandbox.expire_sessions()
            error = unusable(salesforce)
        assert (error.reason, "new session_id" in str(error)) == ("auth", True)

    def test_threads_that_meet_one_expiry_log_in_once(self) -> None:
        with sandbox_and_destination(client_credentials(), latency=0.05) as (sandbox, salesforce):
            salesforce.write([a_contact()])
            sandbox.expire_sessions()
            outcomes = in_eight_threads(salesforce)
            assert {outcome.verdict for outcome in outcomes} == {Verdict.DELIVERED}
            assert len(sandbox.calls(TOKEN)) == 2

    def test_threads_waiting_for_a_login_that_fails_do_not_repeat_it(self) -> None:
        refused = client_credentials(client_secret="wrong")

        def together() -> None:
            with sandbox_and_destination(refused, latency=1.0) as (sandbox, salesforce):
                barrier, errors = threading.Barrier(4), []

                def write() -> None:
                    barrier.wait()
                    errors.append(unusable(salesforce).reason)

                threads = [threading.Thread(target=write) for _ in range(4)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                assert (errors, len(sandbox.calls(TOKEN))) == (["auth"] * 4, 1)

        one_in_three(together)  # one that stands still for a second begins after the login has failed


def in_eight_threads(salesforce: Salesforce) -> list[Outcome]:
    with ThreadPoolExecutor(8) as threads:
        return [
            told for batch in threads.map(lambda n: salesforce.write([a_contact(f"c-{n}")]), range(8)) for told in batch
        ]


class TestTheLine:
    def test_the_environment_cannot_change_who_we_are(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
        (tmp_path / "netrc").write_text("machine youragency.my.salesforce.com login somebody password else\n")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        with sandbox_and_destination() as (sandbox, salesforce):
            salesforce.write([a_contact()])
            assert sandbox.calls()[0].headers["Authorization"] == f"Bearer {sandbox.token}"

    def test_we_say_who_we_are(self) -> None:
        with sandbox_and_destination(client_credentials()) as (sandbox, salesforce):
            salesforce.write([a_contact()])
            assert {call.headers["User-Agent"] for call in sandbox.calls()} == {"carecycle-crm-connector"}


class TestConnecting:
    def test_an_agency_file_without_a_version_gets_ours(self) -> None:
        with SalesforceSandbox() as url:
            settings = SalesforceSettings(mapping="salesforce-contact", auth=client_credentials(), endpoint=url)
            salesforce = connect(settings, Calls())
            schema = salesforce.describe(["User"])
        assert "Email" in schema.objects["User"].fields

    @pytest.mark.slow
    def test_reading_the_configuration_does_not_load_the_client_library(self) -> None:
        code = "import sys, connector.running.config; print('simple_salesforce' in sys.modules)"
        told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert told.stdout.strip() == "False"
