"""How Envoy is started: its first configuration and its arguments. Pure."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from fairway.gateway.snapshot import FILES, TYPES, ResourceKind

_SOCKET_LONGEST: Final = 100  # of a Unix socket's path; Linux takes 107 bytes
# Milliseconds. Envoy's own start at 0.5 and grow by five; quantiles between them would be guesses.
LATENCY_BUCKETS: Final = (
    0.5, 1, 2, 3, 5, 7.5, 10, 15, 20, 30, 40, 50, 75, 100, 150, 200, 300, 400, 500, 750, 1000,
    1500, 2000, 3000, 5000, 7500, 10000, 30000, 60000, 300000,
)  # fmt: skip
# Statistics of a cluster that nobody reads here: at hundreds of clusters they are most of the
# memory, and every look at the version counters has to pass them.
_UNREAD: Final = (
    "circuit_breakers", "internal.", "external.", "outlier_detection", "update_duration",
    "upstream_flow_control", "upstream_cx_overflow", "upstream_cx_protocol_error",
    "upstream_internal_redirect", "retry_or_shadow_abandoned", "lb_subsets", "lb_recalculate",
    "lb_zone", "lb_local_cluster", "original_dst", "assignment_", "bind_errors", "http2.", "http3.",
)  # fmt: skip


class Folder(Struct, frozen=True):
    """Where the files of one Envoy are."""

    root: Path  # only its owner may enter

    @property
    def xds(self) -> Path:
        """What `snapshot.FILES` is relative to."""
        return self.root / "xds"

    @property
    def bootstrap(self) -> Path:
        """Envoy's first configuration."""
        return self.root / "bootstrap.json"

    @property
    def log(self) -> Path:
        """Envoy's own log."""
        return self.root / "envoy.log"

    @property
    def access_log(self) -> Path:
        """The sampled requests."""
        return self.root / "access.log"

    @property
    def admin(self) -> Path:
        """Envoy's administration interface, a socket that only its owner may use.

        Below the temporary folder where the data directory's path is too long for a socket.
        """
        near = self.root / "admin.sock"
        if len(os.fsencode(near)) <= _SOCKET_LONGEST:
            return near
        mark = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"fairway-{os.geteuid()}-{mark}" / "admin.sock"


def path_source(folder: Folder, kind: ResourceKind) -> dict[str, Any]:
    """Where a subscription without a name reads."""
    path = str(folder.xds / FILES[kind])
    return {"path_config_source": {"path": path}, "resource_api_version": "V3"}


def bootstrap(folder: Folder) -> dict[str, Any]:
    """Envoy's first configuration: where the files are, and what it counts."""
    buckets = {"match": {"suffix": "upstream_rq_time"}, "buckets": list(LATENCY_BUCKETS)}
    return {
        "node": {"id": "fairway", "cluster": "fairway"},
        "admin": {"address": {"pipe": {"path": str(folder.admin), "mode": 0o600}}},
        "dynamic_resources": {
            "lds_config": path_source(folder, "listeners"),
            "cds_config": path_source(folder, "clusters"),
        },
        "stats_config": {
            "histogram_bucket_settings": [buckets],
            "stats_matcher": {"exclusion_list": {"patterns": [_unread(part) for part in _UNREAD]}},
        },
        "overload_manager": _overload(),
    }


def _unread(part: str) -> dict[str, Any]:
    inner = part.replace(".", r"\.")
    return {"safe_regex": {"regex": rf"cluster\.[^.]+\.{inner}.*"}}


def _overload() -> dict[str, Any]:
    """A limit far above any use, so that a flood of connections cannot take all descriptors."""
    limit = {
        "@type": "type.googleapis.com/envoy.extensions.resource_monitors."
        "downstream_connections.v3.DownstreamConnectionsConfig",
        "max_active_downstream_connections": 100_000,
    }
    name = "envoy.resource_monitors.global_downstream_max_connections"
    return {"resource_monitors": [{"name": name, "typed_config": limit}]}


def command(folder: Folder, program: Path, *, concurrency: int, drain_s: int) -> list[str]:
    """The arguments. `concurrency` 0 is one worker for each processor."""
    workers = ["--concurrency", str(concurrency)] if concurrency > 0 else []
    return [
        str(program),
        "--config-path",
        str(folder.bootstrap),
        "--disable-hot-restart",
        "--log-level",
        "warning",
        "--drain-time-s",
        str(drain_s),
        *workers,
    ]


def document(kind: ResourceKind, version: str, resources: list[dict[str, Any]]) -> bytes:
    """A file as Envoy reads it."""
    typed = [{"@type": TYPES[kind], **resource} for resource in resources]
    return msgspec.json.encode({"version_info": version, "resources": typed})
