"""Who is notified of builds: a server that keeps what a webhook says.

`python -m fairwaydemo.voyage.receiver FOLDER PID` writes one JSON line for each notification to a
file of FOLDER, and ends a while after the process PID (Fairway's server) has.
"""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from fairwaydemo import attending

LONGEST = 64 * 1024
_FILE = "notifications.jsonl"


class Receiver:
    """What was received, as the demo reads it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.url = ""

    def start(self, pid: int) -> None:
        """Start the server; `pid` is whom it outlives by seconds only. Raises Trouble."""
        self.url = attending.start(self._folder, "fairwaydemo.voyage.receiver", pid)

    def said(self, service: str, build: int) -> dict[str, Any]:
        """What was said of a build last; empty when nothing was."""
        path = self._folder / _FILE
        if not path.exists():
            return {}
        whole = path.read_text(encoding="utf-8").rpartition("\n")[0]
        found = [json.loads(line) for line in whole.splitlines()]
        about = [one for one in found if (one["service"], one["build"]) == (service, build)]
        return dict(about[-1]) if about else {}


class Handler(BaseHTTPRequestHandler):
    """Keeps what is posted."""

    file: Path

    def do_POST(self) -> None:
        length = min(int(self.headers.get("Content-Length") or 0), LONGEST)
        try:
            said = json.loads(self.rfile.read(length))
        except ValueError:
            self.send_error(400, "not JSON")
            return
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(said) + "\n")
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_words: object) -> None:
        """The file is the log."""


def main() -> None:
    """Listen until Fairway is gone."""
    folder, pid = Path(sys.argv[1]), int(sys.argv[2])
    keeper = type("Keeper", (Handler,), {"file": folder / _FILE})
    server = ThreadingHTTPServer(("127.0.0.1", 0), keeper)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    attending.say_where(folder, "receiver", f"http://127.0.0.1:{server.server_port}/")
    attending.until_gone(pid)
    server.shutdown()


if __name__ == "__main__":
    main()
