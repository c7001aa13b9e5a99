"""Pausing and resuming lanes, and setting events aside, in the console: confirmed on a page, then reported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from flask import Response, abort, g, request
from werkzeug.wrappers import Response as AnyResponse

from connector.errors import FixConfiguration, StateChanged
from connector.settlement.listings import LaneStatus
from connector.store import Store
from connector.web.gate import Gate
from connector.web.pages import asked, given_reason

_DONE: Final = {
    "pause": "{lane} is paused until someone resumes it.",
    "resume": "{lane} is resumed. It continues at once.",
}
_ALREADY_DONE: Final = {
    "pause": "Nothing was changed: {lane} was already paused by hand.",
    "resume": "Nothing was changed: {lane} was no longer paused.",
}


@dataclass(frozen=True, slots=True)
class Actions:
    """The pages that pause and resume a lane, and set aside the event it paused at."""

    store: Store
    gate: Gate

    def confirm_lane(self, action: str) -> Response:
        """Ask before a lane is paused or resumed."""
        return self.gate.show("confirm_lane", action=action, lane=self._lane(asked("lane")))

    def turn_lane(self, action: str) -> AnyResponse:
        """Pause or resume one lane."""
        lane = self._lane(request.form.get("lane", "")).name
        desk = self.store.desk
        try:
            (desk.pause if action == "pause" else desk.resume)(lane, g.session.actor, given_reason())
        except StateChanged:
            return self.gate.back("console.overview", _ALREADY_DONE[action].format(lane=lane))
        return self.gate.back("console.overview", _DONE[action].format(lane=lane))

    def confirm_set_aside(self) -> Response:
        """Ask before the event is set aside that a lane paused at."""
        lane = self._lane(asked("lane"))
        if lane.paused_at is None or not lane.paused_at.waits:
            abort(404)
        return self.gate.show("confirm_set_aside", lane=lane)

    def set_aside(self) -> AnyResponse:
        """Make the event that a lane paused at a dead letter."""
        delivery = request.form.get("delivery", "")
        if not delivery.isdecimal() or len(delivery) > 18:
            abort(404)
        try:
            self.store.desk.set_aside(int(delivery), g.session.name, given_reason())
        except StateChanged:
            return self.gate.back("console.overview", "Nothing was changed: the event no longer waits.")
        except FixConfiguration:
            return self.gate.back("console.overview", "Nothing was changed: enter a reason.")
        return self.gate.back("console.overview", "The event is set aside. Its lane continues at once.")

    def _lane(self, name: str) -> LaneStatus:
        lane = next((lane for lane in self.store.desk.lanes() if lane.name == name), None)
        if lane is None:
            abort(404)
        return lane
