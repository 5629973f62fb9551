"""Envoy takes every configuration that is composed, whatever the objects hold."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gatewaycases import EMPTY, GATEWAYS, INGRESSES, ROUTES
from gatewayworld import composed, manifests, pair, secret, service, static

from fairway.gateway.envoy.process import program
from fairway.gateway.snapshot import Composed

MORE = """
kind: Gateway
metadata: {name: secure}
spec:
  gatewayClassName: fairway
  tls:
    frontend:
      default: {validation: {caCertificateRefs: [{group: "", kind: ConfigMap, name: ca}]}}
      perPort:
      - port: 8443
        tls:
          validation:
            mode: AllowInsecureFallback
            caCertificateRefs: [{group: "", kind: ConfigMap, name: ca}]
  listeners:
  - name: any
    port: 443
    protocol: HTTPS
    tls: {certificateRefs: [{name: cert}, {name: more}]}
  - name: lax
    port: 8443
    protocol: HTTPS
    hostname: "*.a.com"
    tls: {certificateRefs: [{name: cert}]}
---
kind: GRPCRoute
metadata: {name: calls}
spec:
  parentRefs: [{name: secure}]
  rules:
  - matches:
    - method: {service: a.B, method: C}
    - method: {service: a.B}
    - method: {method: C}
    - method: {type: RegularExpression, service: "a[.].*"}
      headers: [{name: v, value: "1"}]
    sessionPersistence: {type: Header, sessionName: X-Session}
    backendRefs: [{name: a, port: 80}]
  - backendRefs: [{name: a, port: 80}, {name: gone, port: 80}]
---
kind: BackendTLSPolicy
metadata: {name: to-a}
spec:
  targetRefs: [{group: "", kind: Service, name: a}]
  validation:
    hostname: a.com
    caCertificateRefs: [{group: "", kind: ConfigMap, name: ca}]
    subjectAltNames: [{type: Hostname, hostname: "*.a.com"}, {type: URI, uri: "spiffe://x/y"}]
---
kind: BackendTLSPolicy
metadata: {name: to-b}
spec:
  targetRefs: [{group: "", kind: Service, name: b, sectionName: web}]
  validation: {hostname: b.com, wellKnownCACertificates: System}
"""


def taken(folder: Path, found: Composed) -> str:
    """What Envoy says against a snapshot; an empty text when it takes it."""
    config = folder / "static.json"
    config.write_text(json.dumps(static(found.snapshot)))
    command = [program(), "--mode", "validate", "-c", config, "-l", "error"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr[-2000:] if done.returncode else ""


@pytest.fixture
def everything() -> list[dict[str, Any]]:
    bundle = {"kind": "ConfigMap", "metadata": {"name": "ca", "namespace": "shop"}}
    bundle["data"] = {"ca.crt": pair(("ca.com",))[0]}  # type: ignore[assignment]
    texts = (GATEWAYS, ROUTES, EMPTY, INGRESSES, MORE)
    balancer = {"type": "LoadBalancer", "loadBalancerSourceRanges": ["10.0.0.0/8", "::/0"]}
    return [
        *(each for text in texts for each in manifests(text)),
        *service("a", version="7f9c"),
        *service("b", protocol="kubernetes.io/h2c"),
        *service("c", protocol="kubernetes.io/ws"),
        *service("many", [("10.0.0.1", 80), ("10.0.0.2", 80)]),
        *service("db", port=5432, **balancer),
        secret("cert", "secure.com", "*.wild.com"),
        secret("more", "more.com"),
        bundle,
    ]


def test_one_of_everything(everything: list[dict[str, Any]], tmp_path: Path) -> None:
    for place in ({"own_binds": ("127.0.0.1", "::1")}, {"addresses": ""}):
        log = str(tmp_path / "access.log")
        found = composed(everything, own="shop/own", access_log=log, **place)
        assert taken(tmp_path, found) == ""


TEXTS = ["", "/", "*", "%", "(a{50}){50}", "[", "a\nb", "-1", "/a//b", "x" * 300, "é", "*.a.com"]
JUNK: list[object] = [*TEXTS, "0s", "Host", ":path", r"\1", "%REQ(x)%", "https://*", -1, 0, 2**40]


@pytest.mark.parametrize("seed", range(8))
def test_what_is_left_of_spoiled_objects(
    everything: list[dict[str, Any]], tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    for obj in everything:
        for _ in range(chance.randrange(3)):
            *path, last = chance.choice([each for each in leaves(obj) if len(each) > 1])
            here: Any = obj
            for key in path:
                here = here[key]
            here[last] = chance.choice(JUNK)
    assert taken(tmp_path, composed(everything, own="shop/own")) == ""


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something can be replaced."""
    if path:
        yield path
    items: Any = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    for key, each in items:
        if (*path, key)[:2] not in {("metadata", "name"), ("metadata", "namespace")}:
            yield from leaves(each, (*path, key))
