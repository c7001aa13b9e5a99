"""What operators do in the console: each action is confirmed on a page of its own, then told in a message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask import Response, abort, request
from werkzeug.wrappers import Response as AnyResponse

from connector.errors import StateChanged
from connector.store import Store
from connector.store.desk import Filter
from connector.web import words
from connector.web.gate import Gate
from connector.web.pages import asked

WHO: Final = "console"
_DONE: Final = {
    "pause": "{lane} is paused. It rests until somebody resumes it.",
    "resume": "{lane} is resumed. It goes on at once.",
}
_NOTHING_TO: Final = {
    "pause": "Nothing was changed: {lane} had been paused by hand already.",
    "resume": "Nothing was changed: {lane} was no longer paused.",
}


@dataclass(frozen=True, slots=True)
class Actions:
    """Pause, resume, replay, discard."""

    store: Store
    gate: Gate

    def confirm_lane(self, action: str) -> Response:
        """Ask before a lane is paused or resumed."""
        return self.gate.show("confirm_lane", action=action, lane=self._lane(asked("lane")))

    def turn_lane(self, action: str) -> AnyResponse:
        """Pause or resume one lane."""
        lane = self._lane(request.form.get("lane", ""))["name"]
        desk = self.store.desk
        try:
            (desk.pause if action == "pause" else desk.resume)(lane, WHO)
        except StateChanged:
            return self.gate.back("console.overview", _NOTHING_TO[action].format(lane=lane))
        return self.gate.back("console.overview", _DONE[action].format(lane=lane))

    def confirm_cause(self, action: str) -> AnyResponse:
        """Ask before the dead letters of one cause are replayed or discarded."""
        where = (asked("destination"), asked("code"))
        found = words.causes(self.store.desk.dead())
        cause = next((one for one in found if (one.destination, one.code) == where), None)
        if cause is None or not cause.code:
            return self._nothing_dead()
        return self.gate.show("confirm_cause", action=action, cause=cause)

    def turn_cause(self, action: str) -> AnyResponse:
        """Replay or discard every dead letter of one cause."""
        destination, code = request.form.get("destination", ""), request.form.get("code", "")
        if not destination or not code or "\0" in destination + code:  # to the desk, an empty one means any
            abort(400)
        desk = self.store.desk
        count = (desk.replay if action == "replay" else desk.discard)(Filter(destination=destination, code=code), WHO)
        if not count:
            return self._nothing_dead()
        done = "replayed: ready to be written again" if action == "replay" else "discarded: kept on record as skipped"
        return self.gate.back("console.problems", f"{words.counted(count, 'delivery', 'deliveries')} {done}.")

    def _nothing_dead(self) -> AnyResponse:
        return self.gate.back("console.problems", "Nothing was changed: no dead letter of that cause is left.")

    def _lane(self, name: str) -> Mapping[str, Any]:
        lane = next((one for one in self.store.desk.lanes() if one["name"] == name), None)
        if lane is None:
            abort(404)
        return lane
