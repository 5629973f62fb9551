"""Candidates are scanned; reports are as new as the advisories, and never say clean."""

from __future__ import annotations

import gzip
import io
import json
import tarfile

import pytest
from registry_client import Client, Time, index, sha

from fairway.image.scan.scanning import Scanning, end_import, take_advisories
from fairway.model.errors import InvalidInput, NotFound
from fairway.model.events import CandidateMade
from fairway.store.database import Database
from fairway.testing.blob import MemoryBlobs

STATUS = b"Package: bash\nStatus: install ok installed\nVersion: 5.2.15-2\n"
OS = b"ID=debian\nVERSION_ID=12\n"
RECORD = {
    "id": "DSA-1",
    "summary": "it says too much",
    "affected": [
        {
            "package": {"ecosystem": "Debian:12", "name": "bash"},
            "ranges": [
                {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "5.2.15-3"}]}
            ],
            "ecosystem_specific": {"urgency": "High"},
        }
    ],
}


def layer(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return gzip.compress(made.getvalue(), mtime=0)


@pytest.fixture
def scanning(database: Database, blobs: MemoryBlobs) -> Scanning:
    return Scanning(database, blobs, old_days=7)


async def pushed(client: Client, files: dict[str, bytes], *, as_index: bool = False) -> str:
    child = await client.image("tide/app", "", b'{"os":"linux"}', layer(files))
    if not as_index:
        return child
    body = (await client.get("tide/app", child)).content
    top = index(body)
    assert (await client.put("tide/app", sha(top), top)).status_code == 201
    return sha(top)


async def scanned(scanning: Scanning, digest: str) -> None:
    event = CandidateMade(
        repository=1, slug="tide/app", build=1, number=1, repository_name="tide/app", digest=digest
    )
    await scanning.scan_candidate(event, "event/1")


@pytest.mark.parametrize("as_index", [False, True])
async def test_a_candidate_gets_a_bill_of_materials_beside_it(
    client: Client, scanning: Scanning, *, as_index: bool
) -> None:
    digest = await pushed(
        client, {"var/lib/dpkg/status": STATUS, "etc/os-release": OS}, as_index=as_index
    )
    for _ in range(2):
        await scanned(scanning, digest)
    answer = await client("GET", f"tide/app/referrers/{digest}")
    beside = json.loads(answer.content)["manifests"]
    assert [one["artifactType"] for one in beside] == ["application/vnd.cyclonedx+json"]
    document = json.loads(await scanning.document(digest))
    assert document["components"][0]["purl"] == "pkg:deb/debian/bash@5.2.15-2"


async def test_without_advisories_or_with_old_ones_nothing_is_known(
    client: Client, scanning: Scanning, database: Database, time: Time
) -> None:
    digest = await pushed(client, {"var/lib/dpkg/status": STATUS, "etc/os-release": OS})
    await scanned(scanning, digest)
    first = await scanning.report(digest)
    assert (first.knowledge, first.gaps) == (
        "unknown", ("no advisories for Debian:12 were imported",),
    )  # fmt: skip
    database.write_now(take_advisories, [RECORD])
    database.write_now(end_import, {"Debian:12": 1})
    found = await scanning.report(digest)
    assert found.knowledge == "found"
    hit = found.vulnerabilities[0]
    assert (hit.name, hit.package, hit.fixed, hit.severity) == ("DSA-1", "bash", "5.2.15-3", "high")
    database.write_now(take_advisories, [RECORD | {"withdrawn": "2026-01-01T00:00:00Z"}])
    assert (await scanning.report(digest)).knowledge == "none known"
    time.pass_(8 * 86_400)
    late = await scanning.report(digest)
    assert late.knowledge == "unknown"
    assert "too old" in late.gaps[0]


async def test_an_image_of_which_nothing_could_be_read_is_unknown(
    client: Client, scanning: Scanning
) -> None:
    digest = await pushed(client, {"bin/app": b"#!/bin/sh\n"})
    await scanned(scanning, digest)
    report = await scanning.report(digest)
    assert report.knowledge == "unknown"
    assert "no package was found" in report.gaps[0]


async def test_what_was_never_scanned_or_is_gone_is_not_found(scanning: Scanning) -> None:
    with pytest.raises(NotFound) as told:
        await scanning.report("sha256:" + "0" * 64)
    assert told.value.code == "not-scanned"
    with pytest.raises(NotFound) as told:
        await scanning.scan("tide/app", "sha256:" + "0" * 64)
    assert told.value.code == "no-image"


def test_the_same_records_again_replace_themselves_and_others_are_refused(
    database: Database,
) -> None:
    for _ in range(2):
        assert database.write_now(take_advisories, [RECORD]) == 1
    with pytest.raises(InvalidInput):
        database.write_now(end_import, {"npm": 3})
