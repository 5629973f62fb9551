"""A registry without network: ASGI calls, a database, blobs in memory."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import httpx

from fairway.image.registry import Deps, registry_app

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
START_S = 1_700_000_000.0


def sha(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def descriptor(data: bytes, media_type: str = "text/plain") -> dict[str, Any]:
    return {"mediaType": media_type, "digest": sha(data), "size": len(data)}


def manifest(*layers: bytes, **more: Any) -> bytes:
    """An image whose config is its first layer."""
    value = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(layers[0]),
        "layers": [descriptor(one) for one in layers[1:]],
        **more,
    }
    return json.dumps(value).encode()


def index(*children: bytes) -> bytes:
    value = {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [descriptor(one, MANIFEST) for one in children],
    }
    return json.dumps(value).encode()


class Time:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.at = START_S

    def __call__(self) -> float:
        return self.at

    def pass_(self, seconds: float) -> None:
        self.at += seconds


class Client:
    """Pushes and pulls by ASGI calls."""

    def __init__(self, deps: Deps) -> None:
        self.deps = deps
        self.restart()

    def restart(self) -> None:
        """Another process over the same store."""
        transport = httpx.ASGITransport(registry_app(self.deps))
        self.http = httpx.AsyncClient(transport=transport, base_url="http://registry")

    async def __call__(self, method: str, path: str, **more: Any) -> httpx.Response:
        return await self.http.request(method, f"/v2/{path}", **more)

    async def blob(self, name: str, data: bytes) -> httpx.Response:
        """As clients do: ask first, then upload."""
        there = await self("HEAD", f"{name}/blobs/{sha(data)}")
        if there.status_code == 200:
            return there
        return await self("POST", f"{name}/blobs/uploads/?digest={sha(data)}", content=data)

    async def put(self, name: str, reference: str, body: bytes) -> httpx.Response:
        return await self("PUT", f"{name}/manifests/{reference}", content=body)

    async def get(self, name: str, reference: str) -> httpx.Response:
        return await self("GET", f"{name}/manifests/{reference}")

    async def image(self, name: str, tag: str, *layers: bytes, **more: Any) -> str:
        """Push an image whole. Returns its digest."""
        for layer in layers:
            assert (await self.blob(name, layer)).is_success
        body = manifest(*layers, **more)
        answer = await self.put(name, tag or sha(body), body)
        assert answer.status_code == 201, answer.text
        return sha(body)
