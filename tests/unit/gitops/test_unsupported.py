"""What annotations ask for that is not done yet."""

from __future__ import annotations

import pytest

from fairway.gitops.objects import Target, key_of
from fairway.gitops.unsupported import refusals


@pytest.mark.parametrize(
    ("notes", "said"),
    [
        ({"argocd.argoproj.io/hook": "PostDelete"}, "PostDelete is not supported yet"),
        ({"helm.sh/hook": "pre-delete,post-install"}, "PreDelete is not supported yet"),
        ({"argocd.argoproj.io/sync-options": "Replace=true"}, "Replace=true is not supported yet"),
        (
            {"argocd.argoproj.io/compare-options": "ServerSideDiff=true"},
            "ServerSideDiff=true is not supported yet",
        ),
        ({"argocd.argoproj.io/sync-options": "Prune=false,PruneLast=true"}, ""),
        ({"argocd.argoproj.io/compare-options": "IgnoreExtraneous"}, ""),
        ({"argocd.argoproj.io/hook": "PreSync", "helm.sh/hook": "pre-delete"}, ""),
    ],
)
def test_what_is_outside_of_the_subset_is_refused_with_its_place(
    notes: dict[str, str], said: str
) -> None:
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j", "annotations": notes}}
    found = refusals({"metadata": {}}, [Target(key=key_of(job), object=job)])
    assert [one.type for one in found] == (["InvalidSpecError"] if said else [])
    assert not said or (said in found[0].message and "Job/j" in found[0].message)


def test_the_applications_own_annotations_count_too() -> None:
    notes = {"argocd.argoproj.io/compare-options": "IncludeMutationWebhook=true"}
    found = refusals({"metadata": {"annotations": notes}}, [])
    assert "the application" in found[0].message
