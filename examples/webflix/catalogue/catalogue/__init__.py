"""The catalogue: which films there are. JSON over HTTP, kept in PostgreSQL."""
