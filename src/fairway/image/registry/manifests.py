"""Manifests by digest or tag: pulled, pushed, deleted."""

from __future__ import annotations

from sqlalchemy import Connection

from fairway.image.registry.access import Action
from fairway.image.registry.deps import Call
from fairway.image.registry.errors import RegistryError
from fairway.kit.aio import blocking
from fairway.oci import digest, manifest, media, reference
from fairway.oci.manifest import Manifest
from fairway.store import audit, registry
from fairway.store import manifests as records
from fairway.store.manifests import NewManifest, Stored


async def get(call: Call, text: str) -> None:
    """HEAD or GET a manifest."""
    await call.need(Action.PULL)
    wanted = _reference(text)
    found = await _find(call, wanted)
    if not media.accepts(call.request.accept, found.media_type):
        raise RegistryError(
            "MANIFEST_UNKNOWN",
            f"the manifest is {found.media_type}, which the Accept header does not take",
            detail={"mediaType": found.media_type},
        )
    headers = {
        "content-type": found.media_type,
        "docker-content-digest": found.digest,
        "etag": f'"{found.digest}"',
    }
    if f'"{found.digest}"' in call.request.headers.get("if-none-match", ""):
        await call.request.start(304, {"etag": headers["etag"]})
        await call.request.send(b"")
        return
    await call.request.answer(200, headers, found.body)


async def put(call: Call, text: str) -> None:
    """PUT: store a manifest whose blobs and children are here already."""
    await call.need(Action.PUSH)
    wanted = _reference(text)
    if not digest.is_digest(wanted) and not await call.asker.rights.may_tag(wanted):
        raise RegistryError(
            "DENIED",
            f"a build of a pull request may not set the tag {wanted}: its images have tags that"
            " name its commit, or begin with change-NUMBER",
            detail={"tag": wanted},
        )
    length = call.request.length()
    if length is not None and length > manifest.LONGEST:
        raise RegistryError("SIZE_INVALID", _too_large(length), status=413)
    body = await call.request.body(manifest.LONGEST)
    if len(body) > manifest.LONGEST:
        raise RegistryError("SIZE_INVALID", _too_large(len(body)), status=413)
    content_type = call.request.headers.get("content-type", "")
    found = await blocking(manifest.read, body, content_type)
    name = await blocking(_digest, wanted, body)
    repo = await call.deps.db.write(registry.ensure_repository, call.name)
    tag = "" if digest.is_digest(wanted) else wanted
    lack = await call.deps.db.write(records.put, repo, _record(found, name, body), tag)
    if lack is not None:
        raise _lacking(lack)
    headers = {"location": f"/v2/{call.name}/manifests/{name}", "docker-content-digest": name}
    if found.subject is not None:
        headers["oci-subject"] = found.subject.digest
    await call.request.answer(201, headers)


async def delete(call: Call, text: str) -> None:
    """DELETE: a tag alone, or a manifest with its tags."""
    await call.need(Action.DELETE)
    wanted = _reference(text)
    if not await call.deps.db.write(_delete, call.name, wanted, actor=call.asker.rights.actor):
        raise await _unknown(call, wanted)
    await call.request.answer(202)


def _delete(db: Connection, name: str, wanted: str, *, actor: str) -> bool:
    """Both are the deletion of something by somebody: the audit says so."""
    known = digest.is_digest(wanted)
    gone = (records.delete_manifest if known else records.delete_tag)(db, name, wanted)
    if gone:
        subject = f"image/{name}{'@' if known else ':'}{wanted}"
        audit.append(db, actor or "fairway", "image.delete", subject)
    return gone


async def _find(call: Call, wanted: str) -> Stored:
    """The manifest. HEAD touches it: a push of an index goes on from what it is told."""
    db = call.deps.db
    found = await db.read(records.find, call.name, wanted)
    if found and call.request.method == "HEAD" and registry.is_stale(found.touched):
        found = await db.write(records.touch, call.name, wanted)
    if found is None:
        raise await _unknown(call, wanted)
    return found


async def _unknown(call: Call, wanted: str) -> RegistryError:
    detail = {"name": call.name, "reference": wanted}
    if await call.deps.db.read(registry.find_repository, call.name) is None:
        return RegistryError("NAME_UNKNOWN", "there is no such repository", detail=detail)
    return RegistryError("MANIFEST_UNKNOWN", "there is no such manifest", detail=detail)


def _reference(text: str) -> str:
    """A tag, or a digest in full. Raises RegistryError or InvalidInput."""
    if digest.is_digest(text):
        return str(digest.parse(text))
    if not reference.is_tag(text):
        raise RegistryError("TAG_INVALID", f"{text[:140]!r} is neither a tag nor a digest")
    return text


def _digest(wanted: str, body: bytes) -> str:
    """The digest that a body gets: of the algorithm that was asked for, and it must be right."""
    if not digest.is_digest(wanted):
        return digest.of(body)
    actual = digest.of(body, wanted.partition(":")[0])
    if actual != wanted:
        raise RegistryError(
            "DIGEST_INVALID",
            "the digest of what was sent is another",
            detail={"wanted": wanted, "actual": actual},
        )
    return actual


def _record(found: Manifest, name: str, body: bytes) -> NewManifest:
    return NewManifest(
        digest=name,
        media_type=found.media_type,
        artifact_type=manifest.artifact_type(found),
        subject=found.subject.digest if found.subject else None,
        body=body,
        blobs=tuple(one.digest for one in found.blobs()),
        manifests=tuple(one.digest for one in found.manifests),
        needed=tuple((one.digest, one.size) for one in found.needed()),
        annotations=found.annotations,
    )


def _lacking(lack: records.Missing) -> RegistryError:
    if lack.digests:
        return RegistryError(
            "MANIFEST_BLOB_UNKNOWN",
            f"the repository does not hold {', '.join(lack.digests[:5])}",
            detail={"digests": list(lack.digests)},
        )
    return RegistryError(
        "SIZE_INVALID",
        f"the manifest states a wrong size of {', '.join(lack.sizes[:5])}",
        detail={"digests": list(lack.sizes)},
    )


def _too_large(size: int) -> str:
    return f"the manifest has {size} bytes or more; at most {manifest.LONGEST} are taken"
