"""Which kinds the simulated server tells that it has: aggregated discovery."""

from __future__ import annotations

from typing import Final

from fairway.kube.kind import Json
from fairway.kube.transport import Request, Response
from fairway.testing.simkube.refusing import answer
from fairway.testing.simkube.schemas import Resource
from fairway.testing.simkube.server import SimApi

_TYPE: Final = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_VERBS: Final = ["create", "delete", "get", "list", "patch", "update", "watch"]


def discovery(api: SimApi, request: Request) -> Response | None:
    """The answer to a request for kinds; None for another request."""
    if request.path not in ("/api", "/apis"):
        return None
    etag = f'"{api.generation}"'
    if request.headers.get("if-none-match") == etag:
        return Response(304, {"etag": etag}, b"")
    core = request.path == "/api"
    groups: dict[str, dict[str, list[Json]]] = {}
    for one in api.resources.values():
        if (one.kind.group == "") == core:
            versions = groups.setdefault(one.kind.group, {})
            versions.setdefault(one.kind.version, []).append(_resource(one))
    items = [
        {
            "metadata": {"name": group} if group else {},
            "versions": [
                {"version": name, "resources": found, "freshness": "Current"}
                for name, found in versions.items()
            ],
        }
        for group, versions in groups.items()
    ]
    found = answer({"kind": "APIGroupDiscoveryList", "items": items})
    return Response(200, {"content-type": _TYPE, "etag": etag}, found.body)


def _resource(one: Resource) -> Json:
    kind = one.kind
    below = [name for name, there in (("status", one.status), ("scale", one.scale)) if there]
    return {
        "resource": kind.plural,
        "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "verbs": _VERBS,
        "subresources": [{"subresource": name, "verbs": _VERBS} for name in below],
    }
