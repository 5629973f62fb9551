"""Sends an image from the Engine to a registry that the Engine itself does not trust.

An Engine speaks plain HTTP, or TLS that nobody it knows vouches for, only to registries that its
own configuration names. A step's `insecure` is about that step alone: so the image is taken out of
the Engine and pushed from here.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

from msgspec import Struct

from fairway.docker.client import Docker
from fairway.kit.aio import blocking
from fairway.kit.secret import Secret
from fairway.model.errors import InvalidInput
from fairway.model.image import ImageName
from fairway.oci.upload import Upload

_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
_LAYER: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
_CHUNK: Final = 1024 * 1024
_LEVEL: Final = 3  # a third of the time of the default, a tenth more bytes
_SAVED_S: Final = 1800.0
_DISTRUST: Final = re.compile(
    r"x509:|tls:|certificate|gave HTTP response to HTTPS client", re.IGNORECASE
)


class _Layer(Struct, frozen=True):
    """A compressed layer."""

    path: Path
    digest: str
    size: int


def distrusts(words: str) -> bool:
    """Whether an Engine refused a registry because of how it is spoken to."""
    return _DISTRUST.search(words) is not None


async def send(docker: Docker, image: str, name: ImageName, *, auth: Secret | None) -> str:
    """Push what the Engine knows as `image` under `name`; returns the manifest's digest.

    HTTPS without a look at the certificate, plain HTTP where there is none. May be retried.
    Raises `Unavailable` (`registry-unavailable`), `InvalidInput` (`push-refused`).
    """
    with tempfile.TemporaryDirectory(prefix="fairway-push-") as folder:
        saved = Path(folder) / "image.tar"
        await _save(docker, image, saved)
        config, layers = await blocking(_unpack, saved, Path(folder))
        manifest = _manifest(config, layers)
        async with Upload(name.host, name.path, auth=auth, insecure=True) as upload:
            for layer in layers:
                await upload.blob(layer.digest, layer.path)
            await upload.blob(_digest(config), config)
            await upload.manifest(name.tag or "latest", _MANIFEST, manifest)
    return _digest(manifest)


async def _save(docker: Docker, image: str, path: Path) -> None:
    """The Engine's own archive of the image."""
    async with asyncio.timeout(_SAVED_S):
        with path.open("wb") as out:
            async with docker.stream("GET", f"/images/{image}/get") as answer:
                async for part in answer.parts():
                    await blocking(out.write, part)


def _unpack(saved: Path, folder: Path) -> tuple[bytes, list[_Layer]]:
    """The configuration, and each layer compressed into `folder`."""
    try:
        with tarfile.open(saved) as tar:
            [entry] = json.loads(_member(tar, "manifest.json").read())
            config = _member(tar, entry["Config"]).read()
            layers = [
                _compressed(_member(tar, name), folder / f"{number}.tar.gz")
                for number, name in enumerate(entry["Layers"])
            ]
    except (tarfile.TarError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(
            f"the Engine's archive of the image cannot be read: {error}", code="push-refused"
        ) from error
    return config, layers


def _member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    """A file of the archive; a layer that two images share may be a link within it."""
    found = tar.extractfile(name)
    if found is None:
        raise KeyError(name)
    return found


def _compressed(source: IO[bytes], path: Path) -> _Layer:
    packed, size = hashlib.sha256(), 0
    with path.open("wb") as out:
        for data in _squeezed(source):
            packed.update(data)
            size += out.write(data)
    return _Layer(path, f"sha256:{packed.hexdigest()}", size)


def _squeezed(source: IO[bytes]) -> Iterator[bytes]:
    squeeze = zlib.compressobj(_LEVEL, zlib.DEFLATED, 31)
    while data := source.read(_CHUNK):
        yield squeeze.compress(data)
    yield squeeze.flush()


def _manifest(config: bytes, layers: list[_Layer]) -> bytes:
    described: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": {"mediaType": _CONFIG, "digest": _digest(config), "size": len(config)},
        "layers": [
            {"mediaType": _LAYER, "digest": layer.digest, "size": layer.size} for layer in layers
        ],
    }
    return json.dumps(described, sort_keys=True).encode()


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
