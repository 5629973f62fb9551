"""An image of one layer as files: the compressed layer, its configuration, its manifest."""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from fairway.image.recipes import Recipe
from fairway.kit import clock

MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
_LAYER: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
_CHUNK: Final = 1024 * 1024
_LEVEL: Final = 3  # a third of the time of the default, a tenth more bytes


class Image(Struct, frozen=True):
    """Where an image's parts lie, and their digests."""

    layer: Path
    layer_digest: str
    config: bytes
    manifest: bytes

    @property
    def config_digest(self) -> str:
        """The configuration's digest."""
        return f"sha256:{hashlib.sha256(self.config).hexdigest()}"

    @property
    def digest(self) -> str:
        """The image's digest."""
        return f"sha256:{hashlib.sha256(self.manifest).hexdigest()}"


def write(recipe: Recipe, tar: Path, folder: Path, labels: dict[str, str]) -> Image:
    """Compress the tar into `folder` and describe it. Whole or not at all: renamed at the end."""
    partial = folder / "layer.partial"
    plain, packed, size = hashlib.sha256(), hashlib.sha256(), 0
    squeeze = zlib.compressobj(_LEVEL, zlib.DEFLATED, 31)
    with tar.open("rb") as source, partial.open("wb") as out:
        while data := source.read(_CHUNK):
            plain.update(data)
            size += _put(squeeze.compress(data), out, packed)
        size += _put(squeeze.flush(), out, packed)
        out.flush()
        os.fsync(out.fileno())
    layer = folder / "layer.tar.gz"
    partial.rename(layer)
    config = _configuration(recipe, f"sha256:{plain.hexdigest()}", labels)
    layer_digest = f"sha256:{packed.hexdigest()}"
    manifest = _manifest(config, layer_digest, size, labels)
    (folder / "config.json").write_bytes(config)
    (folder / "manifest.json").write_bytes(manifest)  # last: its presence says that all is there
    return Image(layer, layer_digest, config, manifest)


def read(folder: Path) -> Image | None:
    """What an earlier `write` left in `folder`, or None."""
    try:
        manifest = (folder / "manifest.json").read_bytes()
        config = (folder / "config.json").read_bytes()
        described = json.loads(manifest)["layers"][0]
    except (FileNotFoundError, ValueError, KeyError, IndexError):
        return None
    layer = folder / "layer.tar.gz"
    if not layer.exists() or layer.stat().st_size != described["size"]:
        return None
    return Image(layer, described["digest"], config, manifest)


def _put(data: bytes, out: Any, digest: Any) -> int:
    digest.update(data)
    out.write(data)
    return len(data)


def _configuration(recipe: Recipe, diff_id: str, labels: dict[str, str]) -> bytes:
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    settings: dict[str, Any] = {
        "Env": [f"{name}={value}" for name, value in recipe.variables().items()],
        "Cmd": list(recipe.command),
        "Labels": labels,
    }
    if recipe.user:
        settings["User"] = recipe.user
    if recipe.entrypoint:
        settings["Entrypoint"] = list(recipe.entrypoint)
    if recipe.ports:
        settings["ExposedPorts"] = {port: {} for port in recipe.ports}
    if recipe.volumes:
        settings["Volumes"] = {path: {} for path in recipe.volumes}
    if recipe.stop_signal:
        settings["StopSignal"] = recipe.stop_signal
    if recipe.healthcheck:
        second = 1_000_000_000
        settings["Healthcheck"] = {
            "Test": list(recipe.healthcheck),
            "Interval": second,
            "Timeout": 3 * second,
            "StartPeriod": 0,
            "Retries": 60,
        }
    whole = {
        "architecture": machine,
        "os": "linux",
        "created": clock.text(clock.now()),
        "config": settings,
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        "history": [{"created_by": f"fairway image base {recipe.name}"}],
    }
    return json.dumps(whole, sort_keys=True).encode()


def _manifest(config: bytes, layer: str, size: int, labels: dict[str, str]) -> bytes:
    whole = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {
            "mediaType": _CONFIG,
            "digest": f"sha256:{hashlib.sha256(config).hexdigest()}",
            "size": len(config),
        },
        "layers": [{"mediaType": _LAYER, "digest": layer, "size": size}],
        "annotations": labels,
    }
    return json.dumps(whole, sort_keys=True).encode()
