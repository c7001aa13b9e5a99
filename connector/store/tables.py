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

REVISION: Final = "0035"
"""What these tables are: the newest of migrations/versions."""

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_Serial = BigInteger().with_variant(Integer, "sqlite")  # only INTEGER PRIMARY KEY counts up by itself there


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
    Column("id", _Serial, primary_key=True),
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
    Column("id", _Serial, primary_key=True),
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
    Column("again", Integer, nullable=False, server_default="0"),  # the run that applied an edited mapping to it
    UniqueConstraint("event_id", "destination"),
    Index(None, "accepted_at"),
    # Draining and the gauges walk these ranges alone, so their cost does not grow with what was delivered.
    Index("ix_deliveries_ready", "lane", text("priority DESC"), "due_at", "id", **where("state = 'ready'")),
    Index("ix_deliveries_dead", "destination", "code", "id", **where("state = 'dead'")),
    # Lists walk backwards from the newest match.
    Index(None, "state", "id"),
    Index("ix_deliveries_code", "code", "id", **where("code <> ''")),
)

STATE: Final[Any] = func.coalesce(deliveries.c.state, "")
"""A delivery's state, for use beside a narrower condition: for the bare column, SQLite would scan the state's index."""

attempts: Final = Table(
    "attempts",
    metadata,
    Column("id", _Serial, primary_key=True),
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

consents: Final = Table(
    "consents",
    metadata,
    Column("destination", String(130), primary_key=True),
    Column("customer_id", String(64), primary_key=True),
    Column("flag", String(16), primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("tie", String(16), nullable=False),
    Column("value", Boolean),
    Column("applied_at", BigInteger),
    Column("owed", Boolean, nullable=False, server_default=false()),
    Column("spoken", Boolean, nullable=False, server_default=false()),
    Column("lowered_at", BigInteger, nullable=False, server_default="0"),
)

raises: Final = Table(
    "raises",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("destination", String(130), nullable=False),
    Column("customer_id", String(64), nullable=False),
    Column("flag", String(16), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("object", String(64), nullable=False),
    Column("crm_id", String(64)),
    Column("delivery_id", BigInteger, nullable=False),
    Column("field", String(255), nullable=False, server_default=""),
    Index(None, "customer_id", "destination", "flag"),
)
"""Every time an opt-out reached a CRM, for good: neither retention nor a later event takes it away."""

obligations: Final = Table(
    "obligations",
    metadata,
    Column("destination", String(130), primary_key=True),
    Column("customer_id", String(64), primary_key=True),
    Column("flag", String(16), primary_key=True),
    Column("lane", String(140), nullable=False),
    Column("event_id", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("state", String(12), nullable=False, server_default="owed"),
    Column("due_at", BigInteger),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("code", String(80), nullable=False, server_default=""),
    Column("reason", Text, nullable=False, server_default=""),
    Column("action", Text, nullable=False, server_default=""),
    Column("fields", Text, nullable=False, server_default="[]"),
    Column("applied_at", BigInteger),
    Column("object", String(64), nullable=False, server_default=""),
    Column("crm_id", String(64)),
    Column("addresses", String(64)),
    Index(None, "customer_id"),
    Index(None, "event_id"),
    Index("ix_obligations_due", "lane", "due_at", **where("due_at IS NOT NULL")),
    Index("ix_obligations_open", "lane", "state", "since", **where("state <> 'applied'")),
)
"""Every opt-out owed to a destination, from the moment its event is accepted."""

oddities: Final = Table(
    "oddities",
    metadata,
    Column("agency", String(64), primary_key=True),
    Column("destination", String(130), primary_key=True),  # empty where careCycle's field itself is odd
    Column("field", String(64), primary_key=True),
    Column("target", Text, primary_key=True),
    Column("got", String(40), primary_key=True),
    Column("used", Boolean, primary_key=True),
    Column("expected", String(40), nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("message_id", String(256), nullable=False),
)
"""What careCycle sends that is not as it documents, counted."""

open_items: Final = Table(
    "open_items",
    metadata,
    Column("destination", String(130), primary_key=True),
    Column("object", String(64), primary_key=True),
    Column("key", String(32), primary_key=True),  # as in the ledger
    Column("field", String(255), primary_key=True),
    Column("customer_id", String(64)),
    Column("crm_id", String(64)),
    Column("record", Text, nullable=False),  # of the mapping
    Column("code", String(80), nullable=False),
    Column("reason", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("digest", String(64), nullable=False),  # keyed, of the refused value; empty to have it sent again
    Column("at", BigInteger, nullable=False),
    Column("tie", String(16), nullable=False),
    Column("mapping_version", String(32), nullable=False),
    Column("delivery_id", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("holder", String(64)),  # where another record has the value: its id, empty if unknown
    Column("tried_at", BigInteger, nullable=False, server_default="0"),
    Index(None, "customer_id"),
    Index(None, "delivery_id"),
    Index("ix_open_items_held", "destination", "digest", **where("holder IS NOT NULL")),
)
"""Every field that a CRM refuses while the rest of its record is written."""

questions: Final = Table(
    "questions",
    metadata,
    Column("destination", String(130), primary_key=True),
    Column("object", String(64), primary_key=True),
    Column("key", String(32), primary_key=True),  # as in the ledger
    Column("customer_id", String(64)),
    Column("record", Text, nullable=False),  # of the mapping
    Column("by_key", Boolean, nullable=False),
    Column("candidates", Text, nullable=False),  # JSON: [{id, agrees, differs, blank}], names of fields
    Column("delivery_id", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("chosen", String(64)),
    Column("former", String(64)),
    Column("taken_back", String(64)),
    Column("others", Text, nullable=False, server_default="[]"),  # JSON: [ids]
    Column("decided_at", BigInteger),
    Column("decided_by", String(128), nullable=False, server_default=""),
    Index(None, "customer_id"),
)
"""Which CRM record is meant, where several may be, and what people decided."""

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
    Column("refused_cause", Text, nullable=False, default=""),  # JSON: [code, [fields], record]
    Column("refused_count", Integer, nullable=False, default=0),
)

mappings: Final = Table(
    "mappings",
    metadata,
    Column("destination", String(130), primary_key=True),
    Column("version", String(32), nullable=False),
    Column("running_since", BigInteger),
    Column("refused_at", BigInteger),
    Column("problem", Text, nullable=False),
)

accounts: Final = Table(
    "accounts",
    metadata,
    Column("destination", String(130), primary_key=True),
    Column("account", String(64), nullable=False),  # the CRM's own id of the org or portal
    Column("kind", String(12), nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("pages", String(255), nullable=False, server_default=""),  # the host that shows its records to people
)
"""The CRM account that each destination's ledger was written to."""

descriptions: Final = Table(
    "descriptions",
    metadata,
    Column("destination", String(130), primary_key=True),
    Column("object", String(128), primary_key=True),
    Column("fields", LargeBinary, nullable=False),  # compressed JSON
    Column("at", BigInteger, nullable=False),
)
"""What each CRM account says of the objects that its mapping uses."""

usage: Final = Table(
    "usage",
    metadata,
    Column("destination", String(130), primary_key=True),
    Column("used", BigInteger),
    Column("allowed", BigInteger),
    Column("at", BigInteger),
    Column("ours", BigInteger, nullable=False, default=0),
)

usage_calls: Final = Table(
    "usage_calls",
    metadata,
    Column("destination", String(130), primary_key=True),
    Column("at", BigInteger, primary_key=True),
    Column("calls", BigInteger, nullable=False),
)

audit: Final = Table(
    "audit",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("who", String(128), nullable=False),
    Column("action", String(64), nullable=False),
    Column("thing", Text, nullable=False),
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
