"""Blobs: asked for, downloaded, given up."""

from __future__ import annotations

from fairway.image.registry.access import Action
from fairway.image.registry.deps import Call
from fairway.image.registry.errors import RegistryError
from fairway.oci import digest, ranges
from fairway.store import registry
from fairway.store.registry import Blob


async def get(call: Call, text: str) -> None:
    """HEAD or GET a blob, or a range of it."""
    await call.need(Action.PULL)
    wanted = str(digest.parse(text))
    found = await _find(call, wanted)
    headers = {
        "content-type": "application/octet-stream",
        "docker-content-digest": wanted,
        "etag": f'"{wanted}"',
        "accept-ranges": "bytes",
        "cache-control": "private, max-age=31536000, immutable",
    }
    request = call.request
    if f'"{wanted}"' in request.headers.get("if-none-match", ""):
        await request.start(304, {"etag": headers["etag"]})
        await request.send(b"")
        return
    span = ranges.wanted(request.headers.get("range", ""), found.size)
    start, end = span or (0, found.size)
    if span:
        headers["content-range"] = f"bytes {start}-{end - 1}/{found.size}"
    headers["content-length"] = str(end - start)
    await request.start(206 if span else 200, headers)
    if request.method == "HEAD":
        await request.send(b"")
    elif span or not await request.send_file(call.deps.blobs.path(found.key)):
        async for chunk in call.deps.blobs.read(found.key, start, end):
            await request.send(chunk, more=True)
        await request.send(b"")


async def delete(call: Call, text: str) -> None:
    """The repository gives a blob up; its bytes go when no repository holds it."""
    await call.need(Action.DELETE)
    wanted = str(digest.parse(text))
    if not await call.deps.db.write(registry.unlink, call.name, wanted):
        raise _unknown(wanted)
    await call.request.answer(202)


async def _find(call: Call, wanted: str) -> Blob:
    """The blob, sure to be there. HEAD touches it: a push goes on from what it is told."""
    db = call.deps.db
    found = await db.read(registry.find_blob, call.name, wanted)
    if found and call.request.method == "HEAD" and registry.is_stale(found.touched):
        found = await db.write(registry.touch_blob, call.name, wanted)
    if found is None or await call.deps.blobs.size(found.key) != found.size:
        raise _unknown(wanted)
    return found


def _unknown(wanted: str) -> RegistryError:
    return RegistryError(
        "BLOB_UNKNOWN", "the repository does not hold this blob", detail={"digest": wanted}
    )
