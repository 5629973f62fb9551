"""The kinds of things that `get` lists: where the API has them, and what their tables show."""

from __future__ import annotations

from typing import Any, Final

from fairway.cli.kind import Cell, Kind
from fairway.cli.kinds_app import APPS
from fairway.cli.kinds_change import CHANGES
from fairway.cli.kinds_cluster import ANALYSIS_RUNS, ROLLOUTS
from fairway.cli.kinds_notify import CHANNELS, NOTICES, RULES
from fairway.cli.kinds_people import GRANTS, RIGHTS, TEAMS
from fairway.cli.kinds_release import ALL as DELIVERED
from fairway.cli.text import age, short, size, took
from fairway.client.wire.build import Build
from fairway.client.wire.cluster import Cluster
from fairway.client.wire.repository import Cron, Repository
from fairway.client.wire.system import Component, Event, Image, Parked, Runner, Waiting
from fairway.client.wire.who import (
    Audit,
    Organisation,
    Secret,
    Token,
    User,
)
from fairway.model.errors import InvalidInput

__all__ = ["ALL", "APPS", "CHANGES", "GRANTS", "RIGHTS", "TEAMS", "Kind"]


def _yes(value: Any) -> str:
    return "yes" if value else ""


def _build_label(one: Any) -> str:
    return f"{one.repository}#{one.number}"


def bound(one: Any) -> str:
    """What a secret is bound to, in words."""
    parts = [
        f"{name}={'|'.join(values)}"
        for name, values in (
            ("event", one.events),
            ("branch", one.branches),
            ("image", one.images),
            ("environment", one.environments),
        )
        if values
    ]
    return " ".join(parts)


REPOSITORIES: Final = Kind(
    name="repos",
    one="repo",
    path="/repos",
    detail="/repos/{name}",
    item=Repository,
    aliases=("repo", "repository", "repositories"),
    events=("ref-updated", "build-created", "build-finished"),
    label=lambda one: one.slug,
    columns={
        "NAME": lambda one: one.slug,
        "LAST": lambda one: f"#{one.last_build}" if one.last_build else "",
        "STATUS": lambda one: one.last_status,
        "BRANCH": lambda one: one.default_branch,
        "VISIBILITY": lambda one: one.visibility,
        "AGE": lambda one: age(one.created),
    },
    wide={
        "PROTECTED": lambda one: _yes(one.protected),
        "TRUSTED": lambda one: _yes(one.trusted),
        "REMOTE": lambda one: one.remote_url,
        "CLONE": lambda one: one.clone_url,
    },
)

BUILDS: Final = Kind(
    name="builds",
    one="build",
    path="/builds",
    item=Build,
    aliases=("build",),
    repository="filter",
    events=("build-created", "build-changed", "build-finished"),
    label=_build_label,
    columns={
        "BUILD": _build_label,
        "STATUS": lambda one: one.status,
        "EVENT": lambda one: one.event,
        "BRANCH": lambda one: one.branch,
        "COMMIT": lambda one: short(one.after),
        "TITLE": lambda one: one.title[:48],
        "AUTHOR": lambda one: one.author,
        "TOOK": lambda one: took(one.started, one.finished),
        "AGE": lambda one: age(one.created),
    },
    wide={
        "REASON": lambda one: one.reason or one.error,
        "TO": lambda one: one.deploy_to,
        "TRIGGER": lambda one: one.trigger,
    },
)

IMAGES: Final = Kind(
    name="images",
    one="image",
    path="/images",
    item=Image,
    aliases=("image",),
    repository="filter",
    events=("image-built", "candidate-made", "build-finished"),
    label=lambda one: f"{one.repository_name}@{one.digest}",
    columns={
        "IMAGE": lambda one: one.repository_name,
        "DIGEST": lambda one: short(one.digest),
        "CANDIDATE": lambda one: one.candidate or "not judged",
        "WHY NOT": lambda one: one.reason,
        "BUILD": lambda one: f"{one.repository}#{one.build}" if one.build else "",
        "COMMIT": lambda one: short(one.revision),
        "AGE": lambda one: age(one.created),
    },
    wide={
        "NAME": lambda one: one.name,
        "TARGET": lambda one: one.target,
        "STEP": lambda one: one.step,
        "TAGS": lambda one: ",".join(one.tags),
        "SIZE": lambda one: size(one.size) if one.size else "",
        "REFERENCE": lambda one: one.reference,
    },
)

RUNNERS: Final = Kind(
    name="runners",
    one="runner",
    path="/runners",
    item=Runner,
    aliases=("runner",),
    label=lambda one: one.name,
    columns={
        "NAME": lambda one: one.name,
        "STATE": lambda one: "paused" if one.paused else "online" if one.online else "offline",
        "TYPE": lambda one: one.type,
        "PLATFORM": lambda one: f"{one.os}/{one.arch}",
        "BUSY": lambda one: f"{one.busy}/{one.capacity}",
        "SEEN": lambda one: age(one.seen),
    },
    wide={
        "LABELS": lambda one: ",".join(f"{k}={v}" for k, v in sorted(one.labels.items())),
        "VERSION": lambda one: one.version,
    },
    pages=False,
)

AUDIT: Final = Kind(
    name="audit",
    one="audit",
    path="/audit",
    item=Audit,
    label=lambda one: str(one.id),
    columns={
        "AT": lambda one: one.at,
        "ACTOR": lambda one: one.actor,
        "ACTION": lambda one: one.action,
        "SUBJECT": lambda one: one.subject,
    },
    wide={
        "BEFORE": lambda one: _plain(one.before),
        "AFTER": lambda one: _plain(one.after),
    },
)

CRONS: Final = Kind(
    name="crons",
    one="cron",
    path="/repos/{repo}/crons",
    item=Cron,
    aliases=("cron",),
    repository="needed",
    label=lambda one: one.name,
    columns={
        "NAME": lambda one: one.name,
        "EXPRESSION": lambda one: one.expression,
        "ZONE": lambda one: one.timezone,
        "BRANCH": lambda one: one.branch,
        "NEXT": lambda one: one.next or "",
        "LAST": lambda one: one.last or "",
        "STATE": lambda one: "disabled" if one.disabled else one.error or "enabled",
    },
    wide={"MISSED": lambda one: one.missed},
    pages=False,
)

SECRETS: Final = Kind(
    name="secrets",
    one="secret",
    path="/repos/{repo}/secrets",
    item=Secret,
    aliases=("secret",),
    repository="needed",
    label=lambda one: one.name,
    columns={
        "NAME": lambda one: one.name,
        "SCOPE": lambda one: one.scope or "global",
        "PULL REQUESTS": lambda one: _yes(one.pull_request),
        "BOUND TO": bound,
        "UPDATED": lambda one: age(one.updated),
        "USED": lambda one: age(one.used),
    },
    pages=False,
)

TOKENS: Final = Kind(
    name="tokens",
    one="token",
    path="/tokens",
    item=Token,
    aliases=("token",),
    label=lambda one: str(one.id),
    columns={
        "ID": lambda one: str(one.id),
        "NAME": lambda one: one.name,
        "USER": lambda one: one.user,
        "SCOPES": lambda one: ",".join(one.scopes),
        "STATE": lambda one: "revoked" if one.revoked else f"until {one.expires}" if one.expires
        else "no end",
        "USED": lambda one: age(one.used),
    },
    wide={"REPOSITORY": lambda one: one.repository},
)  # fmt: skip

USERS: Final = Kind(
    name="users",
    one="user",
    path="/users",
    item=User,
    aliases=("user",),
    label=lambda one: one.login,
    columns={
        "LOGIN": lambda one: one.login,
        "NAME": lambda one: one.name,
        "ROLE": lambda one: "admin" if one.admin else "machine" if one.machine else "",
        "STATE": lambda one: "active" if one.active else "inactive",
        "AGE": lambda one: age(one.created),
    },
    wide={"EMAIL": lambda one: one.email},
)

ORGANISATIONS: Final = Kind(
    name="orgs",
    one="org",
    path="/orgs",
    item=Organisation,
    aliases=("org", "organisation", "organisations"),
    label=lambda one: one.name,
    columns={
        "NAME": lambda one: one.name,
        "REPOSITORIES": lambda one: str(one.repositories),
        "AGE": lambda one: age(one.created),
    },
)

QUEUE: Final = Kind(
    name="queue",
    one="queue",
    path="/queue",
    item=Waiting,
    aliases=("waiting",),
    events=("build-created", "build-changed", "build-finished"),
    label=lambda one: f"{one.repository}#{one.build}/{one.stage}",
    columns={
        "BUILD": lambda one: f"{one.repository}#{one.build}",
        "PIPELINE": lambda one: one.stage,
        "STATUS": lambda one: one.status,
        "WHY": lambda one: one.reason,
        "AGE": lambda one: age(one.created),
    },
)

CLUSTERS: Final = Kind(
    name="clusters",
    one="cluster",
    path="/clusters",
    item=Cluster,
    aliases=("cluster",),
    label=lambda one: one.name,
    columns={
        "NAME": lambda one: one.name,
        "KIND": lambda one: f"{one.kind} (home)" if one.home else one.kind,
        "STATE": lambda one: one.state,
        "VERSION": lambda one: one.version,
        "NODES": lambda one: f"{one.nodes_ready}/{one.nodes}" if one.nodes else "",
        "REASON": lambda one: one.reason,
    },
    wide={"SERVER": lambda one: one.server, "SECRET": lambda one: one.secret},
    pages=False,
)

COMPONENTS: Final = Kind(
    name="components",
    one="component",
    path="/components",
    item=Component,
    aliases=("component",),
    label=lambda one: one.name,
    columns={
        "NAME": lambda one: one.name,
        "STATE": lambda one: one.state or ("healthy" if one.healthy else "unhealthy"),
        "SINCE": lambda one: age(one.since) if one.since else "",
        "RESTARTS": lambda one: str(one.restarts) if one.restarts else "",
        "DETAIL": lambda one: one.reason or one.detail,
    },
    pages=False,
)

PARKED: Final = Kind(
    name="parked",
    one="parked",
    path="/parked",
    item=Parked,
    label=lambda one: str(one.id),
    columns={
        "ID": lambda one: str(one.id),
        "HANDLER": lambda one: one.handler,
        "EVENT": lambda one: one.kind,
        "SUBJECT": lambda one: one.subject,
        "TRIES": lambda one: str(one.tries),
        "ERROR": lambda one: one.error[:80],
        "AGE": lambda one: age(one.at),
    },
    pages=False,
)

EVENTS: Final = Kind(
    name="events",
    one="event",
    path="/events/recent",
    item=Event,
    aliases=("event",),
    label=lambda one: str(one.id),
    columns={
        "ID": lambda one: str(one.id),
        "AT": lambda one: one.at,
        "KIND": lambda one: one.kind,
        "SUBJECT": lambda one: one.subject,
    },
    wide={"DATA": lambda one: _plain(one.data)},
)

ALL: Final = (
    REPOSITORIES, BUILDS, IMAGES, RUNNERS, QUEUE, EVENTS, AUDIT, CRONS, SECRETS, TOKENS, USERS,
    ORGANISATIONS, TEAMS, RIGHTS, CHANNELS, RULES, NOTICES, CLUSTERS, COMPONENTS, PARKED, CHANGES,
    APPS, *DELIVERED, ANALYSIS_RUNS, ROLLOUTS,
)  # fmt: skip


def complete(_context: Any, _argument: Any, begun: str) -> list[str]:
    """The kinds that begin so, for the shell's completion."""
    return [kind.name for kind in ALL if kind.name.startswith(begun)]


def named(word: str) -> Kind:
    """The kind of that name. Raises `InvalidInput` with the choices."""
    for kind in ALL:
        if word == kind.name or word in kind.aliases:
            return kind
    raise InvalidInput(
        f"there is no kind {word!r}",
        code="no-kind",
        remedy="one of: " + ", ".join(kind.name for kind in ALL),
    )


def cells(kind: Kind, *, wide: bool) -> tuple[list[str], list[Cell]]:
    """Titles and cells of a table."""
    columns = {**kind.columns, **(kind.wide if wide else {})}
    return list(columns), list(columns.values())


def _plain(value: Any) -> str:
    from fairway.cli.output import line_text

    return "" if value is None else line_text(value)[:200]
