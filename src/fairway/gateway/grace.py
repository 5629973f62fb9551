"""The last endpoints of a Service are not given up for a moment's doubt.

A kubelet may say of a new pod that it is ready, that it is not, and again that it is, all within a
second: a sync that began before the probe's result was in writes its older view over it. A Service
of one pod, such as a canary's, has no endpoint meanwhile, and whoever asks is answered 503. So what
was ready stays in use for a moment when nothing else is; a Service without pods loses it at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from fairway.kube import Json, Key, objects

GRACE_S: Final = 1.5

Note = Callable[[Json | None, Json | None], None]


def doubtful(shown: Json, now: Json) -> bool:
    """Whether an EndpointSlice lost all that was ready, while pods are there that may be soon."""
    waiting = any(not one.get("terminating") for one in _conditions(now))
    return waiting and _ready(shown) and not _ready(now)


def _ready(found: Json) -> bool:
    """Whether an endpoint of it is ready; what is not said counts as ready, as in Kubernetes."""
    return any(one.get("ready") is not False for one in _conditions(found))


def _conditions(found: Json) -> Iterable[Mapping[str, Any]]:
    for endpoint in found.get("endpoints") or ():
        yield endpoint.get("conditions") or {}


class Grace:
    """Passes on EndpointSlices as they change; doubtful ones when the doubt has lasted."""

    def __init__(self, note: Note, seconds: float = GRACE_S) -> None:
        self._note, self._seconds = note, seconds
        self._shown: dict[Key, Json] = {}
        self._newest: dict[Key, Json] = {}
        self._timers: dict[Key, asyncio.TimerHandle] = {}

    def __call__(self, old: Json | None, new: Json | None) -> None:
        """A change, as informers tell of it."""
        found = new or old
        if found is None:
            return
        key = objects.key(found)
        shown = self._shown.get(key)
        if new is None or shown is None or not doubtful(shown, new):
            self._show(key, new)
            return
        self._newest[key] = new
        if key not in self._timers:
            loop = asyncio.get_running_loop()
            self._timers[key] = loop.call_later(self._seconds, self._believe, key)

    def _believe(self, key: Key) -> None:
        self._show(key, self._newest[key])

    def _show(self, key: Key, new: Json | None) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        self._newest.pop(key, None)
        shown = self._shown.pop(key, None)
        if new is not None:
            self._shown[key] = new
        self._note(shown, new)
