"""Services of the embedded cluster answer through the gateway, whatever is killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from typing import Any

from town import Town, eventually, get, web

from fairway.kit.processes import identify


def route(name: str, space: str, weights: dict[str, int]) -> dict[str, Any]:
    """A route of NAME.localhost to Services by weight."""
    refs = [{"name": one, "port": 80, "weight": weight} for one, weight in weights.items()]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": space},
        "spec": {
            "parentRefs": [{"name": "fairway", "namespace": "fairway-system"}],
            "hostnames": [f"{name}.localhost"],
            "rules": [{"backendRefs": refs}],
        },
    }


def ask(link: socket.socket, host: str) -> tuple[int, str]:
    """One request on a connection that is kept: status and body."""
    link.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    text = b""
    while b"\r\n\r\n" not in text:
        text += link.recv(65536) or _cut()
    head, _, body = text.partition(b"\r\n\r\n")
    lines = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    if lines.get(b"transfer-encoding") == b"chunked":
        while not body.endswith(b"0\r\n\r\n"):
            body += link.recv(65536) or _cut()
    while len(body) < int(lines.get(b"content-length", b"0")):
        body += link.recv(65536) or _cut()
    return int(head.split()[1]), body.decode()


def _cut() -> bytes:
    raise ConnectionError("the connection was cut")


class Load(threading.Thread):
    """Asks for a host on a kept connection until told to stop; everything but 200 is an error."""

    def __init__(self, port: int, host: str) -> None:
        super().__init__(daemon=True)
        self.port, self.host = port, host
        self.count = 0
        self.errors: list[str] = []
        self.stopping = threading.Event()

    def run(self) -> None:
        """Ask."""
        while not self.stopping.is_set():
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=10) as link:
                    self._ask(link)
            except OSError as error:
                self.errors.append(repr(error))

    def _ask(self, link: socket.socket) -> None:
        while not self.stopping.is_set():
            status, body = ask(link, self.host)
            if status == 200:
                self.count += 1
            else:
                self.errors.append(f"{status} {body}")


@contextlib.contextmanager
def load(port: int, host: str) -> Iterator[Load]:
    """Load while the body runs."""
    made = Load(port, host)
    made.start()
    try:
        yield made
    finally:
        made.stopping.set()
        made.join(30)


def answers(town: Town, host: str) -> str:
    """What a host answers through our own Gateway, once it does."""

    def look() -> str:
        try:
            with socket.create_connection(("127.0.0.1", town.http), timeout=20) as link:
                status, body = ask(link, host)
        except OSError as error:
            raise AssertionError(str(error)) from error
        assert status == 200, body
        return body

    return eventually(look)


def test_pods_answer_by_a_name_under_localhost(cluster: Town) -> None:
    with cluster.namespace("gateway-names") as space:
        cluster.apply(*web("web", space), route("names", space, {"web": 1}))
        cluster.wait("deployment", "web", "condition=Available", space)
        assert answers(cluster, "names.localhost").startswith("web-")
        live = cluster.get("httproute", "names", "-n", space)["status"]["parents"][0]["conditions"]
        assert ("fairway.dev/Live", "True") in {(one["type"], one["status"]) for one in live}


def test_a_load_balancer_answers_this_machine_and_other_pods(cluster: Town) -> None:
    with cluster.namespace("gateway-balancer") as space:
        deployment, service = web("web", space)
        service["spec"]["type"] = "LoadBalancer"
        cluster.apply(deployment, service)
        cluster.wait("deployment", "web", "condition=Available", space)

        def shown() -> str:
            status = cluster.get("service", "web", "-n", space)["status"]["loadBalancer"]
            return str(status.get("ingress", [{}])[0].get("ip", ""))

        address = eventually(shown)
        assert "web-" in eventually(lambda: _tried(address))
        cluster.pod("asker", "sleep 1000", space)
        said = eventually(lambda: cluster.fetch("asker", address, 80, namespace=space))
        assert said.startswith("web-")


def _tried(address: str) -> str:
    """The answer, or a failed look: the pod may be ready before Envoy has heard of it."""
    try:
        return get(address, 80)
    except OSError as error:
        raise AssertionError(str(error)) from error


def test_the_parts_are_shown_with_the_address_that_up_says(cluster: Town) -> None:
    done = cluster.ok("up", "--data", str(cluster.data), "--port", str(cluster.port))
    assert f"http://NAME.localhost:{cluster.http}" in done.all

    def well() -> bool:
        items = json.loads(cluster.ok("get", "components", "-o", "json").out)
        found = items["items"] if isinstance(items, dict) else items
        parts = {one["name"]: one["healthy"] for one in found}
        return parts.get("gateway") and parts.get("gateway/envoy")

    assert eventually(well)


def test_a_killed_fairway_cuts_no_connection_and_goes_on_where_it_was(own_town: Town) -> None:
    own_town.apply(*web("old"), *web("new"), route("shop", "default", {"old": 1}))
    for name in ("old", "new"):
        own_town.wait("deployment", name, "condition=Available")
    assert answers(own_town, "shop.localhost").startswith("old-")
    envoy = _envoy(own_town)
    with load(own_town.http, "shop.localhost") as found:
        eventually(lambda: found.count > 50)
        running = json.loads((own_town.data / "run/fairway.json").read_text())
        os.kill(running["pid"], signal.SIGKILL)
        before = found.count
        eventually(lambda: found.count > before + 50)
        own_town.up()
        own_town.apply(route("shop", "default", {"new": 1}))
        eventually(lambda: answers(own_town, "shop.localhost").startswith("new-"))
    assert not found.errors
    assert _envoy(own_town) == envoy
    own_town.stop()
    assert identify(envoy) is None


def _envoy(town: Town) -> int:
    record = json.loads((town.data / "gateway/run/envoy.component.json").read_text())
    return int(record["process"]["pid"])
