"""What of a collection is listed, and one page of it, read without making all objects at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import Struct, field

from fairway.kube.errors import unavailable
from fairway.kube.kind import Json, Kind


class Selection(Struct, frozen=True, kw_only=True):
    """What of a collection is wanted; selectors in the API's own notation.

    `namespace` "" is all of them. `metadata_only` leaves the server to send no more than metadata.
    """

    namespace: str = ""
    labels: str = ""
    fields: str = ""
    metadata_only: bool = False

    def query(self) -> dict[str, str | int | bool | None]:
        """The selectors as a request has them."""
        return {"labelSelector": self.labels, "fieldSelector": self.fields}


EVERYTHING: Final = Selection()


class Page(Struct, frozen=True):
    """One page of a list; `version` is the collection's, `rest` continues it ("" at its end)."""

    items: list[Json]
    version: str
    rest: str


class _Meta(Struct):
    version: str = field(default="", name="resourceVersion")
    rest: str = field(default="", name="continue")


class _List(Struct):
    metadata: _Meta = field(default_factory=_Meta)
    items: list[msgspec.Raw] | None = None


class RawPage:
    """A page whose objects are still JSON."""

    def __init__(self, kind: Kind, found: _List, server: str) -> None:
        self.version = found.metadata.version
        self.rest = found.metadata.rest
        self._kind = kind
        self._items = found.items or []
        self._server = server

    def objects(self) -> Iterator[Json]:
        """The objects, one at a time, with the `apiVersion` and `kind` that lists leave out."""
        for item in self._items:
            made: Any = _decoded(item, self._server)
            yield {"apiVersion": self._kind.api_version, "kind": self._kind.kind, **made}


def _decoded(item: msgspec.Raw, server: str) -> Json:
    try:
        return msgspec.json.decode(item, type=dict)
    except msgspec.MsgspecError as error:
        raise unavailable(server, f"an object of a list cannot be read ({error})") from error


def read_page(kind: Kind, body: bytes, server: str) -> RawPage:
    """A list's answer. Raises `KubeUnavailable` for what is none."""
    try:
        return RawPage(kind, msgspec.json.decode(body, type=_List), server)
    except msgspec.MsgspecError as error:
        raise unavailable(server, f"its list cannot be read ({error})") from error
