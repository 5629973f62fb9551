"""pod-ready: apply of 3 pods with a readiness probe to all Ready, s, image present."""

from __future__ import annotations

import json
import time
from typing import Any

from bench import clusters
from bench.lib import finish

BAR = "<= 4"
ROUNDS = 5
_PODS = "/api/v1/namespaces/default/pods?labelSelector=app%3D"


def main() -> None:
    """Run it: a Deployment, as people have them."""
    found = []
    with clusters.place() as place:
        place.load_busybox()
        clusters.until(lambda: place.get("/api/v1/namespaces/default/serviceaccounts/default"))
        for number in range(ROUNDS):
            name = f"web{number}"
            text = json.dumps(deployment(name))
            began = time.perf_counter()
            place.kubectl("apply", "-f", "-", given=text)
            clusters.until(lambda name=name: ready(place.get(_PODS + name)) == 3)
            found.append(time.perf_counter() - began)
            print(f"round {number + 1}: {found[-1]:.2f} s", flush=True)
            place.kubectl("delete", "deployment", name, "--wait=false")
            clusters.until(lambda name=name: not (place.get(_PODS + name) or {}).get("items"))
    finish("pod-ready", found, [1.0], BAR, unit="s")


def ready(pods: Any) -> int:
    """How many of a list's pods are Ready."""
    conditions = [
        {one["type"]: one["status"] for one in pod["status"].get("conditions", [])}
        for pod in (pods or {}).get("items", [])
    ]
    return sum(one.get("Ready") == "True" for one in conditions)


def deployment(name: str) -> dict[str, Any]:
    """Three web servers, asked every second whether they are ready."""
    container = {
        "name": "web",
        "image": clusters.IMAGE,
        "imagePullPolicy": "Never",
        "command": ["sh", "-c", "mkdir -p /w && exec httpd -f -p 8080 -h /w"],
        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
    }
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"terminationGracePeriodSeconds": 0, "containers": [container]},
            },
        },
    }


if __name__ == "__main__":
    main()
