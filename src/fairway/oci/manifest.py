"""Manifests: what a registry must know of them, read strictly from bytes that anyone may send."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct, field

from fairway.model.errors import InvalidInput, TooLarge
from fairway.oci import digest, media

LONGEST: Final = 4 * 1024 * 1024
DEEPEST: Final = 64
_MOST_DESCRIPTORS: Final = 20_000


class Descriptor(Struct, frozen=True, rename="camel"):
    """What points at content."""

    media_type: str
    digest: str
    size: int
    urls: list[str] = field(default_factory=list)
    annotations: dict[str, str] = field(default_factory=dict)
    artifact_type: str = ""


class Manifest(Struct, frozen=True):
    """A manifest, checked: its type, and everything that it points at."""

    media_type: str
    artifact_type: str = ""
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    manifests: tuple[Descriptor, ...] = ()
    subject: Descriptor | None = None
    annotations: dict[str, str] = field(default_factory=dict)

    def blobs(self) -> tuple[Descriptor, ...]:
        """The blobs it points at: config and layers."""
        return (*((self.config,) if self.config else ()), *self.layers)

    def needed(self) -> tuple[Descriptor, ...]:
        """The blobs that must lie in its repository: all but foreign layers."""
        return tuple(one for one in self.blobs() if not media.may_be_elsewhere(one.media_type))


class _Wire(Struct, rename="camel"):
    schema_version: int
    media_type: str = ""
    artifact_type: str = ""
    config: Descriptor | None = None
    layers: list[Descriptor] | None = None
    blobs: list[Descriptor] | None = None
    manifests: list[Descriptor] | None = None
    subject: Descriptor | None = None
    annotations: dict[str, str] | None = None
    fs_layers: Any = None


class _Artifact(_Wire, rename="camel"):
    schema_version: int = 2  # the artifact manifest of the drafts has none


def read(body: bytes, content_type: str) -> Manifest:
    """Read a manifest that was sent with a Content-Type ("" if with none).

    Raises TooLarge (`manifest-too-large`) and InvalidInput (`bad-manifest`,
    `unsupported-manifest`, `bad-digest`, `unknown-digest-algorithm`).
    """
    if len(body) > LONGEST:
        raise TooLarge(
            f"the manifest has {len(body)} bytes; at most {LONGEST} are taken",
            code="manifest-too-large",
            remedy="put large content into blobs",
        )
    check_depth(body)
    given = media.plain(content_type)
    wire = _decode(body, _Artifact if given == media.OCI_ARTIFACT else _Wire)
    media_type = _type(wire, given)
    _check_shape(wire, media_type)
    layers = wire.blobs if media_type == media.OCI_ARTIFACT else wire.layers
    found = Manifest(
        media_type=media_type,
        artifact_type=wire.artifact_type,
        config=wire.config,
        layers=tuple(layers or ()),
        manifests=tuple(wire.manifests or ()),
        subject=wire.subject,
        annotations=wire.annotations or {},
    )
    _check_descriptors(found)
    return found


def artifact_type(found: Manifest) -> str:
    """What the referrers list calls it: its artifactType, else its config's type."""
    if found.artifact_type or found.media_type in media.INDEXES or found.config is None:
        return found.artifact_type
    return found.config.media_type


def check_depth(body: bytes) -> None:
    """Raise InvalidInput when JSON nests deeper than DEEPEST, without parsing it."""
    depth, inside, skip = 0, False, False
    for byte in body:
        if skip:
            skip = False
        elif inside:
            inside, skip = byte != 0x22, byte == 0x5C
        elif byte == 0x22:
            inside = True
        elif byte in b"[{":
            depth += 1
            if depth > DEEPEST:
                raise _bad(f"it nests deeper than {DEEPEST} levels")
        elif byte in b"]}":
            depth -= 1


def _decode(body: bytes, kind: type[_Wire]) -> _Wire:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise _bad(str(error)) from error


def _type(wire: _Wire, given: str) -> str:
    inside = wire.media_type
    if given and given not in {"application/json", "application/octet-stream"}:
        if inside and inside != given:
            raise _bad(f"it says that it is {inside!r}, and was sent as {given!r}")
        return _known(given)
    if inside:
        return _known(inside)
    if wire.manifests is not None:
        return media.OCI_INDEX
    return media.OCI_MANIFEST


def _known(media_type: str) -> str:
    if media_type not in media.MANIFESTS:
        raise InvalidInput(
            f"manifests of type {media_type[:120]!r} are not taken",
            code="unsupported-manifest",
            remedy="push an OCI image manifest or index, or Docker's schema 2",
        )
    return media_type


def _check_shape(wire: _Wire, media_type: str) -> None:
    if wire.schema_version != 2 or wire.fs_layers is not None:
        raise _bad("its schemaVersion is not 2")
    index = media_type in media.INDEXES
    if index and (wire.manifests is None or wire.layers is not None or wire.config is not None):
        raise _bad("an index has `manifests`, and neither `config` nor `layers`")
    if not index and wire.manifests is not None:
        raise _bad("only an index has `manifests`")
    image = media_type in {media.OCI_MANIFEST, media.DOCKER_MANIFEST}
    if image and (wire.config is None or wire.layers is None):
        raise _bad("an image manifest has `config` and `layers`")


def _check_descriptors(found: Manifest) -> None:
    every = (*found.blobs(), *found.manifests, *((found.subject,) if found.subject else ()))
    if len(every) > _MOST_DESCRIPTORS:
        raise _bad(f"it has more than {_MOST_DESCRIPTORS} descriptors")
    for one in every:
        digest.parse(one.digest)
        if not 0 <= one.size < 1 << 63:
            raise _bad(f"the size of {one.digest} cannot be")
        if "/" not in one.media_type:
            raise _bad(f"the media type of {one.digest} is missing or malformed")


def _bad(why: str) -> InvalidInput:
    return InvalidInput(
        f"the manifest is not valid: {why}",
        code="bad-manifest",
        remedy="push what the OCI image specification describes",
    )
