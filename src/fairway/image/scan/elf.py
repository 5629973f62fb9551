"""Go's build information in an executable (debug/buildinfo's format since Go 1.18).

Only what is needed of ELF is read: the section `.go.buildinfo`. Nothing is trusted: every offset
is checked against the file, every length against a limit.
"""

from __future__ import annotations

import struct
from typing import BinaryIO, Final

_MAGIC: Final = b"\x7fELF"
_BUILD: Final = b"\xff Go buildinf:"
_SECTION: Final = b".go.buildinfo"
_INLINE: Final = 2
_HEADER: Final = 32
_SENTINEL: Final = 16
_MOST: Final = 16 * 1024 * 1024
_SECTIONS: Final = 4096


class NotGo(Exception):
    """No executable that Go 1.18 or later linked."""


def build_information(file: BinaryIO) -> tuple[str, str]:
    """(Go's version, the lines of its modules). Raises `NotGo`."""
    head = file.read(64)
    if len(head) < 52 or head[:4] != _MAGIC or head[4] not in (1, 2) or head[5] not in (1, 2):
        raise NotGo
    try:
        data = _section(file, head)
        return _read(data)
    except (struct.error, IndexError, OverflowError, UnicodeDecodeError) as error:
        raise NotGo from error


def _section(file: BinaryIO, head: bytes) -> bytes:
    wide, order = head[4] == 2, "<" if head[5] == 1 else ">"
    if wide:
        (offset,) = struct.unpack_from(order + "Q", head, 40)
        size, count, names = struct.unpack_from(order + "HHH", head, 58)
    else:
        (offset,) = struct.unpack_from(order + "I", head, 32)
        size, count, names = struct.unpack_from(order + "HHH", head, 46)
    if not 0 < count <= _SECTIONS or size < (64 if wide else 40) or names >= count:
        raise NotGo
    file.seek(offset)
    table = file.read(size * count)
    place = "IIQQQQ" if wide else "IIIIII"  # name, type, flags, address, offset, size
    rows = [struct.unpack_from(order + place, table, size * number) for number in range(count)]
    words = _bytes(file, rows[names][4], rows[names][5])
    for row in rows:
        if words[row[0] : words.find(b"\0", row[0])] == _SECTION:
            return _bytes(file, row[4], row[5])
    raise NotGo


def _bytes(file: BinaryIO, offset: int, size: int) -> bytes:
    if size > _MOST:
        raise NotGo
    file.seek(offset)
    return file.read(size)


def _read(data: bytes) -> tuple[str, str]:
    if not data.startswith(_BUILD) or not data[15] & _INLINE:
        raise NotGo
    version, rest = _string(data[_HEADER:])
    lines, _ = _string(rest)
    if len(lines) >= 2 * _SENTINEL + 1 and lines[-_SENTINEL - 1 : -_SENTINEL] == b"\n":
        lines = lines[_SENTINEL:-_SENTINEL]  # between two marks for whoever seeks without ELF
    else:
        lines = b""
    return version.decode(), lines.decode()


def _string(data: bytes) -> tuple[bytes, bytes]:
    """A string behind its length (an unsigned varint), and what follows."""
    length = shift = at = 0
    while True:
        byte = data[at]
        at += 1
        length |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            break
        if shift > 35:
            raise NotGo
    return data[at : at + length], data[at + length :]
