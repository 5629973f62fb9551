"""The image that holds a pod's namespaces: one small static program, as an archive. Pure."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from typing import Any, Final

from msgspec import Struct

_EPOCH: Final = "1970-01-01T00:00:00Z"
_NAME: Final = "fairway.local/pause"
_NOBODY: Final = 65535  # as Kubernetes' own pause image


class PauseImage(Struct, frozen=True):
    """`name` changes with the program; `archive` is what `ctr images import` takes."""

    name: str
    archive: bytes


def image(program: bytes, arch: str) -> PauseImage:
    """Pack the program `pause` for an architecture (by Go's names). The same bytes each time."""
    layer = _tar({"pause": (program, 0o755)})
    tag = hashlib.sha256(layer + arch.encode()).hexdigest()[:12]
    name = f"{_NAME}:{tag}"
    settings = {"Entrypoint": ["/pause"], "User": f"{_NOBODY}:{_NOBODY}"}
    return PauseImage(name=name, archive=pack(layer, settings, arch, name))


def pack(layer: bytes, settings: dict[str, Any], arch: str, name: str) -> bytes:
    """An archive of an image with one layer (a tar), as `ctr images import` takes it."""
    config = _json(
        {
            "created": _EPOCH,
            "architecture": arch,
            "os": "linux",
            "config": settings,
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": _descriptor("application/vnd.oci.image.config.v1+json", config),
            "layers": [_descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
        }
    )
    named = _descriptor("application/vnd.oci.image.manifest.v1+json", manifest)
    named["annotations"] = {
        "io.containerd.image.name": name,
        "org.opencontainers.image.ref.name": name.rpartition(":")[2],
    }
    files = {f"blobs/sha256/{_hex(blob)}": (blob, 0o644) for blob in (layer, config, manifest)}
    files["oci-layout"] = (_json({"imageLayoutVersion": "1.0.0"}), 0o644)
    files["index.json"] = (_json({"schemaVersion": 2, "manifests": [named]}), 0o644)
    return _tar(files)


def _descriptor(media: str, blob: bytes) -> dict[str, Any]:
    return {"mediaType": media, "digest": _digest(blob), "size": len(blob)}


def _hex(blob: bytes) -> str:
    return hashlib.sha256(blob).hexdigest()


def _digest(blob: bytes) -> str:
    return f"sha256:{_hex(blob)}"


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _tar(files: dict[str, tuple[bytes, int]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, (data, mode) in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), mode
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()
