"""The catalogue's HTTP API.

GET  /films?text=moon&genre=comedy   films by year
GET  /films/7                        one film
POST /films                          add a film
GET  /healthz                        whether the store answers
"""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from catalogue.films import BadFilm, film_from
from catalogue.store import Store

LONGEST = 64 * 1024


def answer(store: Store, method: str, target: str, body: bytes = b"") -> tuple[int, object]:
    """What to say to a request: a status and what becomes JSON. No HTTP in here."""
    url = urlsplit(target)
    parts = url.path.strip("/").split("/")
    if parts == ["healthz"]:
        return 200, {"status": "ok", "films": len(store.search())}
    if parts == ["films"] and method == "GET":
        query = {key: values[-1] for key, values in parse_qs(url.query).items()}
        films = store.search(query.get("text", ""), query.get("genre", ""))
        return 200, {"films": [film.as_json() for film in films]}
    if parts == ["films"] and method == "POST":
        return _add(store, body)
    if len(parts) == 2 and parts[0] == "films" and method == "GET":
        film = store.find(int(parts[1])) if parts[1].isdigit() else None
        return (200, film.as_json()) if film else (404, {"error": f"there is no film {parts[1]}"})
    return 404, {"error": f"there is nothing at {url.path}"}


def _add(store: Store, body: bytes) -> tuple[int, object]:
    try:
        film = film_from(json.loads(body))
    except BadFilm as error:
        return 422, {"error": str(error)}
    except ValueError:
        return 400, {"error": "that is not JSON"}
    return 201, store.add(film).as_json()


class Handler(BaseHTTPRequestHandler):
    """HTTP around `answer`."""

    protocol_version = "HTTP/1.1"
    store: Store

    def do_GET(self) -> None:
        self._reply(*answer(self.store, "GET", self.path))

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > LONGEST:
            self.close_connection = True
            self._reply(413, {"error": "that is too long for a film"})
            return
        self._reply(*answer(self.store, "POST", self.path, self.rfile.read(length)))

    def _reply(self, status: int, value: object) -> None:
        body = json.dumps(value).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words: object) -> None:
        """One line for every request would drown the rest."""


class Server(ThreadingHTTPServer):
    """A thread for each connection; room for many that come at once."""

    daemon_threads = True
    request_queue_size = 128


def serve(store: Store, port: int) -> Server:
    """A server that is listening; the caller runs it."""
    handler = type("CatalogueHandler", (Handler,), {"store": store})
    return Server(("", port), handler)
