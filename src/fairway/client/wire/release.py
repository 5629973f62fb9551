"""Releases, environments, promotions, approvals, and what came of deliveries in figures."""

from __future__ import annotations

from msgspec import Struct, field

from fairway.client.wire.common import Request


class Commit(Struct, kw_only=True):
    """A commit that a release brings."""

    sha: str
    at: str = ""
    subject: str = ""
    author: str = ""


class Release(Struct, kw_only=True):
    """A digest with the chart that deploys it, under a version."""

    id: int
    delivery: str
    service: str
    version: str
    state: str  # pending | published | failed
    digest: str
    image: str = ""
    chart: str = ""
    chart_digest: str = ""
    repository: str = ""
    build: int = 0
    revision: str = ""
    since: str = ""
    changes: list[Commit] = field(default_factory=list)
    author: str = ""
    problem: str = ""
    commit: str = ""  # the one that wrote version and digest into the chart
    created: str = ""
    published: str | None = None


class Promotion(Struct, kw_only=True):
    """One release on its way into one environment, or there."""

    id: int
    delivery: str
    service: str
    environment: str
    version: str
    kind: str  # promotion | rollback | revert
    state: str  # waiting | running | passed | failed | rejected | superseded | cancelled
    step: str = ""
    digest: str = ""
    revision: str = ""
    previous: str = ""  # the version before
    actor: str = ""
    why: str = ""
    message: str = ""
    waits: list[str] = field(default_factory=list)
    bad: str = ""  # why automation does not take it there again
    commit: str = ""  # in the environment's configuration
    approvals: list[Approval] = field(default_factory=list)
    created: str = ""
    started: str | None = None
    traffic: str | None = None
    full: str | None = None
    ended: str | None = None


class Approval(Struct, kw_only=True):
    """A person's word."""

    kind: str  # approval | qa
    login: str
    verdict: str  # yes | no
    comment: str = ""
    at: str = ""


class Environment(Struct, kw_only=True):
    """What one environment runs of one service, and what is on its way."""

    environment: str
    delivery: str
    service: str
    cluster: str = ""
    application: str = ""
    version: str = ""
    digest: str = ""
    revision: str = ""
    since: str | None = None
    by: str = ""
    state: str = ""  # of the newest promotion
    next: str = ""  # the version on its way, or waiting
    waits: list[str] = field(default_factory=list)
    message: str = ""
    good: list[str] = field(default_factory=list)  # versions that can be returned to


class PromoteRequest(Request, kw_only=True):
    """Bring a release into an environment. `version` "" is the next one; a digest will do."""

    service: str
    version: str = ""
    why: str = ""
    delivery: str = ""


class RollbackRequest(Request, kw_only=True):
    """Return to what was good. `service` "" is every service of the environment."""

    service: str = ""
    version: str = ""
    why: str = ""
    delivery: str = ""


class DeployRequest(Request, kw_only=True):
    """Make an environment anew in another cluster, as Git says it."""

    cluster: str
    delivery: str = ""


class Deployed(Struct, kw_only=True):
    """An Application that deploys a service of an environment elsewhere, or the environment's
    configuration (`service` "").

    `missing`: keys of ConfigMaps and Secrets that its pods need there: it is held back until they
    are made. `left`: what Git has that is not carried, and why.
    """

    service: str
    application: str
    namespace: str
    revision: str
    changed: bool
    missing: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


class TestRequest(Request, kw_only=True):
    """Run the integration suite. `instead`: service -> digest in place of what runs there."""

    __test__ = False  # for pytest, which takes it for a test by its name

    instead: dict[str, str] = field(default_factory=dict)
    delivery: str = ""


class Started(Struct, kw_only=True):
    """A build that runs the suite, as ORG/NAME#NUMBER."""

    build: str


class Word(Request, kw_only=True):
    """A person's word on the release that waits. `kind`: approval or qa; `verdict`: yes or no."""

    service: str
    kind: str = "approval"
    verdict: str = "yes"
    version: str = ""
    comment: str = ""
    delivery: str = ""


class Dora(Struct, kw_only=True):
    """How deliveries to one environment went in a span of days. Times in seconds.

    Lead time: from each commit to 100 % of the traffic. Recovery: from a failing version's first
    answers to a healthy version at 100 %.
    """

    environment: str
    days: float
    service: str = ""
    deployments: int = 0
    per_day: float = 0.0
    changes: int = 0
    lead_time_p50: float | None = None
    lead_time_p90: float | None = None
    settled: int = 0
    failed: int = 0
    caught: int = 0  # of these, refused before they had all traffic
    failure_rate: float | None = None
    recovery_p50: float | None = None
    reworked: int = 0
    rework_rate: float | None = None
