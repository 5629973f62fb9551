"""What voyages with releases carry: two services, their charts, and the environments' files.

All of it is data: texts as people commit them, and objects as people apply them.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any, Final

import yaml
from msgspec import Struct

from fairway.kube.kind import Json
from fairway.testing.voyage.goods import HOME, Cargo
from fairway.testing.voyage.helm import TEMPLATE

DELIVERY: Final = "shop"
REGISTRY: Final = "127.0.0.1:8480"
ADDRESS: Final = "http://127.0.0.1:8480"
ENVIRONMENTS: Final = "acme/environments"
STRATEGIES: Final = {"web": "canary", "till": "blueGreen"}
CLUSTERS: Final = {"dev": "hub", "staging": "hub", "production": "east"}
AUTHOR: Final = "ada"  # of every change
PEOPLE: Final = (AUTHOR, "bob", "eve", "quinn")
GUARDED: Final = "production"
_FOLLOWED: Final = ">=0.0.0-0"
_KEY: Final = "password"  # of each service's Secret
_PIPELINE: Final = """kind: pipeline
type: docker
name: ci
steps: [{name: image, image: busybox, commands: [make]}]
trigger: {event: [pull_request]}
"""
_CHECK: Final = "smoke"
_PROVEN: Final[Json] = {"verification": {"analysis": {"template": _CHECK}}}
_ANYBODY: Final[Json] = {"any": [{"approval": {"count": 1}}, {"qa": {"user": "quinn"}}]}
_GATES: Final[Sequence[Json]] = (
    {"all": [{"soak": {"duration": "4s"}}, {"approval": {"count": 1}}]},
    {"approval": {"count": 2}},
    {"any": [{"qa": {"user": "quinn"}}, {"approval": {"count": 2}}]},
    {"all": [{"qa": {"user": "quinn"}}, {"approval": {"count": 1}}]},
    {"all": [{"window": {"schedule": "* * * * *", "duration": "10s"}}, _ANYBODY]},
    {"all": [_PROVEN, {"approval": {"count": 1}}]},
)


class Berth(Struct, frozen=True):
    """One service in one environment."""

    service: str
    environment: str

    @property
    def application(self) -> str:
        """The name of its Application."""
        return f"{self.service}-{self.environment}"

    @property
    def cluster(self) -> str:
        """Where it is."""
        return CLUSTERS[self.environment]

    @property
    def file(self) -> str:
        """What Git says of it."""
        return f"apps/{self.environment}/{self.service}.yaml"

    @property
    def cargo(self) -> Cargo:
        """Its objects, as the lookout knows them."""
        strategy = STRATEGIES[self.service]
        return Cargo(self.service, self.cluster, strategy, namespace=self.environment)


class Shape(Struct, frozen=True, kw_only=True):
    """What a voyage has. `gates`: environment -> service -> its gates ({}: none)."""

    services: tuple[str, ...]
    places: tuple[str, ...]
    gates: dict[str, dict[str, Json]]
    guarded: bool = False  # production's pods have only images that were promoted into it

    @property
    def berths(self) -> tuple[Berth, ...]:
        """Every service in every environment."""
        return tuple(Berth(service, place) for service in self.services for place in self.places)

    def before(self, berth: Berth) -> Berth | None:
        """The same service in the environment before."""
        at = self.places.index(berth.environment)
        return Berth(berth.service, self.places[at - 1]) if at else None

    def gate(self, berth: Berth) -> Json:
        """What is asked before a release comes there."""
        return self.gates[berth.environment][berth.service]


def shape_of(number: int) -> Shape:
    """Every number draws its own; most are small."""
    services = (("web",), ("till",), ("web", "till"))[number % 3]
    places = tuple(CLUSTERS) if number % 2 else ("dev", "production")
    staging: Json = _PROVEN if number % 4 == 3 else {}
    if number % 4 == 1:
        staging = {"soak": {"duration": "2s"}}
    production = _GATES[number // 2 % len(_GATES)]
    free = number % 5 == 2
    gates: dict[str, dict[str, Json]] = {
        "dev": {one: {} for one in services},
        "staging": dict.fromkeys(services, staging),
        "production": {"web": production, "till": {} if free else production},
    }
    return Shape(services=services, places=places, gates=gates, guarded=number % 2 == 0)


def delivery(shape: Shape) -> Json:
    """The Delivery as it is applied."""
    environments = []
    for name in shape.places:
        gates = {one: shape.gate(Berth(one, name)) for one in shape.services}
        own = {service: {"gates": found or "none"} for service, found in gates.items()}
        one: Json = {
            "name": name,
            "cluster": "in-cluster" if CLUSTERS[name] == "hub" else CLUSTERS[name],
            "configuration": {"repository": ENVIRONMENTS, "path": f"apps/{name}"},
            "services": own,
        }
        if name == "dev":
            one["follows"] = _FOLLOWED
        if name == GUARDED and shape.guarded:
            one["admits"] = "promoted"
        environments.append(one)
    services = [{"name": name, "repository": f"acme/{name}"} for name in shape.services]
    spec = {"services": services, "environments": environments}
    return {"metadata": {"name": DELIVERY, "namespace": HOME}, "spec": spec}


def root() -> Json:
    """The Application of the environments' repository: Git says which Applications there are."""
    source = {
        "repoURL": f"{ADDRESS}/{ENVIRONMENTS}.git",
        "path": "apps",
        "targetRevision": "main",
        "directory": {"recurse": True},
    }
    spec: Json = {
        "project": "default",
        "source": source,
        "destination": {"name": "in-cluster", "namespace": HOME},
        "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
    }
    return {"metadata": {"name": "root", "namespace": HOME}, "spec": spec}


def application(berth: Berth) -> str:
    """An environment's file in Git, before anything was promoted."""
    made = berth.cargo.application(heals=True)
    follows = berth.environment == "dev"
    image = f"{REGISTRY}/{berth.environment}/acme/{berth.service}"
    made["metadata"] = {"name": berth.application}
    made["spec"]["destination"]["name"] = "in-cluster" if berth.cluster == "hub" else berth.cluster
    made["spec"]["source"] = {
        "repoURL": f"{REGISTRY}/{berth.environment}/charts",
        "chart": berth.service,
        "targetRevision": _FOLLOWED if follows else "0.0.0",
        "helm": {"releaseName": berth.service, "valuesObject": {"image": {"repository": image}}},
    }
    return yaml.safe_dump(made)


def chart(service: str, *, colour: str, steps: Sequence[Json], broken: bool) -> dict[str, str]:
    """A service's chart as its repository has it. `broken`: its templates do not work."""
    cargo = Cargo(service, "", STRATEGIES[service], colour="${colour}", extras=[], steps=steps)
    objects: list[Any] = [_part(one, service) for one in cargo.manifests()]
    if broken:
        objects.append({"$fail": "this chart is broken"})
    values = f'image:\n  repository: acme/{service}\n  digest: ""\ncolour: {colour}\nroutes: true\n'
    return {
        ".drone.yml": _PIPELINE,
        "chart/Chart.yaml": f"apiVersion: v2\nname: {service}\nversion: 0.0.0\n",
        "chart/values.yaml": values,
        "chart/ci/install-values.yaml": "routes: false\n",
        f"chart/{TEMPLATE}": json.dumps(objects),
    }


def _part(obj: Json, service: str) -> Json:
    """An object as a template: its image from the values, routes where they are wanted."""
    if obj["kind"] == "HTTPRoute":
        return {"$if": "routes", **obj}
    if obj["kind"] == "Rollout":
        ref = {"secretKeyRef": {"name": service, "key": _KEY}}
        container = {
            "name": "main",
            "image": "${image.repository}@${image.digest}",
            "env": [{"name": "PASSWORD", "valueFrom": ref}],
        }
        obj["spec"]["template"]["spec"]["containers"] = [container]
        routing = obj["spec"]["strategy"].get("canary", {}).get("trafficRouting")
        if routing:
            routing["$if"] = "routes"
    return obj


def secret(berth: Berth) -> Json:
    """The password of a service there, which the image does not have."""
    data = {_KEY: base64.b64encode(berth.application.encode()).decode()}
    return {
        "metadata": {"name": berth.service, "namespace": berth.environment},
        "type": "Opaque",
        "data": data,
    }


def check(berth: Berth) -> Json:
    """The AnalysisTemplate by which a release is verified there: a Job that tries its digest."""
    given = "fairway-digest"
    container = {"name": "check", "image": f"{REGISTRY}/check@{{{{args.{given}}}}}"}
    pod = {"restartPolicy": "Never", "containers": [container]}
    job = {"spec": {"backoffLimit": 0, "template": {"spec": pod}}}
    return {
        "metadata": {"name": _CHECK, "namespace": berth.environment},
        "spec": {
            "args": [{"name": given}],
            "metrics": [{"name": _CHECK, "provider": {"job": job}}],
        },
    }
