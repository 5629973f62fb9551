"""Websocket frames (RFC 6455, sections 5 and 7) without sockets: bytes to messages and back.

A client's half only, binary messages, no extensions: what an API server speaks.
"""

from __future__ import annotations

from typing import Final, NamedTuple

TEXT: Final = 1
BINARY: Final = 2
CLOSE: Final = 8
PING: Final = 9
PONG: Final = 10
_LARGEST: Final = 32 * 1024 * 1024  # of one message


class BadFrame(ValueError):
    """The peer does not keep to the protocol."""


class Message(NamedTuple):
    """A whole message or a control frame."""

    opcode: int
    data: bytes


def encode(opcode: int, data: bytes, mask: bytes) -> bytes:
    """One final frame as a client sends it; `mask` is four random bytes."""
    size = len(data)
    if size < 126:
        head = bytes((0x80 | opcode, 0x80 | size))
    elif size < 65536:
        head = bytes((0x80 | opcode, 0x80 | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x80 | opcode, 0x80 | 127)) + size.to_bytes(8, "big")
    return head + mask + masked(data, mask)


def masked(data: bytes, mask: bytes) -> bytes:
    """Data under a mask, and back again: as one large number, as a loop over bytes is slow."""
    size = len(data)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "little") ^ int.from_bytes(key, "little")).to_bytes(size, "little")


class Decoder:
    """Collects what a server sends."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._parts: list[bytes] = []
        self._opcode = 0
        self._size = 0

    def feed(self, data: bytes) -> list[Message]:
        """What is whole now. Raises `BadFrame`."""
        self._rest += data
        found = []
        while (frame := self._frame()) is not None:
            message = self._add(*frame)
            if message is not None:
                found.append(message)
        return found

    def _frame(self) -> tuple[bool, int, bytes] | None:
        rest = self._rest
        if len(rest) < 2:
            return None
        if rest[0] & 0x70 or rest[1] & 0x80:
            raise BadFrame("a reserved bit or a masked frame of a server")
        size, begin = rest[1] & 0x7F, 2
        if size >= 126:
            begin = 4 if size == 126 else 10
            if len(rest) < begin:
                return None
            size = int.from_bytes(rest[2:begin], "big")
        if size > _LARGEST:
            raise BadFrame(f"a frame of {size} bytes")
        if len(rest) < begin + size:
            return None
        final, opcode, data = (
            bool(rest[0] & 0x80),
            rest[0] & 0x0F,
            bytes(rest[begin : begin + size]),
        )
        del rest[: begin + size]
        return final, opcode, data

    def _add(self, final: bool, opcode: int, data: bytes) -> Message | None:  # noqa: FBT001
        if opcode >= CLOSE:
            if not final or len(data) > 125:
                raise BadFrame("a control frame that is long or in parts")
            return Message(opcode, data)
        if (opcode == 0) != bool(self._opcode):
            raise BadFrame("a part without its beginning, or a beginning without an end")
        self._opcode = self._opcode or opcode
        self._parts.append(data)
        self._size += len(data)
        if self._size > _LARGEST:
            raise BadFrame(f"a message of more than {_LARGEST} bytes")
        if not final:
            return None
        message = Message(self._opcode, b"".join(self._parts))
        self._parts, self._opcode, self._size = [], 0, 0
        return message
