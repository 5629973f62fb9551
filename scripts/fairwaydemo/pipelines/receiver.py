"""The receiver of notifications: `python -m fairwaydemo.pipelines.receiver FOLDER PID`.

Writes one JSON line for each notification to a file of FOLDER, and ends a while after the process
PID (Fairway's server) has.
"""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from fairwaydemo import attending

LONGEST = 64 * 1024
FILE = "notifications.jsonl"


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
    keeper = type("Keeper", (Handler,), {"file": folder / FILE})
    server = ThreadingHTTPServer(("127.0.0.1", 0), keeper)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    attending.say_where(folder, "receiver", f"http://127.0.0.1:{server.server_port}/")
    attending.until_gone(pid)
    server.shutdown()


if __name__ == "__main__":
    main()
