"""Warn of open tasks to call somebody that are also made for people who must not be called."""

from __future__ import annotations

from typing import Final

from connector.mapping import conditions
from connector.mapping.diagnostics import Severity
from connector.mapping.schema import Record
from connector.mapping.scope import Scope
from connector.model import Mode

_FLAG: Final = "doNotCall"


def check(scope: Scope, name: str, record: Record) -> None:
    """Report a record that gives people work with a customer, and heeds `doNotCall` nowhere."""
    consent, tasks = scope.file.consent, scope.file.crm.tasks
    if tasks is None or record.object.lower() != tasks.object.lower() or record.mode is Mode.UPDATE:
        return
    is_heeded = name in consent.skip.get(_FLAG, ()) or _FLAG in consent.waive
    asked = {*conditions.reads(record.when), *conditions.reads(scope.file.filter)}
    if is_heeded or f"customer.{_FLAG}" in asked or _is_done(record, tasks.done) or _is_no_call(record, tasks.call):
        return
    message = f"'{name}' is also made for a customer who must not be called"
    hint = f"add it under consent:  skip: {{ {_FLAG}: [{name}] }}"
    scope.at("records", name).add_at_key("M225", message, hint, Severity.WARNING)


def _is_done(record: Record, done: tuple[str, str]) -> bool:
    """Whether the task is completed as it is made: it only records what was."""
    return _always(record, done[0]) == done[1].lower()


def _is_no_call(record: Record, call: tuple[str, str]) -> bool:
    """Whether the task is of a kind that is no call."""
    return _always(record, call[0]) not in ("", call[1].lower())


def _always(record: Record, target: str) -> str:
    """The fixed text that a field always gets, in lower case; empty if it gets none."""
    field = record.fields.get(target)
    return field.value.lower() if field is not None and isinstance(field.value, str) and field.when is None else ""
