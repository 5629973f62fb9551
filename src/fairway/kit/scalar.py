"""What a YAML scalar means: YAML 1.1 as go-yaml (version 2) reads it, and how Go prints it.

The Go tools whose files we read agree on these rules, and they are not PyYAML's: `y` is true,
`0o17` is 15, `1e3` is text, dates are text. A table of the words comes first, then numbers.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from typing import Final

Value = None | bool | int | float | str

_WORDS: Final[dict[str, Value]] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE"), True),
    **dict.fromkeys(("on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE"), False),
    **dict.fromkeys(("off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_INTEGER: Final = re.compile(
    r"[-+]?(?:0[xX](?P<hex>[0-9a-fA-F]+)|0[bB](?P<bin>[01]+)"
    r"|0[oO]?(?P<oct>[0-7]+)|(?P<dec>0|[1-9][0-9]*))\Z"
)
_FLOAT: Final = re.compile(r"[-+]?[0-9]*\.?[0-9]+(?:[eE][-+][0-9]+)?\Z")
_DOT_FLOAT: Final = re.compile(r"\.[0-9]+(?:[eE][-+]?[0-9]+)?\Z")
_BASES: Final = {"hex": 16, "bin": 2, "oct": 8, "dec": 10}
_TAG: Final = "tag:yaml.org,2002:"
_EXPONENT_FROM: Final = 6  # strconv's rule for the shortest form; fmt's %v would say 21
_DIGITS: Final = 400  # a longer number is text: no float needs more, and int() would crawl


def resolve(text: str, *, plain: bool, tag: str = "") -> Value:
    """The value of a scalar. Raises `ValueError` when an explicit tag does not fit the text."""
    if tag:
        return _tagged(text, tag.removeprefix(_TAG))
    if not plain:
        return text
    return _untagged(text)


def _untagged(text: str) -> Value:
    if text in _WORDS:
        return _WORDS[text]
    first = text[0]
    if first == ".":
        return _finite(text, text) if _DOT_FLOAT.match(text) else text
    if first in "+-0123456789" and len(text) <= _DIGITS:
        return _number(text)
    return text


def _number(text: str) -> Value:
    bare = text.replace("_", "")
    found = _INTEGER.match(bare)
    if found and found.lastgroup:
        value = int(found[found.lastgroup], _BASES[found.lastgroup])
        value = -value if bare.startswith("-") else value
        if -(2**63) <= value < 2**64:
            return value
    return _finite(bare, text) if _FLOAT.match(bare) else text


def _finite(number: str, text: str) -> Value:
    value = float(number)
    return text if math.isinf(value) else value


def _tagged(text: str, tag: str) -> Value:
    if tag == "str":
        return text
    if tag == "binary":
        return _binary(text)
    value = _untagged(text)
    fits = {
        "bool": isinstance(value, bool),
        "int": isinstance(value, int) and not isinstance(value, bool),
        "float": isinstance(value, float),
        "null": value is None,
    }
    if not fits.get(tag, True):
        raise ValueError(f"'{text}' is not a !!{tag}")
    return value if tag in fits else text


def _binary(text: str) -> str:
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error as error:
        raise ValueError("a !!binary value is not base64") from error
    return data.decode("utf-8", "replace")


def go_text(value: Value) -> str:
    """A value as Go's `strconv` prints it: `true`, `15`, `1.1`, `1.5e+08`, `+Inf`; null is ""."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return go_float(value)
    return str(value)


def go_float(value: float) -> str:
    """A float in Go's shortest `g` form: an exponent from 1e6 on and below 1e-4."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    digits, exponent = _shortest(value)
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    if exponent < -4 or exponent >= _EXPONENT_FROM:
        return sign + _scientific(digits, exponent)
    return sign + _positional(digits, exponent)


def _shortest(value: float) -> tuple[str, int]:
    mantissa, _, power = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    shift = len(whole) - 1 + int(power or 0)
    if not digits:
        return "0", 0
    shift -= len(whole + fraction) - len(digits)
    return digits.rstrip("0") or "0", shift


def _scientific(digits: str, exponent: int) -> str:
    tail = f".{digits[1:]}" if len(digits) > 1 else ""
    sign = "-" if exponent < 0 else "+"
    return f"{digits[0]}{tail}e{sign}{abs(exponent):02d}"


def _positional(digits: str, exponent: int) -> str:
    if exponent < 0:
        return "0." + "0" * (-exponent - 1) + digits
    if len(digits) <= exponent + 1:
        return digits + "0" * (exponent + 1 - len(digits))
    return f"{digits[: exponent + 1]}.{digits[exponent + 1 :]}"
