"""An index by time, for the figures of the day: what was settled hour by hour, and the pace of each lane."""

from alembic import op

revision = "0006"
down_revision: str | None = "0005"


def upgrade() -> None:
    op.create_index("ix_attempts_at_outcome", "attempts", ["at", "outcome"], unique=False)
