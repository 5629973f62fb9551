"""The Engine's multiplexed output: frames of eight header bytes and a payload."""

from __future__ import annotations

import struct
from typing import Final

_HEAD: Final = struct.Struct(">BxxxI")


class Demultiplexer:
    """Takes the raw stream in any cut; gives the payload bytes in the engine's order.

    stdout and stderr are not told apart: a step's log is one stream.
    """

    def __init__(self) -> None:
        self._left = 0  # payload bytes of the frame at hand that have not come yet
        self._head = b""  # the beginning of a header that was cut

    def feed(self, data: bytes) -> bytes:
        """The payload in the next bytes of the stream."""
        data = self._head + data if self._head else data
        self._head = b""
        out: list[bytes] = []
        at, end = 0, len(data)
        while at < end:
            if self._left:
                taken = min(self._left, end - at)
                out.append(data[at : at + taken])
                at += taken
                self._left -= taken
            elif end - at < _HEAD.size:
                self._head = data[at:]
                break
            else:
                self._left = _HEAD.unpack_from(data, at)[1]
                at += _HEAD.size
        return b"".join(out)
