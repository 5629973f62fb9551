"""The files that Envoy watches: replaced by renaming, readable by their owner only. Blocks."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any, Final

import msgspec

from fairway.gateway.envoy import bootstrap
from fairway.gateway.envoy.bootstrap import Folder
from fairway.gateway.snapshot import (
    FILES,
    Resource,
    ResourceKind,
    Snapshot,
    file_of,
    version_of,
)
from fairway.kit.files import replace_private

_SINGLE: Final[tuple[ResourceKind, ...]] = ("listeners", "clusters")
_MANY: Final[tuple[ResourceKind, ...]] = ("routes", "endpoints", "secrets")


class Files:
    """One Envoy's folder. What is here is what Envoy starts with after it was killed."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder

    def prepare(self, *, changed: bytes | None = None) -> None:
        """Make the folders, the first configuration, and files without resources where none are.

        Raises OSError.
        """
        for kind in FILES:
            path = self.folder.xds / file_of(kind, "x")
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder.root.chmod(0o700)
        self.folder.admin.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _owned(self.folder.admin.parent)
        content = changed or msgspec.json.encode(bootstrap.bootstrap(self.folder))
        replace_private(self.folder.bootstrap, content)
        for kind in _SINGLE:
            if _read(self.folder.xds / FILES[kind]) is None:
                self.write_all(kind, {})

    def write_all(self, kind: ResourceKind, resources: dict[str, Resource]) -> str:
        """Write the one file of listeners or clusters; its version."""
        version = version_of(resources)
        content = bootstrap.document(kind, version, [resources[key] for key in sorted(resources)])
        # Envoy reacts to the renaming, and never sees half a file.
        replace_private(self.folder.xds / FILES[kind], content)
        return version

    def write(self, kind: ResourceKind, name: str, resource: Resource) -> str:
        """Write the file of one resource; its version."""
        version = version_of({name: resource})
        content = bootstrap.document(kind, version, [resource])
        replace_private(self.folder.xds / file_of(kind, name), content)
        return version

    def remove(self, kind: ResourceKind, name: str) -> None:
        """Remove the file of a resource that nothing subscribes to any more."""
        with contextlib.suppress(FileNotFoundError):
            (self.folder.xds / file_of(kind, name)).unlink()

    def read(self) -> Snapshot:
        """What the files hold. A file that cannot be read holds nothing: it is written anew."""
        found: dict[ResourceKind, dict[str, Resource]] = {kind: {} for kind in FILES}
        for kind in _SINGLE:
            for resource in _read(self.folder.xds / FILES[kind]) or []:
                found[kind][str(resource.get("name"))] = resource
        for kind in _MANY:
            parent = (self.folder.xds / file_of(kind, "x")).parent
            for path in parent.glob("*.json"):
                resources = _read(path)
                if resources:
                    found[kind][path.stem] = resources[0]
        return Snapshot(
            listeners=found["listeners"],
            routes=found["routes"],
            clusters=found["clusters"],
            endpoints=found["endpoints"],
            secrets=found["secrets"],
        )


def _owned(folder: Path) -> None:
    """A folder below the temporary one may have been made by somebody else before us."""
    found = folder.lstat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise PermissionError(f"{folder} belongs to somebody else")


def _read(path: Path) -> list[dict[str, Any]] | None:
    try:
        content = msgspec.json.decode(path.read_bytes())
        resources = content["resources"]
        return [{key: one[key] for key in one if key != "@type"} for one in resources]
    except (OSError, msgspec.MsgspecError, KeyError, TypeError):
        return None
