"""From what happened to the draft of a build. The first part is pure, the second asks Git."""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from fairway.model.build import BuildEvent
from fairway.model.commit import CommitFacts
from fairway.model.errors import InvalidInput, NotFound
from fairway.model.events import CronDue, RefUpdated
from fairway.model.repository import Repository
from fairway.pipeline.draft import Draft, Sources

_BRANCH: Final = "refs/heads/"
_TAG: Final = "refs/tags/"
_SKIP: Final = re.compile(r"\[(?:ci skip|skip ci)\]|\*\*\*no_ci\*\*\*", re.IGNORECASE)
_NEVER_SKIPPED: Final = frozenset(
    {
        BuildEvent.TAG,
        BuildEvent.CRON,
        BuildEvent.CUSTOM,
        BuildEvent.PROMOTE,
        BuildEvent.ROLLBACK,
    }
)
_SKIP_OPTIONS: Final = frozenset({"ci.skip", "skip-ci"})


class PullRequest(Struct, frozen=True, kw_only=True):
    """A pull request as the API reports it."""

    number: int
    sha: str
    source: str  # branch that it comes from
    target: str  # branch that it goes to
    title: str = ""
    action: str = "opened"  # opened | synchronized; others make no build
    source_repo: str = ""  # slug; "" is the same repository
    before: str = ""
    author_login: str = ""
    params: dict[str, str] = field(default_factory=dict)
    ref: str = ""  # "" as a forge would name its head
    required: bool = True  # somebody asks: what prevents a build is an error, not silence


def skips(event: BuildEvent, message: str) -> bool:
    """Whether a commit's message asks for no build."""
    return event not in _NEVER_SKIPPED and _SKIP.search(message) is not None


def wanted(repository: Repository, event: RefUpdated) -> BuildEvent | None:
    """What a moved ref begins; None for a deletion, other refs, and what settings leave out."""
    if not event.after or _SKIP_OPTIONS.intersection(event.options):
        return None
    if event.ref.startswith(_BRANCH):
        return None if repository.settings.ignore_pushes else BuildEvent.PUSH
    if event.ref.startswith(_TAG):
        return None if repository.settings.ignore_tags else BuildEvent.TAG
    return None


def short(ref: str) -> str:
    """A ref's short name."""
    return ref.removeprefix(_BRANCH).removeprefix(_TAG)


def of_commit(draft: Draft, commit: CommitFacts, *, login: str = "") -> Draft:
    """A draft with its commit's facts. The login is who is known to Fairway, never the author."""
    return replace(
        draft,
        after=commit.sha,
        title=draft.title or commit.title,
        message=draft.message or commit.message,
        author_login=draft.author_login or login,
        author_name=commit.author_name,
        author_email=commit.author_email,
    )


async def of_push(
    sources: Sources, repository: Repository, event: RefUpdated, *, key: str
) -> Draft | None:
    """The draft of a push or a tag; None when nothing is to be built."""
    kind = wanted(repository, event)
    if kind is None:
        return None
    commit = await sources.commit(repository.id, event.after)
    if skips(kind, commit.message):
        return None
    name = short(event.ref)
    draft = Draft(
        event=kind,
        after=commit.sha,
        key=key,
        trigger="@hook",
        ref=event.ref,
        before=event.before,
        source=name,
        target=name,
        sender=event.actor,
    )
    return of_commit(draft, commit, login=event.actor)


async def of_cron(sources: Sources, repository: Repository, event: CronDue) -> Draft | None:
    """The draft of a cron job; None when its branch has gone."""
    branch = event.branch or repository.default_branch
    sha = await sources.resolve(repository.id, _BRANCH + branch)
    if sha is None:
        return None
    draft = Draft(
        event=BuildEvent.CRON,
        after=sha,
        key=f"cron/{event.repository}/{event.cron}/{event.at}",
        trigger="@cron",
        ref=_BRANCH + branch,
        source=branch,
        target=branch,
        cron=event.cron,
    )
    return of_commit(draft, await sources.commit(repository.id, sha))


async def of_custom(
    sources: Sources,
    repository: Repository,
    *,
    ref: str,
    commit: str,
    params: dict[str, str],
    actor: str,
    key: str | None,
) -> Draft:
    """The draft of a person's call. `ref` may be short; `commit` "" is what the ref is at.

    Raises `NotFound` when there is no such ref or commit.
    """
    full, sha = await _resolved(sources, repository, ref or repository.default_branch)
    facts = await sources.commit(repository.id, commit or sha)
    name = short(full)
    draft = Draft(
        event=BuildEvent.CUSTOM,
        after=facts.sha,
        key=key,
        trigger=actor,
        ref=full,
        source=name,
        target=name,
        sender=actor,
        params=params,
        required=True,
    )
    return of_commit(draft, facts, login=actor)


async def _resolved(sources: Sources, repository: Repository, ref: str) -> tuple[str, str]:
    tried = [ref] if ref.startswith("refs/") else [_BRANCH + ref, _TAG + ref]
    for full in tried:
        if sha := await sources.resolve(repository.id, full):
            return full, sha
    raise NotFound(f"{repository.slug} has no branch or tag {ref!r}", code="ref-not-found")


async def of_pull_request(
    sources: Sources, repository: Repository, pull: PullRequest, *, actor: str, key: str | None
) -> Draft:
    """The draft of a pull request. Raises `InvalidInput` for an action that begins nothing."""
    if pull.action not in {"opened", "synchronized"}:
        raise InvalidInput(
            f"a pull request that is {pull.action!r} begins no build",
            code="bad-action",
            remedy="opened or synchronized",
        )
    facts = await sources.commit(repository.id, pull.sha)
    base = await sources.resolve(repository.id, _BRANCH + pull.target)
    draft = Draft(
        event=BuildEvent.PULL_REQUEST,
        after=facts.sha,
        key=key,
        trigger="@hook",
        action=pull.action,
        ref=pull.ref or f"refs/pull/{pull.number}/head",
        before=pull.before or base or "",
        source=pull.source,
        target=pull.target,
        source_repo=pull.source_repo,
        fork=pull.source_repo not in {"", repository.slug},
        title=pull.title,
        author_login=pull.author_login,
        sender=actor,
        params=pull.params,
        required=pull.required,
    )
    return of_commit(draft, facts)
