"""What a targetRevision stands for."""

from __future__ import annotations

import pytest

from fairway.gitops import revisions
from fairway.model.errors import FairwayError

A, B, C, D = ("a" * 40, "b" * 40, "c" * 40, "d" * 40)
REFS = {
    "HEAD": "refs/heads/main",
    "refs/heads/main": A,
    "refs/heads/1.0": B,
    "refs/tags/v1.2.0": C,
    "refs/tags/v1.3.0-rc.1": D,
    "refs/tags/noted": B,
    "refs/tags/noted^{}": D,
}


@pytest.mark.parametrize(
    ("revision", "commit"),
    [
        ("", A),
        ("HEAD", A),
        ("main", A),
        ("refs/heads/main", A),
        ("1.0", B),  # a version is a name, not a range
        ("v1.2.0", C),
        ("1.x", C),
        (">=1.0.0-0", D),
        ("noted", D),
        ("e" * 40, "e" * 40),
        ("abcdef1", "abcdef1"),
    ],
)
def test_a_revision_stands_for_a_commit(revision: str, commit: str) -> None:
    assert revisions.commit(revision, REFS) == commit


@pytest.mark.parametrize("revision", ["nothing", "^7", "abcde"])
def test_a_revision_that_is_nothing_is_refused_by_name(revision: str) -> None:
    with pytest.raises(FairwayError, match=f"{revision}".replace("^", r"\^")) as caught:
        revisions.commit(revision, REFS)
    assert caught.value.code == "no-revision"


def test_a_detached_head_is_a_commit() -> None:
    assert revisions.commit("", {"HEAD": B}) == B


@pytest.mark.parametrize(
    ("revision", "version"),
    [
        ("1.2.3", "1.2.3"),
        ("v7", "v7"),
        (">=0.0.0-0", "2.0.0-rc.1"),
        ("1.x", "1.9.0"),
        ("odd", "odd"),
    ],
)
def test_a_revision_stands_for_a_charts_version(revision: str, version: str) -> None:
    assert revisions.version(revision, ["1.9.0", "1.2.0", "2.0.0-rc.1", "odd"]) == version


@pytest.mark.parametrize("revision", ["", ">3", "latest"])
def test_a_chart_without_a_version_that_fits_is_refused(revision: str) -> None:
    with pytest.raises(FairwayError) as caught:
        revisions.version(revision, ["1.0.0"])
    assert caught.value.code == "no-version"
