"""From the files of an image to its packages. Pure; each reader takes a file's bytes.

Sources: dpkg's status file (deb-control(5)), Python's core metadata (packaging.python.org), the
build information that Go's linker writes (debug/buildinfo).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.parser import BytesHeaderParser
from typing import Final

from fairway.image.scan.package import Ecosystem, Package

_SOURCE: Final = re.compile(r"(\S+)(?:\s+\((\S+)\))?")
_RELEASE: Final = re.compile(rb"^VERSION_ID=\"?(\d+)", re.MULTILINE)
_DEBIAN: Final = re.compile(rb"^ID=\"?debian\"?\s*$", re.MULTILINE)
_PSEUDO: Final = "(devel)"


def dpkg(data: bytes, place: str) -> Iterator[Package]:
    """Installed packages of `/var/lib/dpkg/status`, or of a file in `status.d` (distroless)."""
    for paragraph in re.split(rb"\n[ \t]*\n", data):
        fields = dict(_fields(paragraph))
        name, version = fields.get("package", ""), fields.get("version", "")
        status = fields.get("status", "install ok installed").split()
        if not name or not version or status[-1] != "installed":
            continue
        found = _SOURCE.match(fields.get("source", ""))
        source, source_version = (found[1], found[2]) if found else (name, None)
        yield Package(
            ecosystem=Ecosystem.DEBIAN,
            name=name,
            version=version,
            source=source,
            source_version=source_version or version,
            architecture=fields.get("architecture", ""),
            place=place,
        )


def _fields(paragraph: bytes) -> Iterator[tuple[str, str]]:
    """First lines alone: no field of ours has more."""
    for line in paragraph.decode("utf-8", "replace").splitlines():
        name, colon, value = line.partition(":")
        if colon and not line[:1].isspace():
            yield name.strip().lower(), value.strip()


def metadata(data: bytes, place: str) -> Iterator[Package]:
    """A Python distribution's METADATA or PKG-INFO."""
    head = BytesHeaderParser().parsebytes(data)
    name, version = str(head.get("Name", "")).strip(), str(head.get("Version", "")).strip()
    if name and version:
        yield Package(ecosystem=Ecosystem.PYPI, name=name, version=version, place=place)


def modules(text: str, place: str) -> Iterator[Package]:
    """Modules of Go's build information (`runtime/debug.BuildInfo.String`'s lines)."""
    last: Package | None = None
    for line in text.splitlines():
        word, *rest = line.split("\t")
        if word == "=>" and last is not None:  # what replaced the one before is what is linked
            last = _module(rest, place)
            continue
        if last is not None:
            yield last
        last = _module(rest, place) if word in ("mod", "dep") else None
    if last is not None:
        yield last


def _module(rest: list[str], place: str) -> Package | None:
    if len(rest) < 2 or not rest[1] or rest[1] == _PSEUDO:
        return None
    return Package(ecosystem=Ecosystem.GO, name=rest[0], version=rest[1], place=place)


def toolchain(version: str, place: str) -> Package | None:
    """Go's standard library, whose advisories name it `stdlib`."""
    found = re.match(r"go(\d+(?:\.\d+)*(?:(?:rc|beta)\d+)?)", version)
    if not found:
        return None
    return Package(ecosystem=Ecosystem.GO, name="stdlib", version=f"v{found[1]}", place=place)


def release(data: bytes) -> str:
    """Debian's major version from `/etc/os-release`; "" where it is no Debian."""
    found = _RELEASE.search(data)
    return found[1].decode() if found and _DEBIAN.search(data) else ""
