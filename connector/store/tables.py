"""The store's tables. Times are epoch milliseconds. No column but the sealed ones holds payload values."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    func,
    literal_column,
    text,
)

from connector.settlement import DeliveryState

REVISION: Final = "0046"
"""What these tables are: the newest of migrations/versions."""

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Serial = BigInteger().with_variant(Integer, "sqlite")  # only INTEGER PRIMARY KEY counts up by itself there


def where(condition: str) -> dict[str, Any]:
    only = text(condition)
    return {"sqlite_where": only, "postgresql_where": only}


RAISING: Final = 1
"""The priority of an event that raises an opt-out; 0 is that of every other that was sent."""

FETCHED: Final = -1
"""The priority of what was fetched: all that was sent comes first."""

SENT: Final = (RAISING, 0)
"""The priorities of what was sent."""

PRIORITIES: Final = (*SENT, FETCHED)

events: Final = Table(
    "events",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("agency", String(64), nullable=False),
    Column("message_id", String(256), nullable=False),
    Column("type", String(64), nullable=False),
    Column("customer_id", String(64)),
    Column("source_time", BigInteger, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("payload", LargeBinary),  # sealed; null once purged
    Column("digest", String(32), nullable=False),
    Column("raised", String(64), nullable=False, server_default=""),  # the consent flags its customer says true of
    Column("odd", Text, nullable=False, server_default=""),  # JSON: see store.oddities
    Column("origin", String(12), nullable=False, server_default="webhook"),
    Column("run", String(32), nullable=False, server_default=""),  # that fetched it
    UniqueConstraint("agency", "message_id"),
    Index(None, "message_id"),
    Index(None, "customer_id", "id"),
    Index("ix_events_kept", "agency", "received_at", **where("payload IS NOT NULL")),
    Index("ix_events_sent", "agency", "received_at", **where("payload IS NOT NULL AND origin = 'webhook'")),
    Index("ix_events_raised", "received_at", "id", **where("raised <> ''")),
    Index("ix_events_purged", "agency", "received_at", **where("payload IS NULL")),
    Index(None, "type", "id"),
    Index(None, "agency", "id"),
    Index("ix_events_run", "run", "id", **where("run <> ''")),
)


def written_out(state: DeliveryState) -> ColumnElement[str]:
    """A state as a literal of a statement: partial indexes serve no parameter."""
    return literal_column(f"'{state.value}'")


READY: Final = written_out(DeliveryState.READY)
DEAD: Final = written_out(DeliveryState.DEAD)

deliveries: Final = Table(
    "deliveries",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("event_id", BigInteger, ForeignKey("events.id"), nullable=False),
    Column("destination", String(130), nullable=False),
    Column("lane", String(140), nullable=False),
    Column("state", String(12), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("accepted_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("settled_at", BigInteger),
    Column("code", String(80), nullable=False, default=""),
    Column("reason", Text, nullable=False, default=""),
    Column("action", Text, nullable=False, server_default=""),
    Column("fields", Text, nullable=False, server_default="[]"),  # JSON: [names]
    Column("record", Text, nullable=False, server_default=""),  # of the mapping
    Column("mapping_version", String(32), nullable=False, default=""),
    Column("again", Integer, nullable=False, server_default="0"),  # by, or after, which `reapply`
    Column(
        "replay", BigInteger, nullable=False, server_default="0"
    ),  # by which a person replayed it last: see handling
    UniqueConstraint("event_id", "destination"),
    Index(None, "accepted_at"),
    # Draining and the gauges walk these ranges alone, so their cost does not grow with what was delivered.
    Index("ix_deliveries_ready", "lane", text("priority DESC"), "due_at", "id", **where("state = 'ready'")),
    Index("ix_deliveries_dead", "destination", "code", "id", **where("state = 'dead'")),
    # Lists walk backwards from the newest match.
    Index(None, "state", "id"),
    Index("ix_deliveries_code", "code", "id", **where("code <> ''")),
    Index("ix_deliveries_replay", "replay", "state", **where("replay <> 0")),
)

STATE: Final[Any] = func.coalesce(deliveries.c.state, "")
"""A delivery's state, for use beside a narrower condition: for the bare column, SQLite would scan the state's index."""

AGENCY_OF: Final[Any] = func.coalesce(events.c.agency, "")
"""An event's agency, for use beside its customer: for the bare column, SQLite would scan all events of the agency."""

attempts: Final = Table(
    "attempts",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("delivery_id", BigInteger, ForeignKey("deliveries.id"), nullable=False, index=True),
    Column("at", BigInteger, nullable=False),
    Column("outcome", String(12), nullable=False),
    Column("code", String(80), nullable=False),
    Column("records", Text, nullable=False),  # JSON: see store.notes
    Column("request_id", String(128), nullable=False),
    Column("duration_ms", Integer, nullable=False),
    Column("mapping_version", String(32), nullable=False),
    Index(None, "at", "outcome"),  # the console's figures of the day
)

ledger: Final = Table(
    "ledger",
    metadata,
    Column("destination", String(130), primary_key=True),
    Column("object", String(64), primary_key=True),
    Column("key", String(32), primary_key=True),  # a keyed digest of the key's field and value
    Column("crm_id", String(64)),
    Column("customer_id", String(64)),
    Column("marks", Text, nullable=False),  # JSON: see store.entries
    Column("delivery_id", BigInteger, nullable=False),
    Column("generation", BigInteger, nullable=False, server_default="0"),  # see store.gaps
    Index(None, "customer_id"),
)

claims: Final = Table(
    "claims",
    metadata,
    Column("destination", String(130), primary_key=True),
    Column("object", String(64), primary_key=True),
    Column("crm_id", String(64), primary_key=True),
    Column("key", String(32), nullable=False),  # as in the ledger
    Column("field", String(255), nullable=False),  # of the key; empty where an older version did not keep it
    Column("customer_id", String(64)),
    Index(None, "customer_id"),
)
"""Whose each CRM record is. An entry of the ledger has its record only while no other key has claimed it."""

lanes: Final = Table(
    "lanes",
    metadata,
    Column("name", String(140), primary_key=True),
    Column("destination", String(130), nullable=False),
    Column("owner", String(128), nullable=False, default=""),
    Column("token", String(32), nullable=False, default=""),
    Column("leased_until", BigInteger, nullable=False, default=0),
    Column("paused_until", BigInteger, nullable=False, default=0),
    Column("opt_outs_from", BigInteger, nullable=False, server_default="0"),  # where a pause holds opt-outs: until when
    Column("own", Boolean, nullable=False, server_default=false()),  # see settlement.siblings
    Column("pause_code", String(80), nullable=False, default=""),
    Column("pause_reason", Text, nullable=False, default=""),
    Column("pause_delivery", BigInteger),  # what was being sent: its delivery, record and count of records
    Column("pause_record", Text, nullable=False, server_default=""),
    Column("pause_object", String(64), nullable=False, server_default=""),
    Column("pause_crm_id", String(64), nullable=False, server_default=""),
    Column("pause_count", Integer, nullable=False, server_default="0"),
    Column("failures", Integer, nullable=False, default=0),
    Column("stopped_since", BigInteger, nullable=False, server_default="0"),  # paused or failing; 0: it is not
    Column("refused_cause", Text, nullable=False, default=""),  # JSON: [code, [fields], record]
    Column("refused_count", Integer, nullable=False, default=0),
)

watches: Final = Table(
    "watches",
    metadata,
    Column("agency", String(64), primary_key=True),
    Column("looked_at", BigInteger, nullable=False),
    Column("told", Text, nullable=False),  # JSON: {way: {key: {at, on}}}
    Column("received_at", BigInteger, nullable=False, server_default="0"),
)

agencies: Final = Table(
    "agencies",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("reveal_values", Boolean, nullable=False),
    Column("dead_letter_days", BigInteger, nullable=False),
)

settings: Final = Table(
    "settings",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)
