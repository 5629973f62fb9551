"""Text as Go's own functions write it: `strconv.Quote` and `encoding/json`."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Final

from fairway.kit.scalar import go_float

_QUOTED: Final = {
    "\a": r"\a",
    "\b": r"\b",
    "\f": r"\f",
    "\n": r"\n",
    "\r": r"\r",
    "\t": r"\t",
    "\v": r"\v",
    "\\": r"\\",
    '"': r"\"",
}
_HTML: Final = str.maketrans(
    {"<": r"\u003c", ">": r"\u003e", "&": r"\u0026", "\u2028": r"\u2028", "\u2029": r"\u2029"}
)


def quote(text: str) -> str:
    """A Go string literal, as `%q` prints it: letters that print stay, others are escaped."""
    return '"' + "".join(_quoted(letter) for letter in text) + '"'


def _quoted(letter: str) -> str:
    if letter in _QUOTED:
        return _QUOTED[letter]
    if letter.isprintable():
        return letter
    code = ord(letter)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def to_json(value: object) -> str:
    """JSON as Go marshals it: keys sorted, `<>&` escaped, floats short, no spaces.

    Raises `ValueError` for what JSON has no word for: `.inf` and `.nan`.
    """
    if isinstance(value, dict):
        pairs = (f"{to_json(str(key))}:{to_json(value[key])}" for key in sorted(value))
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(to_json(item) for item in value) + "]"
    if isinstance(value, float):
        return _json_float(value)
    return json.dumps(value, ensure_ascii=False).translate(_HTML)


def _json_float(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError(f"JSON has no {go_float(value)}")
    size = abs(value)
    if size and not 1e-6 <= size < 1e21:
        text = f"{value!r}"
        mantissa, _, power = text.partition("e")
        sign = "-" if power.startswith("-") else "+"
        return f"{mantissa.removesuffix('.0')}e{sign}{power.lstrip('+-').lstrip('0')}"
    return format(Decimal(repr(value)), "f").removesuffix(".0")
