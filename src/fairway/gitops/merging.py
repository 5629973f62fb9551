"""JSON merge patches (RFC 7386), and the three-way ones of kinds that Kubernetes does not bring."""

from __future__ import annotations

from typing import Any

from fairway.gitops.normalise import same
from fairway.gitops.objects import Json


def merged(value: Any, patch: Any) -> Any:
    """A value with a merge patch applied."""
    if not isinstance(patch, dict):
        return patch
    made = dict(value) if isinstance(value, dict) else {}
    for name, each in patch.items():
        if each is None:
            made.pop(name, None)
        else:
            made[name] = merged(made.get(name), each)
    return made


def overlaid(value: Any, wanted: Any) -> Any:
    """A value with another laid over it: maps merge, all else is the other's."""
    if not isinstance(wanted, dict) or not isinstance(value, dict):
        return wanted
    return {**value, **{name: overlaid(value.get(name), each) for name, each in wanted.items()}}


def patch_between(old: Json, new: Json) -> Json:
    """The merge patch that makes `new` of `old`."""
    made: Json = {name: None for name in old if name not in new}
    for name, each in new.items():
        if name not in old:
            made[name] = each
        elif isinstance(each, dict) and isinstance(old[name], dict):
            inner = patch_between(old[name], each)
            if inner:
                made[name] = inner
        elif not same(old[name], each):
            made[name] = each
    return made


def three_way(last: Json, wanted: Json, live: Json) -> Json:
    """The patch for `live` that brings what is wanted and removes what was and is wanted no more.

    Others' additions inside lists count only where what was applied last has the field.
    """
    changes = _kept(patch_between(known_part(last, live), wanted), nulls=False)
    removals = _kept(patch_between(last, wanted), nulls=True)
    return merged_patches(removals, changes)


def merged_patches(one: Json, other: Json) -> Json:
    """One patch that does what two do; the second wins."""
    made = dict(one)
    for name, each in other.items():
        first = made.get(name)
        both = isinstance(each, dict) and isinstance(first, dict)
        made[name] = merged_patches(first, each) if both and first is not None else each
    return made


def _kept(patch: Json, *, nulls: bool) -> Json:
    """The removals of a patch, or all else of it."""
    made: Json = {}
    for name, each in patch.items():
        if each is None:
            if nulls:
                made[name] = None
        elif isinstance(each, dict):
            inner = _kept(each, nulls=nulls)
            if inner or not (each or nulls):  # an empty map is a value
                made[name] = inner
        elif not nulls:
            made[name] = each
    return made


def known_part(shape: Any, value: Any) -> Any:
    """What of a value has a counterpart in `shape`. A list's further items stay."""
    if isinstance(shape, dict) and isinstance(value, dict):
        return {
            name: known_part(each, value[name]) for name, each in shape.items() if name in value
        }
    if isinstance(shape, list) and isinstance(value, list):
        head = [known_part(each, other) for each, other in zip(shape, value, strict=False)]
        return head + value[len(shape) :]
    return value
