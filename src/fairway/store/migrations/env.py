"""What alembic runs: upgrades on the connection that `store/migrate.py` hands over."""

from __future__ import annotations

from alembic import context

from fairway.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite changes a table by copying it
    compare_type=True,
    transactional_ddl=True,
)
context.run_migrations()
