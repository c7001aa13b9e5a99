"""An opt-out spoken in a call, lowered by an operator: the calls before that raise and erase nothing any more."""

from __future__ import annotations

from connector.delivery.route import Pace, Route, Running
from connector.delivery.turn import deliver
from connector.settlement import ObligationState
from tests.promises.stage import HOLD, ZONE, Stage, a_person, a_talk, compiled
from tests.promises.test_reapply import OTHER, lane, reapply

SPEAKING = compiled("""\
version: 1
crm: salesforce
consent:
  flags: { doNotCall: contact.NoCall }
  waive: [doNotSMS, doNotEmail, doNotMail]
  withhold: { doNotCall: [contact.Phone] }
  withheld: clear
  raise: { doNotCall: { when: { call.disposition: Do Not Call } } }
records:
  contact:
    object: Contact
    key: { Key: customer.id }
    fields:
      LastName: customer.lastName
      Phone: customer.phoneNumber
""")
NUMBER = "+12025550100"


def lowered(stage: Stage) -> None:
    """A customer says so in a call; later an operator lowers it, and careCycle sends the customer again."""
    stage.route.running = Running(SPEAKING)
    stage.accept("call", a_talk("k-1", a_person("c-1", 1), 1, disposition="Do Not Call"))
    stage.drain()
    stage.clock.forward(HOLD * 10)
    stage.store.lowering.lower("c-1", "doNotCall", "ana", "agreed by letter")
    stage.accept("later", a_person("c-1", 5, phoneNumber=NUMBER))
    stage.drain()


class TestTheCallsBeforeThat:
    def test_erase_nothing_that_was_written_since(self, stage: Stage) -> None:
        lowered(stage)
        reapply(stage, SPEAKING)
        assert stage.contact()["Phone"] == NUMBER

    def test_raise_it_in_no_destination_that_is_added_later(self, stage: Stage) -> None:
        lowered(stage)
        stage.crm.records.clear()
        reapply(stage, SPEAKING, destination=OTHER)
        other = Route(OTHER, stage.crm, Running(SPEAKING), ZONE)
        stage.store.lanes.open({lane(OTHER, ""): OTHER})
        lease = stage.store.lanes.lease("worker", [lane(OTHER, "")], HOLD)
        assert lease is not None
        while deliver(stage.store, other, lease, Pace(400, HOLD, roll=lambda: 0.5)):
            continue
        assert (stage.contact().get("NoCall"), stage.contact()["Phone"]) == (None, NUMBER)
        owed = stage.store.obligations.due(lane(OTHER, ""), 10)
        assert not [one for one in owed if one.state is ObligationState.OWED]
