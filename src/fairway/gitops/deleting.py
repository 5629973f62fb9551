"""The end of an application: its objects go before it, wave by wave, the last wave first."""

from __future__ import annotations

from typing import Final, Literal

from fairway.gitops import annotations as asked
from fairway.gitops import project, status
from fairway.gitops.application import BACKGROUND, FINALIZERS, Application
from fairway.gitops.ground import Grounds, Unfit, cluster_problem
from fairway.gitops.live import LiveCluster
from fairway.gitops.objects import Json, ObjectKey
from fairway.gitops.state import Ground
from fairway.gitops.writing import Writer
from fairway.kit.aio import together
from fairway.kube import objects
from fairway.model.errors import Unavailable

_LOOK_S: Final = 2.0


def is_wanted(app: Application) -> bool:
    """Whether its objects shall go with it."""
    return app.deleting and bool(FINALIZERS & set(app.finalizers))


def next_wave(found: dict[ObjectKey, Json]) -> list[ObjectKey]:
    """What is deleted now: the objects of the highest wave; nothing while any is on its way."""
    if not found or any(objects.deleting(obj) for obj in found.values()):
        return []
    last = max(asked.wave(obj) for obj in found.values())
    return sorted(key for key, obj in found.items() if asked.wave(obj) == last)


class Deleter:
    """Carries it out."""

    def __init__(self, grounds: Grounds, writer: Writer) -> None:
        self._grounds = grounds
        self._writer = writer

    async def step(self, app: Application) -> float | None:
        """Do what can be done now; the seconds until the next look, None when it is over.

        An application whose cluster is no longer known goes without its objects. Raises
        `Unavailable` while the cluster cannot be read.
        """
        try:
            member = self._grounds.member(app)
        except Unfit:
            await self._writer.finalized(app)
            return None
        live = self._grounds.live(member.name)
        if live is None:
            raise Unavailable(cluster_problem(member), code="cluster-unavailable")
        found = await self._found(app, self._grounds.anyhow(app, member, live))
        if not found:
            await self._writer.finalized(app)
            return None
        now = next_wave(found)
        async with together() as group:
            for key in now:
                group.create_task(self._delete(app, live, found[key]), name=f"delete {key}")
        return _LOOK_S

    async def _found(self, app: Application, ground: Ground) -> dict[ObjectKey, Json]:
        """What of the application's objects is there and shall go."""
        await ground.live.learn()
        await ground.live.follow(status.kinds(app))
        limits = ground.project.limits
        return {
            key: obj
            for key, obj in ground.live.tracked(ground.instance).items()
            if status.deletes(app, obj) and project.permitted(limits, key, ground.member)
        }

    async def _delete(self, app: Application, live: LiveCluster, obj: Json) -> None:
        kind = await live.kind(str(obj["apiVersion"]), str(obj["kind"]))
        key = objects.key(obj)
        how: Literal["Background", "Foreground"] = (
            "Background" if BACKGROUND in app.finalizers else "Foreground"
        )
        await live.applying.delete(
            kind, key.name, key.namespace, uid=objects.uid(obj), propagation=how
        )
