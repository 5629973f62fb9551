"""The Gateway API's own definitions: installed where they are missing, renewed where they are ours.

They come with the native programs, from the Gateway API's Go module (experimental channel, where
HTTPRoute has `retry` and `sessionPersistence`). What somebody else has installed stays as it is.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from fairway.kube import Kube
from fairway.kube.errors import KubeConflict
from fairway.kube.kind import CUSTOM_RESOURCE_DEFINITION
from fairway.model.errors import Unavailable

_log = logging.getLogger(__name__)
OURS: Final = "fairway.dev/installed-by"
_BUNDLE: Final = "gateway.networking.k8s.io/bundle-version"
_NUMBERS: Final = re.compile(r"\d+")


def read(folder: Path) -> list[dict[str, Any]]:
    """The definitions of a folder, marked as ours. Blocks.

    Raises `Unavailable` (code `native-missing`) where there are none.
    """
    texts = [path.read_text("utf-8") for path in sorted(folder.glob("*.yaml"))]
    found = [yaml.load(text, Loader=yaml.CSafeLoader) for text in texts]
    found = [one for one in found if one.get("kind") == "CustomResourceDefinition"]
    if not found:
        raise Unavailable(
            f"no definitions of the Gateway API in {folder}",
            code="native-missing",
            remedy="`scripts/native` builds the native programs and puts them there",
        )
    for one in found:
        one["metadata"].setdefault("annotations", {})[OURS] = "fairway"
        one.pop("status", None)
    return found


def bundle(definition: Mapping[str, Any]) -> tuple[int, ...]:
    """The Gateway API's version that a definition is of; () where it does not say."""
    notes = definition["metadata"].get("annotations") or {}
    return tuple(map(int, _NUMBERS.findall(str(notes.get(_BUNDLE, "")))[:3]))


def to_install(ours: Mapping[str, Any], there: Mapping[str, Any] | None) -> bool:
    """Whether to write a definition: it is missing, or an older one of ours."""
    if there is None:
        return True
    notes = there["metadata"].get("annotations") or {}
    return OURS in notes and bundle(there) < bundle(ours)


async def install(kube: Kube, definitions: list[dict[str, Any]]) -> list[str]:
    """Bring them about; the names of those that were written. May be repeated."""
    written = []
    for one in definitions:
        name = one["metadata"]["name"]
        there = await kube.find(CUSTOM_RESOURCE_DEFINITION, name)
        if not to_install(one, there):
            continue
        try:
            await kube.apply(CUSTOM_RESOURCE_DEFINITION, one, force=True)
        except KubeConflict as error:
            _log.info("%s is being written by somebody else: %s", name, error)
            continue
        written.append(name)
    return written


def established(definition: Mapping[str, Any]) -> bool:
    """Whether the API server serves a definition's objects."""
    conditions = (definition.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)
