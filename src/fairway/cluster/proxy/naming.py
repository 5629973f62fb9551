"""The name that a new object's body gives it: JSON, or Kubernetes' Protobuf. Pure.

Protobuf: `k8s\\0`, then a `runtime.Unknown` whose field 2 is the object; an object's field 1 is its
`ObjectMeta`, of which field 1 is the name and field 2 the beginning of one
(https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding).
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct, field

_MAGIC: Final = b"k8s\x00"
_LONGEST: Final = 253
_BYTES: Final = 2  # the wire type of a field with a length


class _Meta(Struct):
    name: str = ""
    generate_name: str = field(default="", name="generateName")


class _Named(Struct):
    metadata: _Meta = field(default_factory=_Meta)


def name_in(body: bytes) -> str:
    """The name, `BEGIN*` for one that the API server completes, "" where it cannot be read."""
    try:
        name, begin = _protobuf(body) if body.startswith(_MAGIC) else _json(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, IndexError, ValueError):
        return ""
    return (name or (f"{begin}*" if begin else ""))[:_LONGEST]


def _json(body: bytes) -> tuple[str, str]:
    meta = msgspec.json.decode(body, type=_Named).metadata
    return meta.name, meta.generate_name


def _protobuf(body: bytes) -> tuple[str, str]:
    raw = _fields(body[len(_MAGIC) :]).get(2, b"")
    meta = _fields(_fields(raw).get(1, b""))
    return meta.get(1, b"").decode(), meta.get(2, b"").decode()


def _fields(message: bytes) -> dict[int, bytes]:
    """The first of each field with a length, up to the first field of another kind."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        if key & 7 != _BYTES:
            break
        length, at = _varint(message, at)
        found.setdefault(key >> 3, message[at : at + length])
        at += length
    return found


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at
        if shift > 63:
            raise ValueError("no number is that long")
