"""A site that says its version."""

import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

VERSION = 0


def page() -> str:
    """What visitors see."""
    return f"version {VERSION}"


class Page(BaseHTTPRequestHandler):
    """Answers every request with the page."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = page().encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Nothing."""


class Server(ThreadingHTTPServer):
    """Ends without waiting for connections."""

    daemon_threads = True


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    Server(("", 8000), Page).serve_forever()
