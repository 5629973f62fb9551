"""Loose semantic versions and the ranges that Helm and Argo CD understand (Masterminds' semver).

A version may lack numbers (`1.2`) and begin with `v`. A range is `||` of comma- or space-separated
conditions: `=`, `!=`, `>`, `<`, `>=`, `<=`, `~`, `^`, or none; `1.2.x`; `1.2 - 1.4`. A pre-release
fits only where a condition beside it names one: `>=1.0.0-0`. The oracle of the tests is the Go
library itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final

from msgspec import Struct

_PRE: Final = r"(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
_META: Final = r"(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
_VERSION: Final = re.compile(rf"v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?{_PRE}{_META}")
_PLACE: Final = r"[0-9|xX*]+"
_LOOSE: Final = rf"v?({_PLACE})(?:\.({_PLACE}))?(?:\.({_PLACE}))?{_PRE}{_META}"
_BARE: Final = rf"v?{_PLACE}(?:\.{_PLACE})?(?:\.{_PLACE})?{_PRE}{_META}".replace(
    "([0-9A-Za-z-]", "(?:[0-9A-Za-z-]"
)
_OPERATOR: Final = r"(?:>=|=>|<=|=<|!=|~>|=|>|<|~|\^)?"
_CONDITION: Final = re.compile(rf"({_OPERATOR})\s*{_LOOSE}")
_BETWEEN: Final = re.compile(rf"\s*({_BARE})\s+-\s+({_BARE})\s*")
_ALL: Final = re.compile(rf"\s*{_OPERATOR}\s*{_BARE}\s*(?:(?:\s+|,\s*){_OPERATOR}\s*{_BARE}\s*)*")
_LONGEST: Final = 512
_GROUPS: Final = 32
_BIGGEST: Final = 2**64
_SAME: Final = {"=>": ">=", "=<": "<=", "~>": "~", "=": ""}


class Version(Struct, frozen=True):
    """`pre` without the dash, "" for none; `text` is how it was written, which has no part in
    comparisons.
    """

    core: tuple[int, int, int]
    pre: str = ""
    text: str = ""

    def __str__(self) -> str:
        return self.text

    def __lt__(self, other: Version) -> bool:
        return self.key < other.key

    @property
    def key(self) -> tuple[tuple[int, int, int], bool, list[tuple[int, int, str]]]:
        """What versions are ordered by."""
        return self.core, not self.pre, _pre_key(self.pre) if self.pre else []


def _pre_key(text: str) -> list[tuple[int, int, str]]:
    """Numbers before words, numbers by value, words by ASCII."""
    return [(0, int(one), "") if one.isdecimal() else (1, 0, one) for one in text.split(".")]


def parse(text: str) -> Version | None:
    """A version; None for what is none."""
    found = _VERSION.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        return None
    major, minor, patch, pre, _meta = found.groups()
    core = int(major), int(minor or 0), int(patch or 0)
    if max(core) >= _BIGGEST or any(_padded(one) for one in (pre or "").split(".")):
        return None
    return Version(core, pre or "", text)


def _padded(part: str) -> bool:
    return len(part) > 1 and part[0] == "0" and part.isdecimal()


def compare(one: Version, other: Version) -> int:
    """-1, 0 or 1."""
    return (one.key > other.key) - (one.key < other.key)


class _Condition(Struct, frozen=True):
    """`places`: how many numbers stand before the first `x` or the end."""

    operator: str
    version: Version
    places: int


class Range(Struct, frozen=True):
    """Which versions fit."""

    groups: tuple[tuple[_Condition, ...], ...]

    def fits(self, version: Version) -> bool:
        """Whether a version fits."""
        return any(_fits(group, version) for group in self.groups)

    def best(self, texts: Iterable[str]) -> str | None:
        """The highest of several that fits, as it is written; what is no version is left out.
        Of equal ones the first.
        """
        best: Version | None = None
        for text in texts:
            found = parse(text)
            if (
                found is not None
                and self.fits(found)
                and (best is None or compare(found, best) > 0)
            ):
                best = found
        return None if best is None else best.text


def _fits(group: tuple[_Condition, ...], version: Version) -> bool:
    if version.pre and not any(one.version.pre for one in group):
        return False
    return all(_CHECKS[one.operator](version, one) for one in group)


@lru_cache(maxsize=1024)
def range_of(text: str) -> Range | None:
    """A range; None for what is none. A single version is a range too."""
    if len(text) > _LONGEST:
        return None
    spelled = _BETWEEN.sub(lambda found: f">= {found[1]}, <= {found[2]} ", text)
    parts = spelled.split("||")
    groups = [_group(part) for part in parts]
    if len(parts) > _GROUPS or None in groups:
        return None
    return Range(tuple(group for group in groups if group is not None))


def _group(text: str) -> tuple[_Condition, ...] | None:
    if not _ALL.fullmatch(text):
        return None
    made = [_condition(found) for found in _CONDITION.finditer(text)]
    whole = [one for one in made if one is not None]
    return tuple(whole) if len(whole) == len(made) else None


def _condition(found: re.Match[str]) -> _Condition | None:
    operator, *numbers = found.group(1, 2, 3, 4)
    given = [one for one in numbers if one is not None]
    places = next((n for n, one in enumerate(given) if one in {"x", "X", "*"}), len(given))
    pre = f"-{found[5]}" if found[5] else ""
    version = parse(".".join([*given[:places], "0", "0", "0"][:3]) + pre)
    if version is None:
        return None
    return _Condition(_SAME.get(operator, operator), version, places)


def _equal(version: Version, one: _Condition) -> bool:
    return compare(version, one.version) == 0 if one.places == 3 else _tilde(version, one)


def _unequal(version: Version, one: _Condition) -> bool:
    if one.places in {0, 3}:
        return compare(version, one.version) != 0
    if version.core[: one.places] != one.version.core[: one.places]:
        return True
    return one.places == 2 and version.pre != one.version.pre


def _greater(version: Version, one: _Condition) -> bool:
    if one.places in {0, 3}:
        return compare(version, one.version) > 0
    return version.core[: one.places] > one.version.core[: one.places]


def _at_most(version: Version, one: _Condition) -> bool:
    if one.places == 3:
        return compare(version, one.version) <= 0
    if version.core[0] != one.version.core[0]:
        return version.core[0] < one.version.core[0]
    return one.places == 1 or version.core[1] <= one.version.core[1]


def _tilde(version: Version, one: _Condition) -> bool:
    if compare(version, one.version) < 0:
        return False
    if one.version.core == (0, 0, 0) and one.places in {0, 3}:
        return True
    if version.core[0] != one.version.core[0]:
        return False
    return one.places == 1 or version.core[1] == one.version.core[1]


def _caret(version: Version, one: _Condition) -> bool:
    if compare(version, one.version) < 0:
        return False
    if one.version.core[0] > 0 or one.places == 1:
        return version.core[0] == one.version.core[0]
    if version.core[0] > 0:
        return False
    if one.version.core[1] > 0 or one.places == 2:
        return version.core[1] == one.version.core[1]
    return version.core == one.version.core


_CHECKS: Final[dict[str, Callable[[Version, _Condition], bool]]] = {
    "": _equal,
    "!=": _unequal,
    ">": _greater,
    "<": lambda version, one: compare(version, one.version) < 0,
    ">=": lambda version, one: compare(version, one.version) >= 0,
    "<=": _at_most,
    "~": _tilde,
    "^": _caret,
}
