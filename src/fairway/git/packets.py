"""Git's packet lines: what a push asks for, and what became of it.

The server reads the commands of a push before git does, to judge protected refs. So this reader
refuses whatever it does not know: what git would read otherwise than we do never reaches git.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from typing import Final

from msgspec import Struct, field

from fairway.model.errors import InvalidInput, TooLarge

ZERO: Final = re.compile(r"0{40}(0{24})?")
_HEADS: Final = 4 * 1024 * 1024  # bytes of commands and options of one push
_COMMAND: Final = re.compile(rb"([0-9a-f]{40}|[0-9a-f]{64}) ([0-9a-f]{40}|[0-9a-f]{64}) (refs/.+)")
_BAD_REF: Final = re.compile(rb"[\x00-\x20\x7f~^:?*\[\\]|\.\.|//|@\{|/$|\.lock(/|$)|/\.|\.$")
_LONGEST_REF: Final = 512
_OPTIONS: Final = 64
_PROGRESS: Final = 900  # bytes of a line: the smaller side-band's packet has 1000


class Command(Struct, frozen=True):
    """One ref of a push: `before` and `after` are "" for none."""

    ref: str
    before: str
    after: str


class PushHead(Struct, frozen=True):
    """What a push asks for."""

    commands: list[Command]
    options: list[str] = field(default_factory=list)
    capabilities: frozenset[str] = frozenset()


class PushReader:
    """Reads the beginning of a push as it streams by: feed it until `done`."""

    def __init__(self) -> None:
        self.done = False
        self._buffer = bytearray()
        self._at = 0
        self._commands: list[Command] = []
        self._options: list[str] = []
        self._capabilities: frozenset[str] = frozenset()
        self._in_options = False

    def feed(self, data: bytes) -> None:
        """Take more bytes. Raises `InvalidInput` (code `bad-push`) or `TooLarge`."""
        self._buffer += data
        self._read()
        if len(self._buffer) > _HEADS and not self.done:
            raise TooLarge(
                "a push names too many refs",
                code="push-too-many-refs",
                remedy="push in several steps of fewer refs",
            )

    def _read(self) -> None:
        while not self.done:
            line = self._line()
            if line is None:
                return
            self._take(line)

    @property
    def head(self) -> PushHead:
        """What the push asks for, once `done`."""
        return PushHead(self._commands, self._options, self._capabilities)

    def _line(self) -> bytes | None:
        """The next whole line, b"" for a flush, None when more bytes are needed."""
        if len(self._buffer) - self._at < 4:
            return None
        length = _length(bytes(self._buffer[self._at : self._at + 4]))
        if length == 0:
            self._at += 4
            return b""
        if length <= 4:
            raise _bad("a packet of a kind that has no place here")
        if len(self._buffer) - self._at < length:
            return None
        line = bytes(self._buffer[self._at + 4 : self._at + length])
        self._at += length
        return line.removesuffix(b"\n")

    def _take(self, line: bytes) -> None:
        if not line:
            self._flush()
        elif self._in_options:
            if len(self._options) >= _OPTIONS:
                raise _bad(f"more than {_OPTIONS} push options")
            self._options.append(line.decode("utf-8", "replace"))
        elif not line.startswith(b"shallow "):
            self._commands.append(self._command(line))

    def _flush(self) -> None:
        if not self._in_options and "push-options" in self._capabilities:
            self._in_options = True
        else:
            self.done = True

    def _command(self, line: bytes) -> Command:
        text, nul, capabilities = line.partition(b"\x00")
        if nul and not self._commands:
            self._capabilities = frozenset(capabilities.decode("ascii", "replace").split())
        found = _COMMAND.fullmatch(text)
        if found is None:
            raise _bad("neither a command nor a capability that this server offers")
        ref = found[3]
        if _BAD_REF.search(ref) or len(ref) > _LONGEST_REF:
            raise _bad(f"{ref[:80].decode('utf-8', 'replace')!r} cannot be a ref's name")
        return Command(_name(ref), _sha(found[1]), _sha(found[2]))


class ReportReader:
    """Splits what `receive-pack` answers into progress, which may go at once, and the report.

    The report is the first word about refs that the client gets: it is held back until the
    events are written.
    """

    def __init__(self, *, banded: bool) -> None:
        self._banded = banded
        self._buffer = bytearray()
        self._held = bytearray()
        self._holding = not banded
        self._report = bytearray()

    def feed(self, data: bytes) -> bytes:
        """Take more bytes; returns those that may go to the client now."""
        if not self._banded:
            self._held += data
            self._report += data
            return b""
        self._buffer += data
        out = bytearray()
        while (packet := self._packet()) is not None:
            reporting = packet[4:5] == b"\x01" and len(packet) > 5
            self._holding = self._holding or reporting or packet == b"0000"
            if reporting:
                self._report += packet[5:]
            (self._held if self._holding else out).extend(packet)
        return bytes(out)

    def rest(self) -> bytes:
        """What was held back, to be sent after the events are written."""
        return bytes(self._held + self._buffer)

    def progress(self, lines: Sequence[str]) -> bytes:
        """Lines for the person, to be sent before the rest; nothing where the client takes none."""
        if not self._banded or not lines:
            return b""
        found = b""
        for line in ("", *lines, ""):
            text = line.encode()[:_PROGRESS] + b"\n"
            found += f"{len(text) + 5:04x}".encode() + b"\x02" + text
        return found

    def accepted(self) -> set[str] | None:
        """The refs that were changed; None when the answer does not say."""
        refs: set[str] = set()
        told = False
        at = 0
        while len(self._report) - at >= 4:
            length = _length(bytes(self._report[at : at + 4]))
            line = bytes(self._report[at + 4 : at + max(length, 4)]).removesuffix(b"\n")
            at += max(length, 4)
            told = told or line.startswith(b"unpack ")
            if line.startswith(b"ok "):
                refs.add(_name(line[3:]))
        return refs if told else None

    def _packet(self) -> bytes | None:
        if len(self._buffer) < 4:
            return None
        size = max(_length(bytes(self._buffer[:4])), 4)
        if len(self._buffer) < size:
            return None
        packet = bytes(self._buffer[:size])
        del self._buffer[:size]
        return packet


class Inflater:
    """A gzip body, unpacked as it streams. Raises `InvalidInput` (code `bad-push`)."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=31)

    def feed(self, data: bytes) -> bytes:
        """The bytes unpacked; at most 1000 times as many (zlib's own bound)."""
        try:
            return self._stream.decompress(data)
        except zlib.error as error:
            raise _bad(f"its gzip encoding is broken ({error})") from error


def _length(text: bytes) -> int:
    try:
        return int(text, 16)
    except ValueError:
        raise _bad("a packet without a length") from None


def _name(ref: bytes) -> str:
    return ref.decode("utf-8", "surrogateescape")


def _sha(text: bytes) -> str:
    sha = text.decode()
    return "" if ZERO.fullmatch(sha) else sha


def _bad(why: str) -> InvalidInput:
    return InvalidInput(
        f"this push cannot be read: {why}",
        code="bad-push",
        remedy="push with git 2.20 or later",
    )
