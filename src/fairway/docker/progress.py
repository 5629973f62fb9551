"""What BuildKit says while it builds, as lines for a log.

The engine sends `moby.buildkit.control.StatusResponse` messages, base64 of protobuf. We read the
few fields that a log shows, with a reader of our own: the message's definition has not changed
since the first release, and unknown fields are stepped over.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Final

from msgspec import Struct, field

_VARINT: Final = 0
_FIXED64: Final = 1
_BYTES: Final = 2
_FIXED32: Final = 5


class Malformed(ValueError):
    """Not a protobuf message."""


class Vertex(Struct):
    """One node of the build: an instruction, a download, the export."""

    digest: str = ""
    name: str = ""
    cached: bool = False
    started: float | None = None
    completed: float | None = None
    error: str = ""


class VertexLog(Struct):
    """What a node wrote."""

    vertex: str = ""
    data: bytes = b""


class StatusMessage(Struct):
    """One message."""

    vertexes: list[Vertex] = field(default_factory=list)
    logs: list[VertexLog] = field(default_factory=list)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if not byte & 0x80:
            return value, at
        shift += 7
    raise Malformed("a number without an end")


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message as (number, value), in order. Raises Malformed."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        value: int | bytes
        if kind == _VARINT:
            value, at = _varint(data, at)
        else:
            if kind == _BYTES:
                size, at = _varint(data, at)
            elif kind in (_FIXED64, _FIXED32):
                size = 8 if kind == _FIXED64 else 4
            else:
                raise Malformed(f"a field of the unknown kind {kind}")
            value, at = data[at : at + size], at + size
            if at > len(data):
                raise Malformed("a field that is cut short")
        yield key >> 3, value


def _text(value: int | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _nested(value: int | bytes) -> bytes:
    if isinstance(value, bytes):
        return value
    raise Malformed("a number where a message belongs")


def _seconds(value: int | bytes) -> float:
    parts = dict(fields(_nested(value)))
    whole, nanos = parts.get(1, 0), parts.get(2, 0)
    if isinstance(whole, int) and isinstance(nanos, int):
        return whole + nanos / 1e9
    raise Malformed("a time that is none")


def _vertex(data: bytes) -> Vertex:
    found = Vertex()
    for number, value in fields(data):
        if number == 1:
            found.digest = _text(value)
        elif number == 3:
            found.name = _text(value)
        elif number == 4:
            found.cached = bool(value)
        elif number == 5:
            found.started = _seconds(value)
        elif number == 6:
            found.completed = _seconds(value)
        elif number == 7:
            found.error = _text(value)
    return found


def _log(data: bytes) -> VertexLog:
    found = VertexLog()
    for number, value in fields(data):
        if number == 1:
            found.vertex = _text(value)
        elif number == 4:
            found.data = _nested(value)
    return found


def decode(aux: str) -> StatusMessage:
    """A message as it comes from the engine. Raises Malformed."""
    try:
        data = base64.b64decode(aux, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Malformed("not base64") from error
    message = StatusMessage()
    for number, value in fields(data):
        if number == 1:
            message.vertexes.append(_vertex(_nested(value)))
        elif number == 3:
            message.logs.append(_log(_nested(value)))
    return message


class Progress:
    """Turns messages into lines, as `docker build --progress plain` shows them."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._done: set[str] = set()
        self._partial: dict[str, bytes] = {}
        self.errors: list[str] = []

    def take(self, aux: str) -> bytes:
        """The lines that a message adds; what cannot be read adds nothing."""
        try:
            message = decode(aux)
        except Malformed:
            return b""
        out: list[bytes] = []
        for vertex in message.vertexes:
            out.extend(self._begin(vertex))
        for log in message.logs:
            out.extend(self._lines(log))
        for vertex in message.vertexes:
            out.extend(self._end(vertex))
        return b"".join(out)

    def _begin(self, vertex: Vertex) -> Iterator[bytes]:
        if vertex.digest in self._numbers or not (vertex.started or vertex.cached):
            return
        self._numbers[vertex.digest] = len(self._numbers) + 1
        yield self._line(vertex.digest, vertex.name.encode())

    def _lines(self, log: VertexLog) -> Iterator[bytes]:
        text = self._partial.pop(log.vertex, b"") + log.data
        *whole, rest = text.split(b"\n")
        if rest:
            self._partial[log.vertex] = rest
        for line in whole:
            yield self._line(log.vertex, line)

    def _end(self, vertex: Vertex) -> Iterator[bytes]:
        if vertex.completed is None or vertex.digest in self._done:
            return
        if vertex.digest not in self._numbers:
            return
        self._done.add(vertex.digest)
        rest = self._partial.pop(vertex.digest, b"")
        if rest:
            yield self._line(vertex.digest, rest)
        if vertex.error:
            self.errors.append(vertex.error)
            yield self._line(vertex.digest, b"ERROR: " + vertex.error.encode())
        elif vertex.cached:
            yield self._line(vertex.digest, b"CACHED")
        else:
            took = vertex.completed - (vertex.started or vertex.completed)
            yield self._line(vertex.digest, f"DONE {took:.1f}s".encode())

    def _line(self, digest: str, text: bytes) -> bytes:
        return b"#%d %s\n" % (self._numbers.get(digest, 0), text)
