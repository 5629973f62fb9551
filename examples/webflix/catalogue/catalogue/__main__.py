"""`python -m catalogue`: serve DATABASE_URL at PORT."""

from __future__ import annotations

import os
import signal
import sys
import time

from psycopg2 import OperationalError

from catalogue.store import PostgresStore
from catalogue.web import serve

PATIENCE = 60


def connect(url: str) -> PostgresStore:
    """The store; a database that has just been started may need a moment."""
    for _ in range(PATIENCE * 2):
        try:
            return PostgresStore(url)
        except OperationalError as error:
            last = error
            time.sleep(0.5)
    raise last


def main() -> None:
    """Serve until told to stop."""
    port = int(os.environ.get("PORT", "8000"))
    server = serve(connect(os.environ["DATABASE_URL"]), port)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(f"the catalogue listens at {port}", flush=True)
    server.serve_forever()


main()
