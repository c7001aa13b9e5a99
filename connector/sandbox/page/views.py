"""A sandbox's own pages: look at its records, and break things with a click.

They need no password, so they answer on this machine's own names alone, and take forms from these pages alone.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from flask import Blueprint, Flask, Response, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from connector.sandbox.page.desk import Card, Desk, NotDone
from connector.sandbox.wire import Wire

_PAGE: Final = 50
_LONGEST: Final = 300
_UNTIL_PUT_RIGHT: Final = 1_000_000_000
_OWN_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")
_PLACES: Final = ("", "records", "history", "opted-out", "break", "repair", "style.css")
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def open_page(desk: Desk, style: str, others: Mapping[str, Wire]) -> None:
    """Serve the pages beside the CRM's API. style: CSS. others: further sandboxes to lead to, by name."""
    app, crm = Flask(__name__, static_folder=None), desk.wire.app
    app.secret_key = secrets.token_bytes(32)
    app.config.update(SESSION_COOKIE_NAME=f"sandbox_{desk.crm}", SESSION_COOKIE_SAMESITE="Strict")
    app.register_blueprint(_Pages(desk, style, others).blueprint())

    def front(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        place = str(environ["PATH_INFO"]).lstrip("/").partition("/")[0]
        host = re.sub(r":\d*\Z", "", str(environ.get("HTTP_HOST", "")))
        return (app if place in _PLACES and host in _OWN_NAMES else crm)(environ, start_response)

    desk.wire.front = front


class _Pages:
    def __init__(self, desk: Desk, style: str, others: Mapping[str, Wire]) -> None:
        self.desk, self.style, self.others, self.token = desk, style, others, secrets.token_urlsafe(24)

    def blueprint(self) -> Blueprint:
        made = Blueprint("page", __name__, template_folder="templates")
        routes: tuple[tuple[str, str, Callable[..., Any]], ...] = (
            ("GET", "/", self.overview),
            ("GET", "/style.css", lambda: Response(self.style, content_type="text/css; charset=utf-8")),
            ("GET", "/records/<kind>", self.records),
            ("GET", "/records/<kind>/<id>", self.record),
            ("GET", "/history", self.history),
            ("GET", "/opted-out", self.opted_out),
            ("POST", "/records/<kind>", self.create),
            ("POST", "/records/<kind>/<id>/<deed>", self.act),
            ("POST", "/break", self.break_),
            ("POST", "/repair", self.repair),
        )
        for method, path, view in routes:
            name = path if view.__name__ == "<lambda>" else view.__name__
            made.add_url_rule(path, name.strip("/").replace(".", "_"), view, methods=[method])
        made.before_request(self._refuse_strangers)
        made.after_request(_secured)
        made.add_app_template_filter(_moment, "moment")
        made.add_app_template_filter(_shown, "shown")
        made.context_processor(lambda: {"desk": self.desk, "token": self.token, "others": self.others})
        return made

    def _refuse_strangers(self) -> None:
        """Refuse a form that another site's page sent: it cannot know the token, and its browser names its origin."""
        if request.method == "POST":
            origin = request.headers.get("Origin", request.host_url.rstrip("/"))
            is_ours = secrets.compare_digest(request.form.get("token", "").encode(), self.token.encode())
            if not is_ours or origin != request.host_url.rstrip("/"):
                abort(403)

    def overview(self) -> str:
        with self.desk.wire.lock:
            active = [fault for fault in self.desk.wire.faults if fault.name and fault.times > 0]
            latest = list(islice(reversed(self.desk.history.changes), 8))
            counts = dict(self.desk.counts())
            return render_template(
                "sandbox/overview.html", counts=counts, active=active, latest=latest, endless=_UNTIL_PUT_RIGHT // 2
            )

    def records(self, kind: str) -> str:
        words, deleted = request.args.get("q", "").strip(), "deleted" in request.args
        with self.desk.wire.lock:
            if kind not in self.desk.counts():
                abort(404)
            rows = self.desk.rows(kind, words, deleted=deleted)
        page = _page()
        shown = rows[page * _PAGE : (page + 1) * _PAGE]
        searched = {"q": words or None, "deleted": "1" if deleted else None}
        return render_template(
            "sandbox/records.html", kind=kind, rows=shown, searched=searched, total=len(rows), page=page, size=_PAGE
        )

    def record(self, kind: str, id: str) -> str:
        with self.desk.wire.lock:
            card = self._card(kind, id)
            changes = [own for own in reversed(self.desk.history.changes) if (own.kind, own.id) == (kind, card.row.id)]
        return render_template("sandbox/record.html", kind=kind, card=card, changes=changes[:_PAGE])

    def _card(self, kind: str, id: str) -> Card:
        card = self.desk.card(kind, id) if kind in self.desk.counts() else None
        return card or abort(404)

    def history(self) -> str:
        page = _page()
        with self.desk.wire.lock:
            total = len(self.desk.history.changes)
            changes = list(islice(reversed(self.desk.history.changes), page * _PAGE, (page + 1) * _PAGE))
        return render_template("sandbox/history.html", changes=changes, page=page, size=_PAGE, total=total)

    def opted_out(self) -> str:
        with self.desk.wire.lock:
            people = self.desk.opted_out()
        return render_template("sandbox/opted_out.html", people=people)

    def create(self, kind: str) -> AnyResponse:
        pairs = [line.partition(":") for line in request.form.get("fields", "").splitlines() if line.strip()]
        texts = {name.strip(): text.strip() for name, _, text in pairs}
        with self.desk.wire.lock:
            if kind not in self.desk.counts():
                abort(404)
            try:
                made = self.desk.create(kind, texts)
            except NotDone as refused:
                _flash_refusal(f"Not added: {refused}")
                return redirect(url_for(".records", kind=kind), 303)
        flash("Added by hand.")
        return redirect(url_for(".record", kind=kind, id=made), 303)

    def act(self, kind: str, id: str, deed: str) -> AnyResponse:
        with self.desk.wire.lock:
            shown = self._card(kind, id).row.id
            try:
                shown = self._done(kind, id, deed)
            except NotDone as refused:
                _flash_refusal(f"Not done: {refused}")
        return redirect(url_for(".record", kind=kind, id=shown), 303)

    def _done(self, kind: str, id: str, deed: str) -> str:
        """Do what was asked for by hand; return the id of the record to show then."""
        shown = id
        match deed:
            case "edit":
                self.desk.edit(kind, id, request.form.get("field", ""), request.form.get("value", ""))
            case "delete":
                self.desk.delete(kind, id)
            case "restore":
                self.desk.restore(kind, id)
            case "merge":
                shown = self.desk.merge(kind, request.form.get("loser", "").strip(), id)
            case _:
                abort(404)
        flash({"edit": "Changed", "delete": "Deleted", "restore": "Restored", "merge": "Merged"}[deed] + " by hand.")
        return shown

    def break_(self) -> AnyResponse:
        trouble = self.desk.troubles.get(request.form.get("trouble", "")) or abort(400)
        times = {"1": 1, "10": 10, "all": _UNTIL_PUT_RIGHT}.get(request.form.get("times", "1")) or abort(400)
        with self.desk.wire.lock:
            before = len(self.desk.wire.faults)
            trouble.plan(times)
            for fault in self.desk.wire.faults[before:]:
                fault.name = trouble.label
        flash(f"Broken: {trouble.label}.")
        return redirect(url_for(".overview"), 303)

    def repair(self) -> AnyResponse:
        with self.desk.wire.lock:
            self.desk.wire.faults[:] = [fault for fault in self.desk.wire.faults if not fault.name]
        flash("Put right.")
        return redirect(url_for(".overview"), 303)


def _flash_refusal(text: str) -> None:
    """Show a refusal on the next page. It may repeat a long value, and browsers drop cookies of more than 4 KB."""
    flash(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...", "bad")


def _page() -> int:
    text = request.args.get("page", "0")
    return int(text) if text.isdecimal() and len(text) < 7 else 0


def _secured(response: Response) -> Response:
    response.headers.update(_HEADERS)
    return response


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"


def _shown(value: Any) -> str:
    """A value as a person reads it."""
    if value in (None, ""):
        return "empty"
    return str(value).lower() if isinstance(value, bool) else str(value)
