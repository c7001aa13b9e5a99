"""The operators' pages under /console: readable without JavaScript, never showing a masked value."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from flask import Blueprint, Response, abort, g, make_response, render_template
from werkzeug.exceptions import HTTPException

from connector import telemetry
from connector.errors import ConnectorError, StoreUnavailable
from connector.insight.accounts import Account
from connector.store import Store
from connector.web import words
from connector.web.actions import Actions
from connector.web.causes import Causes
from connector.web.gate import ROOT, Gate
from connector.web.identity import Identities
from connector.web.mappings import Mappings
from connector.web.outage import Reach, outage_page
from connector.web.pages import Pages
from connector.web.session import Passwords, Sessions, Throttle
from connector.web.whys import Whys

_ANY: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_PROBLEMS: Final = {
    400: ("This form is no longer valid", "Nothing was changed. Reload the page and try again."),
    403: ("You have view-only access", "Nothing was changed. Log in with the operators' password to do this."),
    404: ("Page not found", "The address may be mistyped, or the item no longer exists."),
    500: ("Something went wrong", "Nothing is lost. The reason is in the connector's log."),
    503: ("The console is busy", "Nothing was changed. Reload this page in a minute."),
}


def create_console(
    store: Store,
    passwords: Passwords,
    secret_key: bytes,
    clock: Callable[[], float] = time.time,
    accounts: Sequence[Account] = (),
    tick: Callable[[], float] = time.monotonic,
) -> Blueprint:
    """Build the console's pages for create_admin(). accounts: those whose mappings are known.

    clock: of this machine, in epoch seconds, for the end of sessions. tick: monotonic seconds, between two passwords.
    """
    gate = Gate(passwords, Sessions(secret_key, passwords, clock), Throttle(tick))
    pages, actions = Pages(store, gate, accounts), Actions(store, gate)
    causes, whys = Causes(store, gate, accounts), Whys(store, gate, accounts)
    mappings, identities = Mappings(store, gate, accounts), Identities(store, gate, accounts)
    blueprint = Blueprint("console", __name__, url_prefix=ROOT, template_folder="templates", static_folder="static")
    for rule, methods, view in (
        ("", ["GET"], pages.overview),
        ("/login", ["GET"], gate.login_form),
        ("/login", ["POST"], gate.login),
        ("/logout", ["POST"], gate.logout),
        ("/events", ["GET"], pages.events),
        ("/events/<path:message_id>", ["GET"], pages.event),
        ("/reveal/<path:message_id>", ["POST"], pages.reveal),
        ("/problems", ["GET"], causes.problems),
        ("/problems/<id>", ["GET"], causes.cause),
        ("/problems/<id>/<any(replay, discard):action>", ["GET"], causes.confirm),
        ("/problems/<id>/<any(replay, discard):action>", ["POST"], causes.turn),
        ("/identity", ["GET"], identities.identity),
        ("/identity/<id>/<any(same, other, undo):action>", ["GET"], identities.confirm_identity),
        ("/identity/<id>/<any(same, other, undo):action>", ["POST"], identities.decide),
        ("/why", ["GET"], whys.why),
        ("/mapping", ["GET"], mappings.mappings),
        ("/mapping/try", ["GET"], mappings.try_form),
        ("/mapping/try", ["POST"], mappings.try_mapping),
        ("/mapping/compare", ["POST"], mappings.compare),
        ("/lanes/<any(pause, resume):action>", ["GET"], actions.confirm_lane),
        ("/lanes/<any(pause, resume):action>", ["POST"], actions.turn_lane),
        ("/lanes/set-aside", ["GET"], actions.confirm_set_aside),
        ("/lanes/set-aside", ["POST"], actions.set_aside),
        ("/<path:unknown>", _ANY, _unknown),
    ):
        blueprint.add_url_rule(rule, view_func=view, methods=methods, strict_slashes=False)
    blueprint.before_request(gate.admit)
    blueprint.before_request(Reach(store).look)
    blueprint.after_request(_protect)
    blueprint.register_error_handler(HTTPException, _refused)
    blueprint.register_error_handler(StoreUnavailable, partial(_unavailable, store))
    blueprint.register_error_handler(ConnectorError, _failed)
    for word in words.FILTERS:
        blueprint.add_app_template_filter(word)
    return blueprint


def _unknown(unknown: str) -> Response:
    abort(404)


def _protect(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _problem(status: int, detail: str = "") -> Response:
    title, text = _PROBLEMS.get(status, _PROBLEMS[500])
    session = g.get("session")
    page = render_template("console/problem.html", session=session, title=title, text=text, detail=detail)
    return make_response(page, status)


def _refused(error: HTTPException) -> Response:
    return _problem(error.code or 500)


def _unavailable(store: Store, error: StoreUnavailable) -> Response:
    telemetry.store_unavailable("console", error.problem)
    return outage_page(error.problem, f"{error.code}: {error}", store.database.heard_at)


def _failed(error: ConnectorError) -> Response:
    return _problem(500, f"{error.code}: {error}")
