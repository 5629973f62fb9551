"""Values whose form the API defines: durations, regular expressions, hostnames, header names."""

from __future__ import annotations

import re
import warnings
from typing import Final

from fairway.kit import goduration

_DURATION: Final = re.compile(r"(?:[0-9]{1,5}(?:h|ms|m|s)){1,4}\Z")
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_|~]{1,256}\Z")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*\Z")
_LABEL: Final = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_HOSTNAME: Final = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*\Z")
_PATH: Final = re.compile(r"/[A-Za-z0-9/\-._~!$&'()*+,;=:@%]*\Z")
# What RE2 refuses and Python takes: look-around, back references, atomic and possessive forms,
# conditions, comments; and `\Z` and `\uXXXX`, which RE2 writes otherwise.
_NOT_RE2: Final = re.compile(
    r"\(\?(?:[=!>#(]|<[=!]|P=)|\\[1-9]|[*+?}]\+|\\Z|\\u|\\U|\(\?[aLux-]*[aLux][a-zA-Z-]*[:)]"
)
_ESCAPES: Final = re.compile(r"\\\\")
_TOKENS: Final = re.compile(r"\{(\d+)(?:,(\d*))?\}|\\.|\[\^?\]?[^\]]*\]|[()]|[^()]")
_MOST_REPEATS: Final = 1000  # RE2's limit


def milliseconds(text: str) -> int | None:
    """A Gateway API duration (GEP-2257: `1h30m`, `10s`, `500ms`), or None when it is none."""
    if not _DURATION.match(text):
        return None
    return goduration.nanoseconds(text) // 1_000_000


def seconds(ms: int) -> str:
    """Envoy's form of a duration."""
    return f"{ms / 1000:.3f}".rstrip("0").rstrip(".") + "s"


def bad_regex(text: str) -> str:
    """Why Envoy would refuse a regular expression (RE2), or an empty text.

    One refused expression costs the whole route table of a port, so what is doubtful is refused
    here, where it costs one rule.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sets that look nested: RE2 has its own reading
            re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        return f"{text!r} is not a regular expression: {error}"
    plain = _ESCAPES.sub("", text)
    if found := _NOT_RE2.search(plain):
        return f"{text!r} uses {found.group()!r}, which RE2 does not have"
    if _repeats(plain) > _MOST_REPEATS:
        return f"{text!r} repeats more than {_MOST_REPEATS} times, which RE2 refuses"
    return ""


def _repeats(plain: str) -> int:
    """How often the innermost part of an expression can be repeated by counted repetitions."""
    most, open_, last = 1, [1], 1  # the largest so far within each group that is open
    for found in _TOKENS.finditer(plain):
        match found.group():
            case "(":
                open_.append(1)
                last = 1
            case ")" if len(open_) > 1:
                last = open_.pop()
                open_[-1] = max(open_[-1], last)
            case _ if found.group(1) is not None:
                least, highest = found.group(1), found.group(2)
                last *= max(int(least), int(highest or 0), 1)
                open_[-1] = max(open_[-1], last)
            case _:
                last = 1
        most = max(most, last, open_[-1])
    return most


def quote(text: str) -> str:
    """A regular expression (RE2) for exactly this text."""
    return re.sub(r"([^A-Za-z0-9_/\-])", r"\\\1", text)


def is_header(name: str) -> bool:
    """Whether it can be a header's name."""
    return bool(_HEADER.match(name))


def is_value(value: str) -> bool:
    """Whether it can be a header's value."""
    return bool(_VALUE.match(value))


def is_hostname(text: str) -> bool:
    """A hostname, perhaps with one wildcard label in front."""
    return len(text) <= 253 and bool(_HOSTNAME.match(text))


def is_path(text: str) -> bool:
    """An absolute path without a query."""
    return bool(_PATH.match(text)) and "//" not in text
