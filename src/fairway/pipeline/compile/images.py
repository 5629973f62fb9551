"""Names of images: in full, compared without tag, and rewritten by the operator's table."""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from fairway.pipeline.compile import glob

_PART: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH: Final = re.compile(rf"{_PART}(?:/{_PART})*\Z")
_HOST: Final = re.compile(
    r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
    r"(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*(?::[0-9]{1,5})?\Z"
)
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\Z")
_DIGEST: Final = re.compile(
    r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}\Z"
)
_HUB: Final = "docker.io"
_LONGEST: Final = 255


class Reference(Struct, frozen=True, kw_only=True):
    """A name that could be parsed. `tag` and `digest` are "" when the name has none."""

    host: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        """host/path."""
        return f"{self.host}/{self.path}"

    @property
    def familiar(self) -> str:
        """Without the hub's host and its `library/`."""
        if self.host != _HUB:
            return self.name
        return self.path.removeprefix("library/")

    @property
    def full(self) -> str:
        """host/path:tag@digest, `:latest` where neither is given."""
        tag = self.tag or ("" if self.digest else "latest")
        text = f"{self.name}:{tag}" if tag else self.name
        return f"{text}@{self.digest}" if self.digest else text


def parse(text: str) -> Reference | None:
    """A name by the rules of Docker's reference grammar; None when it does not follow them."""
    rest, at, digest = text.partition("@")
    if at and not _DIGEST.match(digest):
        return None
    head, colon, tag = rest.rpartition(":")
    if colon and "/" not in tag:
        rest = head
        if not _TAG.match(tag):
            return None
    else:
        tag = ""
    host, path = _host(rest)
    if not _HOST.match(host) or not _PATH.match(path) or len(f"{host}/{path}") > _LONGEST:
        return None
    if host == _HUB and "/" not in path:
        path = f"library/{path}"
    return Reference(host=host, path=path, tag=tag, digest=digest)


def _host(text: str) -> tuple[str, str]:
    first, slash, rest = text.partition("/")
    is_host = "." in first or ":" in first or first == "localhost" or first != first.lower()
    if not slash or not is_host:
        return _HUB, text
    return (_HUB if first == "index.docker.io" else first), rest


def expand(text: str) -> str:
    """The name in full, with `:latest`; as it stands when it cannot be parsed."""
    reference = parse(text)
    return reference.full if reference else text


def same_name(one: str, other: str) -> bool:
    """Whether two names are of one repository, whatever their tags."""
    first, second = parse(one), parse(other)
    return first is not None and second is not None and first.name == second.name


def rewrite(text: str, table: dict[str, str]) -> str:
    """The operator's image for a name: the first pattern that matches it, written or in full.

    `python:*` matches `python`, `python:3.12` and `docker.io/library/python:3.12`. A tag `*` in the
    replacement stands for the tag as written.
    """
    reference = parse(text)
    names = {text}
    if reference is not None:
        tail = reference.full.removeprefix(reference.name)
        names |= {reference.full, reference.familiar + tail}
    for pattern, image in table.items():
        if any(glob.match(pattern, name) for name in names):
            tag = (reference.tag if reference else "") or "latest"
            return f"{image[:-2]}:{tag}" if image.endswith(":*") else image
    return text
