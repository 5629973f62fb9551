"""What a `targetRevision` stands for among a repository's refs, or a chart's versions: pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from fairway.kit import semver
from fairway.model.errors import InvalidInput, NotFound

HEAD: Final = "HEAD"
_SHA: Final = re.compile(r"[0-9a-f]{40}")
_SHORT: Final = re.compile(r"[0-9a-f]{7,39}")
_BRANCH: Final = "refs/heads/"
_TAG: Final = "refs/tags/"
_PEELED: Final = "^{}"


def is_commit(revision: str) -> bool:
    """Whether it is a whole commit's name, which stands for itself."""
    return _SHA.fullmatch(revision) is not None


def commit(revision: str, refs: Mapping[str, str]) -> str:
    """The commit that a revision stands for: "" and HEAD, a range of versions (the highest tag that
    fits), a branch, a tag, a whole ref, a commit or its first digits (7 at least).

    `refs`: what every ref points at, by whole names; HEAD's value is the name of a ref.
    Raises `NotFound` (`no-revision`).
    """
    if is_commit(revision):
        return revision
    name = _tag_of_range(revision, refs) or revision or HEAD
    if name == HEAD:
        name = refs.get(HEAD, HEAD)
        if is_commit(name):  # a detached one
            return name
    for place in (name, _BRANCH + name, _TAG + name):
        if place in refs and place != HEAD:
            return refs.get(place + _PEELED, refs[place])
    if _SHORT.fullmatch(revision):
        return revision
    raise NotFound(
        f"{revision or HEAD} is no branch, tag or commit of the repository",
        code="no-revision",
        where="spec.source.targetRevision",
    )


def _tag_of_range(revision: str, refs: Mapping[str, str]) -> str:
    if not is_range(revision):
        return ""
    found = semver.range_of(revision)
    tags = [name.removeprefix(_TAG) for name in refs if name.startswith(_TAG)]
    return (found.best(one for one in tags if not one.endswith(_PEELED)) or "") if found else ""


def is_range(revision: str) -> bool:
    """Whether it is a range of versions, and not one version."""
    return semver.parse(revision) is None and semver.range_of(revision) is not None


def version(revision: str, versions: Iterable[str]) -> str:
    """The version of a chart that a revision stands for. One version stands for itself.

    Raises `InvalidInput` (`no-version`) where none fits.
    """
    if semver.parse(revision) is not None:
        return revision
    there = list(versions)
    wanted = semver.range_of(revision)
    found = wanted.best(there) if wanted else revision if revision in there else None
    if found is None:
        raise InvalidInput(
            f"none of {len(there)} versions is {revision or 'what no targetRevision says'}",
            code="no-version",
            where="spec.source.targetRevision",
            remedy="name a version, or a range such as >=1.0.0-0",
        )
    return found
