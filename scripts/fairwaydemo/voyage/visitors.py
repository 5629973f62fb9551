"""Visitors: a constant load on the catalogue in production, through the gateway, counted here."""

from __future__ import annotations

import http.client
import math
import threading
import time
from itertools import cycle, islice
from typing import NamedTuple

HOST = "catalogue.webflix.localhost"
PATHS = (
    "/films?genre=comedy",
    "/films?genre=drama",
    "/films?text=moon",
    "/films?genre=documentary",
    "/films?genre=horror",
    "/films",
)
VISITORS = 4
PAUSE_S = 0.1
PATIENCE_S = 10.0


class Answer(NamedTuple):
    """One request: when it was answered (monotonic), the status (0: none), how long it took."""

    at: float
    status: int
    seconds: float
    version: str


class Tally(NamedTuple):
    """What a time's answers were together."""

    requests: int
    failed: int
    slowest_ms: float  # 95 of 100 were faster
    by: dict[str, int]  # answers of each version
    first_failed: float
    last_failed: float


def version_of(body: bytes) -> str:
    """Which version of the catalogue answered, by what only it says."""
    if b'"about"' in body:
        return "genres"
    return "counting" if b'"count"' in body else "first"


class Visitors:
    """Some people who look at films without end, each over a connection that is kept."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._answers: list[Answer] = []
        self._leave = threading.Event()
        self._people: list[threading.Thread] = []

    def come(self) -> None:
        """Begin."""
        for number in range(VISITORS):
            person = threading.Thread(target=self._visit, args=(number,), daemon=True)
            self._people.append(person)
            person.start()

    def go(self) -> None:
        """End; the last answers are awaited."""
        self._leave.set()
        for person in self._people:
            person.join(2 * PATIENCE_S)

    def _visit(self, number: int) -> None:
        connection = self._connect()
        for path in islice(cycle(PATHS), number, None):
            began = time.monotonic()
            status, version = 0, ""
            try:
                connection.request("GET", path, headers={"Host": HOST})
                answer = connection.getresponse()
                body = answer.read()
                status = answer.status
                version = version_of(body) if status == 200 else ""
            except (OSError, http.client.HTTPException):
                connection.close()
                connection = self._connect()
            now = time.monotonic()
            self._answers.append(Answer(now, status, now - began, version))
            if self._leave.wait(PAUSE_S):
                break
        connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_S)

    def between(self, first: float, last: float) -> Tally:
        """What was answered between two moments (monotonic)."""
        found = [one for one in list(self._answers) if first <= one.at <= last]
        failed = [one.at for one in found if one.status != 200]
        ordered = sorted(one.seconds for one in found)
        slow = ordered[max(0, math.ceil(0.95 * len(ordered)) - 1)] if ordered else 0.0
        versions = sorted({one.version for one in found if one.version})
        return Tally(
            requests=len(found),
            failed=len(failed),
            slowest_ms=slow * 1000,
            by={name: sum(one.version == name for one in found) for name in versions},
            first_failed=min(failed, default=0.0),
            last_failed=max(failed, default=0.0),
        )

    def last_of(self, version: str) -> float:
        """When a version answered last; 0 if it never did."""
        return max((one.at for one in list(self._answers) if one.version == version), default=0.0)
