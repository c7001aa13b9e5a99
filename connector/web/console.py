"""The operators' pages under /console: readable without JavaScript, never showing a masked value."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from flask import Blueprint, Response, abort, g, make_response, render_template, request
from werkzeug.exceptions import HTTPException

from connector import telemetry
from connector.errors import ConnectorError, StoreUnavailable
from connector.insight.accounts import Account
from connector.store import Store
from connector.store.audit import LONGEST_REASON
from connector.store.scope import narrow, narrowing
from connector.web import complete_words, mapping_words, words
from connector.web.accounts import Accounts
from connector.web.actions import Actions
from connector.web.causes import Causes
from connector.web.complete import Completes
from connector.web.consent import Consent, seen_figures
from connector.web.editing import Editing
from connector.web.event_pages import EventPages
from connector.web.gate import ROOT, Gate
from connector.web.identity import Identities
from connector.web.login import Login
from connector.web.logs import Logs
from connector.web.mappings import Mappings
from connector.web.now import Now
from connector.web.openid import Provider
from connector.web.openid_login import OpenIdLogin
from connector.web.openid_settings import OpenId
from connector.web.origin import HSTS, HSTS_HEADER, Origin
from connector.web.outage import Reach, outage_page
from connector.web.pages import Pages
from connector.web.passwords import Passwords
from connector.web.people import People
from connector.web.publications import Publications
from connector.web.rights import Right
from connector.web.roster import Roster
from connector.web.seen import SeenAccounts
from connector.web.session import Cookies, Everybody, Sessions
from connector.web.throttle import Throttle
from connector.web.times import Times
from connector.web.watch import Watch
from connector.web.whys import Whys
from connector.web.workbench import Workbench

_Route = tuple[str, Sequence[str], Callable[..., Any], Right]
_ANY: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_PROBLEMS: Final = {
    400: ("This form is no longer valid", "Nothing was changed. Reload the page and try again."),
    403: ("You may not do this", "Nothing was changed. Your role does not include it: ask an administrator."),
    421: ("This is not the console's address", "Use the address that your administrator gave you."),
    413: ("This is too much", "Nothing was changed. Send less at once."),
    404: ("Page not found", "The address may be mistyped, or the item no longer exists."),
    500: ("Something went wrong", "Nothing is lost. The connector's log has one line about it, with this reference."),
    503: ("The console is busy", "Nothing was changed. Reload this page in a minute."),
}


def create_console(
    store: Store,
    passwords: Passwords,
    secret_key: bytes,
    clock: Callable[[], float] = time.time,
    accounts: Sequence[Account] = (),
    roster: Roster | None = None,
    origin: Origin | None = None,
    openid: OpenId | None = None,
) -> Blueprint:
    """Build the console's pages for create_admin(). accounts: those whose mappings are known.

    clock: of this machine, in epoch seconds, for what a browser keeps. roster: the people with accounts of their own.
    openid: the provider that they may sign in through.
    """
    narrowing(store.database.engine)
    people, throttle = Everybody(passwords, roster or Roster(None)), Throttle(store, clock)
    watch, cookies = Watch(store, throttle), Cookies(secret_key, clock)
    gate = Gate(Sessions(store, secret_key, people, clock), cookies, origin or Origin(), watch)
    login, own = Login(gate, people, throttle, openid.host if openid else ""), Accounts(store, gate, people)
    through = OpenIdLogin(gate, login, Provider(openid, gate.origin.host, clock)) if openid else None
    blueprint = Blueprint("console", __name__, url_prefix=ROOT, template_folder="templates", static_folder="static")
    for rule, methods, view, right in (
        *_entrance(gate, login, own, through),
        *_routes(store, gate, SeenAccounts(accounts)),
    ):
        gate.require(f"{blueprint.name}.{view.__name__}", methods, right)
        blueprint.add_url_rule(rule, view_func=view, methods=methods, strict_slashes=False)
    blueprint.add_app_template_global(Right, "Right")
    blueprint.app_context_processor(lambda: {"longest_reason": LONGEST_REASON})
    blueprint.teardown_request(lambda error: narrow(None))
    for check in (gate.identify, Reach(store).look, gate.admit):
        blueprint.before_request(check)
    blueprint.after_request(partial(_protect, _HEADERS | ({HSTS_HEADER: HSTS} if gate.origin.secure else {})))
    blueprint.register_error_handler(HTTPException, _refused)
    blueprint.register_error_handler(StoreUnavailable, partial(_unavailable, store))
    blueprint.register_error_handler(ConnectorError, _failed)
    blueprint.register_error_handler(Exception, _broken)
    for word in (*words.FILTERS, *complete_words.FILTERS, *mapping_words.FILTERS, seen_figures):
        blueprint.add_app_template_filter(word)
    for name, write in Times.of(accounts).filters().items():
        blueprint.add_app_template_filter(write, name)
    return blueprint


def _entrance(gate: Gate, login: Login, own: Accounts, through: OpenIdLogin | None) -> Sequence[_Route]:
    """What leads in and out, and who is here."""
    return (
        *([("/login/openid", ["GET"], through.begin_openid, Right.LOOK)] if through else []),
        *([("/login/openid/callback", ["GET"], through.end_openid, Right.LOOK)] if through else []),
        ("/login", ["GET"], login.login_form, Right.LOOK),
        ("/login", ["POST"], login.login, Right.LOOK),
        ("/logout", ["POST"], gate.logout, Right.LOOK),
        ("/accounts", ["GET"], own.accounts, Right.LOOK),
        ("/accounts/end", ["POST"], own.end_session, Right.LOOK),
    )


def _routes(store: Store, gate: Gate, accounts: SeenAccounts) -> Sequence[_Route]:
    """Every page and form: its address, methods, view, and the right it needs."""
    pages, actions = Pages(store, gate, accounts), Actions(store, gate)
    causes, whys = Causes(store, gate, accounts), Whys(store, gate, accounts)
    logs, identities = Logs(store, gate, accounts), Identities(store, gate, accounts)
    listed = EventPages(store, gate, accounts)
    return (
        ("", ["GET"], Now(store, gate, accounts).overview, Right.LOOK),
        ("/events", ["GET"], listed.events, Right.LOOK),
        ("/events-chosen", ["GET"], listed.confirm_events, Right.OPERATE),
        ("/events-chosen", ["POST"], listed.turn_events, Right.OPERATE),
        ("/events/<path:message_id>", ["GET"], pages.event, Right.LOOK),
        ("/reveal/<path:message_id>", ["POST"], pages.reveal, Right.COMPLY),
        *_people_routes(People(store, gate, accounts), Consent(store, gate, accounts)),
        ("/problems", ["GET"], causes.problems, Right.LOOK),
        ("/problems/<id>", ["GET"], causes.cause, Right.LOOK),
        ("/problems/<id>/<any(replay, discard):action>", ["GET"], causes.confirm, Right.OPERATE),
        ("/problems/<id>/<any(replay, discard):action>", ["POST"], causes.turn, Right.OPERATE),
        ("/problems/<id>/replay-one", ["POST"], causes.replay_one, Right.OPERATE),
        ("/problems/<id>/mute", ["POST"], causes.mute, Right.OPERATE),
        ("/problems/<id>/people", ["POST"], causes.export_people, Right.COMPLY),
        ("/complete", ["GET"], Completes(store, gate).complete, Right.LOOK),
        ("/identity", ["GET"], identities.identity, Right.LOOK),
        ("/identity/<id>/<any(same, other, undo):action>", ["GET"], identities.confirm_identity, Right.OPERATE),
        ("/identity/<id>/<any(same, other, undo):action>", ["POST"], identities.decide, Right.OPERATE),
        ("/why", ["GET"], whys.why, Right.LOOK),
        ("/lanes/<any(pause, resume):action>", ["GET"], actions.confirm_lane, Right.OPERATE),
        ("/lanes/<any(pause, resume):action>", ["POST"], actions.turn_lane, Right.OPERATE),
        ("/lanes/set-aside", ["GET"], actions.confirm_set_aside, Right.OPERATE),
        ("/lanes/set-aside", ["POST"], actions.set_aside, Right.OPERATE),
        ("/log", ["GET"], logs.log, Right.LOOK),
        ("/log/export", ["POST"], logs.export_log, Right.COMPLY),
        *_of_mappings(Workbench(store, gate, accounts)),
        ("/<path:unknown>", _ANY, _unknown, Right.LOOK),
    )


def _people_routes(people: People, consent: Consent) -> Sequence[_Route]:
    """The pages of people, and that of their opt-outs."""
    person = "/people/<agency>/<path:customer_id>"
    return (
        ("/people", ["GET"], people.people, Right.LOOK),
        ("/people", ["POST"], people.find_people, Right.LOOK),
        (person, ["GET"], people.person, Right.LOOK),
        ("/reveal-person/<agency>/<path:customer_id>", ["POST"], people.reveal_person, Right.COMPLY),
        ("/replay-person/<agency>/<path:customer_id>", ["GET"], people.confirm_replay_person, Right.OPERATE),
        ("/replay-person/<agency>/<path:customer_id>", ["POST"], people.replay_person, Right.OPERATE),
        ("/forget-person/<agency>/<path:customer_id>", ["GET"], people.confirm_forget, Right.COMPLY),
        ("/forget-person/<agency>/<path:customer_id>", ["POST"], people.forget_person, Right.COMPLY),
        ("/consent", ["GET"], consent.consent, Right.LOOK),
        ("/consent", ["POST"], consent.sign_consent, Right.COMPLY),
        ("/consent/report.csv", ["GET"], consent.export_consent, Right.COMPLY),
    )


def _of_mappings(bench: Workbench) -> Sequence[_Route]:
    mappings, editing, publications = Mappings(bench), Editing(bench), Publications(bench)
    return (
        ("/mapping", ["GET"], mappings.mappings, Right.LOOK),
        ("/mapping/try", ["GET"], mappings.try_form, Right.LOOK),
        ("/mapping/try", ["POST"], mappings.try_mapping, Right.LOOK),
        ("/mapping/compare", ["POST"], mappings.compare, Right.EDIT),
        ("/mapping/show", ["GET"], mappings.mapping, Right.LOOK),
        ("/mapping/versions", ["GET"], publications.versions, Right.LOOK),
        ("/mapping/version", ["GET"], publications.version, Right.LOOK),
        ("/mapping/edit", ["GET"], editing.edit, Right.EDIT),
        ("/mapping/edit", ["POST"], editing.save_edit, Right.EDIT),
        ("/mapping/continue", ["POST"], editing.continue_edit, Right.EDIT),
        ("/mapping/discard", ["POST"], editing.discard_edit, Right.EDIT),
        ("/mapping/download", ["GET"], editing.download, Right.EDIT),
        ("/mapping/publish", ["GET"], editing.review, Right.EDIT),
        ("/mapping/publish", ["POST"], publications.publish, Right.EDIT),
        ("/mapping/put-back", ["POST"], publications.put_back, Right.EDIT),
    )


def _unknown(unknown: str) -> Response:
    abort(404)


def _protect(headers: Mapping[str, str], response: Response) -> Response:
    for name, value in headers.items():
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
    reference = telemetry.page_failed(request.endpoint or "", error, error.code)
    return _problem(500, f"{error.code}: {error} Reference: {reference}")


def _broken(error: Exception) -> Response:
    return _problem(500, f"Reference: {telemetry.page_failed(request.endpoint or '', error)}")
