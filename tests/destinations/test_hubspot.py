"""HubSpot as a destination, against the sandbox over HTTP: rows in, outcomes out."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from flask import request

from connector.destinations.base import Link, Row, Verdict
from connector.destinations.hubspot import calls
from connector.destinations.hubspot.account import HubSpot, connect
from connector.destinations.hubspot.auth import HubSpotAuth
from connector.destinations.hubspot.settings import HubSpotSettings
from connector.model import Mode, RecordKey
from connector.sandbox.hubspot import BEARER, SCOPES, HubSpotSandbox
from tests.destinations.hubspot_fixtures import a_call, a_contact, sandbox_and_destination

UPSERTS = "/crm/objects/2026-03/contacts/batch/upsert"


def opting_out(key: str = "c-1", **more: object) -> Row:
    return a_contact(key, do_not_call=True, consent=frozenset({"do_not_call"}), **more)


class TestUpserting:
    def test_a_new_contact_is_created_under_its_key(self, portal, hubspot):
        [outcome] = hubspot.write([a_contact("c-1", lastname="King")])
        [record] = portal.records("contacts")
        assert outcome.verdict is Verdict.DELIVERED
        assert record == {"id": outcome.id, "carecycle_id": "c-1", "firstname": "Ada", "lastname": "King"}

    def test_the_same_key_again_updates_the_same_record(self, portal, hubspot):
        first = hubspot.write([a_contact("c-1")])
        again = hubspot.write([a_contact("c-1", firstname="Augusta")])
        assert first[0].id == again[0].id
        assert [record["firstname"] for record in portal.records("contacts")] == ["Augusta"]

    def test_none_clears_a_property(self, portal, hubspot):
        hubspot.write([a_contact(city="Phoenix")])
        hubspot.write([a_contact(city=None)])
        assert "city" not in portal.records("contacts")[0]

    def test_every_value_travels_as_text(self, portal, hubspot):
        hubspot.write([a_contact(do_not_call=True, annual_household_income=41000.0)])
        [sent] = portal.calls(UPSERTS)[0].body["inputs"]
        assert sent["properties"]["do_not_call"] == "true"
        assert sent["properties"]["annual_household_income"] == "41000"

    def test_outcomes_answer_the_rows_in_their_order_whatever_order_hubspot_answers_in(self, portal, hubspot):
        outcomes = hubspot.write([a_contact(f"c-{n}") for n in range(40)])
        ids = {record["carecycle_id"]: record["id"] for record in portal.records("contacts")}
        assert [outcome.id for outcome in outcomes] == [ids[f"c-{n}"] for n in range(40)]

    def test_a_hundred_rows_are_one_call_and_one_more_a_second(self, portal, hubspot):
        hubspot.write([a_contact(f"c-{n}") for n in range(101)])
        assert [len(seen.body["inputs"]) for seen in portal.calls(UPSERTS)] == [100, 1]

    def test_contacts_and_calls_of_one_batch_go_to_their_own_objects(self, portal, hubspot):
        hubspot.write([a_contact(), a_call()])
        assert len(portal.records("contacts")) == len(portal.records("calls")) == 1

    def test_the_request_id_is_kept_for_hubspots_support(self, hubspot):
        assert len(hubspot.write([a_contact()])[0].request_id) == 36

    def test_results_without_trace_ids_are_matched_by_key(self, portal, hubspot):
        portal.fault(UPSERTS, without_traces)
        outcomes = hubspot.write([a_contact(f"c-{n}") for n in range(9)])
        ids = {record["carecycle_id"]: record["id"] for record in portal.records("contacts")}
        assert [outcome.id for outcome in outcomes] == [ids[f"c-{n}"] for n in range(9)]

    def test_nothing_to_write_asks_nothing(self, portal, hubspot):
        assert hubspot.write([]) == []
        assert portal.seen == []


def without_traces(go_on):
    response = go_on()
    body = response.get_json()
    for result in body["results"]:
        result.pop("objectWriteTraceId")
    response.data = json.dumps(body)
    return response


class TestVersions:
    @pytest.mark.parametrize("version", ["2026-03", "2026-09"])
    def test_a_dated_version_is_in_every_path(self, version):
        with sandbox_and_destination(version=version, index_lag=0.0, unique_calls=False) as (portal, hubspot):
            contact = portal.put("contacts", email="ada@example.org")
            call = replace(a_call(links=(Link("contacts", contact),)), unique=False)
            hubspot.write([a_contact(id=contact, unsubscribe="ada@example.org"), a_contact("c-2"), call])
            hubspot.find("contacts", "city", ["Phoenix"], [])
            hubspot.find("owners", "email", ["priya@youragency.com"], [])
            hubspot.describe(["contacts"])
            assert {seen.status for seen in portal.seen} <= {200, 201, 400}
            assert [seen.path for seen in portal.seen if f"/{version}" not in seen.path] == []

    def test_every_path_has_a_dated_successor(self):
        paths = [one for one in vars(calls).values() if isinstance(one, calls.Path) and one is not calls.ME]
        assert len(paths) >= 10  # ME is asked only where the account's own details are refused; it has no dated form
        assert not [path for path in paths if not re.search(r"/2026-03(/|$)", path.of("2026-03"))]

    def test_the_call_log_tells_which_version_was_asked(self):
        log = []
        with sandbox_and_destination(version="2026-09", on_call=lambda *call: log.append(call[1])) as (_, hubspot):
            hubspot.write([a_contact()])
        assert log == ["/crm/objects/2026-09/contacts/batch/upsert"]

    @pytest.mark.parametrize(("named", "path"), [(None, "/crm/objects/2026-03"), ("legacy", "/crm/v3/objects")])
    def test_an_agency_file_that_names_none_gets_a_dated_one(self, portal, named, path):
        auth = {"access_token": portal.token}
        settings = HubSpotSettings.model_validate({"mapping": "hubspot", "auth": auth, "api_version": named})
        destination = connect(settings.model_copy(update={"endpoint": portal.url}), lambda *_: None)
        destination.write([a_contact()])
        destination.close()
        assert [seen.path for seen in portal.seen] == [f"{path}/contacts/batch/upsert"]

    def test_one_portal_and_its_records_have_the_same_ids_in_every_version(self):
        told = []
        with HubSpotSandbox() as url:
            auth = HubSpotAuth.model_validate({"access_token": BEARER})
            for version in ("legacy", "2026-03", "2026-09"):
                destination = HubSpot(auth, endpoint=url, on_call=lambda *_: None, version=version)
                told.append((destination.account(), destination.write([a_contact()])[0].id))
                destination.close()
        assert len(set(told)) == 1


class TestWritingById:
    def test_an_adopted_record_gets_our_key_and_keeps_its_id(self, portal, hubspot):
        made_by_hand = portal.put("contacts", email="ada@example.org")
        [outcome] = hubspot.write([a_contact("c-1", id=made_by_hand)])
        assert outcome.id == made_by_hand
        assert portal.records("contacts")[0]["carecycle_id"] == "c-1"

    def test_a_record_deleted_by_hand_is_not_made_behind_the_ledgers_back(self, portal, hubspot):
        [outcome] = hubspot.write([a_contact("c-1", id="4711")])
        assert (outcome.verdict, outcome.code) == (Verdict.DEFERRED, "OBJECT_NOT_FOUND")
        assert portal.records("contacts") == []

    def test_a_record_that_shall_not_get_our_key_keeps_the_one_it_has(self, portal, hubspot):
        theirs = portal.put("contacts", carecycle_id="c-2")
        hubspot.write([a_contact("c-1", id=theirs, keyed=False, do_not_call=True)])
        assert [portal.records("contacts")[0][name] for name in ("carecycle_id", "do_not_call")] == ["c-2", "true"]

    def test_two_rows_for_one_record_are_written_one_after_the_other(self, portal, hubspot):
        made_by_hand = portal.put("contacts", email="ada@example.org")
        outcomes = hubspot.write([a_contact("c-1", id=made_by_hand), a_contact("c-2", id=made_by_hand)])
        assert [outcome.id for outcome in outcomes] == [made_by_hand, made_by_hand]


class TestModes:
    def test_an_update_writes_what_exists_and_skips_what_does_not(self, portal, hubspot):
        portal.put("contacts", carecycle_id="c-1")
        rows = [a_contact("c-1", mode=Mode.UPDATE), a_contact("c-2", mode=Mode.UPDATE)]
        assert [o.verdict for o in hubspot.write(rows)] == [Verdict.DELIVERED, Verdict.SKIPPED]
        assert [record.get("firstname") for record in portal.records("contacts")] == ["Ada"]

    def test_a_hundred_updates_look_their_records_up_in_one_call(self, portal, hubspot):
        hubspot.write([a_contact(f"c-{n}", mode=Mode.UPDATE) for n in range(100)])
        assert len(portal.seen) == 1

    def test_a_create_leaves_an_existing_record_alone(self, portal, hubspot):
        existing = portal.put("contacts", carecycle_id="c-1", firstname="Augusta")
        [outcome] = hubspot.write([a_contact("c-1", mode=Mode.CREATE)])
        assert (outcome.verdict, outcome.id) == (Verdict.SKIPPED, existing)
        assert portal.records("contacts")[0]["firstname"] == "Augusta"

    def test_a_create_makes_a_record_that_is_not_there(self, portal, hubspot):
        assert hubspot.write([a_contact(mode=Mode.CREATE)])[0].verdict is Verdict.DELIVERED

    def test_a_create_of_an_existing_record_still_raises_its_opt_outs(self, portal, hubspot):
        portal.put("contacts", carecycle_id="c-1", firstname="Augusta")
        [outcome] = hubspot.write([opting_out("c-1", mode=Mode.CREATE)])
        assert outcome.consent_written
        assert portal.records("contacts")[0]["do_not_call"] == "true"


class TestLifecycleStages:
    def test_a_stage_moves_back_where_the_source_says_so(self, portal, hubspot):
        for stage in ("customer", "lead"):
            [outcome] = hubspot.write([a_contact(lifecyclestage=stage)])
            assert outcome.verdict is Verdict.DELIVERED
            assert portal.records("contacts")[0]["lifecyclestage"] == stage

    def test_moving_forward_costs_no_further_call(self, portal, hubspot):
        for stage in ("lead", "customer", "other"):
            hubspot.write([a_contact(lifecyclestage=stage)])
        assert len(portal.seen) == 3

    def test_a_stage_that_could_not_be_set_back_is_deferred(self, portal, hubspot):
        hubspot.write([a_contact(lifecyclestage="customer")])
        portal.fault("/batch/update", portal.empty_2xx())
        assert hubspot.write([a_contact(lifecyclestage="lead")])[0].verdict is Verdict.DEFERRED


class TestRefusals:
    @pytest.mark.parametrize(
        ("field", "value", "code"),
        [
            ("nickname", "Countess", "PROPERTY_DOESNT_EXIST"),
            ("hs_email_optout", True, "READ_ONLY_VALUE"),
            ("hs_language", "la", "INVALID_OPTION"),
            ("email", "ada at example", "INVALID_EMAIL"),
            ("annual_household_income", "plenty", "INVALID_LONG"),
            ("address", "x" * 65_537, "PROPERTY_VALUE_TOO_LONG"),
        ],
    )
    def test_a_bad_value_rejects_its_row_alone_and_names_the_property(self, hubspot, field, value, code):
        good, bad = hubspot.write([a_contact("c-1"), a_contact("c-2", **{field: value})])
        assert good.verdict is Verdict.DELIVERED
        assert (bad.verdict, bad.code, bad.fields) == (Verdict.REJECTED, code, (field,))
        assert str(value) not in bad.refusal.cause.replace(field, "")

    def test_a_call_without_its_time_names_the_property_it_needs(self, hubspot):
        [outcome] = hubspot.write([Row(RecordKey("calls", "carecycle_call_id", "k-1"), {"hs_call_title": "x"})])
        assert (outcome.code, outcome.fields) == ("REQUIRED_PROPERTY_MISSING", ("hs_timestamp",))

    def test_an_address_another_contact_owns_is_a_conflict_that_names_the_owner(self, portal, hubspot):
        owner = portal.put("contacts", email="ada@example.org")
        [outcome] = hubspot.write([a_contact(email="ada@example.org")])
        assert (outcome.verdict, outcome.code, outcome.fields) == (Verdict.REJECTED, "ADDRESS_HELD", ("email",))
        assert outcome.holder == owner

    def test_a_unique_value_another_record_holds_is_told_apart_from_a_bad_one(self, portal, hubspot):
        portal.put("contacts", carecycle_id="c-1")
        adopted = portal.put("contacts", email="ada@example.org")
        assert hubspot.write([a_contact("c-1", id=adopted)])[0].code == "CONFLICTING_UNIQUE_VALUE"

    def test_an_unknown_property_rejects_every_row_that_carries_it_in_one_more_call(self, portal, hubspot):
        message = 'Property values were not valid: [{"error": "PROPERTY_DOESNT_EXIST", "name": "nickname"}]'
        portal.fault(UPSERTS, portal.refused(400, "VALIDATION_ERROR", message))
        rows = [a_contact(f"c-{n}", **({"nickname": "x"} if n % 2 else {})) for n in range(20)]
        outcomes = hubspot.write(rows)
        assert [o.verdict is Verdict.DELIVERED for o in outcomes] == [n % 2 == 0 for n in range(20)]
        assert len(portal.calls(UPSERTS)) == 2

    def test_a_key_that_is_not_unique_rejects_all_without_splitting(self, portal, hubspot):
        rows = [Row(RecordKey("contacts", "city", f"town {n}"), {"firstname": "Ada"}) for n in range(5)]
        assert {outcome.code for outcome in hubspot.write(rows)} == {"KEY_NOT_UNIQUE"}
        assert len(portal.seen) == 1

    def test_an_object_the_portal_does_not_have_is_rejected(self, hubspot):
        [outcome] = hubspot.write([Row(RecordKey("pets", "name", "Rex"), {})])
        assert outcome.code == "OBJECT_TYPE_UNKNOWN"


class TestSplitting:
    def test_a_refused_batch_is_split_until_the_culprit_stands_alone(self, portal, hubspot):
        def refuse_number_five(go_on):
            ids = [one["id"] for one in request.get_json()["inputs"]]
            return portal.refused(400, "VALIDATION_ERROR") if "c-5" in ids else go_on()

        portal.fault(UPSERTS, refuse_number_five, times=99)
        outcomes = hubspot.write([a_contact(f"c-{n}") for n in range(16)])
        assert [n for n, outcome in enumerate(outcomes) if outcome.verdict is Verdict.REJECTED] == [5]
        assert len(portal.calls(UPSERTS)) == 9

    def test_two_keys_that_lead_to_one_record_are_written_singly(self, portal, hubspot):
        one = portal.put("contacts", email="ada@example.org", hs_additional_emails="lady@example.org")
        rows = [
            Row(RecordKey("contacts", "email", address), {"firstname": "Ada"})
            for address in ("ada@example.org", "lady@example.org")
        ]
        assert [outcome.id for outcome in hubspot.write(rows)] == [one, one]


class TestConsent:
    def test_a_refused_row_has_its_opt_outs_written_alone(self, portal, hubspot):
        portal.put("contacts", carecycle_id="c-1", city="Phoenix")
        [outcome] = hubspot.write([opting_out(hs_language="la", city="Tucson")])
        assert (outcome.verdict, outcome.code) == (Verdict.REJECTED, "INVALID_OPTION")
        assert outcome.consent_written
        [record] = portal.records("contacts")
        assert (record["do_not_call"], record["city"]) == ("true", "Phoenix")

    def test_opt_outs_are_written_even_where_our_key_is_what_is_refused(self, portal, hubspot):
        portal.put("contacts", carecycle_id="c-1")
        adopted = portal.put("contacts", email="ada@example.org")
        [outcome] = hubspot.write([opting_out("c-1", id=adopted)])
        assert (outcome.code, outcome.consent_written) == ("CONFLICTING_UNIQUE_VALUE", True)
        assert portal.records("contacts")[1]["do_not_call"] == "true"

    def test_a_refused_row_whose_opt_outs_may_pass_later_comes_again(self, portal, hubspot):
        portal.put("contacts", carecycle_id="c-1")
        portal.fault("/batch/update", portal.empty_2xx())
        assert hubspot.write([opting_out(hs_language="la")])[0].verdict is Verdict.DEFERRED

    def test_a_record_that_does_not_exist_has_no_flag_to_raise(self, portal, hubspot):
        [outcome] = hubspot.write([opting_out(hs_language="la")])
        assert (outcome.verdict, outcome.consent_written) == (Verdict.REJECTED, False)
        assert portal.records("contacts") == []

    def test_many_refused_rows_raise_their_opt_outs_in_two_calls(self, portal, hubspot):
        for n in range(20):
            portal.put("contacts", carecycle_id=f"c-{n}")
        outcomes = hubspot.write([opting_out(f"c-{n}", hs_language="la") for n in range(20)])
        assert all(outcome.consent_written for outcome in outcomes)
        assert len(portal.seen) == 3


class TestUnsubscribing:
    def test_the_address_is_opted_out_and_its_contact_shows_it(self, portal, hubspot):
        hubspot.write([a_contact(email="Ada@example.org", unsubscribe="Ada@example.org")])
        assert portal.opted_out == {"ada@example.org"}
        assert portal.records("contacts")[0]["hs_email_optout"] == "true"

    def test_it_happens_even_when_the_record_is_refused(self, portal, hubspot):
        [outcome] = hubspot.write([a_contact(hs_language="la", unsubscribe="ada@example.org")])
        assert (outcome.verdict, outcome.consent_written) == (Verdict.REJECTED, True)
        assert portal.opted_out == {"ada@example.org"}

    def test_it_happens_even_when_the_record_is_skipped(self, portal, hubspot):
        hubspot.write([a_contact(mode=Mode.UPDATE, unsubscribe="ada@example.org")])
        assert portal.opted_out == {"ada@example.org"}

    def test_a_refused_address_is_told_apart_from_its_record_which_is_written(self, portal, hubspot):
        [outcome] = hubspot.write([a_contact(unsubscribe="ada at example")])
        assert (outcome.verdict, outcome.subscription.code) == (Verdict.DELIVERED, "UNSUBSCRIBE")
        assert "ada at" not in outcome.subscription.cause
        assert len(portal.records("contacts")) == 1

    def test_a_row_refused_for_a_field_and_its_address_says_nothing_of_the_address_as_it_is_sent_again(self, hubspot):
        [outcome] = hubspot.write([a_contact(hs_language="la", unsubscribe="ada at example")])
        assert (outcome.code, outcome.consent_written) == ("INVALID_OPTION", False)
        assert "did not opt" not in outcome.refusal.cause

    def test_a_refusal_because_it_was_opted_out_before_counts_as_done(self, portal, hubspot):
        hubspot.write([a_contact(unsubscribe="ada@example.org")])
        portal.fault("unsubscribe-all", portal.refused(400, "VALIDATION_ERROR"), method="POST")
        assert hubspot.write([a_contact(unsubscribe="ada@example.org")])[0].verdict is Verdict.DELIVERED

    def test_an_address_shared_by_a_household_is_asked_once(self, portal, hubspot):
        hubspot.write([a_contact(key, unsubscribe="home@example.org") for key in ("c-1", "c-2")])
        assert len(portal.calls("unsubscribe-all")) == 1

    def test_without_the_scope_only_the_address_is_refused_and_asked_for_once(self):
        with sandbox_and_destination(scopes=SCOPES - {"communication_preferences.read_write"}) as (portal, hubspot):
            outcomes = hubspot.write([a_contact(f"c-{n}", unsubscribe=f"ada{n}@example.org") for n in range(3)])
            assert {(out.verdict, out.subscription.code) for out in outcomes} == {("delivered", "UNSUBSCRIBE_SCOPE")}
            assert "communication_preferences.read_write" in outcomes[0].subscription.action
            assert len(portal.calls("unsubscribe-all")) == 1


class TestLinks:
    def test_a_call_is_linked_to_its_contact(self, portal, hubspot):
        contact = portal.put("contacts", email="ada@example.org")
        [outcome] = hubspot.write([a_call(links=(Link("contacts", contact),))])
        assert portal.associations == {("calls", outcome.id, "contacts", contact)}

    def test_a_call_whose_contact_is_gone_is_written_and_deferred(self, portal, hubspot):
        good, bad = hubspot.write([a_call("k-1"), a_call("k-2", links=(Link("contacts", "4711"),))])
        assert good.verdict is Verdict.DELIVERED
        assert (bad.verdict, bad.code) == (Verdict.DEFERRED, "ASSOCIATION")
        assert {record["carecycle_call_id"]: record["id"] for record in portal.records("calls")}["k-2"] == bad.id

    def test_linking_again_changes_nothing(self, portal, hubspot):
        contact = portal.put("contacts", email="ada@example.org")
        for _ in range(2):
            hubspot.write([a_call(links=(Link("contacts", contact),))])
        assert len(portal.associations) == 1

    def test_a_refused_call_is_linked_to_nothing(self, portal, hubspot):
        contact = portal.put("contacts", email="ada@example.org")
        hubspot.write([a_call(hs_call_status="lost", links=(Link("contacts", contact),))])
        assert portal.calls("/associations/") == []

    def test_a_refused_batch_of_links_defers_only_the_culprit(self, portal, hubspot):
        contact = portal.put("contacts", email="ada@example.org")
        portal.fault("/associations/", portal.refused(400, "VALIDATION_ERROR"))
        ends = (contact, contact, "4711")
        outcomes = hubspot.write([a_call(f"k-{n}", links=(Link("contacts", end),)) for n, end in enumerate(ends)])
        assert [o.verdict for o in outcomes] == [Verdict.DELIVERED, Verdict.DELIVERED, Verdict.DEFERRED]

    def test_a_hundred_calls_are_linked_in_one_request(self, portal, hubspot):
        contact = portal.put("contacts", email="ada@example.org")
        hubspot.write([a_call(f"k-{n}", links=(Link("contacts", contact),)) for n in range(100)])
        assert len(portal.calls("/associations/")) == 1


class TestCallsWithoutUniqueProperties:
    def test_a_portal_that_offers_none_on_calls_says_so_on_every_row(self):
        with sandbox_and_destination(unique_calls=False) as (_, hubspot):
            assert hubspot.write([a_call()])[0].code == "KEY_NOT_UNIQUE"


def test_a_row_and_its_outcome_never_print_a_value(hubspot):
    row = a_contact(email="ada@example.org", hs_language="ada@example.org", unsubscribe="ada@example.org")
    assert "ada@" not in repr(row) + repr(hubspot.write([row]))
