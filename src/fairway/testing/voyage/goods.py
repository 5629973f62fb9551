"""What voyages carry: three applications as Git has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct, field

from fairway.kube.kind import Json
from fairway.rollout.crds import PLUGIN
from fairway.testing.voyage.sources import REPO

HOME: Final = "argocd"
SHOP: Final = "shop"


class Cargo(Struct):
    """One application: its newest content, from which its manifests are made."""

    name: str
    cluster: str
    strategy: str  # canary, blueGreen or deployment
    steps: Sequence[Json] = ()
    image: str = "good-0"
    colour: str = "red"
    extras: list[str] = field(default_factory=lambda: ["extra0"])
    replicas: int = 2
    namespace: str = SHOP

    def manifests(self) -> list[Json]:
        """All that Git has of it."""
        found = [config(f"{self.name}-config", colour=self.colour), self.workload()]
        found += [service(self.name, one) for one in self.services()]
        found += [config(f"{self.name}-{one}", extra=one) for one in self.extras]
        if self.strategy == "canary":
            found.append(route(self.name))
        return found

    def services(self) -> list[str]:
        """The Services by which it is reached: the one that users reach first."""
        two = {"canary": ("stable", "canary"), "blueGreen": ("active", "preview")}
        return [f"{self.name}-{one}" for one in two.get(self.strategy, ("all",))]

    def workload(self) -> Json:
        """Its Rollout or Deployment."""
        labels = {"app": self.name}
        container = {"name": "main", "image": f"registry.invalid/{self.name}:{self.image}"}
        spec: Json = {
            "replicas": self.replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        }
        if self.strategy == "deployment":
            return _object("apps/v1", "Deployment", self.name, spec=spec)
        return _object(
            "argoproj.io/v1alpha1",
            "Rollout",
            self.name,
            spec={**spec, "progressDeadlineSeconds": 20, "strategy": self._strategy()},
        )

    def _strategy(self) -> Json:
        first, second = self.services()
        if self.strategy == "blueGreen":
            blue_green = {"activeService": first, "previewService": second}
            return {"blueGreen": {**blue_green, "scaleDownDelaySeconds": 5}}
        routing = {"plugins": {PLUGIN: {"httpRoute": self.name}}}
        services = {"stableService": first, "canaryService": second}
        return {"canary": {**services, "trafficRouting": routing, "steps": list(self.steps)}}

    def application(self, *, heals: bool) -> Json:
        """The Application that brings it about."""
        policy = {"automated": {"prune": True, "selfHeal": True}} if heals else {}
        source = {"repoURL": REPO, "path": self.name, "targetRevision": "HEAD"}
        ignored = [
            {
                "group": "gateway.networking.k8s.io",
                "kind": "HTTPRoute",
                "jsonPointers": ["/spec/rules"],
            }
        ]
        spec: Json = {
            "project": "default",
            "source": source,
            "destination": {"name": self.cluster, "namespace": self.namespace},
            "ignoreDifferences": ignored,
        }
        if policy:
            spec["syncPolicy"] = policy
        made = _object("argoproj.io/v1alpha1", "Application", self.name, spec=spec)
        return {**made, "metadata": {"name": self.name, "namespace": HOME}}


def config(name: str, **data: str) -> Json:
    """A ConfigMap."""
    return _object("v1", "ConfigMap", name, data=data)


def service(app: str, name: str) -> Json:
    """A Service for an application's pods."""
    port = {"port": 80, "protocol": "TCP"}
    return _object("v1", "Service", name, spec={"selector": {"app": app}, "ports": [port]})


def route(app: str) -> Json:
    """The HTTPRoute that a canary is moved by."""
    refs = [{"name": f"{app}-{one}", "port": 80} for one in ("stable", "canary")]
    spec = {"parentRefs": [{"name": "gateway"}], "rules": [{"backendRefs": refs}]}
    return _object("gateway.networking.k8s.io/v1", "HTTPRoute", app, spec=spec)


def _object(version: str, kind: str, name: str, **rest: Any) -> Json:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **rest}
