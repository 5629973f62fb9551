"""Our definitions of Argo CD's kinds have every field of the originals, of the same type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml
from test_gitops_health_cases import module

from fairway.gitops.kinds import APPLICATION_CRD, PROJECT_CRD
from fairway.kube.crd import Crd, definition

FILES = {"Application": "application-crd.yaml", "AppProject": "appproject-crd.yaml"}


@pytest.mark.parametrize("crd", [APPLICATION_CRD, PROJECT_CRD], ids=lambda crd: crd.kind.kind)
def test_every_field_is_known_with_its_type(crd: Crd) -> None:
    folder = module("github.com/argoproj/argo-cd/v3") / "manifests" / "crds"
    theirs = yaml.safe_load((folder / FILES[crd.kind.kind]).read_text())["spec"]["versions"][0]
    ours = definition(crd)["spec"]["versions"][0]
    wanted = set(fields(theirs["schema"]["openAPIV3Schema"]))
    assert set(fields(ours["schema"]["openAPIV3Schema"])) == wanted
    assert ours.get("subresources", {}) == theirs.get("subresources", {})
    assert ours.get("additionalPrinterColumns") == theirs.get("additionalPrinterColumns")


def fields(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Every field's path, with its type, format and whether it is needed."""
    needed = set(schema.get("required") or ()) - {"metadata"}
    for name, each in (schema.get("properties") or {}).items():
        kind = f"{each.get('type', '')}/{each.get('format', '')}"
        yield f"{path}.{name}", kind + ("!" if name in needed else "")
        yield from fields(each, f"{path}.{name}")
    for inner in ("items", "additionalProperties"):
        if isinstance(schema.get(inner), Mapping):
            yield f"{path}[]", str(schema[inner].get("type", ""))
            yield from fields(schema[inner], f"{path}[]")
