"""The two services behind the site."""

from __future__ import annotations

import http.client
import json
import threading
from typing import Any
from urllib.parse import quote, urlsplit

SECONDS = 5


class Down(Exception):
    """A service does not answer."""


class Service:
    """JSON over HTTP to one service; each thread keeps its connection."""

    def __init__(self, url: str) -> None:
        self._host = urlsplit(url).netloc
        self._local = threading.local()

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """A status and what was said. Raises Down."""
        data = None if body is None else json.dumps(body)
        for fresh in (False, True):  # a kept connection may have been closed meanwhile
            connection = self._connection(fresh=fresh)
            try:
                connection.request(method, path, data, {"Content-Type": "application/json"})
                reply = connection.getresponse()
                return reply.status, json.loads(reply.read())
            except (OSError, http.client.HTTPException, ValueError) as error:
                connection.close()
                if fresh:
                    raise Down(f"{self._host} does not answer") from error
        raise AssertionError("unreachable")

    def _connection(self, *, fresh: bool) -> http.client.HTTPConnection:
        if fresh or not hasattr(self._local, "connection"):
            self._local.connection = http.client.HTTPConnection(self._host, timeout=SECONDS)
        return self._local.connection


class Films:
    """The catalogue."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def search(self, text: str = "") -> list[dict]:
        """Films by year."""
        return self._service.ask("GET", f"/films?text={quote(text)}")[1]["films"]

    def find(self, number: int) -> dict | None:
        """One film, or None."""
        status, film = self._service.ask("GET", f"/films/{number}")
        return film if status == 200 else None


class Ratings:
    """What people think; a site without it is poorer, but a site."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def of(self, number: int) -> dict:
        """A film's rating; a count of 0 where nobody rated it or the service is down."""
        try:
            return self._service.ask("GET", f"/films/{number}")[1]
        except Down:
            return {"film": number, "average": 0, "count": 0}

    def top(self, limit: int = 100) -> list[dict]:
        """Rated films, the best first."""
        try:
            return self._service.ask("GET", f"/top?limit={limit}")[1]["top"]
        except Down:
            return []

    def rate(self, number: int, stars: int) -> tuple[int, dict]:
        """Rate a film. Raises Down."""
        return self._service.ask("POST", f"/films/{number}", {"stars": stars})
