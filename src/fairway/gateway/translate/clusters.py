"""Clusters and their endpoints."""

from __future__ import annotations

from typing import Any, Final

from fairway.gateway.backend_tls import Policy
from fairway.gateway.backends import H2, Resolver
from fairway.gateway.objects.backend_tls import AltName, BackendTlsSpec
from fairway.gateway.objects.service import Backend
from fairway.gateway.snapshot import ClusterName, file_of
from fairway.gateway.translate.actions import NOWHERE

_PLENTY: Final = 1_000_000  # limits are the backends' to have; Envoy's defaults refuse at 1,024
_MIRRORED: Final = 1024  # copies under way at once: a slow mirror must not hold memory
_HTTP: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_GRPC: Final = frozenset({"grpc", "gmirror"})
_UPSTREAM_TLS: Final = (
    "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
)
_MIRRORS: Final = frozenset({"mirror", "gmirror"})


def cluster(name: ClusterName, resolver: Resolver, folder: str) -> dict[str, Any]:
    """A cluster whose endpoints come from a file of its own."""
    most = _MIRRORED if name.use in _MIRRORS else _PLENTY
    found: dict[str, Any] = {
        "name": str(name),
        "type": "EDS",
        "eds_cluster_config": {"eds_config": source(folder, file_of("endpoints", str(name)))},
        "connect_timeout": "5s",
        "lb_policy": "LEAST_REQUEST",
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "circuit_breakers": {"thresholds": [_limits(most)]},
    }
    if name.use == "tcp":
        return found
    port = resolver.services.port(name)
    http2 = name.use in _GRPC or (port is not None and port.app_protocol in H2)
    found["typed_extension_protocol_options"] = {_HTTP: _protocol(http2=http2)}
    policy = resolver.policies.of((name.namespace, name.service), port.name if port else "")
    if policy is not None and policy.spec is not None:
        found["transport_socket"] = _tls(policy, policy.spec, "h2" if http2 else "http/1.1")
    return found


def _tls(policy: Policy, spec: BackendTlsSpec, protocol: str) -> dict[str, Any]:
    """TLS to a backend: its certificate must be of an authority and for a name that we expect."""
    validation = spec.validation
    names = validation.names or (AltName("Hostname", validation.hostname),)
    kind = "filename" if policy.system else "inline_string"
    common = {
        "alpn_protocols": [protocol],
        "validation_context": {
            "trusted_ca": {kind: policy.authorities},
            "match_typed_subject_alt_names": [_alt_name(each) for each in names],
        },
    }
    config = {"@type": _UPSTREAM_TLS, "sni": validation.hostname, "common_tls_context": common}
    return {"name": "envoy.transport_sockets.tls", "typed_config": config}


def _alt_name(name: AltName) -> dict[str, Any]:
    if name.type == "URI":
        return {"san_type": "URI", "matcher": {"exact": name.uri}}
    if name.hostname.startswith("*."):
        return {"san_type": "DNS", "matcher": {"suffix": name.hostname[1:]}}
    return {"san_type": "DNS", "matcher": {"exact": name.hostname}}


def nowhere() -> dict[str, Any]:
    """The cluster that stands for backends that do not exist."""
    return {"name": NOWHERE, "type": "STATIC", "connect_timeout": "1s"}


def source(folder: str, path: str) -> dict[str, Any]:
    """Where Envoy reads a resource."""
    return {"resource_api_version": "V3", "path_config_source": {"path": f"{folder}/{path}"}}


def endpoints(name: ClusterName, found: tuple[Backend, ...]) -> dict[str, Any]:
    """A cluster's endpoints."""
    hosts = [{"endpoint": {"address": _address(each)}} for each in found]
    groups = [{"lb_endpoints": hosts}] if hosts else []
    return {"cluster_name": str(name), "endpoints": groups}


def _address(backend: Backend) -> dict[str, Any]:
    return {"socket_address": {"address": backend.address, "port_value": backend.port}}


def _limits(requests: int) -> dict[str, int]:
    return {
        "max_connections": _PLENTY,
        "max_pending_requests": requests,
        "max_requests": requests,
        "max_retries": _PLENTY,
    }


def _protocol(*, http2: bool) -> dict[str, Any]:
    kind = "http2_protocol_options" if http2 else "http_protocol_options"
    return {
        "@type": f"type.googleapis.com/{_HTTP}",
        "explicit_http_config": {kind: {}},
        "common_http_protocol_options": {"idle_timeout": "60s"},
    }
