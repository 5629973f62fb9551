"""Reports on images, and advisories."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from fairway.client.wire.common import Request


class Vulnerability(Struct, kw_only=True):
    """A known vulnerability of a package; `fixed` "" where no version mends it."""

    name: str
    package: str
    version: str
    fixed: str = ""
    severity: str = ""
    summary: str = ""
    aliases: list[str] = field(default_factory=list)
    place: str = ""


class Report(Struct, kw_only=True):
    """What is known of an image now. `knowledge`: found, none known or unknown."""

    digest: str
    image: str
    packages: int
    knowledge: str
    vulnerabilities: list[Vulnerability] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    artifact: str = ""
    created: str = ""


class ScanRequest(Request):
    """An image of our registry: its repository there, and a tag or digest."""

    image: str
    reference: str


class AdvisoryPart(Request):
    """A part of an import: OSV records; `done` counts an ecosystem's when that was its last."""

    records: list[Any] = field(default_factory=list)
    done: dict[str, int] = field(default_factory=dict)


class Taken(Struct, kw_only=True):
    """How many advisories a part held."""

    advisories: int


class Advisories(Struct, kw_only=True):
    """An ecosystem's advisories, and of when they are."""

    ecosystem: str
    records: int
    imported: str
