"""What is in images and what is known against them."""

from __future__ import annotations

import msgspec
from litestar import Response, get, post
from litestar.params import JSONBody
from sqlalchemy import Connection

from fairway.access.authorise import Action, allowed_on_image, require_admin
from fairway.access.identity import Identity
from fairway.api import guard, shown
from fairway.api.services import Services, Svc, Who, Word, here
from fairway.client.wire import scan as wire
from fairway.client.wire.common import Page
from fairway.image.scan import cyclonedx, scanning
from fairway.kit import clock
from fairway.model.errors import InvalidInput, NotFound
from fairway.model.scan import Report
from fairway.store import manifests, scans

_MOST: int = 2000


@post("/scans", summary="Scan an image of our registry", status_code=200)
async def scan_image(*, services: Svc, who: Who, data: JSONBody[wire.ScanRequest]) -> wire.Report:
    """What it holds is read once for each digest; what is known against that is told anew."""
    guard.signed_in(who)
    await _may(services, who, data.image)
    found = await services.database.read(manifests.find, data.image, data.reference)
    if found is None:
        raise _none(f"{data.image}:{data.reference}")
    scanner = here(services.scanning, "scans")
    await scanner.scan(data.image, found.digest)
    return _shown(await scanner.report(found.digest))


@get("/scans/{digest:str}", summary="What is known of a digest")
async def show_report(*, services: Svc, who: Who, digest: Word) -> wire.Report:
    """Of a candidate, or of what was scanned by hand."""
    return _shown(await _report(services, who, digest))


@get("/scans/{digest:str}/sbom", summary="A digest's bill of materials")
async def show_document(*, services: Svc, who: Who, digest: Word) -> Response[bytes]:
    """CycloneDX 1.6, JSON."""
    await _report(services, who, digest)
    data = await here(services.scanning, "scans").document(digest)
    return Response(data, media_type=cyclonedx.MEDIA_TYPE)


@get("/advisories", summary="Which advisories there are")
async def list_advisories(*, services: Svc, who: Who) -> Page[wire.Advisories]:
    """By ecosystem, and of when."""
    guard.signed_in(who)
    found = await services.database.read(scans.imports)
    items = [
        wire.Advisories(ecosystem=name, records=count, imported=shown.time(at))
        for name, (at, count) in found.items()
    ]
    return Page(items=items)


@post("/advisories", summary="Import OSV records", status_code=200)
async def import_advisories(
    *, services: Svc, who: Who, data: JSONBody[wire.AdvisoryPart]
) -> wire.Taken:
    """In parts; records of the same id are replaced. For admins."""
    require_admin(who)
    if len(data.records) > _MOST:
        raise InvalidInput(
            f"more than {_MOST} records at once", code="bad-request", where="body.records"
        )
    taken = await services.database.write(_take, data)
    return wire.Taken(advisories=taken)


def _take(db: Connection, data: wire.AdvisoryPart) -> int:
    taken = scanning.take_advisories(db, data.records)
    scanning.end_import(db, data.done)
    return taken


async def _report(services: Services, who: Identity, digest: str) -> Report:
    guard.signed_in(who)
    try:
        found = await here(services.scanning, "scans").report(digest)
        await _may(services, who, found.image)
    except NotFound:
        raise _none(digest) from None
    return found


async def _may(services: Services, who: Identity, image: str) -> None:
    """Whoever may pull an image may know what is in it; nobody else that there is one."""
    allowed = await services.database.read(allowed_on_image, who, image)
    if Action.PULL_IMAGE not in allowed:
        raise _none(image)


def _none(what: str) -> NotFound:
    return NotFound(
        f"{what[:300]} is not there, or was never scanned",
        code="not-scanned",
        remedy="`fairway get images` lists images; `fairway scan IMAGE` scans one",
    )


def _shown(found: Report) -> wire.Report:
    plain = msgspec.to_builtins(found)
    plain["created"] = clock.text(found.created) or ""
    return msgspec.convert(plain, wire.Report)


ROUTES = [scan_image, show_report, show_document, list_advisories, import_advisories]
