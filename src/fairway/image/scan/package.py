"""A package found in an image, and its purl (package-url specification)."""

from __future__ import annotations

from enum import StrEnum
from urllib.parse import quote

from msgspec import Struct


class Ecosystem(StrEnum):
    """Whose names and versions they are; OSV's names (Debian's has the release behind it)."""

    DEBIAN = "Debian"
    PYPI = "PyPI"
    GO = "Go"


class Package(Struct, frozen=True, kw_only=True, order=True):
    """One package. `source` is what advisories name it by: Debian's source package."""

    ecosystem: Ecosystem
    name: str
    version: str
    source: str = ""
    source_version: str = ""
    architecture: str = ""
    place: str = ""  # the file that told of it

    @property
    def purl(self) -> str:
        """Its package URL."""
        version = quote(self.version, safe="")
        match self.ecosystem:
            case Ecosystem.DEBIAN:
                arch = f"?arch={self.architecture}" if self.architecture else ""
                return f"pkg:deb/debian/{quote(self.name, safe='')}@{version}{arch}"
            case Ecosystem.PYPI:
                return f"pkg:pypi/{quote(self.name.lower().replace('_', '-'), safe='')}@{version}"
            case Ecosystem.GO:
                return f"pkg:golang/{quote(self.name, safe='/')}@{version}"


class Inventory(Struct, frozen=True, kw_only=True):
    """What is in an image. `release` is Debian's major version, "" where there is no Debian.

    `problems` names what could not be read: what it holds is not known.
    """

    packages: tuple[Package, ...] = ()
    release: str = ""
    problems: tuple[str, ...] = ()
