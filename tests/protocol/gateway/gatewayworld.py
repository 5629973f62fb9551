"""Worlds of Kubernetes objects for the gateway, and their snapshots as one static configuration."""

from __future__ import annotations

import base64
import copy
import datetime
import functools
import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fairway.gateway.compose import compose
from fairway.gateway.snapshot import (
    CLASS,
    CONTROLLER,
    Composed,
    Object,
    Place,
    Ref,
    Snapshot,
    World,
)

_AGE = itertools.count()
_START = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)


def manifests(text: str, namespace: str = "shop") -> list[dict[str, Any]]:
    """The objects of a YAML text: named, in a namespace, each younger than the one before."""
    found = []
    for obj in yaml.safe_load_all(text):
        meta = obj.setdefault("metadata", {})
        meta.setdefault("generation", 1)
        stamp = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(
            seconds=next(_AGE)
        )
        meta.setdefault("creationTimestamp", f"{stamp:%Y-%m-%dT%H:%M:%SZ}")
        if obj["kind"] not in {"GatewayClass", "IngressClass", "Namespace"}:
            meta.setdefault("namespace", namespace)
        found.append(obj)
    return found


def gateway_class() -> dict[str, Any]:
    """The class that is ours."""
    return {
        "kind": "GatewayClass",
        "metadata": {"name": CLASS, "generation": 1},
        "spec": {"controllerName": CONTROLLER},
    }


def service(
    name: str,
    at: Iterable[tuple[str, int]] = (("127.0.0.1", 9),),
    *,
    namespace: str = "shop",
    port: int = 80,
    protocol: str = "",
    version: str = "",
    **spec: Any,
) -> list[dict[str, Any]]:
    """A Service with one port, and an EndpointSlice for each of its endpoints."""
    named = {"name": name, "namespace": namespace, "creationTimestamp": "2026-01-01T00:00:00Z"}
    entry = {"name": "web", "port": port, "protocol": "TCP"}
    selector = {"app": name} | ({"rollouts-pod-template-hash": version} if version else {})
    held = {
        "selector": selector,
        "ports": [entry | ({"appProtocol": protocol} if protocol else {})],
    }
    found: list[dict[str, Any]] = [{"kind": "Service", "metadata": named, "spec": held | spec}]
    for number, (address, where) in enumerate(at):
        slice_ = named | {
            "name": f"{name}-{number}",
            "labels": {"kubernetes.io/service-name": name},
        }
        found.append(
            {
                "kind": "EndpointSlice",
                "metadata": slice_,
                "addressType": "IPv4",
                "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
                "ports": [{"name": "web", "port": where, "protocol": "TCP"}],
            }
        )
    return found


def secret(name: str, *hosts: str, namespace: str = "shop") -> dict[str, Any]:
    """A TLS secret for some hostnames."""
    chain, key = pair(hosts)
    data = {"tls.crt": chain, "tls.key": key}
    return {
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": name, "namespace": namespace},
        "data": {name: base64.b64encode(text.encode()).decode() for name, text in data.items()},
    }


@functools.cache
def pair(hosts: tuple[str, ...]) -> tuple[str, str]:
    """A self-signed certificate and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])])
    names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_START)
        .not_valid_after(_START.replace(year=2120))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return cert.public_bytes(serialization.Encoding.PEM).decode(), plain.decode()


def world(objects: Iterable[Object], **place: Any) -> World:
    """A world of these objects and our class. By default each Gateway has its own address."""
    by_kind: dict[str, list[Object]] = {"GatewayClass": [gateway_class()]}
    for obj in objects:
        by_kind.setdefault(obj["kind"], []).append(obj)
    settings = {"folder": "/run/fairway/envoy", "addresses": "10.111.0.0/24"} | place
    return World(place=Place(**settings), objects=by_kind)


def composed(objects: Iterable[Object], **place: Any) -> Composed:
    """What comes of these objects."""
    return compose(world(objects, **place))


def static(snapshot: Snapshot, admin: Path | None = None) -> dict[str, Any]:
    """A snapshot as one bootstrap file without subscriptions."""
    listeners = []
    for listener in copy.deepcopy(list(snapshot.listeners.values())):
        for chain in listener["filter_chains"]:
            _inline(chain, snapshot)
        listeners.append(listener)
    clusters = []
    for cluster in copy.deepcopy(list(snapshot.clusters.values())):
        if cluster.pop("eds_cluster_config", None):
            found = snapshot.endpoints[cluster["name"]]
            cluster |= {"type": "STATIC", "load_assignment": found}
        clusters.append(cluster)
    held: dict[str, Any] = {
        "node": {"id": "test", "cluster": "test"},
        "static_resources": {
            "listeners": listeners,
            "clusters": clusters,
            "secrets": list(snapshot.secrets.values()),
        },
    }
    limits = dict.fromkeys(("error_level", "warn_level"), 1_000_000)
    layer = {f"re2.max_program_size.{name}": limit for name, limit in limits.items()}
    held["layered_runtime"] = {"layers": [{"name": "regex", "static_layer": layer}]}
    if admin:
        held["admin"] = {"address": {"pipe": {"path": str(admin)}}}
    return held


def _inline(chain: dict[str, Any], snapshot: Snapshot) -> None:
    config = chain["filters"][0]["typed_config"]
    if "rds" in config:
        config["route_config"] = snapshot.routes[config.pop("rds")["route_config_name"]]
    if "transport_socket" in chain:
        common = chain["transport_socket"]["typed_config"]["common_tls_context"]
        for each in common["tls_certificate_sds_secret_configs"]:
            del each["sds_config"]
        common.get("validation_context_sds_secret_config", {}).pop("sds_config", None)


def statuses(found: Composed, kind: str, name: str, namespace: str = "shop") -> Mapping[str, Any]:
    """An object's status."""
    return found.statuses[Ref(kind, namespace if kind != "GatewayClass" else "", name)]


def verdicts(conditions: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Conditions as `{type: "True Reason"}`."""
    return {each["type"]: f"{each['status']} {each['reason']}" for each in conditions}


def parent(found: Composed, name: str, kind: str = "HTTPRoute", number: int = 0) -> dict[str, str]:
    """The conditions of a route at one of its parents."""
    return verdicts(statuses(found, kind, name)["parents"][number]["conditions"])


def listener(found: Composed, gateway: str, name: str) -> dict[str, str]:
    """The conditions of a Gateway's listener."""
    entries = statuses(found, "Gateway", gateway)["listeners"]
    return verdicts(next(each for each in entries if each["name"] == name)["conditions"])
