"""Uploads: one request, or started, sent in parts, asked about, finished or cancelled.

The bytes lie under `uploads/ID` in the blob store and the record in the database, so an upload
goes on after a restart. The running hash lies in memory only; when it is not there, the bytes are
read again.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from msgspec import Struct

from fairway.image.registry.access import Action
from fairway.image.registry.deps import Call, Deps
from fairway.image.registry.errors import RegistryError
from fairway.image.registry.intake import pour
from fairway.kit.aio import blocking
from fairway.oci import digest, ranges
from fairway.oci.digest import Digest, Hash
from fairway.store import registry
from fairway.store.registry import Blob

_MOST_HASHES: Final = 1024
_RETRY_AFTER_S: Final = 5


class _Running(Struct):
    """A hash over the first `size` bytes of an upload."""

    algorithm: str
    hash: Hash
    size: int


class _Turn(Struct):
    """A lock, and how many hold it or wait for it."""

    lock: asyncio.Lock
    users: int = 0


class Uploads:
    """The uploads that go on in this process, over the ones on record."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._hashes: OrderedDict[str, _Running] = OrderedDict()
        self._busy: dict[str, _Turn] = {}
        self._receiving = 0

    async def start(self, call: Call) -> None:
        """POST: mount, or upload in one request, or start an upload."""
        await call.need(Action.PUSH)
        query = call.request.query
        if "mount" in query and await self._mount(call, query):
            return
        repo = await _repository(call)
        upload_id = secrets.token_hex(16)
        if "digest" in query:
            wanted = digest.parse(query["digest"])
            await self._whole(call, repo, upload_id, wanted)
            return
        await self._deps.db.write(registry.start_upload, upload_id, repo)
        await self._accepted(call, upload_id, 0)

    async def patch(self, call: Call, upload_id: str) -> None:
        """PATCH: more bytes."""
        await call.need(Action.PUSH)
        async with self._alone(upload_id):
            await self._find(call, upload_id)
            size = await self._receive(call, upload_id)
            await self._deps.db.write(registry.advance_upload, upload_id, size)
            await self._accepted(call, upload_id, size)

    async def status(self, call: Call, upload_id: str) -> None:
        """GET: how far it is."""
        await call.need(Action.PUSH)
        await self._find(call, upload_id)
        size = await self._size(upload_id)
        await call.request.answer(204, _location(call, upload_id, size))

    async def finish(self, call: Call, upload_id: str) -> None:
        """PUT: the last bytes, if any, and the digest of the whole."""
        await call.need(Action.PUSH)
        async with self._alone(upload_id):
            found = await self._find(call, upload_id)
            if "digest" not in call.request.query:
                raise RegistryError("DIGEST_INVALID", "the digest parameter is missing")
            wanted = digest.parse(call.request.query["digest"])
            await self._receive(call, upload_id, wanted.algorithm)
            await self._keep(call, found.repository, upload_id, wanted)

    async def cancel(self, call: Call, upload_id: str) -> None:
        """DELETE: forget it."""
        await call.need(Action.PUSH)
        async with self._alone(upload_id):
            await self._find(call, upload_id)
            await self._forget(upload_id)
            await call.request.answer(204)

    async def _mount(self, call: Call, query: dict[str, str]) -> bool:
        """Link a blob that another repository holds; False: the client has to upload it."""
        wanted = str(digest.parse(query["mount"]))
        source = query.get("from", "")
        if not source or not await call.may(Action.PULL, source):
            return False
        repo = await _repository(call)
        found = await self._deps.db.write(registry.mount, source, repo, wanted)
        if found is None or await self._deps.blobs.size(found.key) != found.size:
            return False
        await _created(call, wanted)
        return True

    async def _whole(self, call: Call, repo: int, upload_id: str, wanted: Digest) -> None:
        await self._receive(call, upload_id, wanted.algorithm)
        await self._keep(call, repo, upload_id, wanted, recorded=False)

    async def _find(self, call: Call, upload_id: str) -> registry.Upload:
        found = await self._deps.db.read(registry.find_upload, upload_id, call.name)
        if found is None:
            raise RegistryError("BLOB_UPLOAD_UNKNOWN", "there is no such upload")
        return found

    async def _receive(self, call: Call, upload_id: str, algorithm: str = "sha256") -> int:
        """Append the body. Returns the new size. What a lost client sent so far is kept."""
        size = await self._size(upload_id)
        length = _check_span(call, upload_id, size)
        if length == 0 and size:
            return size
        with self._received():
            whole, new = await self._append(call, upload_id, size, algorithm)
        if whole and length is not None and new - size != length:
            raise RegistryError("SIZE_INVALID", f"{length} bytes were announced, {new - size} came")
        if not whole:
            call.request.answered = True
            raise RegistryError("BLOB_UPLOAD_INVALID", "the client went away")
        return new

    async def _append(
        self, call: Call, upload_id: str, size: int, algorithm: str
    ) -> tuple[bool, int]:
        running = self._hashes.pop(upload_id, None)
        if running is None and size == 0:
            running = _Running(algorithm, digest.hasher(algorithm), 0)
        if running is not None and running.size != size:
            running = None
        writer = await self._deps.blobs.writer(f"uploads/{upload_id}", size)
        try:
            taken = running.hash if running else None
            whole = await pour(call.request.chunks(), writer, taken)
        finally:
            await writer.close()
        if running is not None:
            running.size = writer.size
            self._remember(upload_id, running)
        return whole, writer.size

    async def _keep(
        self, call: Call, repo: int, upload_id: str, wanted: Digest, *, recorded: bool = True
    ) -> None:
        """Make an upload a blob, or refuse it. It is on the disk before the client hears so."""
        actual = await self._digest(upload_id, wanted.algorithm)
        if actual != wanted.encoded:
            await self._forget(upload_id)
            raise RegistryError(
                "DIGEST_INVALID",
                "the digest of what was sent is another",
                detail={"wanted": str(wanted), "actual": f"{wanted.algorithm}:{actual}"},
            )
        size = await self._size(upload_id)
        key = f"blobs/{wanted.algorithm}/{wanted.encoded[:2]}/{wanted.encoded}.{upload_id[:16]}"
        await self._deps.blobs.seal(f"uploads/{upload_id}", key)
        blob = Blob(0, str(wanted), key, size)
        ends = upload_id if recorded else ""
        stored = await self._deps.db.write(registry.finish_upload, repo, blob, ends)
        if stored is None:
            await self._deps.blobs.delete(key)
            raise RegistryError("BLOB_UPLOAD_UNKNOWN", "the upload was cancelled meanwhile")
        await self._settle(stored, key)
        await _created(call, str(wanted))

    async def _settle(self, stored: Blob, key: str) -> None:
        """Of two files with one content keep the first, unless it was lost."""
        if stored.key == key:
            return
        if await self._deps.blobs.size(stored.key) == stored.size:
            await self._deps.blobs.delete(key)
        else:
            await self._deps.db.write(registry.replace_blob, stored.digest, key)

    async def _digest(self, upload_id: str, algorithm: str) -> str:
        running = self._hashes.pop(upload_id, None)
        size = await self._size(upload_id)
        if running is not None and running.algorithm == algorithm and running.size == size:
            return running.hash.hexdigest()
        again = digest.hasher(algorithm)
        async for chunk in self._deps.blobs.read(f"uploads/{upload_id}"):
            await blocking(again.update, chunk)
        return again.hexdigest()

    async def _size(self, upload_id: str) -> int:
        return await self._deps.blobs.size(f"uploads/{upload_id}") or 0

    async def _forget(self, upload_id: str) -> None:
        self._hashes.pop(upload_id, None)
        await self._deps.db.write(registry.end_upload, upload_id)
        await self._deps.blobs.delete(f"uploads/{upload_id}")

    def _remember(self, upload_id: str, running: _Running) -> None:
        self._hashes[upload_id] = running
        while len(self._hashes) > _MOST_HASHES:
            self._hashes.popitem(last=False)

    @asynccontextmanager
    async def _alone(self, upload_id: str) -> AsyncIterator[None]:
        """One request at a time for one upload."""
        turn = self._busy.setdefault(upload_id, _Turn(asyncio.Lock()))
        turn.users += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.users -= 1
            if not turn.users:
                self._busy.pop(upload_id, None)

    @contextmanager
    def _received(self) -> Iterator[None]:
        """Count a body that is being received. Raises RegistryError (TOOMANYREQUESTS)."""
        if self._receiving >= self._deps.uploads_at_once:
            headers = {"retry-after": str(_RETRY_AFTER_S)}
            raise RegistryError("TOOMANYREQUESTS", "too many uploads at once", headers=headers)
        self._receiving += 1
        try:
            yield
        finally:
            self._receiving -= 1

    async def _accepted(self, call: Call, upload_id: str, size: int) -> None:
        headers = _location(call, upload_id, size)
        await call.request.answer(202, headers)


async def _repository(call: Call) -> int:
    """The repository's id: a push creates it."""
    found = await call.deps.db.read(registry.find_repository, call.name)
    if found is None:
        found = await call.deps.db.write(registry.ensure_repository, call.name)
    return found


def _check_span(call: Call, upload_id: str, size: int) -> int | None:
    """The announced length, or None. Raises RegistryError for what does not follow on."""
    length = call.request.length()
    header = call.request.headers.get("content-range", "")
    if not header:
        return length
    start, end = ranges.sent(header)
    if start != size:
        raise RegistryError(
            "RANGE_INVALID",
            f"the upload has {size} bytes; go on there",
            headers=_location(call, upload_id, size),
        )
    if length is not None and end - start != length:
        raise RegistryError("SIZE_INVALID", "Content-Range and Content-Length disagree")
    return end - start


def _location(call: Call, upload_id: str, size: int) -> dict[str, str]:
    return {
        "location": f"/v2/{call.name}/blobs/uploads/{upload_id}",
        "docker-upload-uuid": upload_id,
        "range": f"0-{max(0, size - 1)}",
    }


async def _created(call: Call, wanted: str) -> None:
    headers = {"location": f"/v2/{call.name}/blobs/{wanted}", "docker-content-digest": wanted}
    await call.request.answer(201, headers)
