"""What annotations ask for that is not done yet: refused by name, never ignored. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from fairway.gitops.annotations import (
    COMPARE_OPTIONS,
    HELM_HOOK,
    HOOK,
    SYNC_OPTIONS,
    hook_types,
    listed,
)
from fairway.gitops.kinds import OPTIONS
from fairway.gitops.objects import Condition, Target
from fairway.gitops.project import INVALID
from fairway.kube import objects

_LATER: Final = ("PreDelete", "PostDelete")
_COMPARED: Final = ("IgnoreExtraneous", "ServerSideDiff=false")


def refusals(app: Mapping[str, Any], targets: Iterable[Target]) -> list[Condition]:
    """What an application's own annotations and those of its manifests ask for in vain."""
    found = [*_compare_options(app, "the application")]
    for one in targets:
        place = f"{one.key.kind}/{one.key.name}"
        found += _hooks(one.object, place)
        found += _compare_options(one.object, place)
        found += [
            _not_yet(place, SYNC_OPTIONS, text)
            for text in listed(one.object, SYNC_OPTIONS)
            if text not in OPTIONS
        ]
    return [Condition(INVALID, said) for said in dict.fromkeys(found)]


def _hooks(obj: Mapping[str, Any], place: str) -> list[str]:
    name = HOOK if HOOK in objects.notes(obj) else HELM_HOOK
    return [_not_yet(place, name, kind) for kind in hook_types(obj) if kind in _LATER]


def _compare_options(obj: Mapping[str, Any], place: str) -> list[str]:
    return [
        _not_yet(place, COMPARE_OPTIONS, text)
        for text in listed(obj, COMPARE_OPTIONS)
        if text not in _COMPARED
    ]


def _not_yet(place: str, name: str, value: str) -> str:
    return f'{place}: metadata.annotations["{name}"]: {value} is not supported yet'
