"""Through an image's layers, streamed: which files that tell of packages are in it at the end.

Layers are read from the first to the last; a later one's whiteout (OCI image specification, layer)
takes away what earlier ones brought. Nothing is written but one executable at a time to a
temporary file, nothing followed, and every size has a limit: what is beyond it is a problem of the
report.
"""

from __future__ import annotations

import gzip
import tarfile
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final

from msgspec import Struct

from fairway.image.scan import elf, readers
from fairway.image.scan.package import Ecosystem, Inventory, Package

_STATUS: Final = "var/lib/dpkg/status"
_STATUS_D: Final = "var/lib/dpkg/status.d/"
_OS: Final = ("etc/os-release", "usr/lib/os-release")
_WHITEOUT: Final = ".wh."
_OPAQUE: Final = ".wh..wh..opq"
_TEXT_BYTES: Final = 64 * 1024 * 1024
_BINARY_BYTES: Final = 512 * 1024 * 1024
_LAYER_BYTES: Final = 16 * 1024**3  # unpacked: a bomb ends here
_FILES: Final = 2_000_000
_CHUNK: Final = 1024 * 1024


class Layer(Struct, frozen=True):
    """One layer: its compressed bytes (gzip, or none), and its digest for messages."""

    digest: str
    file: BinaryIO


class _Limited:
    """Bytes of a layer as tar reads them, up to a limit."""

    def __init__(self, inner: BinaryIO | gzip.GzipFile) -> None:
        self._inner, self._left = inner, _LAYER_BYTES

    def read(self, size: int) -> bytes:
        data = self._inner.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise tarfile.ReadError("it unpacks to more than we read")
        return data


class _Found(Struct):
    packages: dict[str, list[Package]]  # by the file that told of them
    release: dict[str, str]
    problems: list[str]


def inventory(layers: Iterable[Layer]) -> Inventory:
    """What an image holds. Blocks; raises nothing that its content could cause."""
    found = _Found({}, {}, [])
    for layer in layers:
        try:
            _layer(layer, found)
        except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError) as error:
            found.problems.append(f"the layer {layer.digest} cannot be read: {error}")
    packages = {one for each in found.packages.values() for one in each}
    return Inventory(
        packages=tuple(sorted(packages)),
        release=next((found.release[name] for name in _OS if found.release.get(name)), ""),
        problems=tuple(found.problems),
    )


def _layer(layer: Layer, found: _Found) -> None:
    magic = layer.file.read(2)
    layer.file.seek(0)
    if magic == b"\x28\xb5":
        raise tarfile.ReadError("it is compressed with zstd, which is not supported yet")
    packed = magic == b"\x1f\x8b"
    inner = gzip.GzipFile(fileobj=layer.file) if packed else layer.file
    added: set[str] = set()
    with tarfile.open(fileobj=_Limited(inner), mode="r|", errorlevel=0) as archive:  # type: ignore[call-overload]  # all that it needs is read
        for number, member in enumerate(archive):
            if number > _FILES:
                raise tarfile.ReadError(f"it has more than {_FILES} files")
            name = _plain(member.name)
            if not _whiteout(name, found, added):
                _forget(found, name, but=added)  # a file takes the place of what was there
                if member.isfile():
                    _file(archive, member, name, found)
                    added.add(name)


def _plain(name: str) -> str:
    return "/".join(part for part in name.split("/") if part not in ("", ".", ".."))


def _whiteout(name: str, found: _Found, added: set[str]) -> bool:
    folder, _, last = name.rpartition("/")
    if not last.startswith(_WHITEOUT):
        return False
    if last == _OPAQUE:
        _forget(found, folder, but=added, below=True)
    else:
        gone = last.removeprefix(_WHITEOUT)
        _forget(found, f"{folder}/{gone}" if folder else gone, but=added, below=True)
    return True


def _forget(found: _Found, name: str, *, but: set[str], below: bool = False) -> None:
    """Earlier layers' files of that name (and below it) are gone; this layer's own stay."""
    if not below:
        found.packages.pop(name, None)
        found.release.pop(name, None)
        return
    for known in (found.packages, found.release):
        for place in [p for p in known if p == name or p.startswith(f"{name}/") or not name]:
            if place not in but:
                known.pop(place)


def _file(archive: tarfile.TarFile, member: tarfile.TarInfo, name: str, found: _Found) -> None:
    if name in _OS:
        found.release[name] = readers.release(_text(archive, member, found))
    elif name == _STATUS or (name.startswith(_STATUS_D) and not name.endswith(".md5sums")):
        found.packages[name] = list(readers.dpkg(_text(archive, member, found), name))
    elif name.endswith((".dist-info/METADATA", ".egg-info/PKG-INFO")):
        found.packages[name] = list(readers.metadata(_text(archive, member, found), name))
    elif member.mode & 0o111 and member.size > 4096:
        packages = list(_binary(archive, member, name, found))
        if packages:
            found.packages[name] = packages


def _text(archive: tarfile.TarFile, member: tarfile.TarInfo, found: _Found) -> bytes:
    if member.size > _TEXT_BYTES:
        found.problems.append(f"{member.name} has {member.size} bytes: it was not read")
        return b""
    file = archive.extractfile(member)
    return file.read() if file is not None else b""


def _binary(
    archive: tarfile.TarFile, member: tarfile.TarInfo, name: str, found: _Found
) -> Iterator[Package]:
    """Modules of an executable that Go linked."""
    file = archive.extractfile(member)
    head = file.read(4) if file is not None else b""
    if file is None or head != b"\x7fELF":
        return
    if member.size > _BINARY_BYTES:
        found.problems.append(f"{name} has {member.size} bytes: it was not read")
        return
    with tempfile.TemporaryFile() as kept:
        kept.write(head)
        while data := file.read(_CHUNK):
            kept.write(data)
        kept.seek(0)
        try:
            version, lines = elf.build_information(kept)
        except elf.NotGo:
            return
    standard = readers.toolchain(version, name)
    yield from readers.modules(lines, name)
    if standard is not None:
        yield standard


def ecosystems(found: Inventory) -> list[str]:
    """Whose advisories are needed, as OSV names them."""
    names = {one.ecosystem for one in found.packages}
    debian = f"{Ecosystem.DEBIAN}:{found.release}"
    return sorted(debian if name is Ecosystem.DEBIAN else str(name) for name in names)
