"""Ranges of versions. The answers are those of the Go library that Helm and Argo CD use."""

from __future__ import annotations

import itertools

import pytest

from fairway.kit import semver

VERSIONS = [
    "0.0.3",
    "0.2.3",
    "0.2.9",
    "1.0.0-rc.1",
    "1.2.3",
    "1.2.9",
    "1.10.0",
    "2.0.0-beta",
    "2.1.0",
]


@pytest.mark.parametrize(
    ("text", "best"),
    [
        ("*", "2.1.0"),
        ("1.x", "1.10.0"),
        ("1.2.x", "1.2.9"),
        ("1.2", "1.2.9"),
        ("~1.2", "1.2.9"),
        ("~1.2.4", "1.2.9"),
        ("^1.2.3", "1.10.0"),
        ("^0.2.3", "0.2.9"),
        ("^0.0.3", "0.0.3"),
        ("<1.0.0", "0.2.9"),
        ("<=1.2.3", "1.2.3"),
        (">1.2", "2.1.0"),
        (">=1.0.0-0, <1.2.0", "1.0.0-rc.1"),
        (">=1.0.0, <2.0.1-0", "2.0.0-beta"),
        ("1.0 - 1.5", "1.2.9"),
        ("=1.2.3 || =0.2.3", "1.2.3"),
        (">=1.2.3 !=1.2.9 <1.3.0", "1.2.3"),
        ("v1.2.3", "1.2.3"),
        (">3", None),
        ("^*", None),
    ],
)
def test_the_highest_version_that_fits_is_the_best(text: str, best: str | None) -> None:
    found = semver.range_of(text)
    assert found is not None
    assert found.best(["no-version", *VERSIONS]) == best


@pytest.mark.parametrize("text", ["", "main", "HEAD", "1.2.3.4", "1.x.y", ">", "1 2 ||", "a" * 600])
def test_what_is_no_range_is_none(text: str) -> None:
    assert semver.range_of(text) is None


@pytest.mark.parametrize("text", ["1", "v1.2", "1.2.3-rc.1+build.5", "01.2"])
def test_a_version_may_be_loose(text: str) -> None:
    assert semver.parse(text) is not None


@pytest.mark.parametrize("text", ["", "v", "1.2.x", "1.2.3-01", "1.2.3.4", "latest"])
def test_what_is_no_version_is_none(text: str) -> None:
    assert semver.parse(text) is None


def test_versions_are_ordered_by_numbers_then_by_what_comes_before_them() -> None:
    ordered = ["1.0.0-1", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-rc.2",
               "1.0.0-rc.10", "1.0.0", "1.0.1", "1.9", "1.10"]  # fmt: skip
    for one, other in itertools.pairwise(ordered):
        first, second = semver.parse(one), semver.parse(other)
        assert first is not None
        assert second is not None
        assert semver.compare(first, second) < 0
        assert semver.compare(second, first) > 0


def test_what_follows_a_plus_does_not_count() -> None:
    one, other = semver.parse("1.0.0+a"), semver.parse("1.0.0+b")
    assert one is not None
    assert other is not None
    assert semver.compare(one, other) == 0
