"""What tests of Applications share: a controller over manifests that the test writes itself."""

from __future__ import annotations

import contextlib
import copy
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from fairway.gitops.controller import Controller, GitOpsSettings, Parts
from fairway.gitops.kinds import APPLICATION, PROJECT
from fairway.gitops.objects import Rendered
from fairway.gitops.rendering import RenderRequest
from fairway.kit.aio import background
from fairway.kube import Kube
from fairway.kube.errors import KubeNotFound
from fairway.kube.fleet import Fleet
from fairway.model.errors import NotFound
from fairway.native.toolbox import Toolbox
from fairway.testing.fleet import StaticFleet
from fairway.testing.waiting import eventually

Json = dict[str, Any]
REPO = "https://git.invalid/shop.git"


class Written:
    """`Manifests` by hand: what a path gives, revision by revision."""

    def __init__(self) -> None:
        self._revisions: dict[str, list[tuple[str, list[Json]]]] = {}

    def commit(self, path: str, *objects: Json) -> str:
        """A new revision of a path; returns it."""
        versions = self._revisions.setdefault(path, [])
        text = msgspec.json.encode([path, len(versions), objects])
        revision = hashlib.sha256(text).hexdigest()[:40]
        versions.append((revision, [copy.deepcopy(one) for one in objects]))
        return revision

    async def manifests(self, asked: RenderRequest, *, fresh: bool) -> Rendered:
        """The newest revision, or the one that is asked for."""
        path = asked.source.path
        versions = self._revisions.get(path)
        if not versions:
            raise NotFound(f"{path}: app path does not exist", code="no-path")
        found = next((one for one in versions if one[0] == asked.revision), versions[-1])
        return Rendered(
            revision=found[0],
            source_type="Directory",
            digest=found[0],
            objects=tuple(copy.deepcopy(found[1])),
        )


class Town:
    """One controller with its hub, and words for what tests ask."""

    def __init__(self, kube: Kube, home: str, written: Written, controller: Controller) -> None:
        self.kube = kube
        self.home = home
        self.written = written
        self.controller = controller

    def push(self, path: str, *objects: Json) -> str:
        """A commit, and the controller hears of it."""
        revision = self.written.commit(path, *objects)
        self.controller.refresh(lambda source: bool(source["repoURL"] == REPO))
        return revision

    async def create(self, name: str, namespace: str, **spec: Any) -> Json:
        """An application whose path is its name."""
        body = application(self.named(name), self.home, namespace, path=name, **spec)
        return await self.kube.create(APPLICATION, body)

    def named(self, name: str) -> str:
        """An application's name: no other test's, since tracking ids name no hub."""
        return f"{name}-{self.home}"

    async def app(self, name: str) -> Json:
        """An application as it is."""
        return await self.kube.get(APPLICATION, self.named(name), self.home)

    async def change(self, name: str, body: Json) -> None:
        """Patch an application."""
        await self.kube.patch(APPLICATION, self.named(name), self.home, body=body)

    async def until(self, name: str, *, seconds: float = 90, **wanted: str) -> Json:
        """Wait until its status has these words: sync, health, phase, revision, condition."""

        async def ask() -> Json | None:
            found = await self.app(name)
            told = words(found)
            return found if all(told[key] == value for key, value in wanted.items()) else None

        try:
            return await eventually(f"{name} has {wanted}", ask, seconds=seconds)
        except (TimeoutError, AssertionError) as error:
            found = await self.app(name)
            raise AssertionError(f"{name} never had {wanted}: {found.get('status')}") from error

    async def operate(self, name: str, **sync: Any) -> None:
        """Ask for a sync as clients do."""
        body = {"operation": {"sync": sync, "initiatedBy": {"username": "tester"}}}
        await self.change(name, body)


def words(app: Json) -> dict[str, str]:
    """What tests wait for, of a status."""
    status = app.get("status") or {}
    state = status.get("operationState") or {}
    types = [one["type"] for one in status.get("conditions") or ()]
    return {
        "sync": (status.get("sync") or {}).get("status", ""),
        "revision": (status.get("sync") or {}).get("revision", ""),
        "health": (status.get("health") or {}).get("status", ""),
        "phase": "" if app.get("operation") else state.get("phase", ""),
        "running": state.get("phase", ""),
        "message": state.get("message", ""),
        "condition": ",".join(types),
    }


def application(name: str, home: str, namespace: str, *, path: str, **spec: Any) -> Json:
    """An Application in Argo CD's own words."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": home, **spec.pop("metadata", {})},
        "spec": {
            "project": "default",
            "source": {"repoURL": REPO, "path": path, "targetRevision": "HEAD"},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": namespace},
            **spec,
        },
    }


def config(name: str, **data: str) -> Json:
    """A ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": data,
    }


def job(name: str, ready: str = "", *, exit_code: str = "") -> Json:
    """A Job of one pod that the fake kubelet ends."""
    notes = {"ready-after": ready, "exit-code": exit_code}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {
            "backoffLimit": 0,
            "template": {
                "metadata": {
                    "annotations": {f"fake.fairway.dev/{k}": v for k, v in notes.items() if v}
                },
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [{"name": "main", "image": "registry.invalid/job:1"}],
                },
            },
        },
    }


def noted(obj: Json, **notes: str) -> Json:
    """With annotations of Argo CD's: `sync_wave="1"`."""
    found = {f"argocd.argoproj.io/{name.replace('_', '-')}": text for name, text in notes.items()}
    meta = {**obj["metadata"], "annotations": {**obj["metadata"].get("annotations", {}), **found}}
    return {**obj, "metadata": meta}


def automated(**more: Any) -> Json:
    """A sync policy that syncs by itself."""
    return {"automated": {"prune": True, "selfHeal": True, **more}}


@asynccontextmanager
async def town(
    kube: Kube, home: str, toolbox: Toolbox, *, fleet: Fleet | None = None
) -> AsyncIterator[Town]:
    """A controller for the block."""
    written = Written()
    parts = Parts(fleet=fleet or StaticFleet(home=kube), manifests=written, toolbox=toolbox)
    controller = Controller(parts, GitOpsSettings(namespace=home, poll_s=3600))
    async with background(controller.run()):
        made = Town(kube, home, written, controller)

        async def served() -> bool:
            with contextlib.suppress(KubeNotFound):
                return await kube.find(PROJECT, "default", home) is not None
            return False

        await eventually("the hub is prepared", served)
        yield made
