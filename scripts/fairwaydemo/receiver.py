"""The receiver of notifications: `python -m fairwaydemo.receiver FILE PID`.

Writes one JSON line for each notification to FILE, the address it listens at to FILE.url, and ends
a while after the process PID (Fairway's server) has.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

LONGEST = 64 * 1024
LOOK_S = 5.0


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


def alive(pid: int) -> bool:
    """Whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def main() -> None:
    """Listen until Fairway is gone."""
    file, pid = Path(sys.argv[1]), int(sys.argv[2])
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Keeper", (Handler,), {"file": file}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    partial = file.with_suffix(".partial")
    partial.write_text(f"http://127.0.0.1:{server.server_port}/")
    partial.rename(file.with_suffix(".url"))
    gone = threading.Event()
    while alive(pid):
        gone.wait(LOOK_S)
    server.shutdown()


if __name__ == "__main__":
    main()
