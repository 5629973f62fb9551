"""Clusters and their endpoints."""

from __future__ import annotations

from typing import Any, Final

from fairway.gateway.backends import H2, Services
from fairway.gateway.objects.service import Backend
from fairway.gateway.snapshot import ClusterName, file_of
from fairway.gateway.translate.actions import NOWHERE

_PLENTY: Final = 1_000_000  # limits are the backends' to have; Envoy's defaults refuse at 1,024
_MIRRORED: Final = 1024  # copies under way at once: a slow mirror must not hold memory
_HTTP: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_MIRRORS: Final = frozenset({"mirror", "gmirror"})


def cluster(name: ClusterName, services: Services, folder: str) -> dict[str, Any]:
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
    if name.use != "tcp":
        found["typed_extension_protocol_options"] = {_HTTP: _protocol(name, services)}
    return found


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


def _protocol(name: ClusterName, services: Services) -> dict[str, Any]:
    port = services.port(name)
    grpc = name.use in {"grpc", "gmirror"}
    http2 = grpc or (port is not None and port.app_protocol in H2)
    kind = "http2_protocol_options" if http2 else "http_protocol_options"
    return {
        "@type": f"type.googleapis.com/{_HTTP}",
        "explicit_http_config": {kind: {}},
        "common_http_protocol_options": {"idle_timeout": "60s"},
    }
