"""What simple-salesforce does that we rely on, and what it does that we guard against. When one of these fails after an
upgrade, the guard it names can be looked at again.
"""

from __future__ import annotations

from typing import Any

import pytest
import requests
import responses
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import (
    SalesforceError,
    SalesforceExpiredSession,
    SalesforceGeneralError,
    SalesforceMalformedRequest,
    SalesforceRefusedRequest,
    SalesforceResourceNotFound,
)

from connector.destinations.salesforce.account import connect
from connector.destinations.salesforce.api_error import read
from connector.destinations.salesforce.settings import SalesforceSettings
from tests.destinations.salesforce_fixtures import Calls, a_contact, credentials

INSTANCE = "https://acme.my.salesforce.com"
BASE = f"{INSTANCE}/services/data/v67.0/"
TOKEN = f"{INSTANCE}/services/oauth2/token"
EXPIRED = [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
GRANTED = {"access_token": "a-token", "instance_url": INSTANCE}


def direct(session: requests.Session | None = None, instance_url: str = INSTANCE) -> Any:
    return Salesforce(
        session_id="a-token",
        instance_url=instance_url,
        session=session or requests.Session(),
        version="67.0",
        object_pairs_hook=dict,
    )


def logged_in() -> Any:
    responses.post(TOKEN, json=GRANTED)
    return Salesforce(consumer_key="key", consumer_secret="secret", domain="acme.my", version="67.0")


class TestWhatWeRelyOn:
    @responses.activate
    def test_restful_sends_our_headers_beside_the_token(self) -> None:
        call = responses.patch(f"{BASE}composite/sobjects/Contact/K__c", json=[{"success": True}])
        direct().restful(
            "composite/sobjects/Contact/K__c", method="PATCH", json={}, headers={"Sforce-Auto-Assign": "FALSE"}
        )
        sent = call.calls[0].request.headers
        assert (sent["Authorization"], sent["Sforce-Auto-Assign"]) == ("Bearer a-token", "FALSE")

    @responses.activate
    def test_restful_returns_none_for_an_empty_list(self) -> None:
        responses.get(f"{BASE}anything", json=[])
        assert direct().restful("anything") is None

    @responses.activate
    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (302, SalesforceGeneralError),
            (400, SalesforceMalformedRequest),
            (401, SalesforceExpiredSession),
            (403, SalesforceRefusedRequest),
            (404, SalesforceResourceNotFound),
            (503, SalesforceGeneralError),
        ],
    )
    def test_an_error_carries_its_status_and_its_content(self, status: int, kind: type[SalesforceError]) -> None:
        responses.get(f"{BASE}anything", json=EXPIRED, status=status)
        with pytest.raises(kind) as caught:
            direct().restful("anything", allow_redirects=False)
        refusal = read(caught.value.status, caught.value.content)
        assert (refusal.status, refusal.code) == (status, "INVALID_SESSION_ID")

    @responses.activate
    def test_a_session_given_directly_is_never_renewed_behind_our_back(self) -> None:
        call = responses.get(f"{BASE}anything", json=EXPIRED, status=401)
        with pytest.raises(SalesforceExpiredSession):
            direct().restful("anything")
        assert call.call_count == 1


class TestWhatWeGuardAgainst:
    @responses.activate
    def test_its_own_new_login_loses_our_headers(self) -> None:  # so we hold the login ourselves
        salesforce = logged_in()
        call = responses.get(f"{BASE}anything", json=EXPIRED, status=401)
        responses.get(f"{BASE}anything", json={"fine": True})
        salesforce.restful("anything", headers={"Sforce-Auto-Assign": "FALSE"})
        again = responses.calls[-1].request.headers
        assert call.calls[0].request.headers["Sforce-Auto-Assign"] == "FALSE"
        assert "Sforce-Auto-Assign" not in again

    @responses.activate
    def test_it_logs_in_four_times_for_a_session_that_stays_refused(self) -> None:
        salesforce = logged_in()
        responses.get(f"{BASE}anything", json=EXPIRED, status=401)
        with pytest.raises(SalesforceExpiredSession):
            salesforce.restful("anything")
        assert sum(call.request.url == TOKEN for call in responses.calls) == 5

    @pytest.mark.slow
    @responses.activate
    def test_its_objects_log_in_for_ever(self) -> None:  # so we never call sf.Contact
        salesforce = logged_in()
        responses.get(f"{BASE}sobjects/Contact/describe", json=EXPIRED, status=401)
        with pytest.raises(RecursionError):
            salesforce.Contact.describe()

    def test_it_sets_no_timeout(self) -> None:  # so our adapter does
        timeouts: list[Any] = []
        session = requests.Session()
        session.mount("https://", _Remembering(timeouts))
        with pytest.raises(requests.ConnectionError):
            direct(session).restful("anything")
        assert timeouts == [None]

    @responses.activate
    def test_it_follows_a_redirect_and_turns_a_patch_into_a_get(self) -> None:  # so our session follows none
        responses.patch(f"{BASE}anything", status=302, headers={"Location": f"{INSTANCE}/elsewhere"})
        responses.get(f"{INSTANCE}/elsewhere", json={"fine": True})
        assert direct().restful("anything", method="PATCH", json={}) == {"fine": True}

    @responses.activate
    def test_it_drops_the_scheme_of_an_instance_url(self) -> None:  # so an endpoint is an adapter's work
        call = responses.get("https://127.0.0.1:8080/services/data/v67.0/anything", json={"fine": True})
        direct(instance_url="http://127.0.0.1:8080/some/path").restful("anything")
        assert call.call_count == 1

    @responses.activate
    def test_its_errors_repeat_the_reply(self) -> None:  # so none of them leaves our modules
        responses.get(f"{BASE}anything", json=[{"message": "Delacroix", "errorCode": "X"}], status=400)
        with pytest.raises(SalesforceMalformedRequest, match="Delacroix"):
            direct().restful("anything")

    @responses.activate
    @pytest.mark.parametrize(("body", "error"), [("<html>", requests.exceptions.JSONDecodeError), ("17", TypeError)])
    def test_a_reply_that_is_no_json_object_escapes_as_another_error(self, body: str, error: type[Exception]) -> None:
        responses.get(f"{BASE}anything", body=body)
        with pytest.raises(error):
            direct().restful("anything")


class TestOurLine:
    @responses.activate
    def test_without_an_endpoint_salesforce_itself_is_asked(self) -> None:
        call = responses.patch(
            f"{BASE}composite/sobjects/Contact/careCycle_Id__c", json=[{"success": True, "id": "003Hs0000000001"}]
        )
        auth = credentials(flow="session", session_id="x", instance_url=INSTANCE)
        settings = SalesforceSettings(mapping="salesforce-contact", auth=auth)
        (outcome,) = connect(settings, Calls()).write([a_contact()])
        assert (outcome.id, call.call_count) == ("003Hs0000000001", 1)


class TestReadingARefusal:
    @pytest.mark.parametrize(
        ("status", "content", "code"),
        [
            (400, [{"errorCode": "MALFORMED_QUERY", "message": "x"}], "MALFORMED_QUERY"),
            (400, {"error": "invalid_grant"}, "invalid_grant"),
            (502, "<html>", "HTTP_502"),
            (300, ["/services/data/v67.0/sobjects/Contact/003xx"], "HTTP_300"),
            (500, [], "HTTP_500"),
            (400, [{"errorCode": "Delacroix, Marcus", "message": "x"}], "HTTP_400"),
            (400, [{"errorCode": "Delacroix", "message": "x"}], "HTTP_400"),
            (400, [{"message": "x"}], "HTTP_400"),
        ],
    )
    def test_a_code_is_always_found(self, status: int, content: Any, code: str) -> None:
        assert read(status, content).code == code

    def test_what_it_says_is_not_printed(self) -> None:
        refusal = read(400, [{"errorCode": "STRING_TOO_LONG", "message": "Delacroix", "fields": ["LastName"]}])
        assert "Delacroix" not in repr(refusal)
        assert refusal.fields == ("LastName",)


class _Remembering(requests.adapters.HTTPAdapter):
    def __init__(self, timeouts: list[Any]) -> None:
        super().__init__()
        self.timeouts = timeouts

    def send(self, request: Any, *args: Any, **options: Any) -> Any:
        self.timeouts.append(options["timeout"])
        raise requests.ConnectionError("not today")
