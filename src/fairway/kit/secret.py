"""The type that cannot be printed, and the masker that logs leave through."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, NoReturn

MASK: Final = b"******"
_SHORTEST: Final = 3  # Drone masks no shorter value either: a mask of "1" would ruin every log


class Secret:
    """A value that shows itself to nobody who does not ask by name.

    `str`, `repr`, `format` and errors show only that there is one. It cannot be pickled.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself. Every call is a place to look at in a review."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(******)"

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")

    def __deepcopy__(self, _memo: dict[int, Any]) -> Secret:
        return self


def _patterns(values: Iterable[str]) -> list[bytes]:
    """What is masked: each value, and of one with several lines also each line."""
    found: set[bytes] = set()
    for value in values:
        for part in (value, value.strip(), *value.splitlines()):
            for text in (part, part.strip()):
                if len(text) >= _SHORTEST:
                    found.add(text.encode("utf-8", "surrogateescape"))
    return sorted(found, key=lambda item: (-len(item), item))


class Masker:
    """Replaces secrets in a stream, however the stream is cut.

    At each place the longest secret that fits is replaced. Bytes that could be the beginning of a
    secret are held back until what follows decides: `held` says how many, so the output so far
    stands for exactly `consumed - held` bytes of input, and a new masker may go on from there.
    """

    def __init__(self, values: Iterable[str]) -> None:
        self._values = _patterns(values)
        self._longest = len(self._values[0]) if self._values else 0
        self._firsts = frozenset(value[0] for value in self._values)
        alternatives = b"|".join(re.escape(value) for value in self._values)
        self._find = re.compile(alternatives) if self._values else None
        self._held = b""

    def knowing(self, values: Iterable[str]) -> Masker:
        """A new one that masks further values as well."""
        return Masker(
            [*(known.decode("utf-8", "surrogateescape") for known in self._values), *values]
        )

    @property
    def held(self) -> int:
        """How many bytes wait for what follows them."""
        return len(self._held)

    def feed(self, data: bytes) -> bytes:
        """The masked text that the input so far decides."""
        if self._find is None:
            return data
        text = self._held + data if self._held else data
        tail = max(0, len(text) - self._longest + 1)
        out: list[bytes] = []
        at = 0
        for match in self._find.finditer(text):
            start = match.start()
            if start >= tail:
                undecided = self._open(text, max(at, tail), start + 1)
                if undecided < start + 1:
                    break
            out += (text[at:start], MASK)
            at = match.end()
        hold = self._open(text, max(at, tail), len(text))
        out.append(text[at:hold])
        self._held = text[hold:]
        return b"".join(out)

    def flush(self) -> bytes:
        """The rest, once nothing follows any more."""
        rest, self._held = self._held, b""
        return self._find.sub(MASK, rest) if self._find is not None else rest

    def _open(self, text: bytes, start: int, end: int) -> int:
        """The first place in [start, end) where a secret may begin that is not whole yet."""
        for at in range(start, end):
            if text[at] in self._firsts:
                rest = text[at:]
                size = len(rest)
                if any(len(value) > size and value.startswith(rest) for value in self._values):
                    return at
        return end
