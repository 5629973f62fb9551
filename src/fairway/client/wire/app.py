"""Applications: what Git and registries say, and how their clusters compare with it."""

from __future__ import annotations

from msgspec import Struct, field

from fairway.client.wire.common import Request


class AppResource(Struct, kw_only=True):
    """One object of an application."""

    group: str = ""
    kind: str
    namespace: str = ""
    name: str
    sync: str = ""  # Synced | OutOfSync | Unknown, "" for what does not count
    health: str = ""
    message: str = ""
    hook: bool = False
    requires_pruning: bool = False


class AppVisit(Struct, kw_only=True):
    """One sync that succeeded."""

    id: int
    revision: str
    deployed: str
    by: str = ""  # who asked for it; "automation" where nobody did


class AppCondition(Struct, kw_only=True):
    """What is wrong or strange."""

    type: str
    message: str


class App(Struct, kw_only=True):
    """An Application and how it is."""

    name: str
    namespace: str
    project: str = ""
    sync: str = ""
    health: str = ""
    phase: str = ""  # of the last operation
    message: str = ""  # of the last operation
    running: bool = False  # an operation is asked for, or under way
    revision: str = ""  # what it was compared with
    synced_revision: str = ""  # what the last operation was about
    cluster: str = ""
    destination: str = ""  # the namespace there
    repository: str = ""
    path: str = ""
    chart: str = ""
    target: str = ""  # the branch, tag, version or range that is followed
    automated: bool = False
    images: list[str] = field(default_factory=list)
    conditions: list[AppCondition] = field(default_factory=list)
    resources: list[AppResource] = field(default_factory=list)
    history: list[AppVisit] = field(default_factory=list)
    compared: str = ""
    created: str = ""


class AppSync(Request):
    """What to sync. `resources` as GROUP:KIND:NAME or KIND:NAME, [] is everything."""

    prune: bool = False
    dry_run: bool = False
    revision: str = ""
    resources: list[str] = field(default_factory=list)


class AppDifference(Struct, kw_only=True):
    """One object that differs. A side is "" where there is none; values of Secrets are masked."""

    kind: str
    namespace: str = ""
    name: str
    live: str = ""  # YAML
    wanted: str = ""  # YAML
