"""Carries out a decision: its actions in their order, then the status in one patch.

Every write is conditional on the version that was decided from, or on the one that this plan's own
write made of it. What fails ends the plan: the next decision is made from what is there then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fairway.kube import Json, Key, Kind, Kube, objects
from fairway.kube.errors import KubeConflict, KubeExists
from fairway.kube.kind import REPLICA_SET, SERVICE
from fairway.rollout import plan as p
from fairway.rollout import services
from fairway.rollout.analysis.crds import ANALYSIS_RUN
from fairway.rollout.crds import ROLLOUT
from fairway.rollout.plan import Plan, Seen
from fairway.rollout.routers.gateway_api import HTTP_ROUTE


class Acting:
    """One plan for one Rollout. `told` takes its events in order, `observe` what was written."""

    def __init__(
        self,
        kube: Kube,
        seen: Seen,
        *,
        told: Callable[[p.Tell], None],
        observe: Callable[[Json], None],
    ) -> None:
        self._kube, self._seen = kube, seen
        self._told, self._observe = told, observe
        self._key = objects.key(seen.rollout)
        self._versions: dict[tuple[str, str], str] = {}
        self._note(seen.rollout, ROLLOUT)
        for one in seen.sets:
            self._note(one, REPLICA_SET)
        for service in seen.services.values():
            self._note(service, SERVICE)
        for route in seen.routes.values():
            self._note(route, HTTP_ROUTE)

    def _note(self, obj: Json, kind: Kind) -> None:
        self._versions[kind.plural, str(objects.key(obj))] = objects.version(obj)

    async def carry_out(self, plan: Plan) -> None:
        """All of it. Raises `KubeConflict` when something changed meanwhile, and what else the
        server says."""
        for action in plan.actions:
            await self._act(action)
        if plan.status is not None:
            body = patch(dict(self._seen.rollout.get("status") or {}), plan.status)
            await self._write(ROLLOUT, self._key, {"status": body}, subresource="status")

    async def _act(self, action: p.Action) -> None:
        namespace = self._key.namespace
        match action:
            case p.Tell():
                self._told(action)
            case p.ChangeSet(name=name):
                await self._write(REPLICA_SET, Key(namespace, name), set_patch(action))
            case p.SwitchService(name=name):
                await self._write(SERVICE, Key(namespace, name), services.patch(action))
            case p.ReleaseService(name=name):
                await self._write(SERVICE, Key(namespace, name), dict(services.RELEASED))
            case p.ChangeRoute(key=key, body=body):
                await self._write(HTTP_ROUTE, key, body)
            case p.ChangeRollout(body=body):
                await self._write(ROLLOUT, self._key, body)
            case p.CreateSet(body=body):
                await self._create_set(body)
            case _:
                await self._act_on_run(action, namespace)

    async def _act_on_run(self, action: p.Action, namespace: str) -> None:
        match action:
            case p.CreateRun(body=body):
                self._observe(await self._kube.create(ANALYSIS_RUN, body))
            case p.EndRun(name=name):
                body = {"spec": {"terminate": True}}
                written = await self._kube.patch(ANALYSIS_RUN, name, namespace, body=body)
                self._observe(written)
            case p.DeleteRun(name=name):
                await self._kube.delete(ANALYSIS_RUN, name, namespace)
            case p.DeleteSet(name=name):
                await self._kube.delete(REPLICA_SET, name, namespace)

    async def _write(self, kind: Kind, key: Key, body: Json, *, subresource: str = "") -> None:
        version = self._versions[kind.plural, str(key)]
        metadata = {**(body.get("metadata") or {}), "resourceVersion": version}
        written = await self._kube.patch(
            kind,
            key.name,
            key.namespace,
            body={**body, "metadata": metadata},
            subresource=subresource,
        )
        self._note(written, kind)
        self._observe({"apiVersion": kind.api_version, "kind": kind.kind, **written})

    async def _create_set(self, body: Json) -> None:
        sent = {**body, "metadata": {**body["metadata"]}}
        sent["metadata"].pop("creationTimestamp")
        key = objects.key(sent)
        try:
            made = await self._kube.create(REPLICA_SET, sent, strict=False)
        except KubeExists:
            made = await self._kube.get(REPLICA_SET, key.name, key.namespace)
            owner = objects.controller(made) or {}
            if owner.get("uid") != objects.uid(self._seen.rollout):
                await self._collide(key)
        self._note(made, REPLICA_SET)
        self._observe(made)

    async def _collide(self, key: Key) -> None:
        """Another's ReplicaSet has the name: the next decision takes another hash."""
        count = int((self._seen.rollout.get("status") or {}).get("collisionCount") or 0)
        body = {"status": {"collisionCount": count + 1}}
        await self._write(ROLLOUT, self._key, body, subresource="status")
        raise KubeConflict(f"there is another ReplicaSet {key}: the hash is taken anew")


def set_patch(action: p.ChangeSet) -> Json:
    """The merge patch of a ReplicaSet."""
    spec: Json = {}
    if action.replicas is not None:
        spec["replicas"] = action.replicas
    if action.min_ready is not None:
        spec["minReadySeconds"] = action.min_ready
    made: Json = {"metadata": {"annotations": dict(action.notes)}} if action.notes else {}
    return {**made, "spec": spec} if spec else made


def patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> Json:
    """The merge patch (RFC 7386) from one status to another."""
    made: Json = {name: None for name in before if name not in after}
    for name, value in after.items():
        old = before.get(name)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            inner = patch(old, value)
            if inner:
                made[name] = inner
        elif value != old:
            made[name] = value
    return made
