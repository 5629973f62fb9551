"""An environment that admits only what was promoted into it: a policy of its cluster's API server,
which refuses every other image in the environment's namespaces, whoever brings it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Final

from fairway.kube.errors import KubeNotFound
from fairway.kube.fleet import find
from fairway.kube.subset import BINDING, POLICY
from fairway.model.errors import FairwayError
from fairway.release import making
from fairway.release.ports import Deps
from fairway.release.spec import Delivery, Environment

_NAMESPACE: Final = "kubernetes.io/metadata.name"
_PLACES: Final = ("containers", "initContainers", "ephemeralContainers")
_log = logging.getLogger(__name__)
Json = dict[str, Any]


def name_of(delivery: Delivery, environment: Environment) -> str:
    """Of the policy and its binding."""
    return f"promoted-only.{delivery.name}.{environment.name}"


def policy(name: str, namespaces: Sequence[str], prefix: str) -> tuple[Json, Json]:
    """The policy and its binding: images of pods in these namespaces begin with `prefix`. Pure."""
    made = {
        "apiVersion": POLICY.api_version,
        "kind": POLICY.kind,
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "namespaceSelector": {
                    "matchExpressions": [
                        {"key": _NAMESPACE, "operator": "In", "values": sorted(namespaces)}
                    ]
                },
                "resourceRules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE", "UPDATE"],
                        "resources": ["pods", "pods/ephemeralcontainers"],
                    }
                ],
            },
            "validations": [_validation(place, prefix) for place in _PLACES],
        },
    }
    binding = {
        "apiVersion": BINDING.api_version,
        "kind": BINDING.kind,
        "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": ["Deny"]},
    }
    return made, binding


def _validation(place: str, prefix: str) -> Json:
    """What a pod had before an update it may keep: pods older than the policy can still end."""
    at, old = f"object.spec.{place}", f"oldObject.spec.{place}"
    quoted = prefix.replace("\\", "\\\\").replace("'", "\\'")
    kept = f"oldObject != null && has({old}) && {old}.exists(o, o.image == c.image)"
    return {
        "expression": f"!has({at}) || {at}.all(c, c.image.startsWith('{quoted}') || ({kept}))",
        "message": f"only images that were promoted run here: their names begin with {prefix}",
        "reason": "Forbidden",
    }


class Admission:
    """Keeps policies as the deliveries want them."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._done: dict[str, tuple[str, ...]] = {}

    async def ensure(self, delivery: Delivery) -> None:
        """Have a policy for each environment that admits only what was promoted; none for others.

        A cluster that does not answer holds up nothing: it is tried again.
        """
        for environment in delivery.environments:
            name = name_of(delivery, environment)
            try:
                await self._one(delivery, environment, name)
            except FairwayError as error:
                self._done.pop(name, None)
                _log.info("the policy %s waits: %s", name, error)

    async def _one(self, delivery: Delivery, environment: Environment, name: str) -> None:
        if environment.admits != "promoted":
            if self._done.get(name) != ():
                await self._remove(environment, name)
                self._done[name] = ()
            return
        every = [
            await making.destination(self._deps, environment.application_of(one.name))
            for one in delivery.services
        ]
        namespaces = tuple(sorted({one for one in every if one}))
        if not namespaces or self._done.get(name) == namespaces:
            return
        kube = find(self._deps.fleet, name=environment.cluster).client()
        prefix = f"{self._deps.registry}/{environment.home}/"
        for kind, obj in zip((POLICY, BINDING), policy(name, namespaces, prefix), strict=True):
            await kube.apply(kind, obj, force=True)
        self._done[name] = namespaces

    async def _remove(self, environment: Environment, name: str) -> None:
        kube = find(self._deps.fleet, name=environment.cluster).client()
        for kind in (BINDING, POLICY):
            try:
                await kube.delete(kind, name)
            except KubeNotFound:
                continue
