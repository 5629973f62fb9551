"""What happened: the types of events that chapters tell each other through the outbox.

An event is written in the transaction of the change that it reports. `subject` orders: a handler
takes events of one subject one after another. Payloads are for notifications, audit and streams;
handlers that decide read the state again by the event's key.
"""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct, field


class Event(Struct, frozen=True, kw_only=True):
    """One thing that happened. `kind` is its stable name on the wire."""

    kind: ClassVar[str] = ""

    @property
    def subject(self) -> str:
        """Whose order it keeps."""
        raise NotImplementedError


class RefUpdated(Event, frozen=True, kw_only=True):
    """A branch or tag was created (`before` is ""), moved, or deleted (`after` is "")."""

    kind: ClassVar[str] = "ref-updated"
    repository: int
    slug: str
    ref: str
    before: str
    after: str
    actor: str
    options: list[str] = field(default_factory=list)  # git push -o

    @property
    def subject(self) -> str:
        return f"repository/{self.repository}"


class CronDue(Event, frozen=True, kw_only=True):
    """A cron job's minute came. `at` is the minute it was due, milliseconds UTC."""

    kind: ClassVar[str] = "cron-due"
    repository: int
    slug: str
    cron: str
    branch: str
    at: int

    @property
    def subject(self) -> str:
        return f"repository/{self.repository}"


class ChangeRequestChanged(Event, frozen=True, kw_only=True):
    """A change request was opened, got another head or target, was tested, merged or closed.

    `action`: opened, updated (another head), retest (another target, tested anew), moved (another
    target, not tested anew), conflicted, testing, tested, queued (merged as soon as it is green),
    merging, merged, closed, reopened. Its key is unique by the change request and its version.
    """

    kind: ClassVar[str] = "change-request-changed"
    repository: int
    slug: str
    change: int
    number: int
    action: str
    state: str
    title: str
    author: str
    source: str
    target: str
    head: str
    merge: str
    check: str
    build: int = 0
    actor: str = ""
    reason: str = ""

    @property
    def subject(self) -> str:
        return f"change-request/{self.change}"


class BuildCreated(Event, frozen=True, kw_only=True):
    """A build exists; its stages may be pending."""

    kind: ClassVar[str] = "build-created"
    repository: int
    slug: str
    build: int
    number: int
    status: str

    @property
    def subject(self) -> str:
        return f"build/{self.build}"


class BuildChanged(Event, frozen=True, kw_only=True):
    """A build, a stage or a step changed its status."""

    kind: ClassVar[str] = "build-changed"
    repository: int
    slug: str
    build: int
    number: int
    status: str
    stage: str = ""
    stage_status: str = ""
    step: str = ""
    step_status: str = ""
    reason: str = ""

    @property
    def subject(self) -> str:
        return f"build/{self.build}"


class BuildFinished(Event, frozen=True, kw_only=True):
    """A build has ended; nothing of it will run again."""

    kind: ClassVar[str] = "build-finished"
    repository: int
    slug: str
    build: int
    number: int
    status: str
    event: str
    ref: str
    after: str

    @property
    def subject(self) -> str:
        return f"build/{self.build}"


class ImageBuilt(Event, frozen=True, kw_only=True):
    """A step pushed an image."""

    kind: ClassVar[str] = "image-built"
    repository: int
    slug: str
    build: int
    number: int
    step: int
    name: str
    target: str
    repository_name: str
    digest: str
    revision: str

    @property
    def subject(self) -> str:
        return f"build/{self.build}"


class CandidateMade(Event, frozen=True, kw_only=True):
    """A digest's whole build passed: it may be promoted."""

    kind: ClassVar[str] = "candidate-made"
    repository: int
    slug: str
    build: int
    number: int
    repository_name: str
    digest: str

    @property
    def subject(self) -> str:
        return f"image/{self.repository_name}"


class ReleaseCreated(Event, frozen=True, kw_only=True):
    """A release was published, or its chart failed (`state`, `problem`)."""

    kind: ClassVar[str] = "release-created"
    delivery: str
    service: str
    release: int
    version: str
    digest: str
    revision: str
    state: str
    repository: str = ""
    build: int = 0
    problem: str = ""

    @property
    def subject(self) -> str:
        return f"service/{self.delivery}/{self.service}"


class PromotionChanged(Event, frozen=True, kw_only=True):
    """A promotion came into another state, another step, or waits for something else.

    `before` is the version that the environment had, `why` a person's reason.
    """

    kind: ClassVar[str] = "promotion-changed"
    delivery: str
    service: str
    environment: str
    promotion: int
    release: int
    version: str
    digest: str
    way: str  # promotion | rollback | revert
    state: str
    step: str = ""
    before: str = ""
    message: str = ""
    waits: list[str] = field(default_factory=list)
    actor: str = ""
    why: str = ""
    commit: str = ""
    application: str = ""
    cluster: str = ""

    @property
    def subject(self) -> str:
        return f"service/{self.delivery}/{self.service}/{self.environment}"


class RolloutChanged(Event, frozen=True, kw_only=True):
    """A Rollout came into another phase, to another step or weight, or to another version.

    `weight` is the percentage of requests that the wanted version gets, `application` the Argo CD
    Application that it belongs to ("" without one); `stable` and `current` are pod hashes.
    """

    kind: ClassVar[str] = "rollout-changed"
    cluster: str
    namespace: str
    name: str
    uid: str
    revision: int
    phase: str
    message: str = ""
    step: int = 0
    steps: int = 0
    weight: int = 0
    images: list[str] = field(default_factory=list)
    stable: str = ""
    current: str = ""
    application: str = ""

    @property
    def subject(self) -> str:
        return f"rollout/{self.cluster}/{self.namespace}/{self.name}"


class ApplicationChanged(Event, frozen=True, kw_only=True):
    """An Application's sync, health or operation became another.

    `revision` is what it was compared with, `synced_revision` what the operation was about; `phase`
    is the operation's, "" without one.
    """

    kind: ClassVar[str] = "application-changed"
    namespace: str
    name: str
    uid: str
    revision: str
    sync: str
    health: str
    phase: str = ""
    message: str = ""
    synced_revision: str = ""

    @property
    def subject(self) -> str:
        return f"application/{self.namespace}/{self.name}"


ALL: tuple[type[Event], ...] = (
    RefUpdated,
    CronDue,
    ChangeRequestChanged,
    BuildCreated,
    BuildChanged,
    BuildFinished,
    ImageBuilt,
    CandidateMade,
    ReleaseCreated,
    PromotionChanged,
    RolloutChanged,
    ApplicationChanged,
)
BY_KIND: dict[str, type[Event]] = {event.kind: event for event in ALL}
