"""A Fairway with an embedded cluster, in a data directory of its own, for benchmarks."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

from fairway.cluster import pause
from fairway.cluster.layout import layout
from fairway.cluster.setting_up import read_plan
from fairway.native import programs
from fairway.settings import machine_arch

NAME = "local"
IMAGE = "docker.io/library/busybox:latest"
_WAIT_S = 180.0


class Place:
    """`fairway up` and `down`, and requests to the cluster's API as its administrator."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.data = folder / "data"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        home = folder / "home"
        home.mkdir()
        own = {"HOME": str(home), "FAIRWAY_CLUSTER__EMBEDDED": "on", **environment}
        self._environment = {**os.environ, **own}
        self._native = programs.find(os.environ.get("FAIRWAY_NATIVE__DIR", ""))

    def fairway(self, *words: str) -> None:
        """Run a command of ours."""
        command = [sys.executable, "-m", "fairway", *words, "--data", str(self.data)]
        subprocess.run(command, check=True, env=self._environment, stdout=sys.stderr)

    def up(self) -> None:
        """Start it in the background: it returns before the cluster is ready."""
        self.fairway("up", "--port", str(self.port))

    def get(self, path: str) -> Any:
        """An object of the API; None while it does not answer so."""
        paths = layout(self.data, NAME)
        plan = read_plan(paths)
        if plan is None:
            return None
        try:
            context = ssl.create_default_context(cafile=str(paths.pki / "ca.crt"))
            context.load_cert_chain(str(paths.pki / "admin.crt"), str(paths.pki / "admin.key"))
            answer = httpx.get(f"{plan.api}{path}", verify=context, timeout=2, trust_env=False)
        except (httpx.HTTPError, OSError):
            return None
        return answer.json() if answer.is_success else None

    def kubectl(self, *words: str, given: str = "") -> None:
        """`kubectl WORDS`."""
        config = layout(self.data, NAME).kubeconfig("admin")
        command = [str(self._native.native), "kubectl", "--kubeconfig", str(config), *words]
        subprocess.run(command, check=True, input=given, text=True, stdout=sys.stderr)

    def load_busybox(self) -> None:
        """Put the machine's own busybox onto the node."""
        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode="w") as tar:
            tar.add("/bin/busybox", "bin/busybox")
            for name in ("sh", "httpd", "mkdir"):
                link = tarfile.TarInfo(f"bin/{name}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(link)
        made = pause.pack(layer.getvalue(), {"Env": ["PATH=/bin"]}, machine_arch(), IMAGE)
        with tempfile.NamedTemporaryFile(suffix=".tar") as archive:
            archive.write(made)
            archive.flush()
            node = layout(self.data, NAME).socket
            ctr = ["ctr", "-a", str(node), "-n", "k8s.io", "images", "import", archive.name]
            subprocess.run(ctr, check=True, stdout=sys.stderr)

    def node_is_ready(self) -> bool:
        """Whether the node reports that it is, since this start of its kubelet."""
        node = self.get(f"/api/v1/nodes/{NAME}-node") or {}
        found = (node.get("status") or {}).get("conditions") or []
        return any(one["type"] == "Ready" and one["status"] == "True" for one in found)


def until(condition: Callable[[], bool], seconds: float = _WAIT_S) -> float:
    """Seconds until it is so."""
    began = time.perf_counter()
    while not condition():
        if time.perf_counter() - began > seconds:
            raise TimeoutError(f"not so after {seconds:g} s")
        time.sleep(0.05)
    return time.perf_counter() - began


@contextlib.contextmanager
def place(**environment: str) -> Iterator[Place]:
    """A place whose cluster is ready; it leaves nothing."""
    folder = Path(tempfile.mkdtemp(prefix="fwb-", dir="/tmp"))
    made = Place(folder, **environment)
    try:
        made.up()
        until(made.node_is_ready)
        yield made
    finally:
        made.fairway("down", "--purge", "--yes")
        shutil.rmtree(folder, ignore_errors=True)
