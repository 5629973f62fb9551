"""informer: peak memory growth while 5,000 pods are listed and indexed, MB.

A real API server keeps pods as a cluster has them: two containers with probes, resources, mounts
and environment, a status, and managed fields (about 9 KB each as JSON). A fresh process lists them
with an informer and three indexes; its peak of resident memory is held against what it had before.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from bench.lib import finish

from fairway.docker.http import Transport
from fairway.kit.aio import background
from fairway.kube import Actor, Informer, connect, from_kubeconfig, objects
from fairway.kube.kind import NAMESPACE, POD
from fairway.native import programs
from fairway.settings import load
from fairway.testing.apiserver import ApiServer

BAR = "<= 60"
NEEDS = ("native",)
PODS = 5_000
NAMESPACES = 20
AT_ONCE = 24
ROUNDS = 3


def main() -> None:
    """Run it; with a kubeconfig as argument: be the process that is measured."""
    if len(sys.argv) > 1:
        asyncio.run(measure(Path(sys.argv[1])))
        return
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None  # the server's disk is not measured
    with tempfile.TemporaryDirectory(dir=memory) as name:
        server = ApiServer(programs.find(load().native.dir).native, Path(name))
        try:
            server.start()
            asyncio.run(fill(server))
            config = Path(name) / "kubeconfig"
            config.write_text(json.dumps(server.kubeconfig()))
            rounds = [one_round(config) for _ in range(ROUNDS)]
        finally:
            server.stop()
    seconds = sorted(found["seconds"] for found in rounds)[len(rounds) // 2]
    grown = [found["mb"] for found in rounds]
    finish("informer", grown, [1.0], BAR, seconds=seconds, pods=PODS, bytes=rounds[0]["bytes"])


def one_round(config: Path) -> dict[str, Any]:
    """A fresh process's figures."""
    command = [sys.executable, __file__, str(config)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    print(answer.stdout.strip(), flush=True)
    return dict(json.loads(answer.stdout))


async def measure(config: Path) -> None:
    """List and index; print what it took."""
    kube = await connect(from_kubeconfig(json.loads(config.read_text())), Actor(manager="bench"))
    await kube.version()
    informer = Informer(kube, POD, indexes={"node": by_node, "app": by_app, "owner": by_owner})
    before, began = resident("VmRSS"), time.perf_counter()
    async with background(informer.run()):
        await informer.wait_synced(60)
        took, peak = time.perf_counter() - began, resident("VmHWM")
        assert len(informer.store) == PODS
        assert len(informer.store.by_index("node", "node-0")) == PODS / 100
        size = len(msgspec.json.encode((await kube.list(POD))[0]))
    await kube.close()
    print(json.dumps({"mb": round(peak - before, 1), "seconds": round(took, 2), "bytes": size}))


def resident(field: str) -> float:
    """Resident memory of this process (`VmRSS`), or its peak (`VmHWM`), MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise LookupError(field)


def by_node(pod: objects.Json) -> Iterable[str]:
    """Pods by node."""
    return (pod["spec"].get("nodeName", ""),)


def by_app(pod: objects.Json) -> Iterable[str]:
    """Pods by label."""
    return (objects.labels(pod).get("app", ""),)


def by_owner(pod: objects.Json) -> Iterable[str]:
    """Pods by the uid of what controls them."""
    owner = objects.controller(pod)
    return (owner["uid"],) if owner else ()


async def fill(server: ApiServer) -> None:
    """Make the pods, each with a status. By a bare client: 10,000 requests shall take seconds."""
    context = ssl.create_default_context(cafile=str(server.folder / "ca.crt"))
    context.load_cert_chain(server.folder / "admin.crt", server.folder / "admin.key")
    http = Transport(server.server, tls=context)
    for number in range(NAMESPACES):
        await send(http, "POST", NAMESPACE.path(), {"metadata": {"name": f"team-{number}"}})
    left = iter(range(PODS))

    async def worker() -> None:
        for number in left:
            await make(http, number)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(worker())
    print(f"{PODS} pods made in {time.perf_counter() - began:.0f} s", flush=True)
    http.close()


async def send(
    http: Transport, method: str, path: str, body: objects.Json, *, manager: str = "bench"
) -> None:
    """One request that must go well."""
    kind = "merge-patch+json" if method == "PATCH" else "json"
    headers = {"Content-Type": f"application/{kind}"}
    query, data = {"fieldManager": manager}, msgspec.json.encode(body)
    async with http.request(method, path, query=query, body=data, headers=headers) as told:
        answer = await told.read()
        assert told.status < 400, answer


async def make(http: Transport, number: int) -> None:
    """One pod as a controller makes it, and its status as a kubelet tells it."""
    app, namespace = f"app-{number % 250}", f"team-{number % NAMESPACES}"
    name = f"{app}-7c9d5b8f6b-{number:05d}"
    owner = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": f"{app}-7c9d5b8f6b",
        "uid": f"00000000-0000-4000-8000-{number % 250:012d}",
        "controller": True,
        "blockOwnerDeletion": True,
    }
    labels = {"app": app, "pod-template-hash": "7c9d5b8f6b", "team": namespace, "tier": "web"}
    notes = {"prometheus.io/scrape": "true", "prometheus.io/port": "8080"}
    pod = {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": labels,
            "annotations": notes,
            "ownerReferences": [owner],
        },
        "spec": {
            "nodeName": f"node-{number % 100}",
            "containers": [container("main", app, number), container("sidecar", "proxy", number)],
            "volumes": [
                {"name": "config", "configMap": {"name": f"{app}-config"}},
                {"name": "secrets", "secret": {"secretName": f"{app}-secrets"}},
                {"name": "scratch", "emptyDir": {}},
            ],
        },
    }
    await send(http, "POST", POD.path(namespace), pod, manager="controller")
    path = POD.path(namespace, name, "status")
    await send(http, "PATCH", path, {"status": status(app, number)}, manager="kubelet")


def container(name: str, app: str, number: int) -> dict[str, Any]:
    """A container with what they usually have."""
    probe = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 5}
    limits = {"cpu": "500m", "memory": "256Mi"}
    return {
        "name": name,
        "image": f"registry.example.com/{app}@sha256:{number % 250:064x}",
        "ports": [{"name": "http", "containerPort": 8080}],
        "env": [
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "DATABASE", "value": f"postgres://db.{app}.svc:5432/{app}"},
            {"name": "LOG_LEVEL", "value": "info"},
        ],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": limits},
        "readinessProbe": probe,
        "livenessProbe": probe,
        "volumeMounts": [
            {"name": "config", "mountPath": "/etc/app"},
            {"name": "secrets", "mountPath": "/etc/secrets", "readOnly": True},
            {"name": "scratch", "mountPath": "/tmp"},
        ],
    }


def status(app: str, number: int) -> dict[str, Any]:
    """A running pod's status."""
    at = "2026-01-01T00:00:00Z"
    kinds = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    ip = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    return {
        "phase": "Running",
        "hostIP": f"192.168.0.{number % 100 + 1}",
        "podIP": ip,
        "podIPs": [{"ip": ip}],
        "startTime": at,
        "qosClass": "Burstable",
        "conditions": [
            {"type": each, "status": "True", "lastTransitionTime": at, "lastProbeTime": None}
            for each in kinds
        ],
        "containerStatuses": [
            {
                "name": name,
                "image": f"registry.example.com/{app}:1",
                "imageID": f"registry.example.com/{app}@sha256:{number % 250:064x}",
                "containerID": f"containerd://{number:063x}{index}",
                "ready": True,
                "started": True,
                "restartCount": 0,
                "state": {"running": {"startedAt": at}},
                "lastState": {},
            }
            for index, name in enumerate(("main", "sidecar"))
        ],
    }


if __name__ == "__main__":
    main()
