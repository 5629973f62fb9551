"""OSV records (ossf.github.io/osv-schema): read, and held against what is in an image. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from fairway.image.scan import versions
from fairway.image.scan.package import Ecosystem, Inventory, Package
from fairway.model.errors import InvalidInput
from fairway.model.scan import Advisory, Event, Vulnerability

_EVENTS: Final = ("introduced", "fixed", "last_affected")
_KINDS: Final = ("ECOSYSTEM", "SEMVER")  # GIT ranges name commits, which no image has
_LONGEST: Final = 300
KNOWN: Final = tuple(str(one) for one in Ecosystem)


def read(record: object) -> list[Advisory]:
    """A record's advisories for our ecosystems; none where it was withdrawn.

    Raises `InvalidInput` (code `bad-advisory`) with the place.
    """
    if not isinstance(record, dict) or not isinstance(record.get("id"), str):
        raise _bad("it has no id", "id")
    if record.get("withdrawn"):
        return []
    found = []
    for number, affected in enumerate(_list(record, "affected")):
        advisory = _affected(record, affected, f"{record['id']}.affected[{number}]")
        if advisory is not None:
            found.append(advisory)
    return _joined(found)


def _affected(record: Mapping[str, Any], affected: Any, where: str) -> Advisory | None:
    package = affected.get("package") if isinstance(affected, dict) else None
    if not isinstance(package, dict):
        return None  # a record of commits alone
    ecosystem, name = package.get("ecosystem", ""), package.get("name", "")
    if not isinstance(ecosystem, str) or ecosystem.partition(":")[0] not in KNOWN:
        return None
    if not isinstance(name, str) or not name:
        raise _bad("its package has no name", f"{where}.package.name")
    return Advisory(
        name=record["id"],
        ecosystem=ecosystem,
        package=_canonical(ecosystem, name),
        aliases=tuple(str(one) for one in _list(record, "aliases")),
        summary=str(record.get("summary") or record.get("details") or "")[:_LONGEST],
        severity=_severity(record, affected),
        versions=tuple(str(one) for one in _list(affected, "versions")),
        ranges=tuple(_ranges(affected, where)),
    )


def _ranges(affected: Mapping[str, Any], where: str) -> Iterator[tuple[Event, ...]]:
    for number, one in enumerate(_list(affected, "ranges")):
        if not isinstance(one, dict) or one.get("type") not in _KINDS:
            continue
        events = []
        for event in _list(one, "events"):
            if not isinstance(event, dict):
                raise _bad("an event is no object", f"{where}.ranges[{number}].events")
            events += [
                Event(kind, event[kind]) for kind in _EVENTS if isinstance(event.get(kind), str)
            ]
        yield tuple(events)


def _joined(found: Sequence[Advisory]) -> list[Advisory]:
    """One for each package: a record may name it several times."""
    made: dict[tuple[str, str], Advisory] = {}
    for one in found:
        known = made.get((one.ecosystem, one.package))
        if known is not None:
            one = Advisory(  # noqa: PLW2901 the same one, wider
                **{name: getattr(one, name) for name in one.__struct_fields__}
                | {
                    "versions": known.versions + one.versions,
                    "ranges": known.ranges + one.ranges,
                }
            )
        made[one.ecosystem, one.package] = one
    return list(made.values())


def _severity(record: Mapping[str, Any], affected: Mapping[str, Any]) -> str:
    """The database's own word where it has one, else the CVSS vector."""
    for specific in (affected.get("ecosystem_specific"), record.get("database_specific")):
        if isinstance(specific, dict):
            word = specific.get("urgency") or specific.get("severity")
            if isinstance(word, str):
                return word.lower()
    scores = [one for one in _list(record, "severity") if isinstance(one, dict)]
    return str(scores[-1].get("score", "")) if scores else ""


def _list(given: Mapping[str, Any], name: str) -> list[Any]:
    value = given.get(name)
    return value if isinstance(value, list) else []


def _bad(said: str, where: str) -> InvalidInput:
    return InvalidInput(
        f"this is no OSV record: {said}",
        code="bad-advisory",
        where=where,
        remedy="take records as osv.dev publishes them",
    )


def _canonical(ecosystem: str, name: str) -> str:
    """PyPI's names are equal whatever their case and dashes (PEP 503)."""
    return name.lower().replace("_", "-").replace(".", "-") if ecosystem == Ecosystem.PYPI else name


def named(package: Package, release: str) -> tuple[str, str]:
    """(ecosystem, name) by which advisories know a package."""
    if package.ecosystem is Ecosystem.DEBIAN:
        return f"{Ecosystem.DEBIAN}:{release}", package.source or package.name
    return str(package.ecosystem), _canonical(package.ecosystem, package.name)


def matched(
    found: Inventory, known: Mapping[tuple[str, str], Iterable[Advisory]]
) -> tuple[list[Vulnerability], list[str]]:
    """(what is known against an image's packages, versions that could not be judged)."""
    hits: dict[tuple[str, str, str], Vulnerability] = {}
    gaps: list[str] = []
    for package in found.packages:
        version = package.source_version or package.version
        for advisory in known.get(named(package, found.release), ()):
            try:
                hit, fixed = affects(package.ecosystem, advisory, version)
            except versions.Unreadable as error:
                gaps.append(f"{advisory.name}: {package.name} has the unreadable version {error}")
                continue
            if hit:
                made = _vulnerability(package, advisory, fixed)
                hits.setdefault((made.name, made.package, made.version), made)
    order = sorted(hits.values(), key=lambda one: (one.package, one.name))
    return order, sorted(set(gaps))


def affects(ecosystem: Ecosystem, advisory: Advisory, version: str) -> tuple[bool, str]:
    """Whether an advisory is about this version, and the version that mends it ("" for none).

    OSV's algorithm: listed by name, or within a range. Raises `versions.Unreadable`.
    """
    hit, fixed = version in advisory.versions, ""
    mine = versions.key(ecosystem, version)
    for events in advisory.ranges:
        inside, mends = _within(ecosystem, events, mine)
        hit = hit or inside
        fixed = fixed or mends
    return hit, fixed


def _within(ecosystem: Ecosystem, events: Sequence[Event], mine: Any) -> tuple[bool, str]:
    order = sorted(
        ((_key(ecosystem, one.version), _EVENTS.index(one.kind), one) for one in events),
        key=lambda each: (each[0] is not None, each[0]) if each[0] is not None else (False, 0),
    )
    inside, fixed = False, ""
    for at, _, event in order:
        reached = at is None or at <= mine
        if event.kind == "introduced" and reached:
            inside = True
        elif event.kind == "fixed":
            if reached:
                inside = False
            elif not fixed:
                fixed = event.version
        elif event.kind == "last_affected" and at is not None and at < mine:
            inside = False
    return inside, fixed


def _key(ecosystem: Ecosystem, version: str) -> Any:
    """None is before every version: OSV writes it "0"."""
    return None if version == "0" else versions.key(ecosystem, version)


def _vulnerability(package: Package, advisory: Advisory, fixed: str) -> Vulnerability:
    return Vulnerability(
        name=advisory.name,
        package=package.name,
        version=package.version,
        fixed=fixed,
        severity=advisory.severity,
        summary=advisory.summary,
        aliases=advisory.aliases,
        place=package.place,
    )
