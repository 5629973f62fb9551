"""Which images of our registry somebody means by a digest or a name."""

from __future__ import annotations

from sqlalchemy import Connection

from fairway.access.authorise import Action, allowed_on_image
from fairway.access.identity import Identity
from fairway.model.errors import InvalidInput, NotFound
from fairway.oci import reference
from fairway.store import manifests, registry


def references(db: Connection, who: Identity, host: str, text: str) -> list[str]:
    """The image as nodes pull it: HOST/NAME@DIGEST, and HOST/NAME:TAG where a tag was said.

    `text` is a digest, or a name in our registry (with or without its host) with a tag, a digest
    or neither (`latest`). Raises `NotFound` (code `no-image`) also for what `who` may not pull.
    """
    if text.partition(":")[0] in {"sha256", "sha512", "blake3"} and "/" not in text:
        names = [name for name in manifests.holders(db, text) if _may_pull(db, who, name)]
        if not names:
            raise _absent(text)
        return [f"{host}/{names[0]}@{text}"]
    wanted = reference.parse(text)
    if wanted.host not in {"", host}:
        raise InvalidInput(
            f"{text[:200]!r} is not in Fairway's registry {host}",
            code="foreign-image",
            remedy="push it to Fairway's registry first",
        )
    tag = wanted.tag or ("" if wanted.digest else "latest")
    found = manifests.find(db, wanted.name, wanted.digest or tag)
    if found is None or not _may_pull(db, who, wanted.name):
        raise _absent(text)
    exact = f"{host}/{wanted.name}@{found.digest}"
    return [exact, f"{host}/{wanted.name}:{tag}"] if tag and not wanted.digest else [exact]


def _may_pull(db: Connection, who: Identity, name: str) -> bool:
    visibility = registry.visibility(db, name)
    return Action.PULL_IMAGE in allowed_on_image(db, who, name, visibility=visibility)


def _absent(text: str) -> NotFound:
    return NotFound(
        f"Fairway's registry has no image {text[:200]!r} that you may pull",
        code="no-image",
        remedy="`fairway get images` lists what builds made",
    )
