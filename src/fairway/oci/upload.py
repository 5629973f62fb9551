"""Pushes blobs and manifests to a registry over the distribution protocol."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final
from urllib.parse import urljoin

import httpx

from fairway.kit.aio import blocking
from fairway.kit.secret import Secret
from fairway.model.errors import InvalidInput, Unavailable
from fairway.oci.annotate import base_url, client

_CHUNK: Final = 4 * 1024 * 1024


class Upload:
    """Pushes into one repository of one registry; use as an async context manager.

    Raises `Unavailable` (`registry-unavailable`) and `InvalidInput` (`push-refused`).
    """

    def __init__(
        self, host: str, path: str, *, auth: Secret | None = None, insecure: bool = False
    ) -> None:
        self._host, self._path, self._insecure = host, path, insecure
        self._url = ""
        self._http = client(host, auth, 300, insecure=insecure)

    async def __aenter__(self) -> Upload:
        try:
            base = await base_url(self._http, self._host, insecure=self._insecure)
        except httpx.HTTPError as error:
            await self._http.aclose()
            raise self._away(error) from error
        self._url = f"{base}/v2/{self._path}"
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._http.aclose()

    async def blob(self, digest: str, content: Path | bytes) -> bool:
        """Push a blob unless it is there. Returns whether bytes were sent."""
        there = await self._call("HEAD", f"{self._url}/blobs/{digest}", fine=(404,))
        if there.status_code == 200:
            return False
        begun = await self._call("POST", f"{self._url}/blobs/uploads/")
        place = urljoin(str(begun.url), begun.headers["location"])
        joint = "&" if "?" in place else "?"
        size = (
            len(content) if isinstance(content, bytes) else (await blocking(content.stat)).st_size
        )
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        await self._call("PUT", f"{place}{joint}digest={digest}", headers, content)
        return True

    async def manifest(self, reference: str, media_type: str, body: bytes) -> None:
        """Put a manifest under a tag or digest."""
        headers = {"Content-Type": media_type}
        await self._call("PUT", f"{self._url}/manifests/{reference}", headers, body)

    async def has(self, reference: str, digest: str) -> bool:
        """Whether `reference` is that digest already."""
        url = f"{self._url}/manifests/{reference}"
        headers = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
        answer = await self._call("HEAD", url, headers, fine=(404,))
        return str(answer.headers.get("docker-content-digest")) == digest

    async def _call(
        self,
        method: str,
        url: str,
        headers: dict[str, str] | None = None,
        content: Path | bytes | None = None,
        *,
        fine: tuple[int, ...] = (),
    ) -> httpx.Response:
        body = _pieces(content) if isinstance(content, Path) else content
        try:
            answer = await self._http.request(method, url, headers=headers, content=body)
        except httpx.HTTPError as error:
            raise self._away(error) from error
        if answer.status_code >= 400 and answer.status_code not in fine:
            raise _refusal(self._host, answer)
        return answer

    def _away(self, error: Exception) -> Unavailable:
        return Unavailable(
            f"the registry {self._host} does not answer: {str(error) or type(error).__name__}",
            code="registry-unavailable",
            remedy="is Fairway up? `fairway doctor`",
        )


def _refusal(host: str, answer: httpx.Response) -> Exception:
    words = answer.text[:300].strip() or f"status {answer.status_code}"
    if answer.status_code >= 500:
        return Unavailable(f"the registry {host} failed: {words}", code="registry-unavailable")
    return InvalidInput(
        f"the registry {host} refused: {words}",
        code="push-refused",
        remedy="see that the token may push there: `fairway login`",
    )


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while data := await blocking(file.read, _CHUNK):
            yield data


def _size(content: Path | bytes) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size
