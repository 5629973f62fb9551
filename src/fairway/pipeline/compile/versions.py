"""`DRONE_SEMVER*` and `DRONE_CALVER*`: what a tag says when it is a version."""

from __future__ import annotations

import re
from typing import Final

_SEMVER: Final = re.compile(
    r"(0|[1-9]\d{0,17})\.(0|[1-9]\d{0,17})\.(0|[1-9]\d{0,17})"
    r"(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?\Z"
)
_CALVER: Final = re.compile(
    r"(\d{4}|\d{2})\.(\d{1,2})(?:\.(\d{1,8}))?(?:[-+]([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?\Z"
)


def version_variables(tag: str) -> dict[str, str]:
    """The variables of a tag; a tag that is no semantic version has `DRONE_SEMVER_ERROR`."""
    bare = tag[1:] if tag[:1] == "v" else tag
    return {**_semver(tag, bare), **_calver(bare)}


def _semver(tag: str, bare: str) -> dict[str, str]:
    found = _SEMVER.match(bare)
    if found is None:
        return {"DRONE_SEMVER_ERROR": f"{tag} is not in dotted-tri format"}
    major, minor, patch, prerelease, build = found.groups(default="")
    return {
        "DRONE_SEMVER": bare,
        "DRONE_SEMVER_MAJOR": major,
        "DRONE_SEMVER_MINOR": minor,
        "DRONE_SEMVER_PATCH": patch,
        "DRONE_SEMVER_PRERELEASE": prerelease,
        "DRONE_SEMVER_BUILD": build,
        "DRONE_SEMVER_SHORT": f"{major}.{minor}.{patch}",
    }


def _calver(bare: str) -> dict[str, str]:
    found = _CALVER.match(bare)
    if found is None:
        return {}
    major, minor, micro, modifier = found.groups(default="")
    short = ".".join(part for part in (major, minor, micro) if part)
    return {
        "DRONE_CALVER": bare,
        "DRONE_CALVER_MAJOR": major,
        "DRONE_CALVER_MINOR": minor,
        "DRONE_CALVER_MICRO": micro,
        "DRONE_CALVER_MODIFIER": modifier,
        "DRONE_CALVER_SHORT": short,
        "DRONE_CALVER_MAJOR_MINOR": f"{major}.{minor}",
    }
