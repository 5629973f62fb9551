"""alembic's environment and the schema's history. `scripts/migration` writes the next one."""
