"""`fairway image base`: base images without any public registry.

An image is made once from Debian's packages, kept under the cache folder by a key of everything
that goes into it, and pushed from there: the second time costs a copy.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from fairway.image import layout
from fairway.image.recipes import EVERYWHERE, RECIPES, SUITE, Recipe
from fairway.image.rootfs import make_tar
from fairway.kit import clock
from fairway.kit.aio import blocking
from fairway.kit.secret import Secret
from fairway.model.errors import NotFound
from fairway.model.image import Rewrite
from fairway.oci.upload import Upload

CA_BUNDLE: Final = Path("/etc/ssl/certs/ca-certificates.crt")
_FORMAT: Final = 1  # raised when what we make of the same recipe changes

Say = Callable[[str], Awaitable[None]]


class BaseImage(Struct, frozen=True):
    """A base image in the registry."""

    name: str  # library/NAME
    tags: tuple[str, ...]
    digest: str
    cached: bool  # it was made before
    size: int  # compressed


class Where(Struct, frozen=True, kw_only=True):
    """Where base images go, and what they are made with."""

    registry: str  # host:port
    auth: Secret | None  # {"username", "password"} JSON
    cache: Path
    ca_bundle: Path | None = CA_BUNDLE
    insecure: bool = False
    lock: Path | None = None  # Python packages with hashes, for recipes that have some
    fresh: bool = False  # make it again although the cache has it


def recipe_of(name: str) -> Recipe:
    """A recipe by its name. Raises `NotFound` (`base-image-unknown`)."""
    if name not in RECIPES:
        raise NotFound(
            f"there is no base image {name!r}",
            code="base-image-unknown",
            remedy=f"the base images are {', '.join(sorted(RECIPES))}",
        )
    return RECIPES[name]


async def make_base(name: str, where: Where, say: Say) -> BaseImage:
    """Make the base image `name` (or take it from the cache) and push it as `library/NAME`.

    Raises `NotFound` (`base-image-unknown`), `InvalidInput` (`base-image-tools`, `push-refused`),
    `Unavailable` (`base-image-packages`, `registry-unavailable`). May be retried.
    """
    recipe = recipe_of(name)
    folder = where.cache / "base" / f"{name}-{await blocking(_key, recipe, where)}"
    image = None if where.fresh else await blocking(layout.read, folder)
    cached = image is not None
    if image is None:
        await say(f"making {name}: {recipe.about}")
        image = await blocking(_make, recipe, where, folder)
    path = f"library/{name}"
    async with Upload(where.registry, path, auth=where.auth, insecure=where.insecure) as upload:
        await upload.blob(image.layer_digest, image.layer)
        await upload.blob(image.config_digest, image.config)
        for tag in recipe.tags:
            if not await upload.has(tag, image.digest):
                await upload.manifest(tag, layout.MANIFEST, image.manifest)
    size = image.layer.stat().st_size
    return BaseImage(path, recipe.tags, image.digest, cached, size)


def default_rewrites() -> tuple[Rewrite, ...]:
    """Lines for the operator's table: names of public images that ours are honest stand-ins for.

    Only tags that mean the same version: `python:3.12` stays what it is.
    """
    return tuple(
        Rewrite(pattern, f"{{registry}}/library/{recipe.name}:{recipe.tags[0]}")
        for recipe in RECIPES.values()
        for pattern in (f"{recipe.name}:{tag}" for tag in recipe.tags)
    )


def stand_in(name: str) -> str:
    """The base image that would serve for a public name, or ""; for messages."""
    for recipe in RECIPES.values():
        if any(fnmatch.fnmatchcase(name, f"{recipe.name}:{tag}") for tag in recipe.tags):
            return recipe.name
        if name == recipe.name:
            return name
    return ""


def _key(recipe: Recipe, where: Where) -> str:
    """Changes with everything that goes into the image, but for newer packages of the mirror."""
    digest = hashlib.sha256(json.dumps([_FORMAT, SUITE, EVERYWHERE]).encode())
    digest.update(msgspec.json.encode(recipe))
    lock = where.lock if recipe.wheels else None
    for path in (where.ca_bundle, lock):
        if path is not None and path.exists():
            digest.update(path.read_bytes())
    return digest.hexdigest()[:20]


def _make(recipe: Recipe, where: Where, folder: Path) -> layout.Image:
    folder.mkdir(parents=True, exist_ok=True)
    there = where.ca_bundle if where.ca_bundle is not None and where.ca_bundle.exists() else None
    labels = {
        "org.opencontainers.image.title": recipe.name,
        "org.opencontainers.image.description": recipe.about,
        "org.opencontainers.image.version": recipe.tags[0],
        "org.opencontainers.image.created": clock.text(clock.now()) or "",
        "org.opencontainers.image.base.name": f"debian:{SUITE}",
    }
    with tempfile.TemporaryDirectory(prefix="image-", dir=folder.parent) as scratch:
        tar = Path(scratch) / "files.tar"
        make_tar(recipe, tar, ca_bundle=there, lock=where.lock)
        (folder / "manifest.json").unlink(missing_ok=True)
        return layout.write(recipe, tar, folder, labels)
