"""Narrows what is read and changed to some agencies: all statements, in one place, so that none is forgotten."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextvars import ContextVar
from typing import Any, Final

from sqlalchemy import (
    Alias,
    ColumnElement,
    Connection,
    Delete,
    Engine,
    Select,
    Table,
    Update,
    event,
    false,
    func,
    or_,
    select,
)
from sqlalchemy.sql import visitors
from sqlalchemy.sql.selectable import CompoundSelect, FromClause, Join

from connector.store.tables import agencies, attempts, deliveries, metadata

_only: ContextVar[frozenset[str] | None] = ContextVar("agencies", default=None)

_OF_NO_AGENCY: Final = frozenset(
    (
        "audit_head",
        "commits",
        "deletion",
        "gaps",
        "generations",
        "guesses",
        "handles_read",
        "processes",
        "rewritings",
        "sessions",
        "settings",
    )
)
"""The tables of the installation itself, and what they are for: nothing in them is an agency's."""
_NAMED: Final = ("agency", "destination", "lane")


def narrow(agencies: Collection[str] | None) -> None:
    """From here on, this thread reads and changes only what belongs to these agencies; None: to any."""
    _only.set(None if agencies is None else frozenset(agencies))


def narrowing(engine: Engine) -> None:
    """Have an engine's statements narrowed wherever `narrow` asks for it."""
    if not event.contains(engine, "before_execute", _narrowed):
        event.listen(engine, "before_execute", _narrowed, retval=True)


def unnarrowed() -> list[str]:
    """The tables that are neither narrowed nor the installation's own. There must be none."""
    known = {table.name for table in metadata.sorted_tables if _is_narrowed(table)} | _OF_NO_AGENCY
    return sorted(metadata.tables.keys() - known)


def _is_narrowed(table: Table) -> bool:
    return table in (agencies, attempts) or any(name in table.c for name in _NAMED)


def _narrowed(connection: Connection, clause: Any, multiparams: Any, params: Any, options: Any) -> tuple[Any, Any, Any]:
    wanted = _only.get()
    if wanted is not None and isinstance(clause, Select | CompoundSelect | Update | Delete):
        clause = visitors.cloned_traverse(clause, {}, {"select": lambda part: _narrow_select(part, sorted(wanted))})
        if (
            isinstance(clause, Update | Delete) and getattr(clause.table, "name", "") != "audit"
        ):  # an entry is chained by an update
            clause = clause.where(*_conditions(clause.table, sorted(wanted)))
    return clause, multiparams, params


def _narrow_select(statement: Any, wanted: list[str]) -> None:
    """Add the conditions to a copy of a SELECT, which is nobody else's."""
    for table in _tables(statement.get_final_froms()):
        statement._where_criteria += tuple(_conditions(table, wanted))


def _tables(froms: Collection[FromClause]) -> Iterator[FromClause]:
    for source in froms:
        match source:
            case Join():
                yield from _tables((source.left, source.right))
            case Table():
                yield source
            case Alias() if isinstance(source.element, Table):
                yield source


def _conditions(table: Any, wanted: list[str]) -> list[ColumnElement[bool]]:
    """What a row must meet to be shown. Where an outer join finds nothing, its columns are null, and may be."""
    name = str(getattr(table.element if isinstance(table, Alias) else table, "name", ""))
    if name == agencies.name:
        return [table.c.name.in_(wanted)]
    if name == attempts.name:
        own = deliveries.alias()
        of_ours = select(own.c.id).where(own.c.id == table.c.delivery_id, _of(own.c.destination, wanted))
        return [or_(of_ours.exists(), table.c.id.is_(None))]
    column: Any = next((table.c[named] for named in _NAMED if named in table.c), None)
    if column is None:
        return []
    ours = func.coalesce(column, "").in_(wanted) if column.name == "agency" else _of(column, wanted)
    return [or_(ours, column.is_(None))]


def _of(column: ColumnElement[str], wanted: list[str]) -> ColumnElement[bool]:
    """Whether a destination or lane, `<agency>/...`, is of one of these agencies. No index is chosen for it."""
    return or_(*(column.startswith(f"{agency}/", autoescape=True) for agency in wanted), false())
