"""Pausing and resuming lanes in the console: confirmed on a page of its own, then reported in a notice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from flask import Response, abort, request
from werkzeug.wrappers import Response as AnyResponse

from connector.errors import StateChanged
from connector.settlement.listings import LaneStatus
from connector.store import Store
from connector.web.gate import WHO, Gate
from connector.web.pages import asked

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
    """The pages that pause and resume a lane."""

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
            (desk.pause if action == "pause" else desk.resume)(lane, WHO)
        except StateChanged:
            return self.gate.back("console.overview", _ALREADY_DONE[action].format(lane=lane))
        return self.gate.back("console.overview", _DONE[action].format(lane=lane))

    def _lane(self, name: str) -> LaneStatus:
        lane = next((lane for lane in self.store.desk.lanes() if lane.name == name), None)
        if lane is None:
            abort(404)
        return lane
