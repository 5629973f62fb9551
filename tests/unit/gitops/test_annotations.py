"""What annotations on manifests ask for."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.gitops import annotations as asked


def obj(**notes: str) -> dict[str, Any]:
    names = {"hook": asked.HOOK, "helm": asked.HELM_HOOK, "wave": asked.WAVE,
             "weight": asked.HELM_WEIGHT, "options": asked.SYNC_OPTIONS}  # fmt: skip
    return {"metadata": {"annotations": {names[name]: text for name, text in notes.items()}}}


@pytest.mark.parametrize(
    ("notes", "types", "is_a"),
    [
        ({}, [], ""),
        ({"hook": "PreSync"}, ["PreSync"], "hook"),
        ({"hook": "PreSync, PostSync,PreSync"}, ["PreSync", "PostSync"], "hook"),
        ({"hook": "Skip"}, ["Skip"], "skipped"),
        ({"hook": "Nonsense"}, [], "hook ignored"),
        ({"helm": "pre-install,pre-upgrade"}, ["PreSync"], "hook"),
        ({"helm": "post-install"}, ["PostSync"], "hook"),
        ({"helm": "test"}, [], "hook ignored"),
        ({"helm": "pre-rollback"}, [], "hook ignored"),
        ({"helm": "crd-install"}, [], ""),
        ({"hook": "Sync", "helm": "post-install"}, ["Sync"], "hook"),
        ({"helm": "pre-delete"}, ["PreDelete"], "hook"),
    ],
)
def test_hooks_are_read_as_argo_cd_reads_them(
    notes: dict[str, str], types: list[str], is_a: str
) -> None:
    found = obj(**notes)
    assert asked.hook_types(found) == types
    assert asked.is_hook(found) is ("hook" in is_a)
    assert asked.is_ignored(found) is ("ignored" in is_a)
    assert asked.is_skipped(found) is ("skipped" in is_a)


@pytest.mark.parametrize(
    ("notes", "wave"),
    [
        ({}, 0),
        ({"wave": "-5"}, -5),
        ({"wave": "3", "weight": "7"}, 3),
        ({"weight": "7"}, 7),
        ({"wave": "first", "weight": "7"}, 7),
        ({"wave": "first"}, 0),
    ],
)
def test_the_wave_is_the_annotations_else_helms_weight(notes: dict[str, str], wave: int) -> None:
    assert asked.wave(obj(**notes)) == wave


def test_an_option_is_one_of_several() -> None:
    found = obj(options="Prune=false, Validate=false")
    assert asked.has_option(found, asked.SYNC_OPTIONS, "Prune=false")
    assert not asked.has_option(found, asked.SYNC_OPTIONS, "Prune=fal")
