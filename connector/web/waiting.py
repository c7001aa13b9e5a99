"""What both listeners answer while the database cannot be used since the process started."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask, Response, jsonify
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from connector.web.health import counters, database_up


def create_waiting_hooks() -> Flask:
    """Build the application of the hooks port: nothing is kept yet."""
    app = Flask("connector.hooks", static_folder=None)
    app.register_error_handler(404, lambda _: _later("not kept, send it again"))
    return app


def create_waiting_admin(problem: Callable[[], str]) -> Flask:
    """Build the application of the admin port. problem: why the database cannot be used."""
    app = Flask("connector.admin", static_folder=None)

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

    app.register_error_handler(404, lambda _: _later(f"The database {problem()}. Nothing is lost: try again soon."))
    return app


def _later(text: str) -> Response:
    return Response(f"{text}\n", 503, {"Retry-After": "5"}, mimetype="text/plain")
