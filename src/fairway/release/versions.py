"""Semantic versions (semver.org 2.0), and which one a candidate gets: its tag's, else the next
pre-release by the conventional commits since the last tag. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

_NUMBER: Final = r"(0|[1-9]\d*)"
_PART: Final = r"(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)"
_VERSION: Final = re.compile(
    rf"v?{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-({_PART}(?:\.{_PART})*))?(?:\+([0-9A-Za-z.-]+))?"
)
_HEADER: Final = re.compile(r"(?P<kind>[A-Za-z]+)(?:\([^()\n]*\))?(?P<bang>!)?: \S")
_BREAKING: Final = re.compile(r"^BREAKING[ -]CHANGE: \S", re.MULTILINE)
PRE: Final = "rc"


class Version(Struct, frozen=True):
    """`pre` without the dash, "" for none. What stands behind `+` does not count."""

    major: int
    minor: int
    patch: int
    pre: str = ""

    def __str__(self) -> str:
        core = f"{self.major}.{self.minor}.{self.patch}"
        return f"{core}-{self.pre}" if self.pre else core

    @property
    def core(self) -> tuple[int, int, int]:
        """Without the pre-release."""
        return self.major, self.minor, self.patch

    def __lt__(self, other: Version) -> bool:
        if self.core != other.core:
            return self.core < other.core
        if not self.pre or not other.pre:
            return bool(self.pre) and not other.pre
        return _pre_key(self.pre) < _pre_key(other.pre)


def _pre_key(text: str) -> list[tuple[int, int, str]]:
    """Numbers before words, numbers by value, words by ASCII."""
    return [(0, int(one), "") if one.isdigit() else (1, 0, one) for one in text.split(".")]


def parse(text: str) -> Version | None:
    """A version, with or without a leading `v`; None for what is none."""
    found = _VERSION.fullmatch(text)
    if found is None:
        return None
    major, minor, patch, pre, _build = found.groups()
    return Version(int(major), int(minor), int(patch), pre or "")


def bump(messages: Iterable[str]) -> str:
    """How much commits change: major, minor or patch (also for those of no known form)."""
    found = "patch"
    for message in messages:
        header = _HEADER.match(message)
        if _BREAKING.search(message) or (header and header["bang"]):
            return "major"
        if header and header["kind"].lower() == "feat":
            found = "minor"
    return found


def raised(base: Version, by: str) -> tuple[int, int, int]:
    """The numbers after a change. Before 1.0.0 a breaking change is a minor one."""
    if by == "major" and base.major:
        return base.major + 1, 0, 0
    if by in {"minor", "major"}:
        return base.major, base.minor + 1, 0
    return base.major, base.minor, base.patch + 1


def following(base: Version | None, messages: Sequence[str], known: Iterable[Version]) -> Version:
    """The next pre-release: newer than the last tag `base` and than every `known` one.

    Without a tag it counts from 0.1.0 on.
    """
    core = raised(base, bump(messages)) if base else (0, 1, 0)
    newest = max(known, default=None)
    if newest is not None and newest.core > core:
        core = newest.core
    if newest is not None and newest.core == core and not newest.pre:
        core = raised(newest, "patch")
    number = 1
    if newest is not None and newest.core == core:
        number = _number(newest.pre) + 1
    wanted = Version(*core, f"{PRE}.{number}")
    if newest is not None and not newest < wanted:  # a pre-release of another form sorts after ours
        wanted = Version(*raised(newest, "patch"), f"{PRE}.1")
    return wanted


def _number(pre: str) -> int:
    word, _, number = pre.partition(".")
    return int(number) if word == PRE and number.isdigit() else 0


def version_of(
    tag: str, base: Version | None, messages: Sequence[str], known: Iterable[Version]
) -> Version:
    """A candidate's version: its tag's if that is one, else the next pre-release."""
    return parse(tag) or following(base, messages, known)
