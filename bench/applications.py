"""The ground of the GitOps benchmarks: 100 applications of one monorepo on a real API server.

Each has a ConfigMap, a Secret, a Service and a Deployment of no replicas, in a namespace of its
own, from plain manifests. API server, etcd and kube-controller-manager are real; there are no
nodes. What says that an application is Synced is a cache of its own that watches Applications.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, NoReturn

from bench.lib import finish

from fairway.git.folders import Folders
from fairway.git.reads import Reads
from fairway.gitops.controller import Controller, GitOpsSettings, Parts
from fairway.gitops.kinds import APPLICATION, PROJECT
from fairway.gitops.manifests import SourceManifests
from fairway.gitops.rendering import Rendering
from fairway.gitops.sources.git import OwnGit
from fairway.kit.aio import background
from fairway.kube import Actor, Informer, Kube, connect
from fairway.kube.errors import KubeNotFound
from fairway.native import programs
from fairway.native.server import Server
from fairway.native.toolbox import Toolbox
from fairway.settings import load
from fairway.testing.apiserver import ApiServer
from fairway.testing.controllers import ControllerManager
from fairway.testing.fleet import StaticFleet

HOME = "argocd"
REPO = "https://git.invalid/acme/shop.git"
Json = dict[str, Any]
Measured = Callable[[ApiServer, Path], Coroutine[Any, Any, list[float]]]


class Monorepo:
    """The repository, bare as Fairway has it, and a working copy that pushes to it."""

    def __init__(self, root: Path, count: int) -> None:
        self.folders = Folders(root / "git")
        self.folders.prepare()
        self.bare = self.folders.ensure(1, "bench", "main")
        self.work = root / "work"
        self.count = count
        self._git("init", "-q", "-b", "main", str(self.work), inside=False)

    def write(self, numbers: range, value: str) -> None:
        """Change these applications' manifests, all four objects of each."""
        for number in numbers:
            folder = self.work / "apps" / f"app-{number:03}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "all.yaml").write_text(manifests(number, value))

    def push(self, title: str) -> str:
        """Commit and push; the commit's id."""
        self._git("add", "-A")
        identity = ("-c", "user.name=bench", "-c", "user.email=bench@localhost")
        self._git(*identity, "commit", "-q", "-m", title)
        self._git("push", "-q", "--force", str(self.bare), "main")
        return self._git("rev-parse", "HEAD").strip()

    def _git(self, *words: str, inside: bool = True) -> str:
        at = ["-C", str(self.work)] if inside else []
        done = subprocess.run(["git", *at, *words], check=True, capture_output=True, text=True)
        return done.stdout


def manifests(number: int, value: str) -> str:
    """Four objects of one application."""
    name = f"app-{number:03}"
    labels = f"{{app: {name}}}"
    return f"""\
apiVersion: v1
kind: ConfigMap
metadata: {{name: settings, labels: {labels}}}
data: {{value: "{value}", filler: "{"x" * 200}"}}
---
apiVersion: v1
kind: Secret
metadata: {{name: keys, labels: {labels}}}
stringData: {{value: "{value}"}}
---
apiVersion: v1
kind: Service
metadata: {{name: web, labels: {labels}, annotations: {{value: "{value}"}}}}
spec:
  selector: {labels}
  ports: [{{name: http, port: 80, targetPort: 8080}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, labels: {labels}}}
spec:
  replicas: 0
  selector: {{matchLabels: {labels}}}
  template:
    metadata: {{labels: {labels}, annotations: {{value: "{value}"}}}}
    spec:
      containers:
        - name: web
          image: registry.invalid/web:1
          ports: [{{containerPort: 8080}}]
          readinessProbe: {{httpGet: {{path: /, port: 8080}}}}
"""


def application(number: int) -> Json:
    """One Application that syncs, prunes and heals by itself."""
    name = f"app-{number:03}"
    return {
        "metadata": {"name": name, "namespace": HOME},
        "spec": {
            "project": "default",
            "source": {"repoURL": REPO, "path": f"apps/{name}", "targetRevision": "HEAD"},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": name},
            "syncPolicy": {
                "automated": {"prune": True, "selfHeal": True},
                "syncOptions": ["CreateNamespace=true"],
            },
        },
    }


class Bench:
    """Everything that runs."""

    def __init__(self, kube: Kube, repo: Monorepo, controller: Controller, apps: Informer) -> None:
        self.kube, self.repo, self.controller = kube, repo, controller
        self._apps = apps
        self._changed = asyncio.Event()
        apps.on_change(lambda _old, _new: self._changed.set())

    def told(self) -> None:
        """The controller hears of the push, as it does of pushes to Fairway."""
        self.controller.refresh(lambda source: bool(source["repoURL"] == REPO))

    async def until(self, what: Callable[[Json], bool], names: set[str], seconds: float) -> float:
        """When all these applications are so: `time.perf_counter`."""
        async with asyncio.timeout(seconds):
            while True:
                self._changed.clear()
                good = {one["metadata"]["name"] for one in self._apps.store if what(one)}
                if names <= good:
                    return time.perf_counter()
                await self._changed.wait()


def settled(revision: str) -> Callable[[Json], bool]:
    """Synced and Healthy at a revision, by an operation that has ended."""

    def check(app: Json) -> bool:
        status = app.get("status") or {}
        state = status.get("operationState") or {}
        done = (state.get("syncResult") or {}).get("revision") == revision
        well = (status.get("health") or {}).get("status") == "Healthy"
        synced = (status.get("sync") or {}).get("status") == "Synced"
        return done and well and synced and state.get("phase") == "Succeeded"

    return check


@contextmanager
def servers(folder: Path) -> Iterator[ApiServer]:
    """API server, etcd and controllers for the block."""
    native = programs.find(load().native.dir).native
    server = ApiServer(native, folder / "api")
    manager = ControllerManager(native, server)
    try:
        server.start()
        manager.start()
        yield server
    finally:
        manager.stop()
        server.stop()


@asynccontextmanager
async def bench(server: ApiServer, folder: Path, count: int) -> AsyncIterator[Bench]:
    """The controller with its applications, all Synced once."""
    repo = Monorepo(folder, count)
    repo.write(range(count), "0")
    first = repo.push("the beginning")
    toolbox_server = Server(folder / "toolbox", lambda: programs.find(load().native.dir).native)
    toolbox = Toolbox(toolbox_server)
    kube = await connect(server.admin, Actor(manager="bench"))
    own = await connect(server.admin, Actor(manager="fairway"))
    reads = Reads(repo.folders)

    async def find(url: str) -> int | None:
        return 1 if url == REPO else None

    git = OwnGit(reads, repo.folders, find)
    parts = Parts(
        fleet=StaticFleet(main=own),
        manifests=SourceManifests(Rendering(toolbox, git)),
        toolbox=toolbox,
    )
    controller = Controller(parts, GitOpsSettings(namespace=HOME, poll_s=3600))
    apps = Informer(kube, APPLICATION, optional=True)
    try:
        async with background(controller.run(), apps.run()):
            await _prepared(kube)
            made = Bench(kube, repo, controller, apps)
            began = time.perf_counter()
            for number in range(count):
                await kube.create(APPLICATION, application(number))
            names = {f"app-{number:03}" for number in range(count)}
            ended = await made.until(settled(first), names, 300)
            print(f"created and synced {count} applications in {ended - began:.1f} s", flush=True)
            await asyncio.sleep(6)  # what follows is measured on a quiet ground
            yield made
    finally:
        await own.close()
        await kube.close()
        toolbox_server.stop()


async def _prepared(kube: Kube) -> None:
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(KubeNotFound):
                if await kube.find(PROJECT, "default", HOME) is not None:
                    return
            await asyncio.sleep(0.05)


def hold(name: str, bar: str, measured: Measured, *, applications: int) -> NoReturn:
    """Measure on servers of its own, and hold the median of the rounds against a bar in seconds."""
    with folder() as where, servers(where) as server:
        found = asyncio.run(measured(server, where))
    p95 = round(sorted(found)[int(len(found) * 0.95)], 3)
    finish(name, found, [1.0], bar, applications=applications, p95=p95)


@contextmanager
def folder() -> Iterator[Path]:
    """Where the servers' data lies: in memory where that is possible, the disk is not measured."""
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as name:
        yield Path(name)
