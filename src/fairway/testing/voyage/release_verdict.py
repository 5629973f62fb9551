"""What must be true at the end of a voyage with releases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml

from fairway.image.shelf import tag
from fairway.kit import semver
from fairway.kube.kind import CONFIG_MAP, Json
from fairway.model.release import Promotion, PromotionKind, PromotionState, Release, ReleaseState
from fairway.model.scope import SYSTEM
from fairway.store import audit, manifests, messages, outbox, promotions, releases
from fairway.testing.voyage import verdict
from fairway.testing.voyage.release_world import CHANNEL, ReleaseWorld
from fairway.testing.voyage.shop import DELIVERY, ENVIRONMENTS, Berth

_ALL: Final = 100_000


def lane(world: ReleaseWorld, berth: Berth) -> list[Promotion]:
    """All promotions of a service there, the newest first."""
    return world.database.read_now(promotions.lane, DELIVERY, berth.environment, berth.service)


def open_ends(world: ReleaseWorld) -> list[str]:
    """What has not come to its right end (yet): at first what is still under way."""
    known = {
        one.id: one
        for service in world.shape.services
        for one in world.database.read_now(releases.of_service, DELIVERY, service)
    }
    lanes = {berth: lane(world, berth) for berth in world.shape.berths}
    found = [
        f"{one.service} {one.version} is neither published nor failed: {one.problem}"
        for one in known.values()
        if one.state is ReleaseState.PENDING
    ]
    found += world.ledger.strays()
    found += [told for berth, history in lanes.items() for told in _under_way(berth, history)]
    if found:
        return found
    for berth, history in lanes.items():
        found += _of(world, berth, history, known)
    return found + list(_unsaid(world))


def _under_way(berth: Berth, history: list[Promotion]) -> Iterator[str]:
    for one in history:
        if one.state is PromotionState.RUNNING:
            yield f"{berth.application}: {one.kind} {one.id} is at {one.step}: {one.message}"
        if one.state is PromotionState.WAITING and not one.waits:
            yield f"{berth.application}: {one.kind} {one.id} waits for nothing"
    if not any(one.state is PromotionState.PASSED for one in history):
        yield f"{berth.application}: nothing was ever good"


def _of(
    world: ReleaseWorld, berth: Berth, history: list[Promotion], known: Mapping[int, Release]
) -> Iterator[str]:
    name = berth.application
    good = next(one for one in history if one.state is PromotionState.PASSED)
    release = known[good.release]
    yield from _application(world, berth)
    yield from _said_by_git(world, berth, release, known)
    found = world.clusters[berth.cluster].rollout(berth.service, berth.environment)
    runs = world.ledger.wanted.get(berth)
    if runs != release.digest:
        yield f"{name}: {runs} is there, and {release.digest} is the last that passed"
    if found is not None:
        yield from _well(world, berth, found)
    yield from _kept(world, berth, release)


def _application(world: ReleaseWorld, berth: Berth) -> Iterator[str]:
    status = (world.app(berth.application) or {}).get("status") or {}
    if (status.get("operationState") or {}).get("phase") in ("Running", "Terminating"):
        yield f"{berth.application}: its operation does not end: {status['operationState']}"
    if (status.get("sync") or {}).get("status") != "Synced":
        yield f"{berth.application}: not Synced: {status.get('sync')} {status.get('conditions')}"


def _said_by_git(
    world: ReleaseWorld, berth: Berth, release: Release, known: Mapping[int, Release]
) -> Iterator[str]:
    """Git says what runs: version and digest, or a range whose best version runs."""
    source = yaml.safe_load(world.text(ENVIRONMENTS, berth.file))["spec"]["source"]
    revision = str(source["targetRevision"])
    wanted = semver.range_of(revision)
    if semver.parse(revision) is None and wanted is not None:
        mine = [one for one in known.values() if one.service == berth.service]
        there = [one.version for one in mine if one.state is ReleaseState.PUBLISHED]
        revision = wanted.best(there) or ""
    elif berth.environment != "dev" and (
        source["helm"]["valuesObject"]["image"].get("digest") != release.digest
    ):
        yield f"{berth.application}: Git names another digest than {release.digest}"
    if revision != release.version:
        yield f"{berth.application}: Git says {revision}, and {release.version} passed last"
    colour = _colour(world, berth)
    if colour is None or colour == "by hand":
        yield f"{berth.application}: its configuration is {colour}"


def _colour(world: ReleaseWorld, berth: Berth) -> str | None:
    name = f"{berth.service}-config"
    found = world.clusters[berth.cluster].api.find(CONFIG_MAP, name, berth.environment)
    return None if found is None else str(found["data"]["colour"])


def _well(world: ReleaseWorld, berth: Berth, rollout: Json) -> Iterator[str]:
    status = rollout.get("status") or {}
    seen = str(rollout["metadata"]["generation"]) == status.get("observedGeneration")
    if not seen or status.get("phase") != "Healthy":
        yield f"{berth.application}: it ends {status.get('phase')}: {status}"
    cluster = world.clusters[berth.cluster]
    for told in verdict.reachable(berth.cargo, cluster, status):
        yield f"{berth.environment}/{told}"


def _kept(world: ReleaseWorld, berth: Berth, release: Release) -> Iterator[str]:
    """The last known good can be deployed again: its chart and image are in the registry."""
    home = berth.environment
    places = (
        (f"{home}/charts/{release.chart}", tag(release.version)),
        (f"{home}/acme/{berth.service}", release.digest),
    )
    for name, reference in places:
        if world.database.read_now(manifests.find, name, reference) is None:
            yield f"{berth.application}: {name} has no {reference} to go back to"


def _unsaid(world: ReleaseWorld) -> Iterator[str]:
    """What people have still to be told."""
    for one in world.database.read_now(messages.listing, limit=_ALL):
        if one.sent < one.wanted or one.told < len(one.details):
            yield f"the message {one.key} has not been said: {one.error}"


def check(world: ReleaseWorld, said: list[tuple[str, str, Berth]], wrong: list[str]) -> None:
    """`wrong`: what is by now. Raises `AssertionError` with all that is wrong."""
    wrong = [*wrong, *(told for cluster in world.clusters.values() for told in cluster.broken)]
    wrong += world.ledger.broken + open_ends(world)
    wrong += [*_messages(world), *_audited(world, said)]
    wrong += [f"a defect: {error!r}" for error in world.defects]
    assert not wrong, "\n".join(wrong)


def _messages(world: ReleaseWorld) -> Iterator[str]:
    """One message for each deployment and build, which says how it ended; none twice."""
    roots = world.workspace.roots(CHANNEL)
    count = Counter(_key(one) for one in roots)
    yield from (f"{key} was said {number} times" for key, number in count.items() if number > 1)
    texts = {_key(one): str(one["text"]) for one in roots}
    for berth in world.shape.berths:
        for one in lane(world, berth):
            text = texts.get(f"deployment/{one.id}", "")
            if f"{berth.environment}: {one.state}" not in text:
                yield f"{berth.application}: {one.id} is {one.state}, and people read {text!r}"
    for event in _events(world, "build-finished"):
        if event.event == "push" and f"build/{event.build}" not in texts:
            yield f"nobody was told of the build {event.build}"
    for root in roots:
        told = [_key(each) for each in world.workspace.thread(root["ts"])]
        if len(set(told)) != len(told):
            yield f"{_key(root)} has a detail twice: {told}"


def _key(said: Mapping[str, Any]) -> str:
    return str(said["metadata"]["event_payload"]["key"])


def _events(world: ReleaseWorld, kind: str) -> list[Any]:
    found = world.database.read_now(outbox.since, 0, limit=_ALL)
    return [event for _, _, event in found if event.kind == kind]


def _audited(world: ReleaseWorld, said: list[tuple[str, str, Berth]]) -> Iterator[str]:
    """Everything that people did, and every end of a promotion, is in the audit once."""
    entries = world.database.read_now(audit.listing, SYSTEM, limit=_ALL)
    acts = Counter((one.actor, one.action, one.subject) for one in entries)
    done = Counter(
        (login, action, f"service/{DELIVERY}/{berth.service}/{berth.environment}")
        for login, action, berth in said
    )
    for act, number in done.items():
        if acts[act] < number:
            yield f"the audit has {acts[act]} of {number} times {act}"
    ends = Counter(
        (one.action, one.subject, int((one.after or {}).get("release", 0)))
        for one in entries
        if one.action.startswith("promotion.") and isinstance(one.after, dict)
    )
    for berth in world.shape.berths:
        for one in lane(world, berth):
            quiet = one.state is PromotionState.SUPERSEDED
            if not one.state.done or (quiet and one.kind is PromotionKind.PROMOTION):
                continue
            act_ = (f"promotion.{one.state}", f"service/{DELIVERY}/{berth.service}", one.release)
            if not ends[act_]:
                yield f"the audit does not know that {berth.application} {one.id} {one.state}"
