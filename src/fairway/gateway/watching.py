"""The objects that a gateway is made from, followed as they change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from fairway.gateway.grace import Grace
from fairway.gateway.snapshot import KINDS, Object, Ref
from fairway.kit.aio import Wake
from fairway.kube import Json, Key, Kind, Kube, objects
from fairway.kube.informer import Informer
from fairway.kube.kind import CONFIG_MAP, ENDPOINT_SLICE, INGRESS, NAMESPACE, SECRET, SERVICE

_API: Final = "gateway.networking.k8s.io"
GATEWAY_CLASS: Final = Kind(_API, "v1", "gatewayclasses", "GatewayClass", namespaced=False)
GATEWAY: Final = Kind(_API, "v1", "gateways", "Gateway")
HTTP_ROUTE: Final = Kind(_API, "v1", "httproutes", "HTTPRoute")
GRPC_ROUTE: Final = Kind(_API, "v1", "grpcroutes", "GRPCRoute")
REFERENCE_GRANT: Final = Kind(_API, "v1beta1", "referencegrants", "ReferenceGrant")
BACKEND_TLS: Final = Kind(_API, "v1", "backendtlspolicies", "BackendTLSPolicy")
INGRESS_CLASS: Final = Kind(
    "networking.k8s.io", "v1", "ingressclasses", "IngressClass", namespaced=False
)
BY_NAME: Final[Mapping[str, Kind]] = {
    kind.kind: kind
    for kind in (
        GATEWAY_CLASS, GATEWAY, HTTP_ROUTE, GRPC_ROUTE, REFERENCE_GRANT, BACKEND_TLS, SERVICE,
        ENDPOINT_SLICE, SECRET, CONFIG_MAP, NAMESPACE, INGRESS, INGRESS_CLASS,
    )
}  # fmt: skip
_OF_SECRETS: Final = ("tls.crt", "tls.key", "ca.crt")


def trim(obj: Json) -> Json:
    """Leave out what no gateway reads: above all, what other Secrets and ConfigMaps hold."""
    objects.trim(obj)
    data: Mapping[str, Any] = obj.get("data") or {}
    if obj.get("kind") in {"Secret", "ConfigMap"}:
        obj["data"] = {key: data[key] for key in _OF_SECRETS if key in data}
    return obj


class Watched:
    """Every object of the gateway's kinds, as the cluster has it."""

    def __init__(self, kube: Kube) -> None:
        self.changed = Wake()
        self.count = 0  # of changes: tells whether anything came while one was not looking
        self._found: dict[str, dict[Key, Json]] = {name: {} for name in KINDS}
        self._informers = {name: self._follow(kube, name) for name in KINDS}

    def _follow(self, kube: Kube, name: str) -> Informer:
        informer = Informer(kube, BY_NAME[name], transform=trim, optional=True)
        note = self._note(self._found[name])
        informer.on_change(Grace(note) if name == ENDPOINT_SLICE.kind else note)
        return informer

    def _note(self, into: dict[Key, Json]) -> Callable[[Json | None, Json | None], None]:
        def note(old: Json | None, new: Json | None) -> None:
            if new is not None:
                into[objects.key(new)] = new
            elif old is not None:
                into.pop(objects.key(old), None)
            self.count += 1
            self.changed.set()

        return note

    async def run(self) -> None:
        """Follow until cancelled."""
        async with asyncio.TaskGroup() as group:
            for name, informer in self._informers.items():
                group.create_task(informer.run(), name=f"gateway's {name}")

    async def wait_synced(self, seconds: float) -> None:
        """Wait until all kinds were read. Raises `KubeUnavailable`."""
        for informer in self._informers.values():
            await informer.wait_synced(seconds)

    def objects(self) -> Mapping[str, Sequence[Object]]:
        """What there is now, by kind."""
        return {name: list(found.values()) for name, found in self._found.items()}

    def find(self, ref: Ref) -> Json | None:
        """One object, shared: not to be changed."""
        return self._found[ref.kind].get(Key(ref.namespace, ref.name))

    def of(self, kind: str) -> Sequence[Json]:
        """The objects of a kind, shared."""
        return list(self._found[kind].values())

    def observe(self, kind: str, written: Json) -> None:
        """Our own write, before the cluster tells us of it."""
        self._informers[kind].observe(written)
