"""`auto_tag`: the tags that a ref suggests, by the rules of plugins/docker. Pure."""

from __future__ import annotations

import re
from typing import Final

_VERSION: Final = re.compile(
    r"(?P<major>\d+)\.(?P<minor>\d+)\.(?P<patch>\d+)"
    r"(?:-(?P<pre>[0-9A-Za-z.-]+))?(?:\+(?P<meta>[0-9A-Za-z.-]+))?\Z"
)


def automatic_tags(ref: str, default_branch: str, suffix: str) -> list[str] | None:
    """None: nothing is to be built for a branch that is not the default one.

    A version tag gives `1`, `1.2` and `1.2.3` (without the first below version 1); a pre-release
    gives itself; all else gives `latest`.
    """
    branch = ref.removeprefix("refs/heads/")
    if ref.startswith("refs/heads/") and default_branch and branch != default_branch:
        return None
    if not suffix:
        return _plain(ref)
    return [suffix if tag == "latest" else f"{tag}-{suffix}" for tag in _plain(ref)]


def _plain(ref: str) -> list[str]:
    if not ref.startswith("refs/tags/"):
        return ["latest"]
    text = ref.removeprefix("refs/tags/").removeprefix("v")
    found = _VERSION.match(text)
    if not found:
        return ["latest"]
    if found["pre"] or found["meta"]:
        return [text.replace("+", "-")]  # a tag has no plus sign
    major, minor, patch = int(found["major"]), int(found["minor"]), int(found["patch"])
    tags = [f"{major}.{minor}", f"{major}.{minor}.{patch}"]
    return tags if major == 0 else [str(major), *tags]
