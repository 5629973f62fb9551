"""Server-sent events: the reader's half, pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct


class Message(Struct, frozen=True):
    """One event of a stream. `id` is where a later connection goes on."""

    event: str
    data: str
    id: str


class Reader:
    """Lines in, messages out. Keeps the last id over connections."""

    def __init__(self, last_id: str = "") -> None:
        self.last_id = self._id = last_id
        self._event = ""
        self._data: list[str] = []

    def restart(self) -> None:
        """A new connection begins: what was half read is forgotten."""
        self._event, self._data, self._id = "", [], self.last_id

    def feed(self, line: str) -> Message | None:
        """Take a line without its end; an empty one ends a message."""
        if not line:
            return self._end()
        if line.startswith(":"):  # a heartbeat
            return None
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._event = value
        elif name == "data":
            self._data.append(value)
        elif name == "id" and "\0" not in value:
            self._id = value
        return None

    def _end(self) -> Message | None:
        self.last_id = self._id  # only now: a half-read message comes again
        if not self._data:
            self._event = ""
            return None
        message = Message(self._event or "message", "\n".join(self._data), self.last_id)
        self.restart()
        return message


def read(lines: Iterable[str], reader: Reader) -> Iterator[Message]:
    """The messages of one connection."""
    reader.restart()
    for line in lines:
        message = reader.feed(line)
        if message is not None:
            yield message


def write(event: str, data: bytes, *, at: str = "") -> bytes:
    """One message on the wire. `data` holds no line end (JSON)."""
    head = f"event: {event}\n" + (f"id: {at}\n" if at else "")
    return head.encode() + b"data: " + data + b"\n\n"


HEARTBEAT = b": still here\n\n"
