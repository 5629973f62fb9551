"""Kubernetes' own rules for its objects: merges and defaults.

Raises of every one: `InvalidInput` (codes `bad-object`, `bad-patch`, `unknown-kind`), `TooLarge`,
`Unavailable`.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from msgspec import Struct

from fairway.native.wire import Request

Json = dict[str, Any]


class Merged(Struct, frozen=True, kw_only=True):
    """`strategy`: strategic for kinds that Kubernetes brings, else merge (RFC 7386)."""

    object: Json
    patch: Json
    strategy: str


class Merge(Request[Merged], frozen=True, kw_only=True):
    """An object with a patch applied."""

    method: ClassVar[str] = "merge"
    answer: ClassVar[Any] = Merged

    object: Json
    patch: Json
    strategy: Literal["", "strategic", "merge"] = ""  # "" is what the object's kind takes


class ThreeWay(Request[Merged], frozen=True, kw_only=True):
    """What `kubectl apply` does on the client: the patch that brings what is live to what is
    wanted, removes what was applied last and is wanted no more, and leaves other fields alone.
    """

    method: ClassVar[str] = "threeway"
    answer: ClassVar[Any] = Merged

    last: Json | None
    wanted: Json
    live: Json
    conflicts: bool = False  # refuse (`bad-patch`) where somebody else changed the same field


class Filled(Struct, frozen=True, kw_only=True):
    """An object with Kubernetes' defaults in and its values written Kubernetes' way.

    Of a kind that Kubernetes does not bring it is as it was (`known` is false). `strange` names
    unknown and duplicate fields; with an `error` (a field of a wrong type) it is as it was.
    """

    object: Json
    known: bool
    strange: list[str]
    error: str


class Defaults(Request[list[Filled]], frozen=True, kw_only=True):
    """Defaulting and normalising of objects, as the API server does before it admits them."""

    method: ClassVar[str] = "defaults"
    answer: ClassVar[Any] = list[Filled]

    objects: tuple[Json, ...]
