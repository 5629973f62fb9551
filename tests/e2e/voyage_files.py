"""What a short voyage carries: one tiny service with its chart, and three environments in Git."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any, Final

ENVIRONMENTS: Final = ("dev", "staging", "production")
HOME: Final = "in-cluster"
SLUG, CONFIGURATION = "voyage/hull", "voyage/environments"
HUB: Final = "argocd"

_PIPELINE = """\
kind: pipeline
type: docker
name: build
trigger: {event: [push], branch: [main]}
steps:
- name: unit
  image: busybox
  commands: [sh test.sh]
- name: image
  image: plugins/docker
  settings: {repo: voyage/hull, tags: "${DRONE_COMMIT_SHA:0:8}"}
"""
_DOCKERFILE = """\
FROM busybox:latest
COPY cargo hull.sh /
CMD ["sh", "/hull.sh"]
"""
_HULL = """\
mkdir -p /www
echo "$(cat /cargo) in $HARBOUR, $(echo "$PASSWORD" | md5sum | cut -c 1-8)" > /www/index.html
exec httpd -f -p 8080 -h /www
"""
_ROLLOUT = """\
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: hull}
spec:
  replicas: {{ .Values.replicas }}
  revisionHistoryLimit: 5
  rollbackWindow: {revisions: 5}
  progressDeadlineSeconds: 600
  selector: {matchLabels: {app: hull}}
  strategy:
    canary:
      maxSurge: 1
      {{- with .Values.steps }}
      steps: {{ toJson . }}
      {{- end }}
  template:
    metadata: {labels: {app: hull}}
    spec:
      terminationGracePeriodSeconds: 1
      {{- with .Values.pullSecret }}
      imagePullSecrets: [{name: {{ . }}}]
      {{- end }}
      containers:
        - name: hull
          image: "{{ .Values.image.repository }}@{{ .Values.image.digest }}"
          env:
            - name: HARBOUR
              valueFrom: {configMapKeyRef: {name: hull, key: harbour}}
            - name: PASSWORD
              valueFrom: {secretKeyRef: {name: hull, key: password}}
          ports: [{name: http, containerPort: 8080}]
          readinessProbe:
            httpGet: {path: /, port: http}
            periodSeconds: 1
"""
_SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: hull}
spec:
  selector: {app: hull}
  ports: [{port: 80, targetPort: http}]
"""
_CHART_TEST = """\
suite: the rollout
templates: [rollout.yaml]
set: {image.digest: "sha256:1"}
tests:
  - it: runs the digest of the release
    asserts:
      - equal:
          path: spec.template.spec.containers[0].image
          value: voyage/hull@sha256:1
"""


def service(cargo: str) -> dict[str, str]:
    """The service's whole repository."""
    return {
        ".drone.yml": _PIPELINE,
        "Dockerfile": _DOCKERFILE,
        "hull.sh": _HULL,
        "test.sh": "test -s cargo\n",
        "cargo": f"{cargo}\n",
        "chart/Chart.yaml": "apiVersion: v2\nname: hull\nversion: 0.0.0\n",
        "chart/values.yaml": textwrap.dedent("""\
            image: {repository: voyage/hull, digest: ""}
            replicas: 1
            steps: []
            pullSecret: ""
            """),
        "chart/templates/rollout.yaml": _ROLLOUT,
        "chart/templates/service.yaml": _SERVICE,
        "chart/tests/rollout_test.yaml": _CHART_TEST,
    }


def namespace(environment: str) -> str:
    """Where an environment's service runs."""
    return f"voyage-{environment}"


def configuration(environment: str) -> list[dict[str, Any]]:
    """What an environment has of its own, made by its administrator: no image knows of it."""
    meta = {"name": "hull", "namespace": namespace(environment)}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace(environment)}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta,
         "data": {"harbour": environment}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": meta,
         "stringData": {"password": f"of-{environment}"}},
    ]  # fmt: skip


def application(environment: str, registry: str, cluster: str, values: Any) -> dict[str, Any]:
    """What an environment's folder in Git has: Fairway writes version and digest into it."""
    canary = [{"setWeight": 50}, {"pause": {"duration": "1s"}}]
    production = {"replicas": 2, "steps": canary} if environment == "production" else {}
    image = {"repository": f"{registry}/{environment}/{SLUG}"}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": f"hull-{environment}"},
        "spec": {
            "project": "default",
            "source": {
                "repoURL": f"{registry}/{environment}/charts",
                "chart": "hull",
                "targetRevision": ">=0.0.0-0" if environment == "dev" else "0.0.0",
                "helm": {
                    "releaseName": "hull",
                    "valuesObject": {"image": image, **production, **values},
                },
            },
            "destination": {"name": cluster, "namespace": namespace(environment)},
            "syncPolicy": {
                "automated": {"prune": True, "selfHeal": True},
                "retry": {"limit": 5, "backoff": {"duration": "2s", "maxDuration": "10s"}},
            },
        },
    }


def root(environment: str, url: str) -> dict[str, Any]:
    """Brings an environment's folder into the hub."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": f"voyage-{environment}", "namespace": HUB},
        "spec": {
            "project": "default",
            "source": {
                "repoURL": f"{url}/{CONFIGURATION}.git",
                "path": environment,
                "targetRevision": "main",
            },
            "destination": {"name": HOME, "namespace": HUB},
            "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
        },
    }


def delivery(clusters: Mapping[str, str]) -> dict[str, Any]:
    """dev follows, staging comes by itself, production needs the word of somebody else."""
    special: dict[str, dict[str, Any]] = {
        "dev": {"follows": ">=0.0.0-0"},
        "staging": {},
        "production": {"gates": {"approval": {"count": 1}}},
    }
    environments = [
        {
            "name": name,
            "cluster": clusters[name],
            "configuration": {"repository": CONFIGURATION, "path": name},
            **special[name],
        }
        for name in ENVIRONMENTS
    ]
    return {
        "apiVersion": "fairway.dev/v1alpha1",
        "kind": "Delivery",
        "metadata": {"name": "voyage", "namespace": HUB},
        "spec": {
            "services": [{"name": "hull", "repository": SLUG}],
            "environments": environments,
        },
    }
