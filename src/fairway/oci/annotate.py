"""Gives an image that an engine pushed its OCI annotations.

The Engine API pushes manifests without annotations, in Docker's older format. The manifest is read
back, written as an OCI image manifest over the same config and layers, annotated, and put under
the same tag: the digest that counts is that of this manifest.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Final

import httpx

from fairway.kit import trust
from fairway.kit.net import is_loopback
from fairway.kit.secret import Secret
from fairway.model.errors import InvalidInput, Unavailable

_OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
_DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
_MEDIA_TYPES: Final = {
    "application/vnd.docker.container.image.v1+json": "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.image.rootfs.diff.tar": "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip": (
        "application/vnd.oci.image.layer.v1.tar+gzip"
    ),
}
_PARAMETER: Final = re.compile(r'(\w+)="([^"]*)"')
_LIMIT: Final = 4 * 1024 * 1024


class Account(httpx.Auth):
    """Answers a registry's challenge, basic or bearer."""

    requires_response_body = True

    def __init__(self, auth: Secret | None) -> None:
        given: dict[str, str] = json.loads(auth.reveal()) if auth else {}
        pair = f"{given.get('username', '')}:{given.get('password', '')}"
        self._basic = "Basic " + base64.b64encode(pair.encode()).decode() if given else ""
        self._token = given.get("registrytoken", "")
        self._header = f"Bearer {self._token}" if self._token else ""

    def auth_flow(self, request: httpx.Request) -> Any:
        """Send; on 401 get what the challenge asks for, and send once more."""
        if self._header:
            request.headers["Authorization"] = self._header
        answer = yield request
        if answer.status_code != 401:
            return
        challenge = answer.headers.get("www-authenticate", "")
        if challenge.lower().startswith("bearer"):
            wanted = dict(_PARAMETER.findall(challenge))
            realm = wanted.pop("realm", "")
            headers = {"Authorization": self._basic} if self._basic else {}
            token = yield httpx.Request("GET", realm, params=wanted, headers=headers)
            found = token.json() if token.status_code == 200 else {}
            self._header = f"Bearer {found.get('token') or found.get('access_token', '')}"
        else:
            self._header = self._basic
        if self._header:
            request.headers["Authorization"] = self._header
            yield request


def client(
    host: str, auth: Secret | None, timeout_s: float, *, insecure: bool = False
) -> httpx.AsyncClient:
    """A client of one registry. This machine's own needs no certificate, as engines have it, nor
    one that may be `insecure`.
    """
    trusted = False if insecure or is_loopback(host) else trust.authorities()
    return httpx.AsyncClient(auth=Account(auth), timeout=timeout_s, trust_env=False, verify=trusted)


async def base_url(http: httpx.AsyncClient, host: str, *, insecure: bool) -> str:
    """HTTPS; plain HTTP where that fails and the host is this machine or `insecure` allows it.

    Raises httpx's errors.
    """
    if insecure or is_loopback(host):
        try:
            await http.get(f"https://{host}/v2/", auth=None)
        except httpx.TransportError:
            return f"http://{host}"
    return f"https://{host}"


def as_oci(body: bytes, annotations: Mapping[str, str]) -> bytes:
    """A manifest as an annotated OCI image manifest.

    Raises `InvalidInput` (`manifest-unknown`) for anything but an image's manifest.
    """
    manifest = json.loads(body)
    if "layers" not in manifest or "config" not in manifest:
        raise InvalidInput("the registry's manifest is not an image's", code="manifest-unknown")
    for part in (manifest["config"], *manifest["layers"]):
        part["mediaType"] = _MEDIA_TYPES.get(part["mediaType"], part["mediaType"])
    manifest["mediaType"] = _OCI_MANIFEST
    manifest["annotations"] = {**manifest.get("annotations", {}), **annotations}
    return json.dumps(manifest, indent=3, sort_keys=True).encode()


async def annotate(
    host: str,
    path: str,
    tag: str,
    annotations: Mapping[str, str],
    *,
    auth: Secret | None,
    insecure: bool = False,
) -> str:
    """Annotate `host/path:tag`; returns the digest that the tag has now. May be retried.

    Raises `Unavailable` (`registry-unavailable`), `InvalidInput` (`push-refused`).
    """
    try:
        async with client(host, auth, 60, insecure=insecure) as http:
            url = f"{await base_url(http, host, insecure=insecure)}/v2/{path}/manifests/{tag}"
            accept = f"{_OCI_MANIFEST}, {_DOCKER_MANIFEST}"
            answer = await http.get(url, headers={"Accept": accept})
            _check(answer, host)
            if len(answer.content) > _LIMIT:
                raise InvalidInput("the manifest is too large", code="push-refused")
            body = as_oci(answer.content, annotations)
            put = await http.put(url, content=body, headers={"Content-Type": _OCI_MANIFEST})
            _check(put, host)
    except httpx.HTTPError as error:
        raise Unavailable(
            f"the registry {host} does not answer: {str(error) or type(error).__name__}",
            code="registry-unavailable",
            remedy="try again; look at the registry",
        ) from error
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def _check(answer: httpx.Response, host: str) -> None:
    if answer.status_code >= 500:
        raise Unavailable(
            f"the registry {host} failed: status {answer.status_code}", code="registry-unavailable"
        )
    if answer.status_code >= 400:
        raise InvalidInput(
            f"the registry {host} refused the manifest: {answer.text[:300].strip()}",
            code="push-refused",
        )
