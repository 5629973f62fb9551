"""`python -m storefront`: the site at PORT, with CATALOGUE_URL and RATINGS_URL behind it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from storefront.clients import Films, Ratings, Service
from storefront.web import Site, serve


def main() -> None:
    """Serve until told to stop."""
    films = Films(Service(os.environ.get("CATALOGUE_URL", "http://catalogue:8000")))
    ratings = Ratings(Service(os.environ.get("RATINGS_URL", "http://ratings:8001")))
    site = Site(films, ratings, Path(os.environ.get("STATIC", "static")))
    server = serve(site, int(os.environ.get("PORT", "8080")))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print("the storefront is open", flush=True)
    server.serve_forever()


main()
