"""The site over HTTP."""

from __future__ import annotations

import json
import mimetypes
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from storefront import pages
from storefront.clients import Down, Films, Ratings


@dataclass
class Reply:
    """What to send."""

    status: int
    body: bytes = b""
    kind: str = "text/html; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)


class Site:
    """Requests to replies, without HTTP."""

    def __init__(self, films: Films, ratings: Ratings, static: Path) -> None:
        self._films = films
        self._ratings = ratings
        self._static = {path.name: path for path in static.iterdir() if path.is_file()}
        self._assets = {
            f"{stem}.{ending}": self._built(stem, ending)
            for stem, ending in (("app", "js"), ("style", "css"))
        }

    def _built(self, stem: str, ending: str) -> str:
        found = [
            name
            for name in self._static
            if name.startswith(f"{stem}-") and name.endswith(f".{ending}")
        ]
        if len(found) != 1:
            raise SystemExit(f"the asset {stem}.{ending} was not built: see assets/")
        return found[0]

    def answer(self, method: str, target: str, body: bytes = b"", wants: str = "") -> Reply:
        """What to say to a request. `wants` is its Accept header."""
        url = urlsplit(target)
        parts = [part for part in url.path.split("/") if part]
        try:
            if parts[:1] == ["films"]:
                return self._films_page(method, parts[1:], body, wants=wants)
            if parts[:1] == ["static"] and len(parts) == 2:
                return self._asset(parts[1])
            if parts == ["healthz"]:
                return Reply(200, b"ok\n", "text/plain")
            if not parts:
                return self._front(parse_qs(url.query).get("text", [""])[-1])
        except Down as error:
            return self._sorry(502, f"A part of the site is down: {error}.")
        return self._sorry(404, "There is no such page.")

    def _films_page(self, method: str, parts: list[str], body: bytes, *, wants: str) -> Reply:
        if parts and parts[0].isdigit():
            if method == "POST" and parts[1:] == ["ratings"]:
                return self._rate(int(parts[0]), body, wants)
            if len(parts) == 1:
                return self._film(int(parts[0]))
        return self._sorry(404, "There is no such page.")

    def _page(self, status: int, title: str, body: str) -> Reply:
        return Reply(status, pages.page(title, body, self._assets).encode())

    def _sorry(self, status: int, sentence: str) -> Reply:
        return self._page(status, "webflix", pages.trouble(sentence))

    def _front(self, text: str) -> Reply:
        rated = {one["film"]: one for one in self._ratings.top()}
        return self._page(200, "webflix", pages.shelf(self._films.search(text), rated, text))

    def _film(self, number: int) -> Reply:
        film = self._films.find(number)
        if film is None:
            return self._sorry(404, "We do not have that film.")
        return self._page(200, film["title"], pages.film(film, self._ratings.of(number)))

    def _rate(self, number: int, body: bytes, wants: str) -> Reply:
        given = parse_qs(body.decode("latin-1")).get("stars", [""])[-1]
        status, said = self._ratings.rate(number, int(given) if given.isdigit() else 0)
        if "application/json" in wants:
            return Reply(status, json.dumps(said).encode(), "application/json")
        if status != 201:
            return self._sorry(status, said["error"])
        return Reply(303, headers={"Location": f"/films/{number}"})

    def _asset(self, name: str) -> Reply:
        path = self._static.get(name)
        if path is None:
            return self._sorry(404, "There is no such file.")
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Reply(200, path.read_bytes(), kind, headers)


class Handler(BaseHTTPRequestHandler):
    """HTTP around a site."""

    protocol_version = "HTTP/1.1"
    site: Site

    def do_GET(self) -> None:
        self._send(self.site.answer("GET", self.path, wants=self.headers.get("Accept", "")))

    def do_POST(self) -> None:
        length = min(int(self.headers.get("Content-Length") or 0), 4096)
        body = self.rfile.read(length)
        wants = self.headers.get("Accept", "")
        self._send(self.site.answer("POST", self.path, body, wants))

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        headers = {"Content-Type": reply.kind, "Content-Length": str(len(reply.body))}
        for name, value in (headers | reply.headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, *_words: object) -> None:
        """One line for every request would drown the rest."""


class Server(ThreadingHTTPServer):
    """A thread for each connection; room for many that come at once."""

    daemon_threads = True
    request_queue_size = 128


def serve(site: Site, port: int) -> Server:
    """A server that is listening; the caller runs it."""
    return Server(("", port), type("SiteHandler", (Handler,), {"site": site}))
