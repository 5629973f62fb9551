"""Pairs of wanted and live objects out of Argo CD's published engine, with its verdicts."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from fairway.gitops.diff import Differ
from fairway.gitops.objects import Pair, key_of
from fairway.native.toolbox import Toolbox

MODULES: Final = Path(__file__).parents[2] / "delivery" / "argocd"
ENGINE: Final = "github.com/argoproj/argo-cd/gitops-engine"
PAIRS: Final = {
    "elasticsearch": False,
    "deployment": False,
    "mutatingwebhookconfig": False,
    "spinnaker-sa": False,
    "wordpress": False,
    "grafana-clusterrole": False,
    "sealedsecret": False,
    "endpoints": False,
    "aggr-clusterrole": True,
}


@pytest.fixture(scope="module")
def folder() -> Path:
    """The pairs in the published module, at the version that argocd/go.mod names."""
    go = os.environ.get("FAIRWAY_TEST_GO") or shutil.which("go")
    if go is None:
        pytest.skip("there is no Go to fetch the original's cases with")
    version = re.search(rf"{re.escape(ENGINE)} (v\S+)", (MODULES / "go.mod").read_text())
    assert version is not None
    command = [go, "mod", "download", "-json", f"{ENGINE}@{version[1]}"]
    done = subprocess.run(command, cwd=MODULES, check=True, capture_output=True, text=True)
    return Path(json.loads(done.stdout)["Dir"]) / "pkg" / "diff" / "testdata"


@pytest.mark.parametrize(("name", "modified"), PAIRS.items())
def test_a_pair_differs_as_the_engine_says(
    toolbox: Toolbox, folder: Path, name: str, modified: bool
) -> None:
    config: dict[str, Any] = json.loads((folder / f"{name}-config.json").read_text())
    live: dict[str, Any] = json.loads((folder / f"{name}-live.json").read_text())
    pair = Pair(key=key_of(config), target=config, live=live)
    assert Differ(toolbox).differences([pair], ())[0].modified is modified
