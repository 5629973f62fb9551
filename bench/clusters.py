"""A Fairway with an embedded cluster, in a data directory of its own, for benchmarks."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
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
from fairway.kit.net import free_port
from fairway.native import programs
from fairway.settings import machine_arch

NAME = "local"
IMAGE = "docker.io/library/busybox:latest"
_WAIT_S = 180.0


class Place:
    """`fairway up` and `down`, and requests to the cluster's API as its administrator."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.data = folder / "data"
        self.port = free_port()
        self.registry = f"127.0.0.1:{self.port}"
        home = folder / "home"
        home.mkdir()
        self.http, https = free_port(), free_port()  # the gateway's
        ports = {"HTTP_PORT": str(self.http), "HTTPS_PORT": str(https)}
        own = {"HOME": str(home), "FAIRWAY_CLUSTER__EMBEDDED": "on"}
        own |= {f"FAIRWAY_GATEWAY__{name}": port for name, port in ports.items()}
        own |= environment
        self._environment = {**os.environ, **own}
        self._client: httpx.Client | None = None
        self._native = programs.find(os.environ.get("FAIRWAY_NATIVE__DIR", ""))

    def fairway(self, *words: str) -> None:
        """Run a command of ours."""
        command = [sys.executable, "-m", "fairway", *words, "--data", str(self.data)]
        subprocess.run(command, check=True, env=self._environment, stdout=sys.stderr)

    def up(self) -> None:
        """Start it in the background: it returns before the cluster is ready."""
        self.close()
        self.fairway("up", "--port", str(self.port))

    def cli(self, *words: str, given: str = "") -> str:
        """What a command of ours says, run by the first administrator."""
        command = [sys.executable, "-m", "fairway", *words]
        done = subprocess.run(
            command, check=False, env=self._environment, input=given, text=True, capture_output=True
        )
        if done.returncode:
            raise RuntimeError(f"fairway {' '.join(words)}: {done.stderr}{done.stdout}")
        return done.stdout

    def get(self, path: str) -> Any:
        """An object of the API; None while it does not answer so."""
        try:
            answer = self._api().get(path)
        except (httpx.HTTPError, OSError):
            return None
        return answer.json() if answer.is_success else None

    def patch(self, path: str, body: Any) -> Any:
        """A merge patch of an object of the API; the object."""
        kind = {"Content-Type": "application/merge-patch+json"}
        answer = self._api().patch(path, content=json.dumps(body), headers=kind)
        if answer.is_error:
            raise RuntimeError(f"PATCH {path}: {answer.status_code} {answer.text}")
        return answer.json()

    def _api(self) -> httpx.Client:
        """Connections to the cluster's API. Raises `OSError` while there is none."""
        if self._client is None:
            paths = layout(self.data, NAME)
            plan = read_plan(paths)
            if plan is None:
                raise FileNotFoundError(f"there is no cluster in {self.data} yet")
            context = ssl.create_default_context(cafile=str(paths.pki / "ca.crt"))
            context.load_cert_chain(str(paths.pki / "admin.crt"), str(paths.pki / "admin.key"))
            self._client = httpx.Client(
                base_url=plan.api, verify=context, timeout=2, trust_env=False
            )
        return self._client

    def kubectl(self, *words: str, given: str = "") -> None:
        """`kubectl WORDS`."""
        config = layout(self.data, NAME).kubeconfig("admin")
        command = [str(self._native.native), "kubectl", "--kubeconfig", str(config), *words]
        subprocess.run(command, check=True, input=given, text=True, stdout=sys.stderr)

    def close(self) -> None:
        """Let go of the connections."""
        if self._client is not None:
            self._client.close()
            self._client = None

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
        made.close()
        shutil.rmtree(folder, ignore_errors=True)
