"""Which image each service of a Compose file runs. Pure, but for asking what a name means.

In this order: the image that the step's settings name for the service; the image that an earlier
step of the build made under the service's image name; one that it made for the service's own name,
where the file says how to build it; what the file says to build; what it names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct

from fairway.model.errors import InvalidInput
from fairway.model.image import parse_name


class Source(StrEnum):
    """Where a service's image comes from."""

    BUILT = "built"  # by this build
    MAKE = "make"  # from the file's `build`
    FETCH = "fetch"


class Choice(Struct, frozen=True):
    """The image of one service. `image`: as in `built`, or a name; "" for one to make."""

    source: Source
    image: str = ""
    written: str = ""  # the built image's name


def choose(
    services: Mapping[str, Mapping[str, Any]],
    built: Mapping[str, str],
    given: Mapping[str, str],
) -> dict[str, Choice]:
    """The image of each service. `given`: by the step's settings, service -> name.

    Raises `InvalidInput` (`environment-image`) for a service that is not there, or for which the
    build made several images.
    """
    for name in given:
        if name not in services:
            raise InvalidInput(
                f"the setting `images` names the service '{name}', and the file has none of it",
                code="environment-image",
                remedy=f"There are {', '.join(services) or 'no services'}.",
            )
    return {name: _choose(name, one, built, given.get(name, "")) for name, one in services.items()}


def _choose(name: str, service: Mapping[str, Any], built: Mapping[str, str], given: str) -> Choice:
    image = given or str(service.get("image") or "")
    exact = next((one for one in spellings(image) if image and one in built), "")
    if exact:
        return Choice(Source.BUILT, built[exact], exact)
    if given:
        return Choice(Source.FETCH, given)
    found = _of_repository(image, built)
    if not found and service.get("build"):
        found = {one: built[one] for one in built if _last(one) == name}
    if len(set(found.values())) > 1:
        raise InvalidInput(
            f"services.{name}: this build made {' and '.join(sorted(found))}",
            code="environment-image",
            remedy=f"Say which one is meant: `images: {{{name}: IMAGE}}` in the step's settings.",
        )
    if found:
        written = next(iter(found))
        return Choice(Source.BUILT, found[written], written)
    if service.get("build"):
        return Choice(Source.MAKE)
    return Choice(Source.FETCH, image)


def _of_repository(image: str, built: Mapping[str, str]) -> dict[str, str]:
    """What the build made of an image's repository, whatever the tags; none where it is pinned."""
    parts = parse_name(image) if image else None
    if parts is None or parts.digest or parts.tag not in ("", "latest", "dev", "local"):
        return {}
    return {one: built[one] for one in built if parse_name(one).repository == parts.repository}


def _last(image: str) -> str:
    return parse_name(image).path.rpartition("/")[2]


def spellings(image: str) -> Iterable[str]:
    """The ways in which people write one image: with or without hub, `library/` and `:latest`."""
    bare = image
    for prefix in ("docker.io/", "index.docker.io/", "library/"):
        bare = bare.removeprefix(prefix)
    for name in (image, bare):
        yield name
        if "@" not in name:
            tagged = ":" in name.rpartition("/")[2]
            yield name.removesuffix(":latest") if tagged else f"{name}:latest"
