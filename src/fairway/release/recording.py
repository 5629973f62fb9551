"""Candidates become releases: a new one of a service's image gets the next version."""

from __future__ import annotations

import logging
from typing import Final

from msgspec import Struct
from sqlalchemy import Connection

from fairway.kit.semver import Version
from fairway.model.build import BuildEvent
from fairway.model.built import MadeView
from fairway.model.commit import CommitFacts
from fairway.model.errors import FairwayError
from fairway.model.release import TRAILER, Change, Release, ReleaseState, Service
from fairway.model.scope import SYSTEM
from fairway.release import versions
from fairway.release.ports import Code, Deps, Place
from fairway.release.spec import Delivery
from fairway.store import builds, images, releases

_LOOK_BACK: Final = 50
_HISTORY: Final = 500
_KEPT: Final = 100  # commits of a release
_TAG: Final = "refs/tags/"
_log = logging.getLogger(__name__)


class Candidate(Struct, frozen=True, kw_only=True):
    """A digest that is not released yet."""

    build: int
    digest: str
    revision: str
    repository: str
    author: str
    tag: str = ""


def fresh(db: Connection, delivery: str, service: Service) -> list[Candidate]:
    """Candidates of a service that came after its last release, eldest first.

    Where there is no release yet, the newest alone.
    """
    known = releases.of_service(db, delivery, service.name, limit=1)
    last = known[0].build if known else 0
    views = images.page(db, SYSTEM, name=service.image_name, candidates=True, limit=_LOOK_BACK)
    newer = [one for one in views if one.number > last and _is_of(one, service)]
    chosen: dict[int, MadeView] = {}
    for one in sorted(newer, key=lambda view: (not view.made.target, view.made.id)):
        chosen[one.number] = one
    numbers = sorted(chosen) if known else sorted(chosen)[-1:]
    return [_candidate(db, chosen[number]) for number in numbers]


def _is_of(one: MadeView, service: Service) -> bool:
    return one.slug.lower() == service.repository.lower()


def _candidate(db: Connection, view: MadeView) -> Candidate:
    build = builds.find(db, view.made.build)
    tag = build.ref.removeprefix(_TAG) if build.event == BuildEvent.TAG else ""
    return Candidate(
        build=view.number,
        digest=view.made.digest,
        revision=view.made.revision or build.after,
        repository=view.slug,
        author=build.author_login or build.sender,
        tag=tag,
    )


async def record(deps: Deps, delivery: Delivery, service: Service) -> int:
    """Write down every new candidate of a service as a pending release; how many there were."""
    found = await deps.database.read(fresh, delivery.name, service)
    for candidate in found:
        try:
            release = await describe(deps, delivery.name, service, candidate)
        except FairwayError as error:
            if error.retriable:
                raise
            _log.warning("%s %s: %s", service.name, candidate.digest, error)
            release = _failed(delivery.name, service, candidate, str(error))
        if await deps.database.write(releases.add, release) is None:
            problem = f"the version {release.version} is there already, and is never overwritten"
            await deps.database.write(
                releases.add, _failed(delivery.name, service, candidate, problem)
            )
    return len(found)


def _failed(delivery: str, service: Service, candidate: Candidate, problem: str) -> Release:
    return Release(
        id=0,
        delivery=delivery,
        service=service.name,
        repository=candidate.repository,
        version=f"0.0.0-build.{candidate.build}",
        image=service.image_name,
        digest=candidate.digest,
        chart="",
        revision=candidate.revision,
        build=candidate.build,
        author=candidate.author,
        state=ReleaseState.FAILED,
        problem=problem,
    )


async def describe(deps: Deps, delivery: str, service: Service, candidate: Candidate) -> Release:
    """The release that a candidate becomes: its version and the commits that it brings."""
    place = await deps.code.find(service.repository)
    earlier = await deps.database.read(releases.of_service, delivery, service.name)
    texts = await deps.database.read(releases.versions, delivery, service.name)
    known = [one for text in texts if (one := versions.parse(text))]
    base, since_base = await _since_tag(deps.code, place, candidate)
    version = versions.version_of(
        candidate.tag, base, [one.message for one in since_base if not of_fairway(one)], known
    )
    since = next((one.revision for one in earlier if one.state is ReleaseState.PUBLISHED), "")
    commits = await deps.code.history(place, candidate.revision, until=since, limit=_KEPT)
    logins = await deps.code.logins({one.author_email for one in commits})
    return Release(
        id=0,
        delivery=delivery,
        service=service.name,
        repository=candidate.repository,
        version=str(version),
        image=service.image_name,
        digest=candidate.digest,
        chart="",
        revision=candidate.revision,
        since=since,
        changes=tuple(_change(one, logins) for one in commits if not of_fairway(one)),
        build=candidate.build,
        author=candidate.author,
    )


def of_fairway(commit: CommitFacts) -> bool:
    """Whether a commit says that Fairway wrote it for a delivery."""
    return any(line.startswith(f"{TRAILER}: ") for line in commit.message.splitlines())


def _change(one: CommitFacts, logins: dict[str, str]) -> Change:
    subject = one.message.partition("\n")[0][:200]
    author = logins.get(one.author_email.lower()) or one.author_name
    return Change(one.sha, one.committed, subject, author)


async def _since_tag(
    code: Code, place: Place, candidate: Candidate
) -> tuple[Version | None, list[CommitFacts]]:
    """The last version that a tag gave before the candidate, and the commits since."""
    tagged: dict[str, Version] = {}
    for name, sha in (await code.tags(place)).items():
        version = versions.parse(name)
        if version is not None and (sha not in tagged or tagged[sha] < version):
            tagged[sha] = version
    commits = await code.history(place, candidate.revision, until="", limit=_HISTORY)
    for number, commit in enumerate(commits):
        if commit.sha in tagged:
            return tagged[commit.sha], commits[:number]
    return None, commits
