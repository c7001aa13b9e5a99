"""Merging what a batch asks of a record, and deciding what of it goes out."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connector.delivery.answer import Answer
from connector.delivery.consent import must_carry, must_raise, observe, withholding
from connector.delivery.decide import Existing, decide, to_read
from connector.delivery.fold import Folded, fold
from connector.delivery.remember import remember
from connector.delivery.settle import consents_after
from connector.destinations.base import Outcome, Verdict
from connector.model import Entry, FieldWrite, FlagState, Mark, Mode, Plan, RecordKey, Rule, Stamp, Value, Write

KEY = RecordKey("Contact", "careCycle_Id__c", "c1")
FALSE = dict.fromkeys(("doNotCall", "doNotSMS"), False)


def digest(value: Value) -> str:
    return f"#{value}"


def stamp(at: int) -> Stamp:
    return Stamp(at, f"t{at}")


def a_field(value: Value, at: int, rule: Rule = Rule.ALWAYS, guards: tuple[str, ...] = ()) -> FieldWrite:
    return FieldWrite(value, stamp(at), rule, guards)


def a_plan(at: int, consent: dict[str, bool | None] | None = None, flags: Any = None, **fields: FieldWrite) -> Plan:
    write = Write("contact", KEY, stamp(at), fields, flags or {})
    return Plan("c1", FALSE | (consent or {}), stamp(at), (write,))


def spoken(at: int, value: bool | None = False) -> Plan:
    """A call in which the customer said do not call, whatever the snapshot says."""
    plan = a_plan(at, {"doNotCall": value}, {"doNotCall": "DoNotCall"})
    return plan._replace(spoken=frozenset({"doNotCall"}))


def folded(*plans: Plan, known: Any = None) -> Folded:
    (one,), _ = fold(list(enumerate(plans)), {"c1": known or {}})
    return one


def values(one: Folded) -> dict[str, Any]:
    return {name: field.value for name, field in one.write.fields.items()}


class TestFold:
    def test_the_newest_value_of_each_field_wins_whatever_came_first(self) -> None:
        plans = [a_plan(1, Phone=a_field("old", 1), City=a_field("Mesa", 1)), a_plan(2, Phone=a_field("new", 2))]
        for order in itertools.permutations(plans):
            assert values(folded(*order)) == {"Phone": "new", "City": "Mesa"}

    def test_the_first_value_wins_for_fields_written_once(self) -> None:
        plans = [a_plan(at, LeadSource=a_field(f"v{at}", at, Rule.ON_CREATE)) for at in (2, 1, 3)]
        assert values(folded(*plans)) == {"LeadSource": "v1"}

    def test_a_newer_opt_out_keeps_back_what_an_older_event_offers(self) -> None:
        offered = a_plan(1, Phone=a_field("+1", 1, guards=("doNotCall",)))
        opted_out = a_plan(2, {"doNotCall": True}, flags={"doNotCall": "DoNotCall"})
        one = folded(opted_out, offered)
        assert values(one) == {}
        assert [(held.field, held.flag) for held in one.withheld] == [("Phone", "doNotCall")]

    def test_a_newer_consent_lets_a_field_out_again(self) -> None:
        known = {"doNotCall": FlagState(stamp(1), True, applied=True)}
        assert values(folded(a_plan(2, Phone=a_field("+1", 2, guards=("doNotCall",))), known=known)) == {"Phone": "+1"}

    def test_an_unknown_flag_keeps_back(self) -> None:
        assert values(folded(a_plan(2, {"doNotCall": None}, Phone=a_field("+1", 2, guards=("doNotCall",))))) == {}

    def test_a_record_kept_back_as_a_whole_is_not_written(self) -> None:
        plan = a_plan(1, {"doNotCall": True}, Phone=a_field("+1", 1))
        guarded = plan._replace(writes=(plan.writes[0]._replace(guards=("doNotCall",)),))
        assert fold([(1, guarded)], {})[0] == []

    def test_records_come_before_those_that_point_at_them_and_opt_outs_first(self) -> None:
        def write(name: str, rank: int, flags: Any = None) -> Write:
            return Write(name, RecordKey("X", "k", name), stamp(1), {}, flags or {}, rank=rank)

        plan = Plan("c1", FALSE, stamp(1), (write("call", 1), write("b", 0), write("a", 0, {"doNotCall": "DNC"})))
        assert [one.write.name for one in fold([(1, plan)], {})[0]] == ["a", "b", "call"]

    def test_an_update_folded_with_an_upsert_is_an_upsert(self) -> None:
        update = a_plan(2, {"doNotCall": True}, flags={"doNotCall": "DoNotCall"})
        update = update._replace(writes=(update.writes[0]._replace(mode=Mode.UPDATE),))
        assert folded(a_plan(1, City=a_field("Mesa", 1)), update).write.mode is Mode.UPSERT


class TestDecide:
    def decide(self, one: Folded, entry: Entry = Entry(), existing: Existing | None = None) -> dict[str, Any]:  # noqa: B008  # frozen
        return dict(decide(one, entry, {}, existing, digest).fields)

    def test_a_value_said_before_is_not_said_again(self) -> None:
        entry = Entry("003", {"Phone": Mark(stamp(1), "#+1")})
        assert self.decide(folded(a_plan(2, Phone=a_field("+1", 2))), entry) == {}

    def test_a_spoken_opt_out_erases_a_newer_value_and_does_so_once(self) -> None:
        erased = a_field(None, 1)._replace(erases=True, spoken=True)
        one, newer = folded(a_plan(1, Phone=erased)), Entry("003", {"Phone": Mark(stamp(2), "#+1")})
        assert self.decide(one, newer) == {"Phone": None}
        assert self.decide(one, Entry("003", {"Phone": Mark(stamp(2), "#None")})) == {}

    def test_its_watermark_moves_all_the_same(self) -> None:
        entry = Entry("003", {"Phone": Mark(stamp(1), "#+1")})
        decision = decide(folded(a_plan(3, Phone=a_field("+1", 3))), entry, {}, None, digest)
        assert decision.marks == {"Phone": Mark(stamp(3), "#+1")}

    def test_an_older_value_never_replaces_a_newer_one(self) -> None:
        entry = Entry("003", {"Phone": Mark(stamp(5), "#new")})
        assert self.decide(folded(a_plan(2, Phone=a_field("old", 2))), entry) == {}

    def test_a_late_event_still_fills_what_the_newer_one_left_alone(self) -> None:
        entry = Entry("003", {"Phone": Mark(stamp(5), "#new")})
        assert self.decide(folded(a_plan(2, City=a_field("Mesa", 2))), entry) == {"City": "Mesa"}

    def test_a_replayed_event_with_an_edited_mapping_is_written(self) -> None:
        entry = Entry("003", {"Phone": Mark(stamp(2), "#old format")})
        assert self.decide(folded(a_plan(2, Phone=a_field("new format", 2))), entry) == {"Phone": "new format"}

    def test_on_create_is_for_new_records_alone(self) -> None:
        one = folded(a_plan(1, LeadSource=a_field("careCycle", 1, Rule.ON_CREATE)))
        assert self.decide(one) == {"LeadSource": "careCycle"}
        assert self.decide(one, existing=Existing("003")) == {}

    def test_if_blank_fills_a_blank_and_leaves_a_value(self) -> None:
        one = folded(a_plan(1, Email=a_field("a@b", 1, Rule.IF_BLANK)))
        assert self.decide(one, existing=Existing("003", {"Email": None})) == {"Email": "a@b"}
        assert self.decide(one, existing=Existing("003", {"Email": "theirs"})) == {}

    def test_unless_edited_writes_over_its_own_value_and_never_over_a_persons(self) -> None:
        one, entry = (
            folded(a_plan(2, Owner=a_field("B", 2, Rule.UNLESS_EDITED))),
            Entry("003", {"Owner": Mark(stamp(1), "#A")}),
        )
        assert self.decide(one, entry, Existing("003", {"Owner": "A"})) == {"Owner": "B"}
        assert self.decide(one, entry, Existing("003", {"Owner": "C"})) == {}
        assert self.decide(one, entry, Existing("003", {"Owner": None})) == {}

    def test_a_value_the_crm_holds_already_becomes_ours_without_a_write(self) -> None:
        one = folded(a_plan(2, Owner=a_field("B", 2, Rule.UNLESS_EDITED)))
        decision = decide(one, Entry("003"), {}, Existing("003", {"Owner": "B"}), digest)
        assert (decision.fields, decision.marks["Owner"].digest) == ({}, "#B")

    def test_rules_that_compare_ask_for_the_current_value(self) -> None:
        one = folded(a_plan(1, Owner=a_field("B", 1, Rule.UNLESS_EDITED), City=a_field("Mesa", 1)))
        assert to_read(one, Entry("003"), digest) == (True, ("Owner",))

    def test_plain_fields_ask_for_nothing(self) -> None:
        assert to_read(folded(a_plan(1, City=a_field("Mesa", 1))), Entry(), digest) == (False, ())

    def test_an_address_is_unsubscribed_once_and_again_when_it_changes(self) -> None:
        plan = a_plan(1)
        one = folded(plan._replace(writes=(plan.writes[0]._replace(unsubscribe="a@b"),)))
        assert decide(one, Entry(), {}, None, digest).unsubscribe == "a@b"
        same, other = (Entry("1", unsubscribed=Mark(stamp(1), text)) for text in ("#a@b", "#old@b"))
        assert decide(one, same, {}, None, digest).unsubscribe is None
        assert decide(one, other, {}, None, digest).unsubscribe == "a@b"

    def test_a_new_address_is_unsubscribed_while_the_flag_stands_though_its_event_does_not_speak_of_it(self) -> None:
        known = {"doNotEmail": FlagState(stamp(1), True, applied=True)}
        plan = a_plan(2, {"doNotEmail": None})
        address = {"address": "new@b", "address_flags": frozenset({"doNotEmail"})}
        write = plan.writes[0]._replace(carries=(("doNotEmail", "OptedOut"),), **address)
        assert folded(plan._replace(writes=(write,)), known=known).write.unsubscribe == "new@b"
        no_longer = plan._replace(consent={"doNotEmail": False}, writes=(write,))
        assert folded(no_longer, known=known).write.unsubscribe is None


class TestConsent:
    def test_the_newest_snapshot_decides_each_flag(self) -> None:
        plans = [a_plan(2, {"doNotCall": True}), a_plan(1)]
        for order in itertools.permutations(plans):
            assert observe({}, order)["doNotCall"].value is True

    def test_a_flag_nobody_spoke_of_withholds(self) -> None:
        assert withholding(["doNotMail"], {}) == "doNotMail"

    def test_a_raise_that_never_reached_the_crm_goes_out_however_old(self) -> None:
        assert must_raise(FlagState(stamp(9), False))

    def test_a_raise_that_reached_it_goes_out_once(self) -> None:
        heard = observe({"doNotCall": FlagState(stamp(1), True, applied=True)}, [a_plan(2, {"doNotCall": True})])
        assert not must_raise(heard["doNotCall"])

    def test_a_raise_after_renewed_consent_goes_out_again(self) -> None:
        lowered = {"doNotCall": FlagState(stamp(2), False, applied=True)}
        assert must_raise(observe(lowered, [a_plan(3, {"doNotCall": True})])["doNotCall"])
        assert not must_raise(observe(lowered, [a_plan(1, {"doNotCall": True})])["doNotCall"])

    def test_renewed_consent_counts_although_it_shares_a_batch_with_the_new_raise(self) -> None:
        raised = {"doNotCall": FlagState(stamp(1), True, applied=True)}
        plans = [a_plan(3, {"doNotCall": True}), a_plan(2, {"doNotCall": False})]
        assert must_raise(observe(raised, plans)["doNotCall"])

    def test_a_raise_is_owed_until_it_is_in_the_crm_whatever_newer_events_say(self) -> None:
        heard = observe({}, [a_plan(1, {"doNotCall": True})])
        assert observe(heard, [a_plan(2)])["doNotCall"] == FlagState(stamp(2), False, owed=True)
        assert observe({}, [a_plan(2), a_plan(1, {"doNotCall": True})])["doNotCall"].owed
        assert not observe({"doNotCall": FlagState(stamp(1), True, applied=True)}, [a_plan(2)])["doNotCall"].owed

    def test_a_spoken_opt_out_outlasts_every_newer_snapshot(self) -> None:
        heard = observe({}, [spoken(1), a_plan(2)])
        assert heard["doNotCall"] == FlagState(stamp(2), False, owed=True, spoken=True)
        applied = {"doNotCall": heard["doNotCall"]._replace(applied=True, owed=False)}
        after = observe(applied, [a_plan(3)])
        assert (must_carry(after["doNotCall"]), withholding(["doNotCall"], after)) == (True, "doNotCall")

    def test_a_spoken_opt_out_goes_out_once_even_if_the_crm_held_the_flag(self) -> None:
        first = observe({"doNotCall": FlagState(stamp(1), True, applied=True)}, [spoken(2)])["doNotCall"]
        assert (first.applied, first.owed) == (False, True)
        again = observe({"doNotCall": first._replace(applied=True, owed=False)}, [spoken(2), spoken(3)])["doNotCall"]
        assert (again.applied, again.owed) == (True, False)

    @given(st.data())
    def test_every_order_and_repetition_of_the_same_events_gives_the_same_state(self, data: st.DataObject) -> None:
        values = st.sampled_from([True, False, None])
        said = st.lists(st.tuples(values, st.booleans()), min_size=1, max_size=5)
        plans = [
            spoken(at, value) if aloud else a_plan(at, {"doNotCall": value})
            for at, (value, aloud) in enumerate(data.draw(said), 1)
        ]
        known = {}
        if any(plan.spoken for plan in plans):  # without one, only a raise that comes last has to go out again
            known = {"doNotCall": FlagState(stamp(0), data.draw(values), applied=data.draw(st.booleans()))}
        shuffled = data.draw(st.permutations(plans + data.draw(st.lists(st.sampled_from(plans)))))
        states = known
        for plan in shuffled:
            states = observe(states, [plan])
        assert states == observe(known, plans)

    def test_an_owed_raise_goes_out_with_the_next_write_of_the_record(self) -> None:
        plan = a_plan(2, City=a_field("Mesa", 2))
        carrying = plan._replace(writes=(plan.writes[0]._replace(carries=(("doNotCall", "DNC"),)),))
        owed = {"doNotCall": FlagState(stamp(1), True, owed=True)}
        one = folded(carrying, known=owed)
        assert decide(one, Entry(), observe(owed, [plan]), None, digest).consent == {"doNotCall": "DNC"}

    def test_a_record_made_anew_from_an_older_event_carries_the_flag_that_is_up(self) -> None:
        plan = a_plan(1, City=a_field("Mesa", 1))
        carrying = plan._replace(writes=(plan.writes[0]._replace(carries=(("doNotCall", "DNC"),)),))
        known = {"doNotCall": FlagState(stamp(2), True, applied=True)}
        assert decide(folded(carrying, known=known), Entry(), known, None, digest).consent == {"doNotCall": "DNC"}

    def test_a_record_that_is_skipped_still_raises_its_other_flags_and_erases(self) -> None:
        erased = a_field(None, 1)._replace(erases=True)
        plan = a_plan(1, {"doNotSMS": True}, flags={"doNotSMS": "NoText"}, Mobile=erased, City=a_field("Mesa", 1))
        skipped = plan._replace(writes=(plan.writes[0]._replace(guards=("doNotCall",)),))
        one = folded(skipped, a_plan(2, {"doNotCall": True}, flags={"doNotCall": "DNC"}))
        assert (values(one), set(one.flags)) == ({"Mobile": None}, {"doNotSMS", "doNotCall"})


class Crm:
    """The least CRM: one record, and a ledger beside it."""

    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}
        self.entry, self.known = Entry(), {}  # type: ignore[var-annotated]  # filled by the steps

    def deliver(self, plans: list[Plan]) -> None:
        batch, after = fold(list(enumerate(plans)), {"c1": self.known})
        for one in batch:
            decision = decide(one, self.entry, after["c1"], None, digest)
            self.fields.update(decision.fields, **dict.fromkeys(decision.consent.values(), True))
            answer = Answer(one, self.entry, decision, Outcome(Verdict.DELIVERED, "003"))
            remembered = remember(answer, digest)
            self.entry = remembered.entry if remembered else self.entry
            after = consents_after(after, [answer])
        self.known = dict(after.get("c1", self.known))


_events = st.lists(
    st.fixed_dictionaries(
        {
            "at": st.integers(1, 4),
            "Phone": st.sampled_from([None, "1", "2"]),
            "City": st.sampled_from([None, "a", "b"]),
            "Stage": st.sampled_from([None, "New", "Working", "Won"]),
            "doNotCall": st.booleans(),
            "spoken": st.booleans(),
        }
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda event: event["at"],
)


def plan_of(event: dict[str, Any]) -> Plan:
    fields = {name: a_field(event[name], event["at"]) for name in ("Phone", "City") if event[name]}
    if event["Stage"]:
        stage = a_field(event["Stage"], event["at"], Rule.FORWARD)
        fields["Stage"] = stage._replace(order=("New", "Working", "Won"))
    flags = {"doNotCall": "DoNotCall"} if event["doNotCall"] or event["spoken"] else {}
    plan = a_plan(event["at"], {"doNotCall": event["doNotCall"]}, flags, **fields)
    return plan._replace(spoken=frozenset({"doNotCall"} if event["spoken"] else ()))


class TestConvergence:
    @given(_events, st.randoms(use_true_random=False), st.integers(1, 5))
    def test_every_order_batch_and_repetition_ends_in_the_same_crm(self, events: Any, chance: Any, size: int) -> None:
        plans = [plan_of(event) for event in sorted(events, key=lambda event: event["at"])]
        straight, shuffled = Crm(), Crm()
        for plan in plans:
            straight.deliver([plan])
        again = plans + chance.choices(plans, k=2)
        chance.shuffle(again)
        for start in range(0, len(again), size):
            shuffled.deliver(again[start : start + size])
        assert shuffled.fields == straight.fields
