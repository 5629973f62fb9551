"""Releases, environments, deployments and approvals, as `get` lists them."""

from __future__ import annotations

from typing import Any, Final

from fairway.cli.kind import Kind
from fairway.cli.text import age, short
from fairway.client.wire.release import Environment, Promotion, Release

_EVENTS: Final = ("release-created", "promotion-changed")


def _waits(one: Any) -> str:
    return ", ".join(one.waits) or one.message


RELEASES: Final = Kind(
    name="releases",
    one="release",
    path="/releases",
    item=Release,
    aliases=("release",),
    events=_EVENTS,
    label=lambda one: f"{one.service}@{one.version}",
    columns={
        "RELEASE": lambda one: f"{one.service}@{one.version}",
        "STATE": lambda one: one.state,
        "DIGEST": lambda one: short(one.digest),
        "COMMIT": lambda one: short(one.revision),
        "BUILD": lambda one: f"{one.repository}#{one.build}",
        "AUTHOR": lambda one: one.author,
        "PROBLEM": lambda one: one.problem[:80],
        "AGE": lambda one: age(one.created),
    },
    wide={
        "DELIVERY": lambda one: one.delivery,
        "CHART": lambda one: f"{one.chart} {short(one.chart_digest)}".strip(),
        "COMMITS": lambda one: str(len(one.changes)),
    },
)

ENVIRONMENTS: Final = Kind(
    name="envs",
    one="env",
    path="/environments",
    item=Environment,
    aliases=("env", "environment", "environments"),
    events=_EVENTS,
    label=lambda one: f"{one.environment}/{one.service}",
    columns={
        "ENVIRONMENT": lambda one: one.environment,
        "SERVICE": lambda one: one.service,
        "VERSION": lambda one: one.version,
        "DIGEST": lambda one: short(one.digest),
        "COMMIT": lambda one: short(one.revision),
        "SINCE": lambda one: age(one.since) if one.since else "",
        "BY": lambda one: one.by,
        "NEXT": lambda one: one.next,
        "STATE": lambda one: one.state,
        "WAITS FOR": _waits,
    },
    wide={
        "CLUSTER": lambda one: one.cluster,
        "APPLICATION": lambda one: one.application,
        "GOOD": lambda one: " ".join(one.good),
    },
    pages=False,
)

DEPLOYMENTS: Final = Kind(
    name="deployments",
    one="deployment",
    path="/promotions",
    item=Promotion,
    aliases=("deployment", "promotions", "promotion"),
    events=_EVENTS,
    label=lambda one: str(one.id),
    columns={
        "ID": lambda one: str(one.id),
        "ENVIRONMENT": lambda one: one.environment,
        "SERVICE": lambda one: one.service,
        "VERSION": lambda one: one.version,
        "BEFORE": lambda one: one.previous,
        "KIND": lambda one: one.kind,
        "STATE": lambda one: f"{one.state} ({one.step})" if one.step else one.state,
        "BY": lambda one: one.actor or "fairway",
        "WHY": lambda one: one.why or one.bad or _waits(one),
        "AGE": lambda one: age(one.created),
    },
    wide={
        "DIGEST": lambda one: short(one.digest),
        "COMMIT": lambda one: short(one.revision),
        "IN GIT": lambda one: short(one.commit),
        "MESSAGE": lambda one: one.message[:80],
    },
)

APPROVALS: Final = Kind(
    name="approvals",
    one="approval",
    path="/approvals",
    item=Promotion,
    aliases=("approval",),
    events=_EVENTS,
    label=lambda one: f"{one.environment}/{one.service}@{one.version}",
    columns={
        "ENVIRONMENT": lambda one: one.environment,
        "RELEASE": lambda one: f"{one.service}@{one.version}",
        "WAITS FOR": _waits,
        "SAID": lambda one: " ".join(f"{each.login}:{each.verdict}" for each in one.approvals),
        "COMMIT": lambda one: short(one.revision),
        "AGE": lambda one: age(one.created),
    },
    pages=False,
)

ALL: Final = (RELEASES, ENVIRONMENTS, DEPLOYMENTS, APPROVALS)
