"""What is shown of Secrets: which values there are and which differ, never what they are. Pure."""

from __future__ import annotations

from typing import Any, Final

from fairway.gitops.objects import Json
from fairway.kube import objects

_SAME: Final = "++++++++"
_PLACES: Final = ("data", "stringData")


def masked(one: Json | None, other: Json | None) -> tuple[Json | None, Json | None]:
    """Two versions of an object, as they may be shown: of a Secret equal values have one mask, and
    one that differs has a longer one on its second side. Other kinds stay as they are.
    """
    if not any(obj is not None and is_secret(obj) for obj in (one, other)):
        return one, other
    return _hidden(one, other or {}, ""), _hidden(other, one or {}, "+")


def is_secret(obj: Json) -> bool:
    """Whether it holds values that nobody may see."""
    return obj.get("apiVersion") == "v1" and obj.get("kind") == "Secret"


def _hidden(obj: Json | None, other: Json, more: str) -> Json | None:
    if obj is None:
        return None
    made = dict(obj)
    for place in _PLACES:
        if isinstance(obj.get(place), dict):
            against = other.get(place)
            known: dict[str, Any] = against if isinstance(against, dict) else {}
            made[place] = {
                name: _SAME if name not in known or known[name] == value else _SAME + more
                for name, value in obj[place].items()
            }
    meta = dict(obj.get("metadata") or {})
    notes = {
        name: text
        for name, text in (meta.get("annotations") or {}).items()
        if name != objects.LAST_APPLIED  # it holds the values once more
    }
    if "annotations" in meta:
        meta["annotations"] = notes
    return {**made, "metadata": meta} if meta else made
