"""Argo CD's own cases of health, out of its published modules, against our rules."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from fairway.gitops import health

MODULES: Final = Path(__file__).parent / "argocd"
ARGO: Final = "github.com/argoproj/argo-cd/v3"
ENGINE: Final = "github.com/argoproj/argo-cd/gitops-engine"
# Kinds whose rules Argo CD keeps as scripts, each beside its cases.
SCRIPTED: Final = (
    "batch/CronJob",
    "policy/PodDisruptionBudget",
    "apiextensions.k8s.io/CustomResourceDefinition",
    "gateway.networking.k8s.io/Gateway",
    "gateway.networking.k8s.io/GRPCRoute",
    "gateway.networking.k8s.io/HTTPRoute",
    "argoproj.io/AnalysisRun",
    "argoproj.io/Rollout",
)
_CASE: Final = re.compile(r'assertAppHealth\(t, "([^"]+)", HealthStatus(\w+)\)')
Json = dict[str, Any]


class _Loader(yaml.SafeLoader):
    """YAML with times as the texts that they are in objects."""


_TIME = "tag:yaml.org,2002:timestamp"
_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != _TIME]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def module(name: str) -> Path:
    """A published module's folder, at the version that argocd/go.mod names."""
    go = os.environ.get("FAIRWAY_TEST_GO") or shutil.which("go")
    if go is None:
        pytest.skip("there is no Go to fetch the original's cases with")
    version = re.search(rf"{re.escape(name)} (v\S+)", (MODULES / "go.mod").read_text())
    assert version is not None
    command = [go, "mod", "download", "-json", f"{name}@{version[1]}"]
    done = subprocess.run(command, cwd=MODULES, check=True, capture_output=True, text=True)
    return Path(json.loads(done.stdout)["Dir"])


def loaded(path: Path) -> Json:
    found: Json = yaml.load(path.read_text(), Loader=_Loader)
    return found


def scripted() -> Iterator[tuple[str, Json, Json]]:
    """A file's name, its object, and what it is to be."""
    for kind in SCRIPTED:
        folder = module(ARGO) / "resource_customizations" / kind
        for case in loaded(folder / "health_test.yaml")["tests"]:
            obj = loaded(folder / case["inputPath"])
            # A script is asked last: an object that is being deleted is Progressing before.
            if "deletionTimestamp" not in obj["metadata"]:
                yield f"{kind}/{case['inputPath']}", obj, case["healthStatus"]


def test_kinds_with_scripts_are_judged_as_the_scripts_judge_them() -> None:
    count = 0
    for name, obj, wanted in scripted():
        found = health.of(obj)
        assert found is not None, name
        assert (found.status, found.message) == (wanted["status"], wanted.get("message", "")), name
        count += 1
    assert count > 60


def test_built_in_kinds_are_judged_as_the_engine_judges_them() -> None:
    folder = module(ENGINE) / "pkg" / "health"
    cases = _CASE.findall((folder / "health_test.go").read_text())
    assert len(cases) > 40
    for name, wanted in cases:
        found = health.of(loaded(folder / name))
        assert found is not None, name
        assert found.status == wanted, name
