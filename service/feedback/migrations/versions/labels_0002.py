"""Verdicts of unspun 2: no score for abstentions, a false-positive rate, and the share of suspicious words.

Scores of unspun 1, which were probabilities, are kept; the version of the label's model identifies them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

# A migration never changes, so it imports nothing from the code, which does.
# SQLite changes a column by copying the whole table.


def upgrade() -> None:
    """Add the columns, and remove the scores of abstentions."""
    with op.batch_alter_table("unspun_labels") as table:
        table.alter_column("score", existing_type=sa.Float(53), nullable=True)
        table.add_column(sa.Column("false_positive_rate", sa.Float(53), nullable=True))
        table.add_column(sa.Column("share", sa.Float(53), nullable=True))
    op.execute("UPDATE unspun_labels SET score = NULL WHERE verdict = 'abstained'")
