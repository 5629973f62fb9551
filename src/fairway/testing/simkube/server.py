"""The state of a simulated cluster: objects, their history, lists of one moment, watches.

Exact about resourceVersions: one counter for everything, each change has its own, and a watch tells
every change after the version it begins at, or that it is too old.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from fairway.kit import clock
from fairway.kube import objects
from fairway.kube.kind import CUSTOM_RESOURCE_DEFINITION, NAMESPACE, Json, Kind
from fairway.kube.transport import Response
from fairway.testing.kubefaults import Cut, expired_event
from fairway.testing.simkube.owning import Fields, Manager
from fairway.testing.simkube.refusing import Refused, answer
from fairway.testing.simkube.schemas import Resource, built_in, defined
from fairway.testing.simkube.selecting import Selector

Place = tuple[str, str, str]  # path of the collection, namespace, name
Changed = Callable[[Place, Json | None, Json | None], None]
_BOOKMARK_S: Final = 60.0
_KEPT: Final = 3000  # changes; the rest of the history is forgotten
_ESTABLISHED_S: Final = 0.02
_CRDS: Final = CUSTOM_RESOURCE_DEFINITION.path()
_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"


class Change(Struct, frozen=True):
    """One change. `after` None: the object is gone."""

    version: int
    place: Place
    before: Json | None
    after: Json | None


class SimApi:
    """One cluster. Objects are never changed in place."""

    def __init__(self, name: str = "simulated", *, seed: int = 0) -> None:
        self.name = name
        self.random = random.Random(seed)  # noqa: S311 a history is to be repeated
        self.objects: dict[Place, Json] = {}
        self.managers: dict[Place, dict[Manager, Fields]] = {}
        self.resources: dict[str, Resource] = built_in()
        self.version = 1
        self.generation = 1  # of what is served
        self._uids = itertools.count(1)
        self._history: list[Change] = []
        self._kept_from = 1
        self._pages: dict[str, tuple[list[Json], int]] = {}
        self._tokens = itertools.count(1)
        self._watchers: dict[asyncio.Queue[Change | None], str] = {}  # with their collections
        self._heard: list[Changed] = []
        for namespace in ("default", "kube-system"):
            self.put((NAMESPACE.path(), "", namespace), {"metadata": {"name": namespace}})

    def on_change(self, handler: Changed) -> None:
        """Have `handler(place, before, after)` called at every change."""
        self._heard.append(handler)

    # ---- what is there ---------------------------------------------------------------------------

    def of(self, kind: Kind, namespace: str = "") -> Iterator[tuple[Place, Json]]:
        """Every object of a kind, as the cluster itself sees it."""
        path = kind.path()
        for place, obj in list(self.objects.items()):
            if place[0] == path and namespace in ("", place[1]):
                yield place, obj

    def find(self, kind: Kind, name: str, namespace: str = "") -> Json | None:
        """One object."""
        return self.objects.get((kind.path(), namespace, name))

    def place(self, kind: Kind, obj: Mapping[str, Any]) -> Place:
        """Where an object is."""
        key = objects.key(obj)
        return (kind.path(), key.namespace, key.name)

    def suffix(self) -> str:
        """The end of a name that the server chooses."""
        return "".join(self.random.choice(_LETTERS) for _ in range(5))

    # ---- changes ---------------------------------------------------------------------------------

    def put(self, place: Place, obj: Json) -> Json:
        """Keep an object; returns it as it is now. One without change keeps its version."""
        before = self.objects.get(place)
        resource = self.resources[place[0]]
        meta = {**objects.metadata(obj)}
        if before is None:
            meta.update(uid=self._uid(), creationTimestamp=now(), generation=1)
        else:
            old = objects.metadata(before)
            meta.update(
                {
                    name: old[name]
                    for name in ("uid", "creationTimestamp", "generation")
                    if name in old
                }
            )
            meta["resourceVersion"] = old["resourceVersion"]
            if _content(before) != _content(obj):
                meta["generation"] = old["generation"] + 1
        kind = resource.kind
        made = {**obj, "apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta}
        if before is not None and made == before:
            return before
        self.version += 1
        made["metadata"] = {**meta, "resourceVersion": str(self.version)}
        if _is_finished(made):
            return self._gone(place, made)
        self.objects[place] = made
        self._tell(Change(self.version, place, before, made))
        if place[0] == _CRDS:
            self._define(place, made)
        return made

    def remove(self, place: Place) -> Json:
        """End an object at once; returns it as it was, with the version of its end."""
        self.version += 1
        found = self.objects[place]
        meta = {**found["metadata"], "resourceVersion": str(self.version)}
        return self._gone(place, {**found, "metadata": meta})

    def _gone(self, place: Place, last: Json) -> Json:
        before = self.objects.pop(place, None)
        self.managers.pop(place, None)
        if before is not None:
            self._tell(Change(self.version, place, last, None))
        if place[0] == _CRDS:
            self._undefine(last)
        return last

    def _tell(self, change: Change) -> None:
        self._history.append(change)
        if len(self._history) > _KEPT:
            del self._history[: _KEPT // 2]
            self._kept_from = self._history[0].version - 1
        for queue, collection in self._watchers.items():
            if collection == change.place[0]:
                queue.put_nowait(change)
        for handler in self._heard:
            handler(change.place, change.before, change.after)

    def _uid(self) -> str:
        return f"00000000-0000-4000-8000-{next(self._uids):012x}"

    # ---- kinds that come and go ------------------------------------------------------------------

    def install(self, *definitions: Json) -> None:
        """Kinds that were there before: served at once."""
        for one in definitions:
            place = (_CRDS, "", objects.key(one).name)
            self.version += 1
            meta = {
                **objects.metadata(one),
                "uid": self._uid(),
                "creationTimestamp": now(),
                "generation": 1,
                "resourceVersion": str(self.version),
            }
            self.objects[place] = {**one, "metadata": meta, "status": _established()}
            for resource in defined(one):
                self.resources[resource.kind.path()] = resource
        self.generation += 1

    def _define(self, place: Place, definition: Json) -> None:
        if not objects.deleting(definition):
            loop = asyncio.get_running_loop()
            loop.call_later(_ESTABLISHED_S, self._establish, place)

    def _establish(self, place: Place) -> None:
        found = self.objects.get(place)
        if found is None:
            return
        for one in defined(found):
            self.resources[one.kind.path()] = one
        self.generation += 1
        kept = (found.get("status") or {}).get("conditions") or ()
        if not any(one["type"] == "Established" for one in kept):
            self.put(place, {**found, "status": _established()})

    def _undefine(self, definition: Json) -> None:
        for one in defined(definition):
            path = one.kind.path()
            for place in [place for place in self.objects if place[0] == path]:
                self.remove(place)
            self.resources.pop(path, None)
        self.generation += 1

    # ---- lists -----------------------------------------------------------------------------------

    def list(self, wanted: Selector, limit: int, token: str, *, bare: bool = False) -> Response:
        """One page of a list; `bare`: of metadata.

        Raises `Refused` 410 for a rest that is no longer kept.
        """
        if token:
            if token not in self._pages:
                raise Refused(410, "Expired", "The provided continue parameter is too old")
            found, version = self._pages[token]
        else:
            # Etcd's order is that of names.
            places = sorted(p for p, obj in self.objects.items() if wanted.has(p, obj))
            found, version = [self.objects[place] for place in places], self.version
        limit = limit or len(found)
        meta: Json = {"resourceVersion": str(version)}
        if len(found) > limit:
            meta["continue"] = f"page-{next(self._tokens)}"
            self._pages[meta["continue"]] = (found[limit:], version)
        items = [shown(obj, bare=bare) for obj in found[:limit]]
        return answer({"kind": "List", "apiVersion": "v1", "metadata": meta, "items": items})

    # ---- watches ---------------------------------------------------------------------------------

    async def watch(
        self, wanted: Selector, since: str, seconds: float, *, bare: bool = False
    ) -> AsyncIterator[bytes]:
        """The lines of a watch; `bare`: of metadata. Raises `Cut` when it is cut."""
        begin = int(since) if since else self.version
        if begin < self._kept_from:
            yield expired_event().encode() + b"\n"
            return
        queue: asyncio.Queue[Change | None] = asyncio.Queue()
        for change in self._history:
            if change.version > begin and change.place[0] == wanted.collection:
                queue.put_nowait(change)
        self._watchers[queue] = wanted.collection
        try:
            async for line in self._follow(queue, wanted, seconds, bare=bare):
                yield line
        finally:
            del self._watchers[queue]

    async def _follow(
        self,
        queue: asyncio.Queue[Change | None],
        wanted: Selector,
        seconds: float,
        *,
        bare: bool,
    ) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        ends = loop.time() + seconds
        while (left := ends - loop.time()) > 0 and wanted.collection in self.resources:
            try:
                async with asyncio.timeout(min(left, _BOOKMARK_S)):
                    change = await queue.get()
            except TimeoutError:
                meta = {"resourceVersion": str(self.version)}
                yield _line("BOOKMARK", {"metadata": meta})
                continue
            if change is None:
                raise Cut
            line = _told(wanted, change, bare=bare)
            if line is not None:
                yield line

    def cut(self) -> None:
        """Cut every watch."""
        for queue in self._watchers:
            queue.put_nowait(None)

    def compact(self) -> None:
        """Forget all history up to now, and the rest of every list."""
        self._history.clear()
        self._kept_from = self.version
        self._pages.clear()

    def restart(self) -> None:
        """End and begin: what is stored is left."""
        self.cut()
        self.compact()


def now() -> str:
    """The time of day as objects have it."""
    return (clock.text(clock.now()) or "").partition(".")[0] + "Z"


def _established() -> Json:
    conditions = [
        {"type": type_, "status": "True", "reason": "Simulated", "lastTransitionTime": now()}
        for type_ in ("NamesAccepted", "Established")
    ]
    return {"conditions": conditions}


def _content(obj: Json) -> Json:
    """What makes a new generation."""
    meta = objects.metadata(obj)
    found = {k: v for k, v in obj.items() if k not in ("metadata", "status", "apiVersion", "kind")}
    return {**found, "ends": "deletionTimestamp" in meta}


def _is_finished(obj: Json) -> bool:
    """Whether nothing holds what is being deleted."""
    meta = objects.metadata(obj)
    held = meta.get("finalizers") or meta.get("deletionGracePeriodSeconds")
    return "deletionTimestamp" in meta and not held


def _told(wanted: Selector, change: Change, *, bare: bool) -> bytes | None:
    was, is_ = wanted.has(change.place, change.before), wanted.has(change.place, change.after)
    if is_ and change.after is not None:
        return _line("MODIFIED" if was else "ADDED", shown(change.after, bare=bare))
    if was and change.before is not None:
        # The object as it was, with the version of its going.
        meta = {**change.before["metadata"], "resourceVersion": str(change.version)}
        return _line("DELETED", shown({**change.before, "metadata": meta}, bare=bare))
    return None


def shown(obj: Json, *, bare: bool) -> Json:
    """An object, or its metadata alone."""
    if not bare:
        return obj
    return {name: obj[name] for name in ("apiVersion", "kind", "metadata") if name in obj}


def _line(event: str, obj: Json) -> bytes:
    return msgspec.json.encode({"type": event, "object": obj}) + b"\n"
