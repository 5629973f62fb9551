"""Our REST API and event streams: one file per noun."""
