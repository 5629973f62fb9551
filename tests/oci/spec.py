"""A client that speaks the specification by hand, and content to send."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import httpx

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCTETS = {"Content-Type": "application/octet-stream"}
NOWHERE = "sha256:" + "0" * 64


def sha(data: bytes, algorithm: str = "sha256") -> str:
    """A digest."""
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def descriptor(data: bytes, media_type: str, **more: Any) -> dict[str, Any]:
    """What points at some bytes."""
    return {"mediaType": media_type, "digest": sha(data), "size": len(data), **more}


def code(response: httpx.Response) -> str:
    """The error code of an answer, whose shape is checked."""
    errors = response.json()["errors"]
    assert errors
    assert all(isinstance(one["code"], str) and "message" in one for one in errors)
    assert "json" in response.headers["content-type"]
    return errors[0]["code"]


class Api:
    """One repository of one registry."""

    def __init__(self, url: str, name: str, **headers: str) -> None:
        self.url = url
        self.name = name
        self.http = httpx.Client(base_url=url, timeout=60, headers=headers)

    def __enter__(self) -> Api:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    @property
    def host(self) -> str:
        """Host and port."""
        return self.url.removeprefix("http://")

    def __call__(self, method: str, path: str, **more: Any) -> httpx.Response:
        """A request below the repository, or at an absolute path or URL."""
        if path.startswith("http"):
            return self.http.request(method, path, **more)
        below = path if path.startswith("/") else f"/v2/{self.name}/{path}"
        return self.http.request(method, below, **more)

    def start(self) -> str:
        """Start an upload. Returns where it goes on."""
        answer = self("POST", "blobs/uploads/")
        assert answer.status_code == 202, answer.text
        return answer.headers["location"]

    def finish(self, where: str, digest: str, data: bytes = b"", **more: Any) -> httpx.Response:
        """PUT the end of an upload."""
        url = httpx.URL(where).copy_add_param("digest", digest)
        headers = {**OCTETS, **more.pop("headers", {})}
        return self("PUT", str(url), content=data, headers=headers, **more)

    def blob(self, data: bytes, algorithm: str = "sha256") -> str:
        """Push a blob. Returns its digest."""
        digest = sha(data, algorithm)
        answer = self.finish(self.start(), digest, data)
        assert answer.status_code == 201, answer.text
        return digest

    def image(self, text: str = "", **more: Any) -> bytes:
        """A manifest whose blobs are pushed; `more` are further fields."""
        config = json.dumps({"architecture": "amd64", "os": "linux", "text": text}).encode()
        layer = b"layer " + text.encode()
        self.blob(config)
        self.blob(layer)
        return json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "config": descriptor(config, OCI_CONFIG),
                "layers": [descriptor(layer, OCI_LAYER)],
                **more,
            }
        ).encode()

    def put(self, reference: str, body: bytes, media_type: str = OCI_MANIFEST) -> httpx.Response:
        """PUT a manifest."""
        headers = {"Content-Type": media_type} if media_type else {}
        return self("PUT", f"manifests/{reference}", content=body, headers=headers)

    def push(self, reference: str, body: bytes, media_type: str = OCI_MANIFEST) -> str:
        """Push a manifest. Returns its digest."""
        answer = self.put(reference, body, media_type)
        assert answer.status_code == 201, answer.text
        return sha(body)

    def get(self, reference: str, accept: str = "*/*", method: str = "GET") -> httpx.Response:
        """Get a manifest."""
        return self(method, f"manifests/{reference}", headers={"Accept": accept})


def parts(*data: bytes) -> Iterator[bytes]:
    """A body without a Content-Length."""
    yield from data
