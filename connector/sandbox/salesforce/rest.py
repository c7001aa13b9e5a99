"""The resources of the REST API a connector speaks.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, request
from werkzeug.exceptions import HTTPException

from connector.sandbox.salesforce import collections, composite, hosts, soql
from connector.sandbox.salesforce.faults import PlannedFaults, error_reply, refused_reply, reply, unknown_reply
from connector.sandbox.salesforce.oauth import Denied, Gate
from connector.sandbox.salesforce.rows import Record
from connector.sandbox.salesforce.schema import Column, Table
from connector.sandbox.salesforce.setup import Setup
from connector.sandbox.salesforce.store import Manner, Org
from connector.sandbox.salesforce.values import BadRequest, Refused
from connector.sandbox.wire import Way


class Rest(PlannedFaults):
    """Reads requests, runs them on the org and builds the replies. daily_limit: calls per day. page: rows per page.

    most_rows: the records that one call may write before the org's automation runs out of time, over all of its parts.
    moved: the org's former host names, and whether each redirects. keeps_logins: whether they still take logins.
    """

    def __init__(self, org: Org, gate: Gate, setup: Setup, *, latency: float, daily_limit: int, page: int) -> None:
        super().__init__(latency=latency)
        self.org, self.gate, self.setup = org, gate, setup
        self.daily_limit, self.page, self.used = daily_limit, page, 0
        self.moved: dict[str, bool] = {}
        self.keeps_logins = True
        self.most_rows: int | None = None
        self._cursors: dict[str, tuple[list[Column], str, list[Record], int]] = {}
        self._route()

    def _route(self) -> None:
        api = "/services/data/v<int:major>.0"
        routes: tuple[tuple[str, str, Any], ...] = (
            ("GET", "/", self.setup.root),
            ("GET", "/tooling/query", self.setup.query),
            ("POST", "/tooling/sobjects/CustomField", self._new_field),
            ("GET", "/limits", self._limits),
            ("GET", "/sobjects", self._objects),
            ("POST", "/sobjects/<name>", self._create),
            ("GET", "/sobjects/<name>/describe", self._describe),
            ("GET PATCH DELETE", "/sobjects/<name>/<id>", self._by_id),
            ("GET PATCH", "/sobjects/<name>/<field>/<path:value>", self._by_key),
            ("POST", "/composite", self._composite),
            ("POST PATCH", "/composite/sobjects", self._collection),
            ("DELETE", "/composite/sobjects", self._collection_delete),
            ("PATCH", "/composite/sobjects/<name>/<field>", self._collection_upsert),
            ("GET", "/query", self._query),
            ("GET", "/query/<cursor>", self._more),
            ("GET", "/queryAll", self._query_all),
        )
        views = {Way(api + path, view.__name__, tuple(methods.split())): view for methods, path, view in routes}
        self._serve({Way("/services/oauth2/token", "token", ("POST",), strict=True): self._token, **views})
        self.app.before_request(self._admit)
        self.app.after_request(self._meter)
        self.app.register_error_handler(BadRequest, lambda bad: reply(bad.body, bad.status))
        self.app.register_error_handler(Denied, lambda denied: reply(denied.body, denied.status))
        self.app.register_error_handler(Refused, refused_reply)
        self.app.register_error_handler(HTTPException, unknown_reply)

    def _admit(self) -> Response | None:
        is_login = not request.path.startswith("/services/data")
        if request.host in self.moved and not (is_login and self.keeps_logins):
            return hosts.left_behind(self.gate.instance_url if self.moved[request.host] else "")
        if is_login:
            return None
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.gate.tokens:
            return error_reply(401, "INVALID_SESSION_ID", "Session expired or invalid")
        with self.lock:
            self.used += 1
            over = self.used > self.daily_limit
        if over:
            return error_reply(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        return hosts.unserved(request.url, (request.view_args or {}).pop("major", hosts.OLDEST))

    def _meter(self, response: Response) -> Response:
        response.headers["Sforce-Limit-Info"] = f"api-usage={min(self.used, self.daily_limit)}/{self.daily_limit}"
        return response

    def _token(self) -> Response:
        basic = request.authorization
        pair = (str(basic.username), str(basic.password)) if basic and basic.type == "basic" else None
        return reply(self.gate.token(request.form, pair, request.host))

    def _limits(self) -> Response:
        left = max(0, self.daily_limit - self.used)
        return reply({"DailyApiRequests": {"Max": self.daily_limit, "Remaining": left}})

    def _objects(self) -> Response:
        tables = [{k: v for k, v in table.describe().items() if k != "fields"} for table in self.org.tables.values()]
        return reply({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": tables})

    def _describe(self, name: str) -> Response:
        table = self.org.table(name)
        return reply(table.describe() | {"childRelationships": list(self.org.children(table))})

    def _composite(self) -> Response:
        if self.most_rows is not None and composite.rows(_body()) > self.most_rows:
            return error_reply(500, "REQUEST_RUNNING_TOO_LONG", "Your request was running for too long")
        return reply({"compositeResponse": composite.parts(self.app, _body())})

    def _collection_upsert(self, name: str, field: str) -> Response:
        with self.lock:
            return reply(collections.upsert(self.org, name, field, _body(), _manner(), self._planned))

    def _collection(self) -> Response:
        write = collections.update if request.method == "PATCH" else collections.create
        with self.lock:
            return reply(write(self.org, _body(), _manner(), self._planned))

    def _collection_delete(self) -> Response:
        with self.lock:
            return reply(collections.remove(self.org, request.args.get("ids", ""), self._planned))

    def _create(self, name: str) -> Response:
        with self.lock:
            table = self.org.table(name)
            self.setup.allow(name, _body())
            row = self.org.write(table, None, self.org.draft(table, _body()), _manner())
            self.setup.settle()
            return _created(table, {"id": row["Id"], "success": True, "errors": []})

    def _new_field(self) -> Response:
        with self.lock:
            return self.setup.create_field()

    def _by_id(self, name: str, id: str) -> Response:
        with self.lock:
            table, row = self._found(id)
            if table is not self.org.table(name):
                raise BadRequest(404, "NOT_FOUND", "The requested resource does not exist")
            if row["IsDeleted"]:
                raise BadRequest(404, "ENTITY_IS_DELETED", "entity is deleted", [])
            if request.method == "GET":
                return reply(_shown(table, row))
            if request.method == "DELETE":
                self.org.delete(table, row)
            else:
                self.setup.allow(name, {})
                self.org.write(table, row, self.org.draft(table, _body()), _manner())
                self.setup.settle()
            return Response(status=204)

    def _by_key(self, name: str, field: str, value: str) -> Response:
        with self.lock:
            table = self.org.table(name)
            key = self.org.key(table, field)
            rows = self.org.matching(table, key, value)
            if len(rows) > 1:
                return reply([f"/services/data/v60.0/sobjects/{table.name}/{row['Id']}" for row in rows], 300)
            if not rows and (request.method == "GET" or request.args.get("updateOnly") == "true"):
                raise BadRequest(404, "NOT_FOUND", "The requested resource does not exist")
            return reply(_shown(table, rows[0])) if request.method == "GET" else self._upsert(table, key, value)

    def _upsert(self, table: Table, key: Column, value: str) -> Response:
        body = _body()
        if isinstance(body, dict) and {name.lower() for name in body} & {"id", key.name.lower()}:
            message = f"The {key.name} field should not be specified in the sobject data."
            raise BadRequest(400, "INVALID_FIELD", message)
        draft = self.org.draft(table, body)
        draft.values.append((key, value))
        if refusal := self._planned([value]):
            raise refusal
        row, created = self.org.upsert(table, key, draft, _manner())
        result = {"id": row["Id"], "success": True, "errors": [], "created": created}
        return _created(table, result) if created else reply(result)

    def _query(self) -> Response:
        with self.lock:
            table, columns, rows = soql.run(self.org, request.args.get("q", ""))
            return self._paged(columns, table.name, rows, len(rows))

    def _query_all(self) -> Response:
        with self.lock:
            table, columns, rows = soql.run(self.org, request.args.get("q", ""), deleted=True)
            return self._paged(columns, table.name, rows, len(rows))

    def _more(self, cursor: str) -> Response:
        with self.lock:
            rest = self._cursors.get(cursor)  # it can be read again
            if rest is None:
                raise BadRequest(404, "INVALID_QUERY_LOCATOR", "invalid query locator")
            return self._paged(*rest)

    def _paged(self, columns: list[Column], name: str, rows: list[Record], total: int) -> Response:
        shown = [_record(name, columns, row) for row in rows[: self.page]]
        answer: dict[str, Any] = {"totalSize": total, "done": len(rows) <= self.page, "records": shown}
        if not answer["done"]:
            cursor = f"01gHs00000000{len(self._cursors)}-{total - len(rows) + self.page}"
            self._cursors[cursor] = (columns, name, rows[self.page :], total)
            answer["nextRecordsUrl"] = f"{request.path.rsplit('/query', 1)[0]}/query/{cursor}"
        return reply(answer)

    def _found(self, id: str) -> tuple[Table, Record]:
        held = self.org.by_id(id)
        if held is None:
            raise BadRequest(404, "NOT_FOUND", "The requested resource does not exist")
        return held


def _created(table: Table, result: dict[str, Any]) -> Response:
    response = reply(result, 201)
    response.headers["Location"] = f"{request.path.partition('/sobjects')[0]}/sobjects/{table.name}/{result['id']}"
    return response


def _body() -> Any:
    body = request.get_json(silent=True)
    if body is None:
        raise BadRequest(400, "JSON_PARSER_ERROR", "Unexpected character at [line:1, column:1]")
    return body


def _manner() -> Manner:
    duplicates = request.headers.get("Sforce-Duplicate-Rule-Header", "").replace(" ", "").lower()
    assign = request.headers.get("Sforce-Auto-Assign", "TRUE").upper()
    return Manner(allow_save="allowsave=true" in duplicates, auto_assign=assign != "FALSE")


def _record(name: str, columns: list[Column], row: Record) -> dict[str, Any]:
    address = {"type": name, "url": f"/services/data/v60.0/sobjects/{name}/{row['Id']}"}
    return {"attributes": address} | {column.name: row[column.name] for column in columns}


def _shown(table: Table, row: Record) -> Mapping[str, Any]:
    wanted = [name for name in request.args.get("fields", "").split(",") if name]
    columns = [column for column in table.seen() if not wanted or column.name in wanted]
    return _record(table.name, columns, row)
