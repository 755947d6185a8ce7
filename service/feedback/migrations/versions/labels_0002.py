"""Verdicts of unspun 2: no score where no verdict is given, a false-positive rate, and the share that is suspicious.

Scores of unspun 1 stay: they were probabilities, and the model that stands beside them tells it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

# What a migration says stays as it was: it must not follow the code that comes later, so nothing is imported from it.
# SQLite makes the table anew to change a column, with all that it has.


def upgrade() -> None:
    """Add the columns, and forget the scores of texts without a verdict."""
    with op.batch_alter_table("unspun_labels") as table:
        table.alter_column("score", existing_type=sa.Float(53), nullable=True)
        table.add_column(sa.Column("false_positive_rate", sa.Float(53), nullable=True))
        table.add_column(sa.Column("share", sa.Float(53), nullable=True))
    op.execute("UPDATE unspun_labels SET score = NULL WHERE verdict = 'abstained'")


def downgrade() -> None:
    """Drop the columns; texts without a verdict get a score of 0."""
    op.execute("UPDATE unspun_labels SET score = 0 WHERE score IS NULL")
    with op.batch_alter_table("unspun_labels") as table:
        table.drop_column("share")
        table.drop_column("false_positive_rate")
        table.alter_column("score", existing_type=sa.Float(53), nullable=False)
