"""Semantic versions (semver.org 2.0), and which one a candidate gets: its tag's, else the next
pre-release by the conventional commits since the last tag. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from fairway.kit import semver
from fairway.kit.semver import Version

_NUMBER: Final = r"(?:0|[1-9][0-9]*)"
_WHOLE: Final = re.compile(rf"v?{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:[-+].*)?")
_HEADER: Final = re.compile(r"(?P<kind>[A-Za-z]+)(?:\([^()\n]*\))?(?P<bang>!)?: \S")
_BREAKING: Final = re.compile(r"^BREAKING[ -]CHANGE: \S", re.MULTILINE)
PRE: Final = "rc"


def made(core: tuple[int, int, int], pre: str = "") -> Version:
    """A version, written as it is published: `pre` without the dash, "" for none."""
    text = ".".join(map(str, core))
    return Version(core, pre, f"{text}-{pre}" if pre else text)


def parse(text: str) -> Version | None:
    """A whole version, with or without a leading `v`; None for what is none. What stands behind `+`
    does not count.
    """
    found = semver.parse(text) if _WHOLE.fullmatch(text) else None
    return None if found is None else made(found.core, found.pre)


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
    major, minor, patch = base.core
    if by == "major" and major:
        return major + 1, 0, 0
    if by in {"minor", "major"}:
        return major, minor + 1, 0
    return major, minor, patch + 1


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
    wanted = made(core, f"{PRE}.{number}")
    if newest is not None and not newest < wanted:  # a pre-release of another form sorts after ours
        wanted = made(raised(newest, "patch"), f"{PRE}.1")
    return wanted


def _number(pre: str) -> int:
    word, _, number = pre.partition(".")
    return int(number) if word == PRE and number.isdigit() else 0


def version_of(
    tag: str, base: Version | None, messages: Sequence[str], known: Iterable[Version]
) -> Version:
    """A candidate's version: its tag's if that is one, else the next pre-release."""
    return parse(tag) or following(base, messages, known)
