"""Helm charts in OCI registries: their versions, and their archives in both directions.

A tag cannot hold `+`, which versions may: it is `_` there, as Helm has it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import httpx
import msgspec
from msgspec import Struct

from fairway.kit.outbound import refuse_link_local
from fairway.kit.secret import Secret
from fairway.model.errors import Forbidden, InvalidInput, NotFound, TooLarge, Unavailable
from fairway.oci import digest, media
from fairway.oci.annotate import base_url, client
from fairway.oci.upload import Upload

CONFIG: Final = "application/vnd.cncf.helm.config.v1+json"
ARCHIVE: Final = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
_LONGEST: Final = 64 * 1024 * 1024  # bytes of an archive
_MANIFEST: Final = 4 * 1024 * 1024
_PAGES: Final = 200
_SECONDS: Final = 60.0


class Place(Struct, frozen=True, kw_only=True):
    """A chart's repository in a registry. `auth` is JSON with `username` and `password`."""

    host: str
    path: str
    auth: Secret | None = None
    insecure: bool = False  # speak plain HTTP where there is no HTTPS

    def __str__(self) -> str:
        return f"{self.host}/{self.path}"


class Pulled(Struct, frozen=True, kw_only=True):
    """`manifest` is the digest of the manifest, `digest` that of the archive."""

    manifest: str
    digest: str
    archive: bytes


class Found(Struct, frozen=True, kw_only=True):
    """Where a version's archive is."""

    manifest: str
    digest: str
    size: int


class Charts:
    """One chart's repository; use as an async context manager.

    Raises `NotFound` (`no-chart-version`), `Forbidden` (`registry-forbidden`), `Unavailable`
    (`registry-unavailable`, may be retried), `InvalidInput` (`bad-chart`), `TooLarge`.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._http = client(place.host, place.auth, _SECONDS)
        self._http.event_hooks = {"request": [refuse_link_local]}  # of redirects too
        self._url = ""

    async def __aenter__(self) -> Charts:
        try:
            base = await base_url(self._http, self._place.host, insecure=self._place.insecure)
        except httpx.HTTPError as error:
            await self._http.aclose()
            raise self._away(error) from error
        except InvalidInput:
            await self._http.aclose()
            raise
        self._url = f"{base}/v2/{self._place.path}"
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._http.aclose()

    async def versions(self) -> list[str]:
        """All tags as versions."""
        found: list[str] = []
        url = f"{self._url}/tags/list"
        for _page in range(_PAGES):
            answer = await self._get(url)
            found += _tags(answer.content, str(self._place))
            link = answer.links.get("next", {}).get("url")
            if not link:
                break
            url = _same_host(url, link)
        return [tag.replace("_", "+") for tag in found]

    async def find(self, version: str) -> Found:
        """Where a version (or a manifest's digest) is."""
        reference = version if digest.is_digest(version) else version.replace("+", "_")
        headers = {"Accept": media.OCI_MANIFEST}
        answer = await self._get(f"{self._url}/manifests/{reference}", headers)
        if len(answer.content) > _MANIFEST:
            raise TooLarge(f"the manifest of {self._place} is too large", code="chart-too-large")
        made = digest.of(answer.content)
        if digest.is_digest(version) and made != version:
            raise InvalidInput(f"{self._place} has other bytes as {version}", code="bad-chart")
        layer = _layer(answer.content, f"{self._place}:{version}")
        return Found(manifest=made, digest=layer["digest"], size=int(layer["size"]))

    async def pull(self, version: str) -> Pulled:
        """The archive of a version, checked."""
        found = await self.find(version)
        return Pulled(
            manifest=found.manifest, digest=found.digest, archive=await self.archive(found)
        )

    async def archive(self, found: Found) -> bytes:
        """What `find` found, checked."""
        if found.size > _LONGEST:
            raise TooLarge(f"{self._place} has more than {_LONGEST} bytes", code="chart-too-large")
        data = (await self._get(f"{self._url}/blobs/{found.digest}", follow=True)).content
        algorithm = digest.parse(found.digest).algorithm
        if digest.of(data, algorithm) != found.digest:
            raise InvalidInput(f"{self._place} has other bytes as {found.digest}", code="bad-chart")
        return data

    async def _get(
        self, url: str, headers: Mapping[str, str] | None = None, *, follow: bool = False
    ) -> httpx.Response:
        try:
            answer = await self._http.get(url, headers=headers, follow_redirects=follow)
        except httpx.HTTPError as error:
            raise self._away(error) from error
        if answer.status_code == 404:
            raise NotFound(f"{self._place} is not there", code="no-chart-version", where=url)
        if answer.status_code in {401, 403}:
            raise Forbidden(
                f"{self._place} may not be read",
                code="registry-forbidden",
                remedy="give the registry's credentials: a Secret of Argo CD's kind repository",
            )
        if answer.status_code >= 300:
            raise self._away(RuntimeError(f"status {answer.status_code}"))
        return answer

    def _away(self, error: Exception) -> Unavailable:
        said = str(error) or type(error).__name__
        return Unavailable(
            f"the registry {self._place.host} does not answer: {said}",
            code="registry-unavailable",
            remedy="it is tried again by itself; look at the registry",
        )


def _same_host(url: str, link: str) -> str:
    """A next page's address; one of another host would get our credentials."""
    found = urljoin(url, link)
    if urlsplit(found)[:2] != urlsplit(url)[:2]:
        raise InvalidInput(f"{url}: the next page is elsewhere", code="bad-chart")
    return found


def _tags(data: bytes, where: str) -> list[str]:
    try:
        found = msgspec.json.decode(data, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise InvalidInput(f"{where}: no list of tags ({error})", code="bad-chart") from None
    return [str(tag) for tag in found.get("tags") or ()]


def _layer(data: bytes, where: str) -> dict[str, Any]:
    try:
        manifest = msgspec.json.decode(data, type=dict[str, Any])
        if manifest["config"]["mediaType"] != CONFIG:
            raise InvalidInput(f"{where} is not a Helm chart", code="bad-chart")
        layers = [one for one in manifest["layers"] if one["mediaType"] == ARCHIVE]
        digest.parse(layers[0]["digest"])
        found: dict[str, Any] = layers[0]
        int(found["size"])
    except (msgspec.MsgspecError, KeyError, IndexError, TypeError, ValueError) as error:
        raise InvalidInput(f"{where}: no chart's manifest ({error})", code="bad-chart") from None
    return found


def manifest(archive: bytes, config: bytes, notes: Mapping[str, str]) -> bytes:
    """A chart's manifest, as `helm push` writes it; the same chart gives the same bytes."""
    made: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": media.OCI_MANIFEST,
        "config": {"mediaType": CONFIG, "digest": digest.of(config), "size": len(config)},
        "layers": [{"mediaType": ARCHIVE, "digest": digest.of(archive), "size": len(archive)}],
    }
    if notes:
        made["annotations"] = dict(sorted(notes.items()))
    return json.dumps(made, separators=(",", ":")).encode()


async def push(
    place: Place, archive: bytes, chart: Mapping[str, Any], notes: Mapping[str, str] | None = None
) -> str:
    """Push a chart's archive under its version; the manifest's digest. May be repeated.

    `chart` is what Chart.yaml says. Raises as `Upload`.
    """
    config = json.dumps(dict(chart), sort_keys=True, separators=(",", ":")).encode()
    body = manifest(archive, config, notes or {})
    tag = str(chart["version"]).replace("+", "_")
    async with Upload(place.host, place.path, auth=place.auth, insecure=place.insecure) as upload:
        await upload.blob(digest.of(archive), archive)
        await upload.blob(digest.of(config), config)
        await upload.manifest(tag, media.OCI_MANIFEST, body)
    return digest.of(body)
