"""Applications as `get` lists them."""

from __future__ import annotations

from typing import Final

from fairway.cli.kind import Kind
from fairway.cli.text import age, short
from fairway.client.wire.app import App


def source(one: App) -> str:
    """Where its manifests come from."""
    if one.chart:
        return f"{one.repository}/{one.chart}"
    return f"{one.repository} {one.path}".strip()


def revision(text: str) -> str:
    """A commit in short, a version whole."""
    return short(text) if len(text) == 40 else text


APPS: Final = Kind(
    name="apps",
    one="app",
    path="/apps",
    detail="/apps/{name}",
    item=App,
    aliases=("app", "application", "applications"),
    events=("application-changed",),
    label=lambda one: one.name,
    pages=False,
    columns={
        "NAME": lambda one: one.name,
        "SYNC": lambda one: one.sync,
        "HEALTH": lambda one: one.health,
        "REVISION": lambda one: revision(one.revision),
        "OPERATION": lambda one: one.phase,
        "CLUSTER": lambda one: one.cluster,
        "NAMESPACE": lambda one: one.destination,
        "AGE": lambda one: age(one.created),
    },
    wide={
        "PROJECT": lambda one: one.project,
        "SOURCE": source,
        "TARGET": lambda one: one.target,
        "AUTO": lambda one: "yes" if one.automated else "",
        "CONDITIONS": lambda one: ",".join(each.type for each in one.conditions),
    },
)
