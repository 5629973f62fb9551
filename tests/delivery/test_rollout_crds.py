"""Our definitions know every field of the originals, and refuse what is not supported yet."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from rolloutground import rollout

from fairway.kube import Kube
from fairway.kube.crd import Crd, definition, ensure
from fairway.kube.errors import KubeForbidden, KubeInvalid
from fairway.kube.subset import ensure_policy
from fairway.rollout.analysis.crds import CRDS
from fairway.rollout.crds import ROLLOUT, ROLLOUT_CRD, RULES
from fairway.testing.waiting import eventually

ORACLE = Path(__file__).parent / "oracle"
OPEN = {"template", "podSpec", "plugins", "plugin"}  # of any form in ours, and refused or checked
OWN = (".spec.metrics[].provider.fairway",)  # a provider of ours
_EMPTY = {"metadata", "requiredDuringSchedulingIgnoredDuringExecution"}
FILES = {
    "Rollout": "rollout-crd.yaml",
    "AnalysisRun": "analysis-run-crd.yaml",
    "AnalysisTemplate": "analysis-template-crd.yaml",
    "ClusterAnalysisTemplate": "cluster-analysis-template-crd.yaml",
}
KINDS = [crd for crd in (ROLLOUT_CRD, *CRDS) if crd.kind.kind in FILES]


@pytest.fixture(scope="module")
def originals() -> Path:
    """The definitions in the published module, at the version that the oracle is built from."""
    go = os.environ.get("FAIRWAY_TEST_GO") or shutil.which("go")
    if go is None:
        pytest.skip("there is no Go to fetch the original's definitions with")
    name = "github.com/argoproj/argo-rollouts"
    subprocess.run([go, "mod", "download", name], cwd=ORACLE, check=True, capture_output=True)
    command = [go, "list", "-m", "-f", "{{.Dir}}", name]
    found = subprocess.run(command, cwd=ORACLE, check=True, capture_output=True, text=True)
    return Path(found.stdout.strip()) / "manifests" / "crds"


def fields(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Every field with its type and whether it is required; `open` has fields of any name."""
    required = schema.get("required") or ()
    for name, each in (schema.get("properties") or {}).items():
        at = f"{path}.{name}"
        inner = each.get("properties") or each.get("additionalProperties") or each.get("items")
        opened = each.get("x-kubernetes-preserve-unknown-fields") or (
            each.get("type") == "object" and not inner and name not in _EMPTY
        )
        kind = "open" if opened or name in OPEN else each.get("type", "any")
        yield at, kind + (" required" if name in required else "")
        if kind != "open":
            yield from fields(each, at)
    for inner in ("items", "additionalProperties"):
        if isinstance(schema.get(inner), Mapping):
            yield from fields(schema[inner], f"{path}[]")


def _plain(kind: str, ours: str = "") -> str:
    """The type; what is open in ours may have any fields in the original."""
    return ours if "open" in ours else kind


def top(body: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = body["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found


@pytest.mark.parametrize("crd", KINDS, ids=lambda crd: crd.kind.kind)
def test_every_field_of_the_original_is_known_and_no_other(crd: Crd, originals: Path) -> None:
    original = yaml.safe_load((originals / FILES[crd.kind.kind]).read_text("utf-8"))
    ours = definition(crd)
    known, wanted = dict(fields(top(ours))), dict(fields(top(original)))
    opened = tuple(f"{at}{end}" for at, kind in known.items() if "open" in kind for end in ".[")
    missing = {at: kind for at, kind in wanted.items() if not at.startswith(opened)}
    mine = {at: kind for at, kind in known.items() if not at.startswith(OWN)}
    assert {at: _plain(kind) for at, kind in mine.items()} == {
        at: _plain(kind, mine.get(at, "")) for at, kind in missing.items()
    }
    assert ours["spec"]["names"]["plural"] == original["spec"]["names"]["plural"]
    assert ours["spec"]["scope"] == original["spec"]["scope"]
    ours_below = ours["spec"]["versions"][0].get("subresources") or {}
    assert ours_below == (original["spec"]["versions"][0].get("subresources") or {})


async def test_what_is_not_supported_is_refused_at_the_door_of_our_own_clusters(
    kube: Kube, namespace: str
) -> None:
    await ensure(kube, (ROLLOUT_CRD,))
    await ensure_policy(kube, ROLLOUT, RULES)
    try:
        await _refused(kube, namespace)
    finally:
        await _remove_policy(kube)


async def _refused(kube: Kube, namespace: str) -> None:
    bad = rollout({"canary": {"steps": [{"setWeight": 5}, {"plugin": {"name": "x"}}]}})
    bad["metadata"]["namespace"] = namespace

    async def refused() -> str:
        try:
            await kube.create(ROLLOUT, bad, dry_run=True)
        except (KubeInvalid, KubeForbidden) as error:
            return str(error)
        return ""

    message = await eventually("the policy at work", refused)
    assert "spec.strategy.canary.steps[].plugin is not supported yet" in message
    good = rollout({"canary": {"steps": [{"setWeight": 5}]}})
    good["metadata"]["namespace"] = namespace
    await kube.create(ROLLOUT, good, dry_run=True)


async def _remove_policy(kube: Kube) -> None:
    from fairway.kube.subset import BINDING, POLICY, policy

    body, _ = policy(ROLLOUT, RULES)
    for kind in (BINDING, POLICY):
        await kube.delete(kind, body["metadata"]["name"])
