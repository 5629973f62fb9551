"""Names of repositories, tags, and image references as people write them."""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from fairway.model.errors import InvalidInput
from fairway.oci import digest

_COMPONENT: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME: Final = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG: Final = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_HOST: Final = re.compile(
    r"(?:\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
    r"(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*)(?::[0-9]{1,5})?"
)
LONGEST_NAME: Final = 255


class Reference(Struct, frozen=True):
    """`[host/]name[:tag][@digest]`; absent parts are "" (and no tag is added)."""

    host: str
    name: str
    tag: str = ""
    digest: str = ""

    def __str__(self) -> str:
        host = f"{self.host}/" if self.host else ""
        tag = f":{self.tag}" if self.tag else ""
        at = f"@{self.digest}" if self.digest else ""
        return f"{host}{self.name}{tag}{at}"


def is_name(text: str) -> bool:
    """Whether a repository in a registry may be called so."""
    return len(text) <= LONGEST_NAME and _NAME.fullmatch(text) is not None


def is_tag(text: str) -> bool:
    """Whether a tag may be called so."""
    return _TAG.fullmatch(text) is not None


def parse(text: str) -> Reference:
    """Read an image reference. The first part is a host if it has a dot or a port, as in Docker.

    Raises InvalidInput (`bad-image-reference`), or `digest.parse`'s errors.
    """
    rest, at, wanted = text.partition("@")
    if at:
        digest.parse(wanted)
    host, name = split_host(rest)
    tag = ""
    head, colon, last = name.rpartition(":")
    if colon and "/" not in last:
        name, tag = head, last
    if not is_name(name) or (colon and not is_tag(tag)) or (host and not _HOST.fullmatch(host)):
        raise InvalidInput(
            f"{text[:120]!r} is not an image reference",
            code="bad-image-reference",
            remedy="write [host[:port]/]name[:tag][@digest]; names are lower case",
        )
    return Reference(host, name, tag, wanted if at else "")


def split_host(text: str) -> tuple[str, str]:
    """The host of a reference ("" if it names none) and the rest."""
    first, slash, rest = text.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return first, rest
    return "", text
