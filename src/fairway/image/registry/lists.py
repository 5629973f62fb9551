"""Lists, in pages: repositories, tags, referrers."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from fairway.image.registry.access import Action
from fairway.image.registry.deps import Call
from fairway.image.registry.errors import RegistryError
from fairway.image.registry.http import Request
from fairway.oci import digest, media
from fairway.store import manifests, registry

_PAGE: Final = 1000
_MOST: Final = 10_000
_REFERRERS: Final = 200
_LARGEST: Final = 4 * 1024 * 1024  # bytes of a page of referrers: their annotations may be long
_JSON: Final = {"content-type": "application/json"}


async def tags(call: Call) -> None:
    """GET the tags of a repository."""
    await call.need(Action.PULL)
    count = _count(call.request)
    repo = await call.deps.db.read(registry.find_repository, call.name)
    if repo is None:
        raise RegistryError(
            "NAME_UNKNOWN", "there is no such repository", detail={"name": call.name}
        )
    last = call.request.query.get("last", "")
    found = await call.deps.db.read(manifests.tags, repo, last=last, limit=count + 1)
    page = found[:count]
    headers = dict(_JSON)
    if len(found) > count and page:
        headers["link"] = _link(f"/v2/{call.name}/tags/list", n=count, last=page[-1])
    await _send(call, headers, {"name": call.name, "tags": page})


async def catalog(call: Call) -> None:
    """GET the repositories that the asker may pull from."""
    count = _count(call.request)
    last = call.request.query.get("last", "")
    page: list[str] = []
    more = True
    while more and len(page) <= count:
        found = await call.deps.db.read(registry.repositories, last=last, limit=_PAGE)
        more = len(found) == _PAGE
        for name in found:
            last = name
            if await call.asker.rights.may(name, Action.PULL):
                page.append(name)
    headers = dict(_JSON)
    if len(page) > count:
        page = page[:count]
        if page:
            headers["link"] = _link("/v2/_catalog", n=count, last=page[-1])
    await _send(call, headers, {"repositories": page})


async def referrers(call: Call, text: str) -> None:
    """GET the manifests whose subject is a digest; none is an empty list, never an error."""
    await call.need(Action.PULL)
    subject = str(digest.parse(text))
    count = min(max(1, _count(call.request)), _REFERRERS)
    wanted = call.request.query.get("artifactType", "")
    last = call.request.query.get("last", "")
    if not (last.isascii() and last.isdigit() and len(last) < 19) and last:
        raise RegistryError("PAGINATION_NUMBER_INVALID", "`last` is not ours")
    repo = await call.deps.db.read(registry.find_repository, call.name)
    found = await call.deps.db.read(
        manifests.referrers,
        repo or 0,
        subject,
        artifact_type=wanted,
        last=int(last or 0),
        limit=count + 1,
    )
    headers = {"content-type": media.OCI_INDEX}
    if wanted:
        headers["oci-filters-applied"] = "artifactType"
    page = _fitting(found[:count])
    if len(found) > len(page):
        more: dict[str, int | str] = {"n": count, "last": found[len(page) - 1][0]}
        if wanted:
            more["artifactType"] = wanted
        headers["link"] = _link(f"/v2/{call.name}/referrers/{subject}", **more)
    index = {
        "schemaVersion": 2,
        "mediaType": media.OCI_INDEX,
        "manifests": page,
    }
    await _send(call, headers, index)


def _fitting(found: list[tuple[int, manifests.Referrer]]) -> list[dict[str, Any]]:
    """The first ones, as many as a page may carry; at least one."""
    page: list[dict[str, Any]] = []
    size = 0
    for _, one in found:
        shown = _descriptor(one)
        size += len(msgspec.json.encode(shown))
        if page and size > _LARGEST:
            break
        page.append(shown)
    return page


def _descriptor(one: manifests.Referrer) -> dict[str, Any]:
    shown: dict[str, Any] = {"mediaType": one.media_type, "size": one.size, "digest": one.digest}
    if one.artifact_type:
        shown["artifactType"] = one.artifact_type
    if one.annotations:
        shown["annotations"] = one.annotations
    return shown


def _count(request: Request) -> int:
    text = request.query.get("n", "")
    if not text:
        return _PAGE
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise RegistryError(
            "PAGINATION_NUMBER_INVALID", "`n` is not a number from 0 on", detail={"n": text[:40]}
        )
    return min(int(text), _MOST)


def _link(path: str, **query: Any) -> str:
    return f'<{path}?{urlencode(query)}>; rel="next"'


async def _send(call: Call, headers: dict[str, str], body: dict[str, Any]) -> None:
    await call.request.answer(200, headers, msgspec.json.encode(body))
