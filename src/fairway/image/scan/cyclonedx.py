"""A software bill of materials in CycloneDX 1.6 (JSON). Pure: the same image, the same bytes."""

from __future__ import annotations

import uuid
from typing import Any, Final

import msgspec

from fairway import __version__
from fairway.image.scan.package import Inventory, Package

MEDIA_TYPE: Final = "application/vnd.cyclonedx+json"
_SPACE: Final = uuid.UUID("6b1c9c1e-7a0e-4f55-9d2c-0e6d8d2f3a10")


def document(image: str, digest: str, found: Inventory) -> bytes:
    """The document of an image `image@digest`."""
    components: dict[str, dict[str, Any]] = {}
    for one in found.packages:
        components.setdefault(one.purl, _component(one))
    made: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_SPACE, f'{image}@{digest}')}",
        "version": 1,
        "metadata": {
            "tools": {
                "components": [{"type": "application", "name": "fairway", "version": __version__}]
            },
            "component": {
                "type": "container",
                "bom-ref": digest,
                "name": image,
                "version": digest,
                "purl": f"pkg:oci/{image.rpartition('/')[2]}@{digest.replace(':', '%3A')}",
            },
        },
        "components": [components[ref] for ref in sorted(components)],
    }
    if found.problems:
        made["metadata"]["properties"] = [
            {"name": "fairway:problem", "value": problem} for problem in found.problems
        ]
    return msgspec.json.encode(made)


def _component(one: Package) -> dict[str, Any]:
    made: dict[str, Any] = {
        "type": "library",
        "bom-ref": one.purl,
        "name": one.name,
        "version": one.version,
        "purl": one.purl,
    }
    said = {"fairway:found-in": one.place, "fairway:source": one.source}
    properties = [{"name": name, "value": value} for name, value in said.items() if value]
    if properties:
        made["properties"] = properties
    return made
