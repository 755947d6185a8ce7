"""Alembic's script for migrations: uses the connection and transaction of unspun.service.feedback.database."""

from __future__ import annotations

from alembic import context

from unspun.service.feedback.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=context.config.attributes["version_table"],
)
with context.begin_transaction():
    context.run_migrations()
