"""Hears events, and writes down what channels shall say of them. `sending` says it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from fairway.kit.aio import Wake
from fairway.model.events import BuildFinished, Event
from fairway.model.notice import Channel, Topic
from fairway.model.scope import SYSTEM
from fairway.model.status import Status
from fairway.notify import wanted
from fairway.notify.tidings import BuildFacts, Tidings, of
from fairway.store import builds, channels, messages, repositories, stages, steps
from fairway.store.database import Database


class Telling:
    """The handler of every event that may be worth a message."""

    def __init__(self, database: Database, *, url: str, wake: Wake) -> None:
        """`url`: ours, for links. `wake`: whoever sends."""
        self._database, self._url, self._wake = database, url, wake

    async def tell(self, event: Event, _key: str) -> None:
        """Idempotent: the same event again changes nothing."""
        if not await self._database.read(channels.rules):
            return
        if await self._database.write(_tell, event, self._url):
            self._wake.set()


def _tell(db: Connection, event: Event, url: str) -> bool:
    rules = channels.rules(db)
    if not rules:
        return False
    facts = build_facts(db, event) if isinstance(event, BuildFinished) else None
    tidings = of(event, url, build=facts)
    if tidings is None:
        return False
    known = {one.name: one for one in channels.listing(db)}
    told = along(db, list(known.values()), tidings)
    for name, transitions in wanted.interested(rules, tidings).items():
        if name not in told:
            write(db, known[name], tidings, transitions=transitions)
    return True


def along(db: Connection, known: Sequence[Channel], tidings: Tidings) -> set[str]:
    """Tell of a rollout in the messages of the deployment that brought it. Returns the names of the
    channels that have one: there it has no message of its own."""
    if tidings.topic is not Topic.ROLLOUT or not tidings.place.application:
        return set()
    told = set()
    for channel in known:
        found = messages.deployment(db, channel.id, tidings.place.application)
        if found is None or wanted.apart(found, tidings):
            continue
        told.add(channel.name)
        changed = wanted.along(found, tidings)
        if changed is not None:
            messages.want(db, changed)
    return told


def write(db: Connection, channel: Channel, tidings: Tidings, *, transitions: bool) -> None:
    """Bring a channel's message of these tidings up to date."""
    last = messages.last_outcome(db, channel.id, tidings.stream, but=tidings.key)
    found = messages.find(db, channel.id, tidings.key)
    if found is None:
        messages.add(db, wanted.first(channel, tidings, transitions=transitions, last=last))
        return
    changed = wanted.later(found, channel, tidings, transitions=transitions, last=last)
    if changed is not None:
        messages.want(db, changed)


def build_facts(db: Connection, event: BuildFinished) -> BuildFacts | None:
    """What a build's event leaves out; None when its repository is gone, and it with it."""
    repository = repositories.by_id(db, SYSTEM, event.repository)
    if repository is None:
        return None
    build = builds.find(db, event.build)
    names = {stage.id: stage.name for stage in stages.of_build(db, build.id)}
    failed = [
        f"{names[step.stage]}/{step.name}"
        for step in steps.of_build(db, build.id)
        if step.status in (Status.FAILED, Status.ERRORED) and not step.ignored
    ]
    seconds = ((build.finished or 0) - (build.started or build.created)) / 1000
    return BuildFacts(
        default_branch=repository.default_branch,
        title=build.title or build.message.partition("\n")[0],
        author=build.author_login or build.author_name,
        seconds=max(seconds, 0.0),
        failed=tuple(failed[:10]),
    )
