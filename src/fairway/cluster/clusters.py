"""Every cluster that Fairway knows: its own, and those registered in its home cluster."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace
from sqlalchemy import Connection

from fairway.access import nodes
from fairway.cluster import kubeconfig, loading, looking, registered
from fairway.cluster import reach as reaching
from fairway.cluster.known import Client, Dial, Health, Kind, Known, Own, Owned, State
from fairway.cluster.listing import homeless, of_own, of_registered, taken, unique, unknown
from fairway.cluster.loading import Loaded
from fairway.cluster.pull_secret import pull_secret, unreachable_registry
from fairway.cluster.reach import Reach
from fairway.cluster.registered import LABEL, NAMESPACE, NAMESPACES, Registered
from fairway.cluster.target import Target
from fairway.kit import clock
from fairway.kit.net import is_loopback
from fairway.model.errors import Conflict, FairwayError, Unavailable
from fairway.store import audit
from fairway.store.database import Database

_LOOK_S: Final = 5.0  # of one request
_SLOW_S: Final = 15.0
_FRESH_S: Final = 5.0  # how long what was read in the home cluster counts
_ROUND_S: Final = 30.0
_log = logging.getLogger(__name__)


class Clusters:
    """Lists, registers, removes; gives the proxy its targets."""

    def __init__(self, database: Database, owned: Owned, dial: Dial) -> None:
        self._database = database
        self._owned = owned
        self._dial = dial
        self._read_at = -_FRESH_S
        self._read: list[Registered] = []
        self._health: dict[str, Health] = {}
        self._prepared: set[str] = set()

    async def run(self) -> None:
        """Look at every cluster now and then, and have in our own what we need there."""
        while True:
            try:
                for one in await self._owned.own():
                    await self._prepare(one)
                await self.all()
            except FairwayError as error:
                _log.warning("clusters: %s", error)
            await asyncio.sleep(_ROUND_S if self._prepared else 1.0)

    async def _prepare(self, one: Own) -> None:
        if one.target is None:
            self._prepared.discard(one.name)
        elif one.name not in self._prepared:
            client = self._dial(one.target, timeout_s=_SLOW_S)
            try:
                await looking.prepare(client)
                self._prepared.add(one.name)
            except FairwayError as error:
                _log.warning("%s cannot be prepared: %s", one.name, error)
            finally:
                await client.close()

    # Reading

    async def all(self, *, fresh: bool = True) -> list[Known]:
        """Each cluster with its health; `fresh` false takes what was found last."""
        own = await self._owned.own()
        found = [of_own(one, home=at == 0) for at, one in enumerate(own)]
        ours = {one.name for one in own}
        registered_ones = await self._registered(own)
        found += [of_registered(one) for one in registered_ones if one.name not in ours]
        targets = await self._targets(own, registered_ones)
        if fresh:
            await self._look_at(targets)
        return [self._with_health(one, targets) for one in found]

    async def one(self, name: str) -> Known:
        """Raises `NotFound` (code `no-cluster`)."""
        for found in await self.all():
            if found.name == name:
                return found
        raise unknown(name)

    async def target(self, name: str) -> Target:
        """Our own way into a cluster. Raises `NotFound`, or `Unavailable` with the reason."""
        own = await self._owned.own()
        for at, mine in enumerate(own):
            if mine.name == name or (at == 0 and name == registered.HOME_NAME):
                if mine.target is None:
                    raise Unavailable(
                        f"the cluster {name} is not there yet: {mine.reason}",
                        code="cluster-unavailable",
                        remedy="`fairway get components` says how it comes along",
                    )
                return mine.target
        for one in await self._registered(own):
            if one.name == name:
                if one.problem is not None:
                    raise one.problem
                if one.target is not None:
                    return one.target
        raise unknown(name)

    async def resolve(self, name: str) -> str:
        """The name itself; that of the home cluster for Argo CD's `in-cluster`.

        Raises `NotFound` where there is no such cluster.
        """
        if name != registered.HOME_NAME:
            await self.target(name)
            return name
        own = await self._owned.own()
        if not own:
            raise homeless()
        return own[0].name

    async def client(self, name: str, *, timeout_s: float = _SLOW_S) -> Client:
        """A client as ourselves; the caller closes it. Raises as `target` does."""
        return self._dial(await self.target(name), timeout_s=timeout_s)

    # Changing

    async def add(
        self, actor: str, name: str, config: str, *, context: str = "", given: Mapping[str, Any]
    ) -> Known:
        """Register a cluster by a kubeconfig that is whole in itself, after it has answered.

        `given`: namespaces, cluster_resources, project, labels, replace, unreachable. Raises
        `BadFile`, `InvalidInput`, `Conflict`, `Unavailable` (code `cluster-unavailable`).
        """
        registered.check_name(name)
        target = kubeconfig.read(config.encode(), where="kubeconfig", context=context)
        for known in await self.all(fresh=False):
            self._check_free(known, name, target, replace=bool(given.get("replace")))
        health = await self._first_look(name, target)
        if health.state is not State.READY and not given.get("unreachable"):
            raise Unavailable(
                f"{target.server} does not serve as a cluster: {health.reason}",
                code="cluster-unavailable",
                remedy="mend it, or register it as it is with --unreachable",
            )
        secret = registered.to_secret(
            name,
            target,
            namespaces=tuple(given.get("namespaces") or ()),
            cluster_resources=bool(given.get("cluster_resources")),
            project=str(given.get("project") or ""),
            labels=given.get("labels"),
        )
        await self._note(actor, "cluster.add", name, {"server": target.server})
        await self._apply(name, secret)
        return await self.one(name)

    async def remove(self, actor: str, name: str) -> None:
        """Forget a registered cluster; what runs there goes on.

        Raises `NotFound`, and `Conflict` for one that is not registered by us.
        """
        found = await self.one(name)
        if found.registered is None:
            raise Conflict(
                f"{name} is this installation's own cluster, not a registered one",
                code="own-cluster",
                remedy=f"`fairway cluster delete {name}` ends an embedded one that was created",
            )
        place = found.registered.secret
        if not found.registered.ours:
            raise Conflict(
                f"{name} is registered by the Secret {place}, which Fairway did not write",
                code="foreign-secret",
                remedy=f"`fairway kubectl -n {place.replace('/', ' delete secret ')}`",
            )
        await self._note(actor, "cluster.remove", name, None)
        home = await self._home()
        try:
            path = f"/api/v1/namespaces/{NAMESPACE}/secrets/{place.partition('/')[2]}"
            await home.request("DELETE", path)
        finally:
            await home.close()
        self._forget(name)

    async def create(self, actor: str, name: str) -> None:
        """Start a further embedded cluster. Raises as `Owned.create`, and `Conflict`."""
        if any(known.name == name for known in await self.all(fresh=False)):
            raise taken(name)
        await self._note(actor, "cluster.create-embedded", name, None)
        await self._owned.create(name)

    async def delete(self, actor: str, name: str) -> None:
        """End a further embedded cluster with all that is in it. Raises as `Owned.delete`."""
        await self._note(actor, "cluster.delete-embedded", name, None)
        await self._owned.delete(name)
        self._prepared.discard(name)
        await self._database.write(_end_tokens, name)

    async def load(
        self, actor: str, name: str, images: Sequence[str], *, registry: str
    ) -> list[Loaded]:
        """Have every node of a cluster pull images of our registry now. Raises as `loading.load`.

        Nodes of an embedded cluster have a token of their own; others get one for this alone.
        """
        own = {one.name: one for one in await self._owned.own()}
        embedded = name in own and own[name].kind is Kind.EMBEDDED
        if not embedded and is_loopback(registry):
            raise unreachable_registry(name, registry)
        client = await self.client(name)
        try:
            await looking.prepare(client)
            await self._note(actor, "cluster.load-image", name, list(images))
            if embedded:
                return await loading.load(client, images)
            async with pull_secret(self._database, client, name, registry) as secret:
                return await loading.load(client, images, pull_secret=secret)
        finally:
            await client.close()

    async def reach(self, name: str, addresses: Mapping[str, str]) -> list[Reach]:
        """What nodes of a cluster reach of Fairway. Raises as `target`."""
        own = {one.name: one.kind for one in await self._owned.own()}
        client = await self.client(name)
        try:
            ours = own.get(name) is Kind.EMBEDDED
            return await reaching.reach(client, addresses, leads_here=ours)
        finally:
            await client.close()

    # Inside

    def _check_free(self, known: Known, name: str, target: Target, *, replace: bool) -> None:
        if known.name == name and not (replace and known.registered and known.registered.ours):
            raise taken(name)
        if known.server == target.server and known.name != name:
            raise Conflict(
                f"{target.server} is known already, as {known.name}",
                code="cluster-exists",
                remedy=f"use it by that name, or `fairway cluster remove {known.name}` first",
            )

    async def _first_look(self, name: str, target: Target) -> Health:
        client = self._dial(target, timeout_s=_LOOK_S)
        try:
            health = await looking.look(client)
            if health.state is State.READY:
                await self._try_prepare(name, client)
        finally:
            await client.close()
        return health

    async def _try_prepare(self, name: str, client: Client) -> None:
        """Our namespace and our admins' rights, where the credentials reach so far."""
        try:
            await looking.prepare(client)
        except FairwayError as error:
            _log.warning("%s is registered without our admins' rights: %s", name, error)

    async def _apply(self, name: str, secret: dict[str, Any]) -> None:
        home = await self._home()
        try:
            await looking.prepare(home)
            path = f"/api/v1/namespaces/{NAMESPACE}/secrets/{secret['metadata']['name']}"
            path += "?fieldManager=fairway&force=true"
            await home.request("PATCH", path, secret, content_type=looking.APPLY)
        finally:
            await home.close()
        self._forget(name)

    async def _home(self) -> Client:
        own = await self._owned.own()
        if not own:
            raise homeless()
        return await self.client(own[0].name)

    async def _registered(self, own: Sequence[Own]) -> list[Registered]:
        """What the home cluster's Secrets say; what was read last while it does not answer."""
        now = asyncio.get_running_loop().time()
        if now - self._read_at < _FRESH_S or not own or own[0].target is None:
            return self._read
        client = self._dial(own[0].target, timeout_s=_LOOK_S)
        try:
            found = [one for space in NAMESPACES for one in await _secrets(client, space)]
        except FairwayError as error:
            _log.debug("registered clusters cannot be read: %s", error)
            return self._read
        finally:
            await client.close()
        self._read = unique(found, self._read)
        self._read_at = now
        return self._read

    def _forget(self, name: str) -> None:
        """What was found of the clusters, and of this one, counts no more."""
        self._read_at = -_FRESH_S
        self._health.pop(name, None)

    async def _targets(
        self, own: Sequence[Own], others: Sequence[Registered]
    ) -> dict[str, Target | None]:
        found: dict[str, Target | None] = {one.name: one.target for one in others}
        return found | {one.name: one.target for one in own}

    async def _look_at(self, targets: Mapping[str, Target | None]) -> None:
        async with asyncio.TaskGroup() as group:
            for name, target in targets.items():
                if target is not None and self._is_stale(name):
                    group.create_task(self._look(name, target), name=f"look at {name}")

    def _is_stale(self, name: str) -> bool:
        known = self._health.get(name)
        return known is None or known.checked < clock.now() - _FRESH_S * 1000

    async def _look(self, name: str, target: Target) -> None:
        client = self._dial(target, timeout_s=_LOOK_S)
        try:
            self._health[name] = await looking.look(client)
        finally:
            await client.close()

    def _with_health(self, known: Known, targets: Mapping[str, Target | None]) -> Known:
        if targets.get(known.name) is None:
            return known
        health = self._health.get(known.name)
        if health is None:
            return known
        return replace(known, health=health)

    async def _note(self, actor: str, action: str, name: str, after: Any) -> None:
        def work(db: Connection) -> None:
            audit.append(db, actor, action, f"cluster/{name}", after=after)

        await self._database.write(work)


def _end_tokens(db: Connection, cluster: str) -> None:
    """What its nodes pulled with ends with them."""
    nodes.end_others(db, cluster, None)


async def _secrets(client: Client, namespace: str) -> list[Registered]:
    path = f"/api/v1/namespaces/{namespace}/secrets?labelSelector={LABEL}%3Dcluster"
    answer = await client.request("GET", path)
    found = [registered.from_secret(item) for item in answer.get("items") or []]
    return [one for one in found if not one.home]
