"""A local receiver of webhooks that outlives every crash of Fairway: what came, with which key."""

from __future__ import annotations

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


class Receiver:
    """Listens while it is entered. `seen`: (repository, number) -> how often each key came."""

    def __init__(self) -> None:
        self.seen: dict[tuple[str, int], Counter[str]] = {}
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                receiver.note(self.headers.get("Idempotency-Key", ""), json.loads(body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"

    def note(self, key: str, body: dict[str, Any]) -> None:
        repo, build = body["repo"], body["build"]
        about = (f"{repo['owner']}/{repo['name']}", int(build["number"]))
        with self._lock:
            self.seen.setdefault(about, Counter())[key] += 1

    def again(self) -> int:
        """How many requests came more than once."""
        return sum(sum(keys.values()) - len(keys) for keys in self.seen.values())

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
