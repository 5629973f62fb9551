"""An image that a build made, and how it was judged."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Candidate(StrEnum):
    """Whether a digest may be promoted. UNJUDGED: its build has not ended."""

    UNJUDGED = ""
    YES = "yes"
    NO = "no"


class Made(Struct, frozen=True, kw_only=True):
    """A digest that a step of a build pushed. Times in milliseconds UTC."""

    id: int
    repository_name: str  # in our registry, without its host
    digest: str
    build: int
    step: int
    name: str = ""  # as the step named it, with its tag
    target: str = ""  # the Dockerfile's stage, "" for the last
    revision: str = ""
    candidate: Candidate = Candidate.UNJUDGED
    reason: str = ""  # why it is no candidate
    judged: int | None = None
    created: int = 0


class MadeView(Struct, frozen=True, kw_only=True):
    """The same with what is shown beside it."""

    made: Made
    slug: str
    number: int  # the build's
    stage: str
    step: str
    tags: tuple[str, ...] = ()
    size: int = 0


class StepFact(Struct, frozen=True, kw_only=True):
    """A step of a build that was judged, as far as it matters for that."""

    pipeline: str
    name: str
    status: str
    ignored: bool = False
    background: bool = False  # a service, or detached: its end does not count
    carried: int = 0  # number of the build whose result it keeps, or 0
    carried_passed: bool = False  # whether its pipeline passed there


class BuildFacts(Struct, frozen=True, kw_only=True):
    """What decides whether a build's images become candidates."""

    slug: str
    number: int
    event: str
    status: str
    branch: str
    ref: str
    default_branch: str
    error: str = ""
    steps: tuple[StepFact, ...] = ()
