"""Data as the text of a document, in the little YAML that every reader agrees on.

Texts stand in single quotes or literal blocks, so that a backslash is a backslash and `${...}` is
put in later just as in a file written by hand; only what neither can hold is in double quotes.
`Raw` stands as it was written.
"""

from __future__ import annotations

import json
import math
import re
from typing import Final

from fairway.kit.scalar import resolve


class Raw(str):
    """A plain scalar, emitted without quotes."""

    __slots__ = ()


_STEP: Final = "  "
_SAFE_KEY: Final = re.compile(r"[A-Za-z_][\w.-]*\Z", re.ASCII)
_MAX_DEPTH: Final = 90


def document(value: object) -> str:
    """One document, with its `---`."""
    return "---\n" + _block(value, "", 0)


def _block(value: object, indent: str, depth: int) -> str:
    if depth > _MAX_DEPTH:
        return f"{indent}{_flow(value)}\n"
    if isinstance(value, dict) and value:
        return "".join(
            f"{indent}{_key(str(key))}:{_below(item, indent, depth)}" for key, item in value.items()
        )
    if isinstance(value, list | tuple) and value:
        return "".join(f"{indent}-{_below(item, indent, depth)}" for item in value)
    return f"{indent}{_flow(value)}\n"


def _key(key: str) -> str:
    return key if _SAFE_KEY.match(key) and isinstance(_untyped(key), str) else _text(key)


def _untyped(key: str) -> object:
    return resolve(key, plain=True)


def _below(value: object, indent: str, depth: int) -> str:
    if isinstance(value, dict | list | tuple) and value:
        return "\n" + _block(value, indent + _STEP, depth + 1)
    if isinstance(value, str) and "\n" in value and _fits_block(value):
        return _literal(value, indent + _STEP)
    return f" {_flow(value)}\n"


def _fits_block(text: str) -> bool:
    """Whether a literal block can hold a text: it prints, and has a letter in its first line."""
    bare = text.replace("\n", "").replace("\t", "")
    return bare.isprintable() and bool(text.partition("\n")[0].strip())


def _literal(text: str, indent: str) -> str:
    ends = len(text) - len(text.rstrip("\n"))
    chomp = ("-", "")[ends] if ends < 2 else "+"
    lines = text.removesuffix("\n").split("\n")
    body = "".join(f"{indent}{line}\n" if line else "\n" for line in lines)
    return f" |{len(_STEP)}{chomp}\n{body}"


def _flow(value: object) -> str:
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else (".inf" if value > 0 else "-.inf")
    if isinstance(value, float):
        return repr(value).replace("e", ".0e") if "." not in repr(value) else repr(value)
    return json.dumps(value, ensure_ascii=False)


def _text(value: str) -> str:
    if value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    return json.dumps(value)
