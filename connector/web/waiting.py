"""What both listeners answer while the database could not be used since the process started."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Flask, Response, jsonify
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from connector.web.gate import ROOT
from connector.web.health import counters, database_up
from connector.web.hosts import only_ours
from connector.web.outage import outage_page
from connector.web.times import Times


def create_waiting_hooks() -> Flask:
    """Build the application of the hooks port: nothing is kept yet."""
    app = Flask("connector.hooks", static_folder=None)
    app.register_error_handler(404, lambda _: _later("not kept, send it again"))
    return app


def create_waiting_admin(problem: Callable[[], str], hosts: frozenset[str] = frozenset()) -> Flask:
    """Build the application of the admin port. problem: why the database cannot be used. hosts: names of this port."""
    app = Flask("connector.admin", static_folder=None)
    app.before_request(only_ours(hosts))

    @app.get("/livez")
    def livez() -> str:
        return "alive\n"

    @app.get("/readyz")
    def readyz() -> tuple[Response, int]:
        return jsonify(ready=False, database=problem()), 503

    @app.get("/metrics")
    def metrics() -> Response:
        registry = counters()
        registry.register(database_up(problem))
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    app.register_blueprint(_waiting_console(problem))
    app.register_error_handler(404, lambda _: _later(f"The database {problem()}. Nothing is lost: try again soon."))
    return app


def _waiting_console(problem: Callable[[], str]) -> Blueprint:
    """The console, of which every page says that it waits. Nobody can log in: the key of its cookies is kept there."""
    blueprint = Blueprint("console", __name__, url_prefix=ROOT, template_folder="templates", static_folder="static")
    for name, write in Times({}).filters().items():
        blueprint.add_app_template_filter(write, name)

    @blueprint.route("", strict_slashes=False)
    @blueprint.route("/<path:page>")
    def wait(page: str = "") -> Response:
        return outage_page(problem(), f"The database {problem()}.")

    return blueprint


def _later(text: str) -> Response:
    return Response(f"{text}\n", 503, {"Retry-After": "5"}, mimetype="text/plain")
