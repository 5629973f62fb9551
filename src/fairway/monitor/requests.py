"""How many HTTP requests there were and how long they took, counted in this process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter
from typing import Any, Final

BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_PARTS: Final = (("/api/", "api"), ("/v2", "registry"), ("/hooks/", "hooks"))

Asgi = Callable[[Any, Any, Any], Awaitable[None]]


class Requests:
    """Counts by part of the system, method and class of status; times by part."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str, str], int] = {}
        self.buckets: dict[str, list[int]] = {}
        self.seconds: dict[str, float] = {}
        self.open = 0

    def counted(self, app: Asgi) -> Asgi:
        """The application, counted. An event stream's time counts until its first byte."""

        async def outer(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            began = perf_counter()
            part, method = part_of(scope["path"]), scope["method"]
            told = False

            async def tell(message: MutableMapping[str, Any]) -> None:
                nonlocal told
                if message["type"] == "http.response.start":
                    told = True
                    self.note(part, method, message["status"], perf_counter() - began)
                await send(message)

            self.open += 1
            try:
                await app(scope, receive, tell)
            finally:
                self.open -= 1
                if not told:
                    self.note(part, method, 499, perf_counter() - began)

        return outer

    def note(self, part: str, method: str, status: int, seconds: float) -> None:
        """One request was answered."""
        key = (part, method if method in _METHODS else "other", f"{status // 100}xx")
        self.counts[key] = self.counts.get(key, 0) + 1
        buckets = self.buckets.setdefault(part, [0] * (len(BOUNDS) + 1))
        for place, bound in enumerate((*BOUNDS, float("inf"))):
            if seconds <= bound:
                buckets[place] += 1
        self.seconds[part] = self.seconds.get(part, 0.0) + seconds


_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})


def part_of(path: str) -> str:
    """Which part of the system a path belongs to."""
    for start, part in _PARTS:
        if path.startswith(start):
            return part
    return "git" if ".git/" in path else "other"
