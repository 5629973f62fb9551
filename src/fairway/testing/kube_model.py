"""A model of an API server in memory: what informers need, exact about versions, and no more.

Objects of any kind with create, read, merge patch, replace and delete; lists by pages of one
moment; watches that replay history, send bookmarks and end by the clock. `compact` forgets history
as a server does: old versions and old pages are then answered 410. Time is the loop's.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from msgspec import Struct

from fairway.kube import objects
from fairway.kube.errors import unavailable
from fairway.kube.kind import Json
from fairway.kube.transport import Request, Response, WebSocket
from fairway.testing.kubefaults import Cut, Faults, expired_event, spoiled, status_body

SERVER: Final = "model"
_BOOKMARK_S: Final = 60.0
Place = tuple[str, str, str]  # collection, namespace, name


class _Change(Struct, frozen=True):
    version: int
    place: Place
    before: Json | None
    after: Json | None


class ModelApi:
    """The server's state. `transport` leads to it, with its faults."""

    def __init__(self) -> None:
        self.objects: dict[Place, Json] = {}
        self.version = 1
        self._uids = itertools.count(1)
        self._history: list[_Change] = []
        self._kept_from = 1  # watches may begin here
        self._pages: dict[str, tuple[list[Json], int]] = {}
        self._tokens = itertools.count(1)
        self._watchers: dict[asyncio.Queue[_Change | None], None] = {}

    def transport(self, faults: Faults | None = None) -> ModelTransport:
        """A way to it."""
        return ModelTransport(self, faults or Faults())

    def compact(self) -> None:
        """Forget all history up to now, and the rest of every list."""
        self._history.clear()
        self._kept_from = self.version
        self._pages.clear()

    def cut(self) -> None:
        """Cut every watch."""
        for queue in self._watchers:
            queue.put_nowait(None)

    def restart(self) -> None:
        """End and begin: what is stored is left."""
        self.cut()
        self.compact()

    def write(self, place: Place, after: Json | None) -> Json:
        """Store an object, or delete it (None); returns what it is now, or was at its end."""
        before = self.objects.get(place)
        if before is not None and after is not None and _content(before) == _content(after):
            return before
        self.version += 1
        meta = {"resourceVersion": str(self.version)}
        if after is None:
            assert before is not None
            told = {**before, "metadata": {**before["metadata"], **meta}}
            del self.objects[place]
        else:
            uid = objects.uid(before) if before else f"uid-{next(self._uids)}"
            told = {**after, "metadata": {**after["metadata"], **meta, "uid": uid}}
            self.objects[place] = told
        change = _Change(self.version, place, before, None if after is None else told)
        self._history.append(change)
        for queue in self._watchers:
            queue.put_nowait(change)
        return told

    # ---- lists -----------------------------------------------------------------------------------

    def list(self, collection: str, namespace: str, query: Mapping[str, str]) -> Response:
        """One page."""
        token = query.get("continue", "")
        if token:
            if token not in self._pages:
                return _refusal(410)
            found, version = self._pages[token]
        else:
            wanted = _Selection(collection, namespace, query.get("labelSelector", ""))
            # Etcd's order is that of names.
            places = sorted(place for place, obj in self.objects.items() if wanted.has(place, obj))
            found, version = [self.objects[place] for place in places], self.version
        limit = int(query.get("limit") or 0) or len(found)
        rest = ""
        if len(found) > limit:
            rest = f"page-{next(self._tokens)}"
            self._pages[rest] = (found[limit:], version)
        meta = {"resourceVersion": str(version), **({"continue": rest} if rest else {})}
        return _answer({"kind": "List", "metadata": meta, "items": found[:limit]})

    # ---- watches ---------------------------------------------------------------------------------

    async def watch(
        self, collection: str, namespace: str, query: Mapping[str, str]
    ) -> AsyncIterator[bytes]:
        """The lines of a watch."""
        wanted = _Selection(collection, namespace, query.get("labelSelector", ""))
        since = int(query.get("resourceVersion") or self.version)
        if since < self._kept_from:
            yield expired_event().encode() + b"\n"
            return
        queue: asyncio.Queue[_Change | None] = asyncio.Queue()
        for change in self._history:
            if change.version > since:
                queue.put_nowait(change)
        self._watchers[queue] = None
        try:
            async for line in self._follow(queue, wanted, float(query["timeoutSeconds"])):
                yield line
        finally:
            del self._watchers[queue]

    async def _follow(
        self, queue: asyncio.Queue[_Change | None], wanted: _Selection, seconds: float
    ) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        ends = loop.time() + seconds
        while (left := ends - loop.time()) > 0:
            try:
                async with asyncio.timeout(min(left, _BOOKMARK_S)):
                    change = await queue.get()
            except TimeoutError:
                meta = {"resourceVersion": str(self.version)}
                yield _line("BOOKMARK", {"metadata": meta})
                continue
            if change is None:
                raise Cut
            line = wanted.line(change)
            if line is not None:
                yield line


class _Selection(Struct, frozen=True):
    collection: str
    namespace: str
    labels: str

    def has(self, place: Place, obj: Json | None) -> bool:
        """Whether an object is selected. Only `name=value` selectors."""
        if obj is None or place[0] != self.collection:
            return False
        if self.namespace not in ("", place[1]):
            return False
        pairs = [part.partition("=") for part in self.labels.split(",") if part]
        return all(objects.labels(obj).get(name) == value for name, _, value in pairs)

    def line(self, change: _Change) -> bytes | None:
        """How a change looks to who watches the selection."""
        was, now = self.has(change.place, change.before), self.has(change.place, change.after)
        if now and change.after is not None:
            return _line("MODIFIED" if was else "ADDED", change.after)
        if was and change.before is not None:
            # The object as it was, with the version of its going.
            meta = {**change.before["metadata"], "resourceVersion": str(change.version)}
            return _line("DELETED", {**change.before, "metadata": meta})
        return None


class ModelTransport:
    """A `Transport` to a model."""

    server = SERVER

    def __init__(self, api: ModelApi, faults: Faults) -> None:
        self.api = api
        self.faults = faults

    async def send(self, request: Request) -> Response:
        """One request; a fault in the body makes it one that was cut."""
        async with self.stream(request) as stream:
            parts = [part async for part in stream.chunks()]
        return Response(stream.status, stream.headers, b"".join(parts))

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[_ModelStream]:
        """One request, read as it comes."""
        await asyncio.sleep(0)
        fault = self.faults.take(request)
        if fault is not None:
            await asyncio.sleep(fault.delay_s)
        if fault is not None and fault.status:
            after = fault.retry_after
            headers = {} if after is None else {"retry-after": str(after)}
            yield _ModelStream(fault.status, headers, _once(status_body(fault.status, after)))
            return
        query = dict(request.query)
        collection, namespace, name = place_of(request.path)
        if query.get("watch") == "true":
            body = self.api.watch(collection, namespace, query)
            status, headers = 200, {}
        else:
            answer = _answered(self.api, request, (collection, namespace, name))
            status, headers, body = answer.status, dict(answer.headers), _once(answer.body)
        metadata_only = "PartialObjectMetadata" in request.headers.get("accept", "")
        body = _without_content(body) if metadata_only else body
        yield _ModelStream(status, headers, spoiled(body, fault) if fault else body)

    @asynccontextmanager
    async def websocket(
        self, request: Request, protocols: tuple[str, ...]
    ) -> AsyncIterator[WebSocket]:
        """The model has no pods that run."""
        raise unavailable(SERVER, f"no {protocols} at {request.path}")
        yield  # type: ignore[unreachable]

    async def close(self) -> None:
        """Nothing to do."""


class _ModelStream:
    def __init__(self, status: int, headers: Mapping[str, str], body: AsyncIterator[bytes]) -> None:
        self.status = status
        self.headers = headers
        self._body = body

    async def chunks(self) -> AsyncIterator[bytes]:
        """Pieces; a cut is told as the transport's contract has it."""
        try:
            async for part in self._body:
                await asyncio.sleep(0)
                yield part
        except Cut as error:
            raise unavailable(SERVER, "cut") from error


def place_of(path: str) -> Place:
    """Collection (without a namespace), namespace and name of a path."""
    parts = path.strip("/").split("/")
    head, rest = (parts[:2], parts[2:]) if parts[0] == "api" else (parts[:3], parts[3:])
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    return "/".join([*head, rest[0]]), namespace, rest[1] if len(rest) > 1 else ""


def _answered(api: ModelApi, request: Request, place: Place) -> Response:
    collection, namespace, name = place
    if request.method == "GET" and not name:
        return api.list(collection, namespace, dict(request.query))
    if request.method == "POST":
        body = json.loads(request.body)
        place = (collection, namespace, objects.key(body).name)
        return _refusal(409) if place in api.objects else _answer(api.write(place, body), 201)
    found = api.objects.get(place)
    if found is None:
        applied = "apply-patch" in request.headers.get("content-type", "")
        return (
            _answer(api.write(place, json.loads(request.body)), 201) if applied else _refusal(404)
        )
    return _on_one(api, request, place, found)


def _on_one(api: ModelApi, request: Request, place: Place, found: Json) -> Response:
    if request.method == "GET":
        return _answer(found)
    if request.method == "DELETE":
        return _answer(api.write(place, None))
    body = json.loads(request.body)
    given = objects.version(body)
    if given and given != objects.version(found):
        return _refusal(409)
    merged = body if request.method == "PUT" else _merged(found, body)
    return _answer(api.write(place, merged))


def _merged(value: Any, patch: Any) -> Any:
    """A merge patch (RFC 7396)."""
    if not isinstance(patch, dict):
        return patch
    done = dict(value) if isinstance(value, dict) else {}
    for name, each in patch.items():
        if each is None:
            done.pop(name, None)
        else:
            done[name] = _merged(done.get(name), each)
    return done


def _content(obj: Json) -> Json:
    meta = {name: each for name, each in obj["metadata"].items() if name != "resourceVersion"}
    return {**obj, "metadata": {**meta, "uid": ""}}


def _answer(body: Json, status: int = 200) -> Response:
    return Response(status, {"content-type": "application/json"}, json.dumps(body).encode())


def _refusal(status: int) -> Response:
    return Response(status, {"content-type": "application/json"}, status_body(status))


def _line(event: str, obj: Json) -> bytes:
    return json.dumps({"type": event, "object": obj}).encode() + b"\n"


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


async def _without_content(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for part in body:
        found = json.loads(part)
        inner = found.get("items") or [found.get("object") or {}]
        for obj in inner:
            for name in set(obj) - {"apiVersion", "kind", "metadata"}:
                del obj[name]
        yield json.dumps(found).encode() + b"\n"
