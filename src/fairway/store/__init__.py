"""The database: engine, schema, outbox, leases; one file per noun. All SQL lives here.

Every function takes a `Connection` of an open transaction first and is synchronous: callers run a
whole transaction by `Database.write` or `Database.read` (kit/aio.blocking under them).
"""
