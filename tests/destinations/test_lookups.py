"""Look-ups in an account, over HTTP: by fixed text, by several fields, with conditions, and with what else to take."""

from __future__ import annotations

from typing import Any

import pytest

from connector.delivery.lookups import Lookups
from connector.delivery.unmet import no_match
from connector.destinations.base import Outcome
from connector.model import Lookup
from tests.destinations import hubspot_fixtures, salesforce_fixtures
from tests.destinations.salesforce_fixtures import Pair


@pytest.fixture
def pair() -> Any:
    with salesforce_fixtures.sandbox_and_destination() as both:
        yield both


def resolved(pair: Any, *lookups: Lookup) -> list[Any]:
    found = Lookups(lambda: 0.0).resolve(pair[1], lookups)
    return [found[lookup] for lookup in lookups]


def searches(pair: Pair) -> list[str]:
    return [call.path for call in pair[0].calls("/query")]


def user(**more: Any) -> Lookup:
    return Lookup("User", "LastName", "Ortega", **more)


class TestByFixedText:
    def test_a_record_type_is_found_by_its_name_and_object(self, pair: Pair) -> None:
        ours = pair[0].record_type("Contact", "Person Medicare")
        pair[0].record_type("Lead", "Person Medicare")
        asked = Lookup("RecordType", "DeveloperName", "Person_Medicare", where=(("SobjectType", "Contact"),))
        assert resolved(pair, asked) == [ours]

    def test_a_queue_is_found_by_its_name(self, pair: Pair) -> None:
        queue = pair[0].put("Group", Type="Queue", Name="Medicare", DeveloperName="Medicare")
        pair[0].put("Group", Type="Regular", Name="Medicare", DeveloperName="Medicare")
        assert resolved(pair, Lookup("Group", "DeveloperName", "Medicare", where=(("Type", "Queue"),))) == [queue["Id"]]


class TestWithConditions:
    def test_who_left_is_not_found(self, pair: Pair) -> None:
        pair[0].put("User", LastName="Ortega", Email="old@x.com", Username="old@x.com", IsActive=False)
        assert resolved(pair, user()) == [None]
        assert resolved(pair, user(where=(("IsActive", "true"),))) == [pair[0].people[1]["Id"]]

    def test_a_value_that_no_record_can_have_costs_no_call(self, pair: Pair) -> None:
        resolved(pair, user())
        asked = len(searches(pair))
        assert resolved(pair, user(where=(("IsActive", "maybe"),))) == [None]
        assert len(searches(pair)) == asked

    def test_quotes_are_no_syntax(self, pair: Pair) -> None:
        pair[0].put("Group", Type="Queue", Name="O'Neil \\' OR Name != '", DeveloperName="n")
        wanted = (("Name", "O'Neil \\' OR Name != '"),)
        assert resolved(pair, Lookup("Group", "Type", "Queue", where=wanted)) != [None]
        assert resolved(pair, Lookup("Group", "Type", "Queue", where=(("Name", "' OR Name != '"),))) == [None]

    def test_a_field_that_cannot_be_searched_says_so(self, pair: Pair) -> None:
        pair[0].keep_from_searching("User", "Email")
        (answer,) = resolved(pair, user(where=(("Email", "sam@youragency.com"),)))
        assert isinstance(answer, Outcome)
        assert (answer.code, answer.fields) == ("UNQUERYABLE", ("Email",))


class TestBySeveralFields:
    def test_all_must_agree_and_a_batch_is_one_search(self, pair: Pair) -> None:
        twins = [
            pair[0].put("User", LastName="Lee", FirstName=first, Email=f"{first}@x.com", Username=f"{first}@x.com")
            for first in ("Ana", "Ben")
        ]
        pairs = [("Lee", "Ana"), ("lee", "BEN"), ("Lee", "Sam"), ("Ortega", "Sam"), ("Ortega", "Ana")]
        lookups = [Lookup("User", "LastName", last, also=(("FirstName", first),)) for last, first in pairs]
        resolved(pair, user())
        before = len(searches(pair))
        sam = pair[0].people[1]["Id"]
        assert resolved(pair, *lookups) == [twins[0]["Id"], twins[1]["Id"], None, sam, None]
        assert len(searches(pair)) == before + 1

    def test_ids_and_numbers_are_compared_as_a_query_does(self, pair: Pair) -> None:
        names = ("Lee", "Bell")
        accounts = [pair[0].put("Account", Name=name)["Id"] for name in names]
        given = [{"LastName": name, "AccountId": own} for name, own in zip(names, accounts, strict=True)]
        people = [pair[0].put("Contact", **fields, Household_Income__c=12.5)["Id"] for fields in given]
        also = [("AccountId", own[:15]) for own in accounts]
        by_id = [Lookup("Contact", "LastName", name, also=(own,)) for name, own in zip(names, also, strict=True)]
        numbers = (("Lee", "12.50"), ("Bell", "12.5"), ("Lee", "13"))
        by_number = [Lookup("Contact", "LastName", name, also=(("Household_Income__c", own),)) for name, own in numbers]
        alone = [*by_id, *by_number, Lookup("Contact", "Household_Income__c", "12.50", where=(("LastName", "Lee"),))]
        assert [resolved(pair, one)[0] for one in alone] == [*people, *people, None, people[0]]
        assert resolved(pair, *alone) == [*people, *people, None, people[0]]

    def test_values_that_only_the_crm_can_compare_are_asked_for_one_by_one(self, pair: Pair) -> None:
        ours = pair[0].put("Contact", LastName="Lee", Licensed__c="CA;TX")["Id"]
        lookups = [Lookup("Contact", "LastName", "Lee", also=(("Licensed__c", states),)) for states in ("CA;TX", "AZ")]
        assert resolved(pair, *lookups) == [ours, None]
        assert len(searches(pair)) == 2

    def test_many_long_values_still_fit_into_a_query(self, pair: Pair) -> None:
        lookups = [
            Lookup("User", "LastName", f"{n:03}{'x' * 70}", also=(("FirstName", f"{n:03}{'y' * 30}"),))
            for n in range(150)
        ]
        pair[0].put("User", LastName=lookups[7].value, FirstName=lookups[7].also[0][1], Username="a", Email="a@x.com")
        assert [n for n, found in enumerate(resolved(pair, *lookups)) if found] == [7]


class TestWhatElseToTake:
    def test_another_look_up_then_a_value(self, pair: Pair) -> None:
        queue = pair[0].put("Group", Type="Queue", Name="Medicare", DeveloperName="Medicare")
        second = Lookup("Group", "Name", "Medicare", where=(("Type", "Queue"),), otherwise="005000000000001")
        missing = Lookup("Group", "Name", "Nobody", otherwise="005000000000001")
        gone = [Lookup("User", "Email", "gone@x.com", otherwise=step) for step in (second, missing, None)]
        assert resolved(pair, *gone) == [queue["Id"], "005000000000001", None]

    def test_nothing_more_is_asked_where_the_first_is_found(self, pair: Pair) -> None:
        found = Lookup("User", "LastName", "Ortega", otherwise=Lookup("Group", "Name", "Medicare"))
        assert resolved(pair, found) == [pair[0].people[1]["Id"]]
        assert not any("Group" in str(call) for call in searches(pair))

    def test_two_that_match_are_none(self, pair: Pair) -> None:
        pair[0].put("User", LastName="Ortega", Email="b@x.com", Username="b@x.com")
        assert resolved(pair, user(otherwise="005000000000001")) == ["005000000000001"]

    def test_a_search_that_is_refused_takes_nothing_else(self, pair: Pair) -> None:
        pair[0].keep_from_searching("User", "LastName")
        assert isinstance(resolved(pair, user(otherwise="005000000000001"))[0], Outcome)

    def test_where_nothing_has_a_match_all_of_it_is_named(self) -> None:
        chain = user(where=(("IsActive", "true"),), otherwise=Lookup("Group", "Name", "Medicare"))
        said = no_match({"OwnerId": chain})
        assert "looked for User by LastName and IsActive, then Group by Name" in said.cause


class TestHubSpot:
    def test_a_person_by_several_properties_of_which_none_is_unique(self) -> None:
        with hubspot_fixtures.sandbox_and_destination(index_lag=0.0) as both:
            ids = [both[0].put("contacts", firstname=first, lastname="Lee", city="Mesa") for first in ("Ana", "Ben")]
            both[0].put("contacts", firstname="Ana", lastname="Lee", city="Reno")
            asked = [
                Lookup("contacts", "lastname", "Lee", "id", also=(("firstname", first),), where=(("city", "Mesa"),))
                for first in ("Ana", "Ben", "Cy")
            ]
            assert resolved(both, *asked) == [*ids, None]
            assert len(both[0].calls("/search")) == 1

    def test_an_owner_by_two_names(self) -> None:
        with hubspot_fixtures.sandbox_and_destination() as both:
            dana = Lookup("owners", "firstName", "Dana", "id", where=(("lastName", "ortiz"),))
            other = Lookup("owners", "firstName", "Dana", "id", where=(("lastName", "Bell"),), otherwise="71001")
            assert resolved(both, dana, other) == ["71003", "71001"]

    def test_more_properties_than_a_search_takes_are_compared_all_the_same(self) -> None:
        names = ("city", "state", "zip", "address", "jobtitle", "company", "website")
        with hubspot_fixtures.sandbox_and_destination(index_lag=0.0) as both:
            ours = both[0].put("contacts", lastname="Lee", **dict.fromkeys(names, "x"))
            both[0].put("contacts", lastname="Lee", **dict.fromkeys(names, "x") | {"website": "y"})
            asked = Lookup("contacts", "lastname", "Lee", "id", where=tuple((name, "x") for name in names))
            assert resolved(both, asked) == [ours]


class TestCalls:
    def test_what_every_record_needs_is_asked_once(self, pair: Pair) -> None:
        queue = pair[0].put("Group", Type="Queue", Name="Medicare", DeveloperName="Medicare")["Id"]
        fixed = Lookup("Group", "DeveloperName", "Medicare", where=(("Type", "Queue"),))
        lookups = Lookups(lambda: 0.0)
        for number in range(3):
            asked = [Lookup("User", "Email", f"{number}-{one}@x.com", otherwise=fixed) for one in range(50)]
            assert {*lookups.resolve(pair[1], asked).values()} == {queue}
        assert len(searches(pair)) == 3 + 1
