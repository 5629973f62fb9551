"""Media types of manifests, and which of them an Accept header takes."""

from __future__ import annotations

from typing import Final

OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
OCI_ARTIFACT: Final = "application/vnd.oci.artifact.manifest.v1+json"  # 1.1 drafts; still pushed
OCI_EMPTY: Final = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"

IMAGES: Final = frozenset({OCI_MANIFEST, DOCKER_MANIFEST, OCI_ARTIFACT})
INDEXES: Final = frozenset({OCI_INDEX, DOCKER_LIST})
MANIFESTS: Final = IMAGES | INDEXES

# Layers that a registry need not hold: their descriptor says where they come from.
_ELSEWHERE: Final = (
    "application/vnd.docker.image.rootfs.foreign.",
    "application/vnd.oci.image.layer.nondistributable.",
)


def may_be_elsewhere(media_type: str) -> bool:
    """Whether a layer of this type may lie outside the registry (a foreign layer)."""
    return media_type.startswith(_ELSEWHERE)


def plain(header: str) -> str:
    """A Content-Type without its parameters, in lower case."""
    return header.partition(";")[0].strip().lower()


def accepts(header: str, media_type: str) -> bool:
    """Whether an Accept header (several joined by commas; "" takes anything) takes a type."""
    if not header.strip():
        return True
    main = media_type.partition("/")[0]
    for part in header.split(","):
        name, _, parameters = part.partition(";")
        if _refused(parameters):
            continue
        if name.strip().lower() in {media_type, f"{main}/*", "*/*"}:
            return True
    return False


def _refused(parameters: str) -> bool:
    for parameter in parameters.split(";"):
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "q":
            try:
                return float(value) == 0
            except ValueError:
                return False
    return False
