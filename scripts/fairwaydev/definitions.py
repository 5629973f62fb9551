"""The Gateway API's own definitions, out of its Go module: `crds/gateway-api` beside the programs.

Their licence lies there too: NOTICE is of what is linked.

The experimental channel: there HTTPRoute has `retry` and `sessionPersistence`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from fairwaydev.say import ROOT, Failed

SOURCE = ROOT / "native" / "gateway-api"
FOLDER = Path("crds") / "gateway-api"
_MODULE = "sigs.k8s.io/gateway-api"
_CHANNEL = Path("config/crd/experimental")
_GROUP = "gateway.networking.k8s.io"
KINDS = (
    "gatewayclasses",
    "gateways",
    "httproutes",
    "grpcroutes",
    "referencegrants",
    "backendtlspolicies",
)


def sources() -> list[Path]:
    """The files that say which they are."""
    return [SOURCE / "go.mod", SOURCE / "go.sum"]


def copy(go: str, into: Path, environment: dict[str, str]) -> None:
    """Put them below `into`. Raises Failed."""
    done = subprocess.run(
        [go, "-C", str(SOURCE), "mod", "download", "-json", _MODULE],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    if done.returncode:
        raise Failed(f"Go cannot get {_MODULE}:\n{done.stdout}{done.stderr}")
    module = Path(json.loads(done.stdout)["Dir"])
    target = into / FOLDER
    target.mkdir(parents=True)
    shutil.copyfile(module / "LICENSE", target / "LICENSE")  # they are passed on as they are
    for kind in KINDS:
        found = module / _CHANNEL / f"{_GROUP}_{kind}.yaml"
        if not found.is_file():
            raise Failed(f"{module} has no {_CHANNEL / found.name}")
        shutil.copyfile(found, target / f"{kind}.yaml")
