"""helm-render: the toolbox loads and renders a chart of 20 templates, against `helm template`.

Nothing of the chart is kept between calls; each round's chart differs, so that nothing could be.
The reference is a process of the same Helm. Both must give the same bytes.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from pathlib import Path

from bench.lib import finish, interleaved

from fairway.native.helm import HelmTemplate
from fairway.native.programs import find
from fairway.native.server import Server
from fairway.native.toolbox import Toolbox

BAR = "<= 0.12"
NEEDS = ("native",)
ROUNDS = 30
TEMPLATES = 20
CHART = "apiVersion: v2\nname: web\nversion: 0.1.0\nappVersion: '1.0'\n"
HELPERS = """\
{{- define "web.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}
"""
TEMPLATE = """\
{{- if .Values.parts }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ printf "%s-NUMBER" .Release.Name | trunc 63 | trimSuffix "-" }}
  labels: {{- include "web.labels" . | nindent 4 }}
spec:
  replicas: {{ .Values.replicas | default 1 }}
  selector:
    matchLabels: {{- include "web.labels" . | nindent 6 }}
  template:
    metadata:
      labels: {{- include "web.labels" . | nindent 8 }}
      annotations:
        checksum/values: {{ toYaml .Values | sha256sum }}
    spec:
      containers:
      {{- range .Values.parts }}
      - name: {{ .name }}
        image: "{{ .image }}:{{ .tag | default $.Chart.AppVersion }}"
        ports: [{containerPort: {{ .port }}}]
        env: {{- range $key, $value := .env }}
        - {name: {{ $key | upper }}, value: {{ $value | quote }}}
        {{- end }}
        resources: {{- toYaml $.Values.resources | nindent 10 }}
      {{- end }}
{{- end }}
"""
VALUES = """\
replicas: 2
resources: {limits: {cpu: 100m, memory: 128Mi}, requests: {cpu: 50m, memory: 64Mi}}
parts:
- {name: web, image: registry.example/web, port: 8080, env: {mode: production, level: info}}
- {name: side, image: registry.example/side, port: 9090, tag: "3", env: {round: "ROUND"}}
"""


def main() -> None:
    """Render in turn, after one call each that fills the caches of the machine."""
    native = find(os.environ.get("FAIRWAY_NATIVE__DIR", "")).native
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        server = Server(top / "toolbox", lambda: native)
        try:
            _measure(top, Toolbox(server), native)
        finally:
            server.stop()


def _measure(top: Path, toolbox: Toolbox, native: Path) -> None:
    def ours(number: int) -> float:
        folder = chart(top, number)
        began = time.perf_counter()
        made = toolbox.ask_now(HelmTemplate(chart="web", release="bench"), folder=folder)
        seconds = time.perf_counter() - began
        (folder / "ours").write_text(made.manifest)
        return seconds * 1000

    def reference(number: int) -> float:
        folder = chart(top, number)
        command = [str(native), "helm", "template", "bench", "web"]
        began = time.perf_counter()
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        seconds = time.perf_counter() - began
        (folder / "theirs").write_text(done.stdout)
        return seconds * 1000

    ours(-1), reference(-1)
    mine, theirs = interleaved(ours, reference, rounds=ROUNDS)
    same = all(
        (folder / "ours").read_bytes() == (folder / "theirs").read_bytes()
        for folder in top.glob("chart-*")
    )
    if not same:
        raise SystemExit("the toolbox and helm template differ")
    finish("helm-render", mine, theirs, BAR, unit="ms", same=same)


def chart(top: Path, number: int) -> Path:
    """The folder that holds a round's chart `web`."""
    folder = top / f"chart-{number}"
    templates = folder / "web/templates"
    if not templates.exists():
        templates.mkdir(parents=True)
        (folder / "web/Chart.yaml").write_text(CHART)
        (folder / "web/values.yaml").write_text(VALUES.replace("ROUND", str(number)))
        (templates / "_helpers.tpl").write_text(HELPERS)
        for index in range(TEMPLATES):
            text = TEMPLATE.replace("NUMBER", f"{index:02}")
            (templates / f"part-{index:02}.yaml").write_text(text)
    return folder


if __name__ == "__main__":
    main()
