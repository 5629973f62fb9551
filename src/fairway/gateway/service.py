"""The role `gateway`: Envoy, what programs it, and the objects that an installation makes for it.

Envoy is started at once and serves what it was given last; the cluster may come later, go, or get
other credentials.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from msgspec import Struct

from fairway.gateway import crds, localhost, own
from fairway.gateway.controller import Controller
from fairway.gateway.envoy.admin import Admin
from fairway.gateway.envoy.bootstrap import Folder
from fairway.gateway.envoy.files import Files
from fairway.gateway.envoy.process import EnvoySettings, component, watchable
from fairway.gateway.envoy.programmer import Programmer
from fairway.gateway.live import Live
from fairway.gateway.snapshot import Place, Ref
from fairway.gateway.traffic import Traffic
from fairway.gateway.watching import GATEWAY, GATEWAY_CLASS, INGRESS_CLASS
from fairway.kit.aio import Wake, blocking, together
from fairway.kube import Actor, Connection, Kind, Kube, connect
from fairway.kube.kind import CUSTOM_RESOURCE_DEFINITION, NAMESPACE, SECRET
from fairway.kube.objects import key
from fairway.model.errors import FairwayError, Unavailable
from fairway.supervise.component import ComponentStatus, State
from fairway.supervise.supervisor import Supervisor

_log = logging.getLogger(__name__)
_RETRY_S: Final = 1.0
_LOOK_S: Final = 30.0  # whether the way into the cluster is still the same
_TEND_S: Final = 3600.0  # our own objects, and the certificate's end
_CLASSES: Final = (INGRESS_CLASS, GATEWAY_CLASS)
ACTOR: Final = Actor(manager="fairway-gateway")


class Access(Struct, frozen=True):
    """The way into a cluster, and where its traffic comes in."""

    connection: Connection
    place: Place


class Wanted(Struct, frozen=True, kw_only=True):
    """What a gateway is made of.

    `find` says how the cluster is reached, or raises `FairwayError`: not (yet). `definitions` is
    the folder of the Gateway API's own, or raises where there are none. `free` raises where the
    ports of our own Gateway belong to somebody else; it is asked before Envoy is started.
    """

    folder: Folder
    find: Callable[[], Awaitable[Access]]
    definitions: Callable[[], Path]
    free: Callable[[], None]
    concurrency: int = 0
    drain_s: float = 5.0


class _Moved(Exception):
    """The cluster is reached otherwise now."""


class Service:
    """One Envoy and everything about it."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._admin = Admin(wanted.folder.admin)
        self._files = Files(wanted.folder)
        self._supervisor = Supervisor(wanted.folder.root / "run")
        self._controller: Controller | None = None
        self.traffic = Traffic(self._admin, wanted.folder.access_log)
        self.problem = "it is being started"
        self.changed = Wake()

    def component(self) -> ComponentStatus | None:
        """How Envoy is; None before it was started first."""
        return next(iter(self._supervisor.statuses()), None)

    def live(self, ref: Ref) -> Live | None:
        """Which weights of a route are live, by Envoy's own counters."""
        return self._controller.live(ref) if self._controller else None

    async def run(self) -> None:
        """Until cancelled, which leaves Envoy running."""
        try:
            await self._prepare()
            settings = EnvoySettings(
                folder=self._wanted.folder, concurrency=self._wanted.concurrency
            )
            self._supervisor.add(component(settings, self._files, self._admin))
            programmer = Programmer(
                self._files,
                self._admin,
                drain_s=self._wanted.drain_s,
                most=await blocking(watchable),
            )
            await programmer.load()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._supervisor.run(), name="envoy")
                group.create_task(programmer.run(), name="drained clusters")
                group.create_task(self.traffic.run(), name="traffic")
                group.create_task(self._watch_envoy(programmer), name="envoy's restarts")
                group.create_task(self._program(programmer), name="gateway")
        finally:
            await self._admin.close()

    async def _prepare(self) -> None:
        """Files, and ports that are free unless our own Envoy has them."""
        await blocking(self._files.prepare)
        while not await self._admin.ready():
            try:
                await blocking(self._wanted.free)
            except FairwayError as error:
                self._say(str(error), error.remedy)
                await asyncio.sleep(_RETRY_S)
            else:
                return

    async def _watch_envoy(self, programmer: Programmer) -> None:
        pid = None
        while True:
            await self._supervisor.changed.wait(_LOOK_S)
            status = self.component()
            if status is None or status.state is not State.READY or status.pid == pid:
                continue
            pid = status.pid
            programmer.doubt()
            if self._controller is not None:
                self._controller.look_again()

    # ---- the cluster -----------------------------------------------------------------------------

    async def _program(self, programmer: Programmer) -> None:
        while True:
            access = await self._access()
            try:
                await self._serve(access, programmer)
            except _Moved:
                _log.info("the cluster is reached otherwise now: the gateway connects anew")
            except FairwayError as error:
                self._say(str(error), error.remedy)
            await asyncio.sleep(_RETRY_S)

    async def _access(self) -> Access:
        while True:
            try:
                return await self._wanted.find()
            except FairwayError as error:
                self._say(f"it waits for the cluster: {error}", error.remedy)
            await asyncio.sleep(_RETRY_S)

    async def _serve(self, access: Access, programmer: Programmer) -> None:
        kube = await connect(access.connection, ACTOR)
        memory = self._wanted.folder.root / "memory.json"
        controller = Controller(kube, programmer, access.place, memory)
        try:
            await self._own_objects(kube, access.place, localhost.names(programmer.routes.values()))
            self._controller = controller
            async with together() as group:
                group.create_task(controller.run(), name="gateway's controller")
                tending = self._tend(kube, access.place, programmer)
                group.create_task(tending, name="gateway's own objects")
                certifying = self._certify(kube, controller, programmer)
                group.create_task(certifying, name="gateway's certificate")
                group.create_task(self._notice(access), name="gateway's way in")
                group.create_task(self._well(controller), name="gateway's health")
        finally:
            self._controller = None
            await kube.close()

    async def _well(self, controller: Controller) -> None:
        while controller.settled is None:
            await controller.changed.wait(_LOOK_S)
        self._say("")
        await asyncio.Event().wait()

    async def _notice(self, access: Access) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            try:
                found = await self._wanted.find()
            except FairwayError:
                continue  # it may come back the same; what is followed retries by itself
            if found != access:
                raise _Moved

    async def _certify(self, kube: Kube, controller: Controller, programmer: Programmer) -> None:
        """Each name that a route brings gets into the certificate."""
        had: frozenset[str] = frozenset()
        while True:
            hosts = localhost.names(programmer.routes.values())
            if hosts - had:
                try:
                    await _certificate(kube, hosts)
                    had = hosts
                except FairwayError as error:
                    _log.warning("the gateway's certificate: %s", error)
            await controller.changed.wait(_LOOK_S)

    async def _tend(self, kube: Kube, place: Place, programmer: Programmer) -> None:
        while True:
            await asyncio.sleep(_TEND_S)
            try:
                hosts = localhost.names(programmer.routes.values())
                await self._own_objects(kube, place, hosts)
            except FairwayError as error:
                _log.warning("the gateway's own objects: %s", error)

    async def _own_objects(self, kube: Kube, place: Place, hosts: frozenset[str]) -> None:
        """Definitions, classes, our Gateway and its certificate."""
        try:
            definitions = await blocking(lambda: crds.read(self._wanted.definitions()))
        except FairwayError as error:
            _log.info("the Gateway API's definitions are not installed by us: %s", error)
        else:
            for name in await crds.install(kube, definitions):
                _log.info("installed %s", name)
            await _established(kube, definitions)
        await _ensure(kube, NAMESPACE, own.namespace())
        await _ensure(kube, INGRESS_CLASS, own.ingress_class())
        await _certificate(kube, hosts)
        await _ensure(kube, GATEWAY_CLASS, own.gateway_class())
        await _ensure(kube, GATEWAY, own.gateway(place.http_port, place.https_port))

    def _say(self, problem: str, remedy: str = "") -> None:
        text = problem + (f" ({remedy})" if problem and remedy else "")
        if text and text != self.problem:
            _log.warning("the gateway: %s", text)
        self.problem = text
        self.changed.set()


async def _certificate(kube: Kube, hosts: frozenset[str]) -> None:
    """Have the authority and the certificate for names under .localhost."""
    signer = await kube.find(SECRET, localhost.AUTHORITY, own.NAMESPACE)
    if signer is None or localhost.authority_to_renew(signer):
        signer = await kube.apply(SECRET, localhost.authority(), force=True)
    found = await kube.find(SECRET, own.SECRET, own.NAMESPACE)
    wanted = localhost.hosts_to_have(found, hosts)
    if not localhost.to_renew(found, signer, wanted):
        return
    try:
        made = localhost.secret(signer, wanted)
    except ValueError as error:
        _log.warning("the authority %s/%s: %s", own.NAMESPACE, localhost.AUTHORITY, error)
    else:
        await kube.apply(SECRET, made, force=True)


async def _ensure(kube: Kube, kind: Kind, wanted: dict[str, object]) -> None:
    place = key(wanted)
    found = await kube.find(kind, place.name, place.namespace)
    if kind in _CLASSES and own.to_replace(wanted, found):
        await kube.delete(kind, place.name)
        found = None
    if own.to_write(wanted, found):
        await kube.apply(kind, wanted, force=True)


async def _established(kube: Kube, definitions: list[dict[str, object]]) -> None:
    """Wait until the API server serves the definitions that were installed."""
    for one in definitions:
        name = key(one).name
        for _ in range(100):
            if crds.established(await kube.get(CUSTOM_RESOURCE_DEFINITION, name)):
                break
            await asyncio.sleep(0.1)
        else:
            raise Unavailable(f"{name} is not served by the cluster yet", code="crd-not-served")
