"""What is asked of an object of any kind. Objects are plain JSON dicts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from fairway.kube.kind import Json, Key, Kind

_DEEP: Final = (dict, list)
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def metadata(obj: Mapping[str, Any]) -> Json:
    """`metadata`; {} where there is none."""
    found = obj.get("metadata")
    return found if isinstance(found, dict) else {}


def key(obj: Mapping[str, Any]) -> Key:
    """Its key."""
    meta = metadata(obj)
    return Key(meta.get("namespace") or "", meta.get("name") or "")


def version(obj: Mapping[str, Any]) -> str:
    """Its resourceVersion, "" where there is none."""
    return str(metadata(obj).get("resourceVersion") or "")


def uid(obj: Mapping[str, Any]) -> str:
    """Its uid, "" where there is none."""
    return str(metadata(obj).get("uid") or "")


def labels(obj: Mapping[str, Any]) -> dict[str, str]:
    """Its labels."""
    return metadata(obj).get("labels") or {}


def notes(obj: Mapping[str, Any]) -> dict[str, str]:
    """Its annotations."""
    return metadata(obj).get("annotations") or {}


def deleting(obj: Mapping[str, Any]) -> bool:
    """Whether its deletion has begun and waits for finalizers or grace."""
    return bool(metadata(obj).get("deletionTimestamp"))


def copy(value: Any) -> Any:
    """A deep copy of JSON: what comes from a cache is shared and must not be changed in place."""
    if isinstance(value, dict):
        return {
            name: copy(each) if isinstance(each, _DEEP) else each for name, each in value.items()
        }
    if isinstance(value, list):
        return [copy(each) if isinstance(each, _DEEP) else each for each in value]
    return value


def owner_reference(
    owner: Mapping[str, Any], kind: Kind, *, controller: bool = True, block: bool = True
) -> Json:
    """What an object that belongs to `owner` has in `metadata.ownerReferences`.

    The owner must be in the same namespace or have none: Kubernetes deletes what is owned across
    namespaces. `block`: a foreground deletion of the owner waits for this object.
    """
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "name": key(owner).name,
        "uid": uid(owner),
        "controller": controller,
        "blockOwnerDeletion": block,
    }


def owners(obj: Mapping[str, Any]) -> Iterator[Json]:
    """Its owner references."""
    yield from metadata(obj).get("ownerReferences") or ()


def controller(obj: Mapping[str, Any]) -> Json | None:
    """The owner reference of what controls it; None for an object of its own."""
    return next((each for each in owners(obj) if each.get("controller")), None)


def trim(obj: Json) -> Json:
    """Drop what no controller reads: managed fields and kubectl's copy of what was applied.

    They are about half of an ordinary object. For an informer's `transform`; changes `obj`.
    """
    meta = metadata(obj)
    meta.pop("managedFields", None)
    texts = meta.get("annotations")
    if texts and LAST_APPLIED in texts:
        del texts[LAST_APPLIED]
        if not texts:
            del meta["annotations"]
    return obj


def compare_versions(one: str, other: str) -> int | None:
    """Order of two resourceVersions of one resource: -1, 0, 1; None where they have none.

    Since Kubernetes 1.35 they are decimal numbers without leading zeros of any length that grow
    (KEP-5504), for built-in and custom resources. An aggregated API may have others: those are
    only equal or not.
    """
    if one == other:
        return 0
    if not (_ordered(one) and _ordered(other)):
        return None
    return -1 if (len(one), one) < (len(other), other) else 1


def _ordered(text: str) -> bool:
    return text.isascii() and text.isdigit() and text[0] != "0"


def newer(one: str, other: str) -> bool:
    """Whether `one` may stand in the place of `other`: it is newer, or no order is known."""
    return compare_versions(one, other) in (1, None)
