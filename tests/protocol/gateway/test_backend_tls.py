"""TLS from the gateway to backends, on a real Envoy."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from featurebench import serving
from gatewayworld import manifests, pair

OBJECTS = """
kind: Gateway
metadata: {name: g}
spec: {gatewayClassName: fairway, listeners: [{name: http, port: 8080, protocol: HTTP}]}
---
kind: HTTPRoute
metadata: {name: r}
spec:
  parentRefs: [{name: g}]
  rules: [{backendRefs: [{name: web, port: 80}]}]
---
kind: BackendTLSPolicy
metadata: {name: p}
spec:
  targetRefs: [{group: "", kind: Service, name: web}]
  validation: {hostname: HOST, caCertificateRefs: [{group: "", kind: ConfigMap, name: ca}]}
"""


@pytest.mark.parametrize(
    ("host", "authority", "status"),
    [("web.com", "web.com", 200), ("other.com", "web.com", 503), ("web.com", "x.com", 503)],
)
async def test_a_backend_must_show_the_right_name_of_the_right_authority(
    tmp_path: Path, host: str, authority: str, status: int
) -> None:
    chain, key = pair(("web.com",))
    (tmp_path / "chain").write_text(chain)
    (tmp_path / "key").write_text(key)
    secure = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    secure.load_cert_chain(tmp_path / "chain", tmp_path / "key")
    bundle = {"kind": "ConfigMap", "metadata": {"name": "ca", "namespace": "shop"}}
    bundle |= {"data": {"ca.crt": pair((authority,))[0]}}
    objects = [*manifests(OBJECTS.replace("HOST", host)), bundle]
    backends = {"web": {"protocol": "https"}}
    async with serving(tmp_path, objects, backends, secure=secure) as bench:
        assert (await bench.ask("g", "/")).status == status
