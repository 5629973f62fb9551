"""Gateway API HTTPRoutes, declared as for Argo Rollouts' Gateway API plugin.

In every rule that has both the stable and the canary Service among its backends, these two are
given the weights. Other rules, and other backends of these rules, are left alone.

Live is a weight when all gateways that take the route say so. One of Fairway's tells of it by a
condition of the route (what Envoy's own counters have confirmed); of others it is enough that they
accept the route's current generation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from fairway.kube import Json, Key, Kind, objects
from fairway.rollout.crds import PLUGIN
from fairway.rollout.objects import MAX_WEIGHT, Rollout
from fairway.rollout.plan import ChangeRoute
from fairway.rollout.router import Confirmed, Live, Routes, Told

HTTP_ROUTE: Final = Kind("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute")
OURS: Final = "fairway.dev/gateway-controller"
_LABEL: Final = "rollouts.argoproj.io/gatewayapi-canary"
_IN_PROGRESS: Final = "in-progress"


class GatewayApi:
    """`Router` by HTTPRoutes. `told` reads our own gateway's confirmation from a route."""

    def __init__(self, told: Told, ours: str = OURS) -> None:
        self._told = told
        self._ours = ours

    def keys(self, rollout: Rollout) -> Sequence[Key]:
        """The HTTPRoutes that the Rollout names, each once."""
        config = _config(rollout)
        names = [config.get("httpRoute"), *(one["name"] for one in config.get("httpRoutes") or ())]
        namespace = str(config.get("namespace") or rollout.namespace)
        return [Key(namespace, str(name)) for name in dict.fromkeys(names) if name]

    def problem(self, rollout: Rollout, routes: Routes) -> str:
        """What is missing for a split."""
        keys = self.keys(rollout)
        if not keys:
            return "the traffic router names no HTTPRoute"
        for key in keys:
            route = routes.get(key)
            if route is None:
                return f'httproutes.gateway.networking.k8s.io "{key.name}" not found'
            if not list(_rules(route, rollout)):
                canary, stable = _services(rollout)
                return f"no rule of the HTTPRoute {key} has both {stable} and {canary} as backends"
        return ""

    def shift(self, rollout: Rollout, routes: Routes, weight: int) -> Sequence[ChangeRoute]:
        """Rules with the new weights, and the label that says that a canary is running."""
        patches = ((key, self._patch(rollout, routes[key], weight)) for key in self.keys(rollout))
        return [ChangeRoute(key, body) for key, body in patches if body]

    def _patch(self, rollout: Rollout, route: Json, weight: int) -> Json:
        rules = objects.copy(route["spec"]["rules"])
        for place in _rules(route, rollout):
            _weigh(rules[place], rollout, weight)
        labels = _labels(route, _config(rollout), weight)
        made: Json = {"metadata": {"labels": labels}} if labels else {}
        return {**made, "spec": {"rules": rules}} if rules != route["spec"]["rules"] else made

    def confirmed(self, rollout: Rollout, routes: Routes, weight: int) -> Confirmed:
        """Whether every route is as it shall be, and is live in all that take it."""
        good = not self.shift(rollout, routes, weight) and all(
            self._live(rollout, routes[key]) for key in self.keys(rollout)
        )
        return Confirmed.YES if good else Confirmed.NOT_YET

    def _live(self, rollout: Rollout, route: Json) -> bool:
        parents = (route.get("status") or {}).get("parents") or ()
        generation = int(objects.metadata(route).get("generation") or 0)
        if not parents:
            return False
        if not all(_accepts(one, generation) for one in parents):
            return False
        if not any(one.get("controllerName") == self._ours for one in parents):
            return True
        told = self._told(route)
        return told is not None and told.generation >= generation and _split(rollout, route, told)


def _config(rollout: Rollout) -> Mapping[str, Any]:
    plugins = (rollout.routing or {}).get("plugins") or {}
    return plugins.get(PLUGIN) or {}


def _services(rollout: Rollout) -> tuple[str, str]:
    canary = rollout.canary or {}
    return str(canary.get("canaryService")), str(canary.get("stableService"))


def _backend(rule: Mapping[str, Any], name: str) -> Iterable[Json]:
    for one in rule.get("backendRefs") or ():
        if one.get("name") == name and one.get("kind", "Service") == "Service":
            yield one


def _rules(route: Mapping[str, Any], rollout: Rollout) -> Iterable[int]:
    """The places of the rules that hold both Services."""
    for place, rule in enumerate((route.get("spec") or {}).get("rules") or ()):
        if all(any(_backend(rule, name)) for name in _services(rollout)):
            yield place


def _weigh(rule: Json, rollout: Rollout, weight: int) -> None:
    canary, stable = _services(rollout)
    for one in _backend(rule, canary):
        one["weight"] = weight
    for one in _backend(rule, stable):
        one["weight"] = MAX_WEIGHT - weight


def _labels(route: Json, config: Mapping[str, Any], weight: int) -> dict[str, str | None]:
    """The label that tells GitOps to leave the weights alone, while there is a canary."""
    if config.get("disableInProgressLabel"):
        return {}
    name = str(config.get("inProgressLabelKey") or _LABEL)
    value = str(config.get("inProgressLabelValue") or _IN_PROGRESS) if weight else None
    return {} if objects.labels(route).get(name) == value else {name: value}


def _accepts(parent: Mapping[str, Any], generation: int) -> bool:
    return any(
        one["type"] == "Accepted"
        and one["status"] == "True"
        and int(one.get("observedGeneration") or 0) >= generation
        for one in parent.get("conditions") or ()
    )


def _split(rollout: Rollout, route: Json, told: Live, /) -> bool:
    """Whether what is live is what the route says. A Service without a weight may be left out."""
    for place in _rules(route, rollout):
        rule, shares = route["spec"]["rules"][place], told.rules.get(place, ())
        for name in _services(rollout):
            said = sum(int(one.get("weight", 1)) for one in _backend(rule, name))
            if said != sum(one.weight for one in shares if one.service == name):
                return False
    return True
