"""Digests: `algorithm:encoded`, with every algorithm that the image specification registers."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any, Final, Protocol

from blake3 import blake3
from msgspec import Struct

from fairway.model.errors import InvalidInput

ALGORITHMS: Final[dict[str, int]] = {"sha256": 64, "sha512": 128, "blake3": 64}  # hex digits
_MAKE: Final[dict[str, Callable[[], Any]]] = {
    "sha256": hashlib.sha256,
    "sha512": hashlib.sha512,
    "blake3": blake3,
}
_GRAMMAR: Final = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+")
_HEX: Final = re.compile(r"[0-9a-f]+")
_LONGEST: Final = 160


class Hash(Protocol):
    """What takes bytes and tells their digest."""

    def update(self, data: bytes, /) -> Any:
        """Take more bytes."""

    def hexdigest(self) -> str:
        """The digest of what was taken, lower-case hexadecimal."""


class Digest(Struct, frozen=True):
    """A digest of a registered algorithm, checked."""

    algorithm: str
    encoded: str

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.encoded}"


def parse(text: str) -> Digest:
    """Read a digest.

    Raises InvalidInput: `bad-digest` for what the grammar or the length forbids,
    `unknown-digest-algorithm` for what it allows and no specification registers.
    """
    if len(text) > _LONGEST or not _GRAMMAR.fullmatch(text):
        raise InvalidInput(
            f"{text[:80]!r} is not a digest",
            code="bad-digest",
            remedy="a digest is an algorithm, a colon and the encoded hash: sha256:6c3c624b...",
        )
    algorithm, _, encoded = text.partition(":")
    digits = ALGORITHMS.get(algorithm)
    if digits is None:
        raise InvalidInput(
            f"the digest algorithm {algorithm!r} is not registered",
            code="unknown-digest-algorithm",
            remedy=f"use one of {', '.join(ALGORITHMS)}",
        )
    if len(encoded) != digits or not _HEX.fullmatch(encoded):
        raise InvalidInput(
            f"a {algorithm} digest has {digits} lower-case hexadecimal digits; this one has not",
            code="bad-digest",
            remedy="send the whole digest",
        )
    return Digest(algorithm, encoded)


def is_digest(text: str) -> bool:
    """Whether a reference is a digest: no tag holds a colon."""
    return ":" in text


def hasher(algorithm: str) -> Hash:
    """A new hash of a registered algorithm."""
    made: Hash = _MAKE[algorithm]()
    return made


def of(data: bytes, algorithm: str = "sha256") -> str:
    """The digest of some bytes."""
    one = hasher(algorithm)
    one.update(data)
    return f"{algorithm}:{one.hexdigest()}"
