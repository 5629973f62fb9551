"""Releases, promotions, approvals and verifications: the records of what was delivered where."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from msgspec import Struct, field

TRAILER: Final = "Fairway-Delivery"
"""Of commits that Fairway writes itself: they start no pipeline, and GitOps follows them."""
TRIAL: Final = "fairway-chart-"
"""How namespaces begin in which a chart is only tried: what happens there is nobody's news."""


class ReleaseState(StrEnum):
    """`PENDING` until its chart is in the first environment's registry, or could not get there."""

    PENDING = "pending"
    PUBLISHED = "published"
    FAILED = "failed"


class PromotionKind(StrEnum):
    """Why an environment changes."""

    PROMOTION = "promotion"  # a newer release goes on
    ROLLBACK = "rollback"  # a person wants an earlier good one
    REVERT = "revert"  # the rollout refused a release, and Git goes back to what runs


class PromotionState(StrEnum):
    """The life of one promotion. Only `RUNNING` holds the place of its service there."""

    WAITING = "waiting"
    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self not in (PromotionState.WAITING, PromotionState.RUNNING)


class Step(StrEnum):
    """How far a running promotion has come."""

    COPY = "copy"  # chart and image into the environment's part of the registry
    KEYS = "keys"  # the configuration that the chart refers to is there
    COMMIT = "commit"  # version and digest in Git
    SYNC = "sync"  # until the application and its rollouts have arrived
    VERIFY = "verify"  # the environment's own verification


class Change(Struct, frozen=True):
    """A commit that a release brings. `at` is when it was committed, milliseconds UTC."""

    sha: str
    at: int
    subject: str
    author: str


class Release(Struct, frozen=True, kw_only=True):
    """Immutable once published: a digest, the chart that deploys it, a version, a commit range."""

    id: int
    delivery: str
    service: str
    repository: str  # the source's slug
    version: str
    image: str  # its name in our registry
    digest: str
    chart: str
    chart_digest: str = ""
    revision: str = ""  # the commit that the digest was built of
    since: str = ""  # the commit of the release before; "" for the first
    changes: tuple[Change, ...] = ()
    build: int = 0  # number
    author: str = ""
    state: ReleaseState = ReleaseState.PENDING
    problem: str = ""
    commit: str = ""  # the one that wrote version and digest into the chart
    created: int = 0
    published: int | None = None


class Promotion(Struct, frozen=True, kw_only=True):
    """One release on its way into one environment. `waits` says for what, in words."""

    id: int
    release: int
    delivery: str
    service: str
    environment: str
    kind: PromotionKind = PromotionKind.PROMOTION
    state: PromotionState = PromotionState.WAITING
    step: Step = Step.COPY
    actor: str = ""  # who asked; "" is Fairway itself
    why: str = ""
    message: str = ""
    waits: tuple[str, ...] = ()
    commit: str = ""
    previous: int | None = None  # the release that was there before
    bad: str = ""  # why automation does not take this release there again
    created: int = 0
    started: int | None = None
    traffic: int | None = None  # first answers of the new version
    full: int | None = None  # all answers of it
    ended: int | None = None


class Verdict(StrEnum):
    """A person's word on a release."""

    YES = "yes"
    NO = "no"


class Approval(Struct, frozen=True, kw_only=True):
    """A person's word on one release in one environment. `kind`: approval or qa."""

    id: int = 0
    release: int
    environment: str
    kind: str
    login: str
    verdict: Verdict
    comment: str = ""
    at: int = 0


class Verification(Struct, frozen=True, kw_only=True):
    """A pipeline or an analysis that ran for a release. `verdict`: "" while it goes on."""

    id: int = 0
    release: int
    environment: str  # where it ran
    key: str  # which one: analysis/NAME or pipeline/REPOSITORY
    reference: str = ""
    verdict: str = ""  # passed | failed
    message: str = ""
    created: int = 0
    ended: int | None = None


class Service(Struct, frozen=True, kw_only=True):
    """What is delivered: an image and the chart that deploys it."""

    name: str
    repository: str
    chart: str = "chart"  # the chart's folder in the repository
    image: str = ""  # its name in our registry; "" is the repository's
    digest_value: str = "image.digest"  # where the chart's values take the digest

    @property
    def image_name(self) -> str:
        """Its image's name in our registry."""
        return self.image or self.repository.lower()


class Kept(Struct, frozen=True, kw_only=True):
    """A delivery that the controllers know of: for registry rights and lists."""

    name: str
    spec: dict[str, object] = field(default_factory=dict)
    problem: str = ""
