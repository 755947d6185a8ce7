"""The table of labels."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# A migration never changes, so it imports nothing from the code, which does.


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "unspun_labels",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("label", sa.String(16), nullable=False),
        sa.Column("source", sa.String(200), nullable=True),
        sa.Column("comment", sa.String(2000), nullable=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("text", sa.Text, nullable=True),
        sa.Column("score", sa.Float(53), nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("kind", sa.String(16), nullable=True),
        sa.Column("reason", sa.String(32), nullable=True),
        sa.Column("words", sa.Integer, nullable=False),
        sa.Column("depth", sa.String(16), nullable=False),
        sa.Column("model_name", sa.String(200), nullable=False),
        sa.Column("model_version", sa.String(200), nullable=False),
        sa.Column("model_sha256", sa.String(200), nullable=False),
        sa.Column("signals", sa.JSON, nullable=False),
        sa.CheckConstraint("label IN ('human', 'spun', 'translated', 'rewritten')", name="unspun_labels_label"),
    )
    op.create_index("unspun_labels_digest", "unspun_labels", ["digest"])
    op.create_index("unspun_labels_created", "unspun_labels", ["created", "id"])
