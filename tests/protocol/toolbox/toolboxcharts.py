"""The program under test, and small charts and kustomizations that tests write."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

from fairway.model.errors import Unavailable
from fairway.native.programs import find

CHART: Final = {
    "Chart.yaml": "apiVersion: v2\nname: web\nversion: 0.1.0\nappVersion: '1.0'\n",
    "values.yaml": "count: 1\ntext: usual\nlist: []\n",
    "crds/a.yaml": "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
    "metadata: {name: as.example.com}\n",
    "templates/NOTES.txt": "Thank you for {{ .Release.Name }}.\n",
    "templates/map.yaml": """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
  labels: {chart: {{ .Chart.Name }}-{{ .Chart.Version }}}
data:
  count: {{ .Values.count | quote }}
  text: {{ .Values.text }}
  all: {{ toJson (omit .Values "count") | quote }}
  upgrade: {{ .Release.IsUpgrade }}
  example: {{ if .Capabilities.APIVersions.Has "example.com/v1" }}yes{{ else }}no{{ end -}}
    , {{ .Capabilities.KubeVersion.Version }}
""",
    "templates/before.yaml": """\
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-before
  annotations:
    helm.sh/hook: pre-install
    helm.sh/hook-weight: "-5"
    helm.sh/hook-delete-policy: hook-succeeded
""",
    "templates/tests/test.yaml": """\
apiVersion: v1
kind: Pod
metadata: {name: {{ .Release.Name }}-test, annotations: {helm.sh/hook: test}}
""",
}


def write(path: Path, content: str | bytes) -> None:
    """Write a file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def chart(folder: Path) -> None:
    """The chart `web`."""
    for name, text in CHART.items():
        write(folder / "web" / name, text)


def kustomization(folder: Path) -> None:
    """`base`, and `over` which prefixes it and makes a ConfigMap of a file."""
    files = {
        "base/kustomization.yaml": "resources: [map.yaml]\n",
        "base/map.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain}\n",
        "over/kustomization.yaml": "resources: [../base]\nnamePrefix: p-\n"
        "configMapGenerator: [{name: made, files: [a.txt]}]\n",
        "over/a.txt": "hello\n",
    }
    for name, text in files.items():
        write(folder / name, text)


def program() -> Path:
    """`fairway-native`, or the test is skipped."""
    try:
        return find(os.environ.get("FAIRWAY_NATIVE__DIR", "")).native
    except Unavailable as missing:
        pytest.skip(str(missing))
