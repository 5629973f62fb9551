"""Raw Engine API replays, the limit that builds are held against. Frozen: do not tune.

The order is that of Drone's docker runner: network, then for each step create, attach, start, wait
to the end of the log, then remove all containers and the network. Plain HTTP on the Engine's
socket, nothing else: no log is kept, nothing is written.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

IMAGE = "busybox:latest"


def socket_path() -> str:
    """The Engine's socket: DOCKER_HOST, else the usual one."""
    return os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")


class _Connection(http.client.HTTPConnection):
    def __init__(self) -> None:
        super().__init__("docker", timeout=120)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(120)
        self.sock.connect(socket_path())


class Engine:
    """One keep-alive connection to the Engine."""

    def __init__(self) -> None:
        self._http = _Connection()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One request; returns the decoded answer."""
        data = None if body is None else json.dumps(body)
        headers = {"Content-Type": "application/json"} if data else {}
        self._http.request(method, path, data, headers)
        answer = self._http.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:300]!r}")
        return json.loads(text) if text.strip().startswith((b"{", b"[")) else None

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def network(self) -> str:
        """Create a bridge network."""
        name = f"bench-{uuid.uuid4().hex[:12]}"
        self.call("POST", "/networks/create", {"Name": name, "Driver": "bridge"})
        return name

    def create(self, network: str, command: Sequence[str]) -> str:
        """Create a container on a network."""
        body = {
            "Image": IMAGE,
            "Cmd": list(command),
            "AttachStdout": True,
            "AttachStderr": True,
            "HostConfig": {"NetworkMode": network},
        }
        return str(self.call("POST", "/containers/create", body)["Id"])

    def run(self, container: str, *, until_first_byte: bool = False) -> int:
        """Attach, start, read the log to its end (or its first byte), wait. Returns bytes read."""
        stream = _attach(container)
        try:
            self.call("POST", f"/containers/{container}/start")
            size = 0
            while part := stream.recv(65536):
                size += len(part)
                if until_first_byte:
                    return size
        finally:
            stream.close()
        self.call("POST", f"/containers/{container}/wait")
        return size

    def remove(self, containers: Sequence[str], network: str) -> None:
        """Remove containers, then the network."""
        for container in containers:
            self.call("DELETE", f"/containers/{container}?force=1&v=1")
        if network:
            self.call("DELETE", f"/networks/{network}")


def _attach(container: str) -> socket.socket:
    stream = socket.socket(socket.AF_UNIX)
    stream.settimeout(120)
    stream.connect(socket_path())
    request = (
        f"POST /containers/{container}/attach?stream=1&stdout=1&stderr=1 HTTP/1.1\r\n"
        "Host: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n"
    )
    stream.sendall(request.encode())
    head = b""
    while b"\r\n\r\n" not in head:
        part = stream.recv(1)
        if not part:
            raise RuntimeError("the Engine closed the attach")
        head += part
    if b" 101 " not in head and b" 200 " not in head:
        raise RuntimeError(f"attach: {head!r}")
    return stream


def build(steps: int, command: Sequence[str] = ("true",)) -> None:
    """One build of so many steps, in Drone's order."""
    engine = Engine()
    network, containers = engine.network(), list[str]()
    try:
        for _ in range(steps):
            containers.append(engine.create(network, command))
            engine.run(containers[-1])
    finally:
        engine.remove(containers, network)
        engine.close()


def burst(builds: int, parallel: int, command: Sequence[str] = ("true",)) -> None:
    """So many one-step builds, a network each, at most `parallel` at once."""
    with ThreadPoolExecutor(parallel) as pool:
        for done in [pool.submit(build, 1, command) for _ in range(builds)]:
            done.result()


def first_byte(command: Sequence[str]) -> float:
    """Seconds from creating a network to the first byte of a container on it; both are removed."""
    engine = Engine()
    containers: list[str] = []
    began = time.perf_counter()
    network = engine.network()
    try:
        containers.append(engine.create(network, command))
        engine.run(containers[0], until_first_byte=True)
        return time.perf_counter() - began
    finally:
        engine.remove(containers, network)
        engine.close()
