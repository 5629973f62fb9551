"""Rollouts for benchmarks: a Fairway with cluster and gateway, a canary and a blue/green site.

The pods answer their version; on SIGTERM they end at once, as many programs do.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
from bench import clusters
from bench.clusters import Place

SPACE = "default"
ROLLOUTS = f"/apis/argoproj.io/v1alpha1/namespaces/{SPACE}/rollouts"
Json = dict[str, Any]
_CACHE = Path(os.environ.get("FAIRWAY_CACHE") or Path(__file__).resolve().parents[1] / ".cache")
_PROGRAM = """
import os, signal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = os.environ["VERSION"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_):
        pass

class Server(ThreadingHTTPServer):
    daemon_threads = True

signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
Server(("", 8000), Page).serve_forever()
"""


@contextlib.contextmanager
def ground() -> Iterator[Place]:
    """A place whose cluster and gateway are ready, with the image that the pods run."""
    with clusters.place() as place:
        base(place, "python")
        clusters.until(lambda: _known(place))
        yield place


def base(place: Place, *names: str) -> None:
    """Have base images in the registry; they are kept from one run to the next."""
    place.cli("image", "base", *names, "--cache", str(_CACHE))


def _known(place: Place) -> bool:
    """Whether the cluster knows Rollouts, and the gateway takes routes."""
    gateway = place.get(
        "/apis/gateway.networking.k8s.io/v1/namespaces/fairway-system/gateways/fairway"
    )
    said = ((gateway or {}).get("status") or {}).get("conditions") or []
    programmed = any((one["type"], one["status"]) == ("Programmed", "True") for one in said)
    return programmed and place.get(ROLLOUTS) is not None


class Site:
    """A Rollout with its Services and its route."""

    def __init__(self, place: Place, name: str, strategy: Json, *, replicas: int = 2) -> None:
        self.place, self.name = place, name
        self.host = f"{name}.localhost"
        self.version = "v0"
        other = f"{name}-other"
        refs: list[Json] = [{"name": name, "port": 80}]
        if "canary" in strategy:
            names = {"stableService": name, "canaryService": other}
            plugin = {"argoproj-labs/gatewayAPI": {"httpRoute": name, "namespace": SPACE}}
            names |= {"trafficRouting": {"plugins": plugin}}  # type: ignore[dict-item]
            strategy = {"canary": {**strategy["canary"], **names}}
            refs = [{**refs[0], "weight": 100}, {"name": other, "port": 80, "weight": 0}]
        else:
            names = {"activeService": name, "previewService": other}
            strategy = {"blueGreen": {**strategy["blueGreen"], **names}}
        self._apply(strategy, refs, replicas)

    def _apply(self, strategy: Json, refs: list[Json], replicas: int) -> None:
        name, labels = self.name, {"app": self.name}
        route = {
            "parentRefs": [{"namespace": "fairway-system", "name": "fairway"}],
            "hostnames": [self.host],
            "rules": [{"backendRefs": refs}],
        }
        rollout = {
            "replicas": replicas,
            "revisionHistoryLimit": 3,
            "selector": {"matchLabels": labels},
            "strategy": strategy,
            "template": {"metadata": {"labels": labels}, "spec": self._pod(self.version)},
        }
        service = {"selector": labels, "ports": [{"port": 80, "targetPort": 8000}]}
        objects = [
            ("v1", "Service", name, service),
            ("v1", "Service", f"{name}-other", service),
            ("gateway.networking.k8s.io/v1", "HTTPRoute", name, route),
            ("argoproj.io/v1alpha1", "Rollout", name, rollout),
        ]
        items = [
            {"apiVersion": api, "kind": kind, "metadata": {"name": one}, "spec": spec}
            for api, kind, one, spec in objects
        ]
        given = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
        self.place.kubectl("apply", "-n", SPACE, "-f", "-", given=given)

    def _pod(self, version: str) -> Json:
        container = {
            "name": "site",
            "image": f"{self.place.registry}/library/python:3.11",
            "command": ["python", "-c", _PROGRAM],
            "env": [{"name": "VERSION", "value": version}],
            "readinessProbe": {"tcpSocket": {"port": 8000}, "periodSeconds": 1},
        }
        return {"containers": [container]}

    def next(self) -> str:
        """Ask for another version; its name."""
        self.version = f"v{int(self.version[1:]) + 1}"
        self.patch({"spec": {"template": {"spec": self._pod(self.version)}}})
        return self.version

    def patch(self, body: Json, *, status: bool = False) -> None:
        """Change the Rollout."""
        tail = "/status" if status else ""
        self.place.patch(f"{ROLLOUTS}/{self.name}{tail}", body)

    @property
    def rollout(self) -> Json:
        """The Rollout as it is now."""
        found = self.place.get(f"{ROLLOUTS}/{self.name}")
        if found is None:
            raise RuntimeError(f"the Rollout {self.name} cannot be read")
        return dict(found)

    def serve(self, seconds: float = 120.0) -> None:
        """Wait until its first version has everything, and the gateway has heard of its pods: a
        first version is Healthy before that, as with Argo Rollouts."""
        self.until(healthy)
        end = time.perf_counter() + seconds
        while not self._answers():
            if time.perf_counter() > end:
                raise TimeoutError(f"{self.host} does not answer")
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            url = f"http://127.0.0.1:{self.place.http}/"
            return httpx.get(url, headers={"Host": self.host}, timeout=5).text == self.version
        except httpx.HTTPError:
            return False

    def until(self, what: Callable[[Json], bool], seconds: float = 120.0) -> Json:
        """Wait until its status is so, for the generation that it has; the status."""
        end = time.perf_counter() + seconds
        while True:
            found = self.rollout
            status: Json = found.get("status") or {}
            looked = str(status.get("observedGeneration")) == str(found["metadata"]["generation"])
            if looked and what(status):
                return status
            if time.perf_counter() > end:
                raise TimeoutError(f"{self.name} is still {json.dumps(status)[:2000]}")
            time.sleep(0.05)


def healthy(status: Json) -> bool:
    """Whether the newest version has everything."""
    return bool(
        status.get("phase") == "Healthy" and status.get("stableRS") == status.get("currentPodHash")
    )
