"""What is in an image, what is known against that, and what a report says of it."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Knowledge(StrEnum):
    """Whether a report can say anything. There is no "clean": none found is all it may say."""

    FOUND = "found"  # vulnerabilities are known
    NONE_KNOWN = "none known"
    UNKNOWN = "unknown"  # advisories are missing or old, or a part could not be read


class Event(Struct, frozen=True):
    """A step of a range, in order: `introduced`, `fixed` or `last_affected` at a version."""

    kind: str
    version: str


class Advisory(Struct, frozen=True, kw_only=True):
    """An OSV record, as far as one package of one ecosystem is concerned."""

    name: str
    ecosystem: str
    package: str
    aliases: tuple[str, ...] = ()
    summary: str = ""
    severity: str = ""
    versions: tuple[str, ...] = ()
    ranges: tuple[tuple[Event, ...], ...] = ()


class Vulnerability(Struct, frozen=True, kw_only=True):
    """A known vulnerability of a package in an image. `fixed` "" where no version mends it."""

    name: str
    package: str
    version: str
    fixed: str = ""
    severity: str = ""
    summary: str = ""
    aliases: tuple[str, ...] = ()
    place: str = ""


class Report(Struct, frozen=True, kw_only=True):
    """What is known of one digest now. `gaps` says what is not, in words."""

    digest: str
    image: str
    packages: int
    knowledge: Knowledge
    vulnerabilities: tuple[Vulnerability, ...] = ()
    gaps: tuple[str, ...] = ()
    artifact: str = ""
    created: int = 0
