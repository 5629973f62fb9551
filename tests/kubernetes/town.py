"""A running Fairway with its embedded cluster, and what tests do with it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import asking
import yaml
from ground import Done, Ground

from fairway.cluster import host
from fairway.cluster.layout import Layout, layout
from fairway.cluster.plan import ClusterPlan
from fairway.cluster.setting_up import read_plan
from fairway.kit import processes
from fairway.kit.net import free_port
from fairway.native import programs

T = TypeVar("T")

BUSYBOX = "docker.io/library/busybox:latest"  # on the node of every cluster of a Town
DOCKER = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
WAIT_S = 240.0
_CHANGED = ("FAIRWAY_NATIVE__DIR",)


def eventually(look: Callable[[], T], seconds: float = WAIT_S) -> T:
    """Ask until the answer is true-like; raises what was wrong with the last one.

    What lacks a part that comes later (KeyError, ValueError) or does not answer is asked again.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            found = look()
            assert found, f"{getattr(look, '__name__', look)} answered {found!r}"
        except (AssertionError, LookupError, ValueError, OSError):  # as above; kube-proxy is late
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return found


class Town(Ground):
    """`fairway up` with an embedded cluster. `name` is the cluster's."""

    def __init__(self, folder: Path, docker: str, port: int) -> None:
        super().__init__(folder, docker, port)
        self.data = Path(tempfile.mkdtemp(prefix="fw-", dir="/tmp"))  # sockets need short paths
        self.name = "local"
        self.environment["FAIRWAY_CLUSTER__EMBEDDED"] = "on"
        self.environment |= {name: os.environ[name] for name in _CHANGED if name in os.environ}
        self.http, self.https = free_port(), free_port()  # of the gateway
        self.environment["FAIRWAY_GATEWAY__HTTP_PORT"] = str(self.http)
        self.environment["FAIRWAY_GATEWAY__HTTPS_PORT"] = str(self.https)
        self.native = programs.find(os.environ.get("FAIRWAY_NATIVE__DIR", ""))

    @property
    def paths(self) -> Layout:
        """Where the cluster's files lie."""
        return layout(self.data, self.name)

    @property
    def plan(self) -> ClusterPlan:
        """Its addresses."""
        found = read_plan(self.paths)
        assert found is not None, f"no cluster was made in {self.data}"
        return found

    @property
    def kubeconfig(self) -> Path:
        """Its administrator's."""
        return self.paths.kubeconfig("admin")

    def components(self, cluster: str = "") -> dict[str, dict[str, Any]]:
        """The cluster's components by name, as `fairway get components` has them; "" is itself."""
        prefix = f"cluster {cluster or self.name}"
        found = asking.fairway(self.port, self.token, "/api/v1/components")["items"]
        return {
            one["name"].removeprefix(prefix).removeprefix("/"): one
            for one in found
            if one["name"] == prefix or one["name"].startswith(f"{prefix}/")
        }

    def wait_ready(self, cluster: str = "", seconds: float = WAIT_S) -> None:
        """Until the cluster and all its components are ready."""

        def ready() -> bool:
            found = self.components(cluster)
            assert found.get("", {}).get("state") == "ready", found
            return all(one["healthy"] for one in found.values())

        eventually(ready, seconds)

    def load_busybox(self, cluster: str = "") -> None:
        """Put busybox onto the node, past every registry."""
        archive = self.folder / "busybox.tar"
        if not archive.exists():
            self.docker("save", "-o", str(archive), "busybox:latest")
        socket = layout(self.data, cluster or self.name).socket
        ctr = ["ctr", "-a", str(socket), "-n", "k8s.io", "images", "import", str(archive)]
        subprocess.run(ctr, check=True, capture_output=True)

    def kubectl(self, *words: str, given: str = "", cluster: str = "", check: bool = True) -> Done:
        """`kubectl WORDS` as the administrator."""
        config = layout(self.data, cluster or self.name).kubeconfig("admin")
        command = [str(self.native.native), "kubectl", "--kubeconfig", str(config), *words]
        done = self.program(*command, cwd=self.folder, given=given)
        assert done.code == 0 or not check, done.all
        return done

    def apply(self, *objects: dict[str, Any], cluster: str = "") -> None:
        """Apply objects."""
        text = yaml.safe_dump_all(objects)
        self.kubectl("apply", "-f", "-", given=text, cluster=cluster)

    def get(self, *words: str, cluster: str = "") -> Any:
        """`kubectl get WORDS -o json`."""
        if path := asking.path_of(words):
            paths = layout(self.data, cluster or self.name)
            plan = read_plan(paths)
            assert plan is not None, f"no cluster was made in {paths.folder}"
            return asking.cluster(paths, plan, path)
        return self.kubectl("get", *words, "-o", "json", cluster=cluster).json()

    def namespaces(self, cluster: str = "") -> list[str]:
        """The names of all there are."""
        found = self.get("namespaces", cluster=cluster)["items"]
        return [one["metadata"]["name"] for one in found]

    def wait(self, kind: str, name: str, condition: str, namespace: str = "default") -> None:
        """`kubectl wait --for=CONDITION`, where the object need not be there yet."""
        wanted = condition.removeprefix("condition=")

        def waited() -> bool:
            found = self.get(kind, name, "-n", namespace)
            assert asking.fulfils(found, wanted), found.get("status")
            return True

        eventually(waited)

    def pod(self, name: str, command: str, namespace: str = "default", **spec: Any) -> None:
        """Run a pod of busybox until it is ready."""
        self.apply(pod(name, command, namespace, **spec))
        self.wait("pod", name, "condition=Ready", namespace)

    def sh(self, pod: str, script: str, namespace: str = "default") -> str:
        """What a script prints in a pod."""
        return self.kubectl("exec", pod, "-n", namespace, "--", "sh", "-c", script).out

    def fetch(
        self, pod: str, host: str, port: int, path: str = "/", *, namespace: str = "default"
    ) -> str:
        """What a web server says to a pod (a static busybox's wget cannot resolve names)."""
        ask = f"printf 'GET {path} HTTP/1.0\\r\\nHost: {host}\\r\\n\\r\\n' | nc -w 5 {host} {port}"
        return self.sh(pod, ask, namespace).partition("\r\n\r\n")[2]

    @contextlib.contextmanager
    def namespace(self, name: str) -> Iterator[str]:
        """A namespace for a test; it goes afterwards, without waiting."""
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        self.apply(space)
        eventually(lambda: self.get("serviceaccounts", "-n", name)["items"])
        try:
            yield name
        finally:
            self.kubectl("delete", "namespace", name, "--wait=false", check=False)

    def stop(self) -> None:
        """`fairway down`: everything ends, data stays."""
        self.ok("down", "--data", str(self.data))

    def kill(self, number: int = signal.SIGKILL) -> None:
        """End Fairway's own process by a signal, and nothing else."""
        pid = json.loads((self.data / "run" / "fairway.json").read_text())["pid"]
        os.kill(pid, number)
        eventually(lambda: processes.identify(pid) is None)

    @contextlib.contextmanager
    def serving(self, *roles: str) -> Iterator[subprocess.Popen[bytes]]:
        """A process of these roles on the same data, beside others; told to end with the block."""
        words = [word for role in roles for word in ("--role", role)]
        words += ["--data", str(self.data), "--port", str(self.port)]
        log = self.folder / f"{'-'.join(roles)}.log"
        with log.open("wb") as out:
            child = subprocess.Popen(
                [sys.executable, "-m", "fairway", "serve", *words],
                env=self.environment, cwd=self.folder, stdout=out, stderr=out,
            )  # fmt: skip
        try:
            if "server" in roles:
                eventually(lambda: self.run("get", "repos").code == 0)
            yield child
        finally:
            child.send_signal(signal.SIGTERM)
            assert child.wait(WAIT_S) == 0, log.read_text()

    def pids(self) -> dict[str, int]:
        """The process of each component."""
        found = {}
        for path in self.paths.state.glob("*.component.json"):
            record = json.loads(path.read_text())
            found[record["name"]] = record["process"]["pid"]
        return found


def why_not() -> str:
    """Why no cluster can be embedded here; "" when one can. The Go programs must be there."""
    obstacle = host.obstacle()
    return str(obstacle) if obstacle is not None else ""


@contextlib.contextmanager
def town(folder: Path) -> Iterator[Town]:
    """A Town that is up; it leaves nothing."""
    made = Town(folder, DOCKER, free_port())
    try:
        made.up()
        made.wait_ready()
        made.load_busybox()
    except AssertionError:
        log = made.data / "run" / "fairway.log"
        sys.stderr.write(log.read_text()[-20_000:] if log.exists() else "no log\n")
        made.down()
        raise
    try:
        yield made
    finally:
        made.down()
        shutil.rmtree(made.data, ignore_errors=True)


def pod(name: str, command: str, namespace: str = "default", **spec: Any) -> dict[str, Any]:
    """A pod of busybox that runs a shell command and ends at once when it is told to."""
    container = {
        "name": "main",
        "image": BUSYBOX,
        "imagePullPolicy": "Never",
        "command": ["sh", "-c", command],
        **spec.pop("container", {}),
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "spec": {"terminationGracePeriodSeconds": 0, "containers": [container], **spec},
    }


def claim(name: str, namespace: str = "default") -> dict[str, Any]:
    """A claim of a volume of the default class."""
    resources = {"requests": {"storage": "1Mi"}}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": resources},
    }


def web(name: str, namespace: str = "default", replicas: int = 1) -> list[dict[str, Any]]:
    """A Deployment of web servers that say their pods' names, and its Service on port 80."""
    script = (
        "mkdir -p /w; echo $HOSTNAME > /w/index.html; echo serving; exec httpd -f -p 8080 -h /w"
    )
    template = pod(name, script)
    container = template["spec"]["containers"][0]
    container["readinessProbe"] = {"httpGet": {"port": 8080}, "periodSeconds": 1}
    meta = {"name": name, "namespace": namespace}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta,
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": template["spec"]},
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": meta,
        "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]},
    }
    return [deployment, service]


def busy(name: str, namespace: str) -> list[dict[str, Any]]:
    """A Deployment that computes as much as it may, and what has it grow from one pod to two."""
    deployment, _service = web(name, namespace)
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    container["command"] = ["sh", "-c", "while :; do :; done"]
    del container["readinessProbe"]
    container["resources"] = {"requests": {"cpu": "5m"}, "limits": {"cpu": "10m"}}
    resource = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
    scaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "maxReplicas": 2,
            "metrics": [{"type": "Resource", "resource": resource}],
        },
    }
    return [deployment, scaler]


def get(address: str, port: int) -> str:
    """The answer to a plain request from this machine."""
    with socket.create_connection((address, port), timeout=20) as link:
        link.sendall(b"GET / HTTP/1.0\r\n\r\n")
        parts = iter(lambda: link.recv(65536), b"")
        return b"".join(parts).decode()
