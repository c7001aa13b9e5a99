"""What each CRM account says of its objects, kept over restarts."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision: str | None = "0020"


def upgrade() -> None:
    op.create_table(
        "descriptions",
        sa.Column("destination", sa.String(length=130), nullable=False),
        sa.Column("object", sa.String(length=128), nullable=False),
        sa.Column("fields", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("destination", "object", name="pk_descriptions"),
    )
