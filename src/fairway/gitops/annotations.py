"""What annotations on manifests ask for: hooks, waves and options, Argo CD's and Helm's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from fairway.kube import objects

HOOK: Final = "argocd.argoproj.io/hook"
HOOK_DELETE: Final = "argocd.argoproj.io/hook-delete-policy"
HOOK_FINALIZER: Final = "argocd.argoproj.io/hook-finalizer"
WAVE: Final = "argocd.argoproj.io/sync-wave"
SYNC_OPTIONS: Final = "argocd.argoproj.io/sync-options"
COMPARE_OPTIONS: Final = "argocd.argoproj.io/compare-options"
IGNORE_HEALTH: Final = "argocd.argoproj.io/ignore-healthcheck"
HELM_HOOK: Final = "helm.sh/hook"
HELM_DELETE: Final = "helm.sh/hook-delete-policy"
HELM_WEIGHT: Final = "helm.sh/hook-weight"
TYPES: Final = ("PreSync", "Sync", "PostSync", "SyncFail", "PreDelete", "PostDelete", "Skip")
_SKIP: Final = "Skip"
_HELM_TYPES: Final = {
    "pre-install": "PreSync",
    "pre-upgrade": "PreSync",
    "post-upgrade": "PostSync",
    "post-install": "PostSync",
    "pre-delete": "PreDelete",
    "post-delete": "PostDelete",
}
_NUMBER: Final = re.compile(r"[+-]?[0-9]+")
Object = Mapping[str, Any]


def listed(obj: Object, name: str) -> list[str]:
    """The parts of an annotation that commas separate, each once."""
    text = str(objects.notes(obj).get(name) or "")
    if not text:
        return []
    return list(dict.fromkeys(part for part in map(str.strip, text.split(",")) if part))


def has_option(obj: Object, name: str, option: str) -> bool:
    """Whether an annotation names an option, as `Prune=false`."""
    return option in listed(obj, name)


def hook_types(obj: Object) -> list[str]:
    """The hook's types, Helm's by their counterparts; Argo CD's own win over Helm's."""
    own = [name for name in listed(obj, HOOK) if name in TYPES]
    helm = (_HELM_TYPES.get(name, "") for name in listed(obj, HELM_HOOK))
    return own or list(dict.fromkeys(name for name in helm if name))


def is_skipped(obj: Object) -> bool:
    """Whether it is only to be left alone: `Skip` is its one type."""
    return hook_types(obj) == [_SKIP]


def is_hook(obj: Object) -> bool:
    """Whether it is a hook, also one of a type that means nothing here."""
    notes = objects.notes(obj)
    if HOOK in notes:
        return not is_skipped(obj)
    return HELM_HOOK in notes and notes[HELM_HOOK] != "crd-install"


def is_ignored(obj: Object) -> bool:
    """Whether it is a hook that never runs, such as a test of Helm's."""
    return is_hook(obj) and not hook_types(obj)


def wave(obj: Object) -> int:
    """Its sync wave; without one its Helm weight, else 0."""
    notes = objects.notes(obj)
    for name in (WAVE, HELM_WEIGHT):
        text = str(notes.get(name, ""))
        if _NUMBER.fullmatch(text):
            return int(text)
    return 0
