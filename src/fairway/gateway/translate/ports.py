"""Envoy's listeners: the ports that it binds, with or without TLS."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from fairway.gateway.certificates import Pair
from fairway.gateway.listeners import Client
from fairway.gateway.snapshot import Place, Ref, file_of
from fairway.gateway.translate import policies
from fairway.gateway.translate.clusters import source

_TYPES: Final = "type.googleapis.com/envoy.extensions"
_HCM: Final = f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager"
_MILLION: Final = 1_000_000
_LONGEST: Final = 90
_LOG_FIELDS: Final = {
    "time": "%START_TIME%",
    "method": "%REQ(:METHOD)%",
    "host": "%REQ(:AUTHORITY)%",
    "path": "%PATH(NQ:ORIG_OR_PATH)%",  # a query may hold secrets
    "status": "%RESPONSE_CODE%",
    "flags": "%RESPONSE_FLAGS%",
    "detail": "%RESPONSE_CODE_DETAILS%",
    "route": "%ROUTE_NAME%",
    "cluster": "%UPSTREAM_CLUSTER_RAW%",
    "backend": "%UPSTREAM_HOST%",
    "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "received": "%BYTES_RECEIVED%",
    "sent": "%BYTES_SENT%",
    "ms": "%DURATION%",
}


Binds = list[tuple[str, int]]  # addresses and ports


class Chain(NamedTuple):
    """One HTTPS listener of a port: its hostname, route table, certificates, what clients show."""

    hostname: str
    table: str
    secrets: tuple[str, ...]
    client: str = ""  # the name of the secret with the authorities
    optional: bool = False


class Tcp(NamedTuple):
    """A port of a Service of type LoadBalancer."""

    cluster: str
    ranges: tuple[str, ...] = ()  # of clients, in CIDR form; empty is everybody


def http_listener(name: str, binds: Binds, table: str, place: Place) -> dict[str, Any]:
    """A listener without TLS."""
    return _listener(name, binds) | {"filter_chains": [{"filters": [_http(name, table, place)]}]}


def https_listener(
    name: str, binds: Binds, chains: Iterable[Chain], place: Place
) -> dict[str, Any]:
    """A listener that picks certificates and routes by server name."""
    inspector = {
        "name": "envoy.filters.listener.tls_inspector",
        "typed_config": {"@type": f"{_TYPES}.filters.listener.tls_inspector.v3.TlsInspector"},
    }
    return _listener(name, binds) | {
        "listener_filters": [inspector],
        "filter_chains": [_chain(name, each, place) for each in chains],
    }


def tcp_listener(name: str, binds: Binds, tcp: Tcp) -> dict[str, Any]:
    """A listener that hands connections on as they are."""
    proxy = {
        "@type": f"{_TYPES}.filters.network.tcp_proxy.v3.TcpProxy",
        "stat_prefix": name,
        "cluster": tcp.cluster,
    }
    chain: dict[str, Any] = {
        "filters": [{"name": "envoy.filters.network.tcp_proxy", "typed_config": proxy}]
    }
    if tcp.ranges:
        chain["filter_chain_match"] = {
            "source_prefix_ranges": [_range(each) for each in tcp.ranges]
        }
    return _listener(name, binds) | {"filter_chains": [chain]}


def secret(name: str, pair: Pair) -> dict[str, Any]:
    """A certificate and its key."""
    chain, key = ({"inline_string": text} for text in pair)
    return {"name": name, "tls_certificate": {"certificate_chain": chain, "private_key": key}}


def authorities(name: str, client: Client) -> dict[str, Any]:
    """Whose certificates clients must show."""
    context: dict[str, Any] = {"trusted_ca": {"inline_string": client.authorities}}
    if client.optional:
        context["trust_chain_verification"] = "ACCEPT_UNTRUSTED"
    return {"name": name, "validation_context": context}


def file_name(ref: Ref) -> str:
    """An object's name as part of resources' names."""
    return plain_name(f"{ref.namespace}_{ref.name}")


def plain_name(text: str) -> str:
    """A name for statistics, which are split at dots, and for a file, whose name has an end."""
    plain = text.replace(".", "~")
    if len(plain) <= _LONGEST:
        return plain
    return f"{plain[:_LONGEST]}~{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _listener(name: str, binds: Binds) -> dict[str, Any]:
    first, *more = [{"socket_address": {"address": at, "port_value": port}} for at, port in binds]
    found: dict[str, Any] = {
        "name": name,
        "address": first,
        "stat_prefix": name,
        "per_connection_buffer_limit_bytes": 1 << 20,
    }
    if more:
        found["additional_addresses"] = [{"address": each} for each in more]
    return found


def _range(cidr: str) -> dict[str, Any]:
    address, _, bits = cidr.partition("/")
    return {"address_prefix": address, "prefix_len": int(bits or 32)}


def _chain(listener: str, chain: Chain, place: Place) -> dict[str, Any]:
    common: dict[str, Any] = {
        "alpn_protocols": ["h2", "http/1.1"],
        "tls_certificate_sds_secret_configs": [_secret(each, place) for each in chain.secrets],
    }
    context: dict[str, Any] = {
        "@type": f"{_TYPES}.transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": common,
    }
    if chain.client:
        common["validation_context_sds_secret_config"] = _secret(chain.client, place)
        context["require_client_certificate"] = not chain.optional
    found: dict[str, Any] = {
        "name": chain.hostname or "*",
        "filters": [_http(listener, chain.table, place)],
        "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": context},
    }
    if chain.hostname:
        found["filter_chain_match"] = {"server_names": [chain.hostname]}
    return found


def _secret(name: str, place: Place) -> dict[str, Any]:
    return {"name": name, "sds_config": source(place.folder, file_of("secrets", name))}


def _http(listener: str, table: str, place: Place) -> dict[str, Any]:
    rds = {
        "route_config_name": table,
        "config_source": source(place.folder, file_of("routes", table)),
    }
    manager: dict[str, Any] = {
        "@type": _HCM,
        "stat_prefix": listener,
        "codec_type": "AUTO",
        "rds": rds,
        "http_filters": _filters(),
        "use_remote_address": True,
        "normalize_path": True,
        "strip_trailing_host_dot": True,
        "server_header_transformation": "PASS_THROUGH",
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "http_protocol_options": {"accept_http_10": True},
        "http2_protocol_options": {"max_concurrent_streams": 256},
        "stream_idle_timeout": "3600s",
    }
    if place.access_log and place.access_log_percent > 0:
        manager["access_log"] = [_access_log(place)]
    return {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}


def _filters() -> list[dict[str, Any]]:
    """Always the same ones: a listener that changed with its routes would drop connections. All but
    the router are off, which costs nothing, until a route has a configuration for them."""
    router = {
        "@type": f"{_TYPES}.filters.http.router.v3.Router",
        "suppress_envoy_headers": True,
    }
    return [
        _filter(policies.FAULT, "fault.v3.HTTPFault"),
        _filter(policies.CORS, "cors.v3.Cors"),
        _filter(policies.SESSION, "stateful_session.v3.StatefulSession"),
        {"name": "envoy.filters.http.router", "typed_config": router},
    ]


def _filter(name: str, kind: str) -> dict[str, Any]:
    config = {"@type": f"{_TYPES}.filters.http.{kind}"}
    return {"name": name, "disabled": True, "typed_config": config}


def _access_log(place: Place) -> dict[str, Any]:
    share = round(place.access_log_percent * _MILLION / 100)
    return {
        "name": "envoy.access_loggers.file",
        "filter": {
            "runtime_filter": {
                "runtime_key": "fairway.access_log",
                "percent_sampled": {"numerator": share, "denominator": "MILLION"},
                "use_independent_randomness": True,
            }
        },
        "typed_config": {
            "@type": f"{_TYPES}.access_loggers.file.v3.FileAccessLog",
            "path": place.access_log,
            "log_format": {"json_format": _LOG_FIELDS},
        },
    }
