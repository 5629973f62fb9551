"""`fairway get KIND [NAME]`: lists, one thing, and lists that follow what happens."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from fairway.cli import kinds, kinds_cluster, output
from fairway.cli.moments import moments
from fairway.cli.session import (
    Session,
    build_of,
    build_path,
    checked_slug,
    connected,
    deadline,
    repo_option,
    timeout_option,
)
from fairway.model.errors import NotFound


class Query:
    """What a list shall hold."""

    def __init__(self, kind: kinds.Kind, path: str, params: dict[str, Any], limit: int) -> None:
        self.kind, self.path, self.params, self.limit = kind, path, params, limit

    def fetch(self, session: Session) -> list[Any]:
        """The items now."""
        if self.kind.objects:
            found = kinds_cluster.fetch(session, self.kind, **self.params)
            return found[: self.limit] if self.limit else found
        asked = self.limit if self.kind.pages else 0
        found = list(session.api.pages(self.path, self.kind.item, self.params, limit=asked))
        return found[: self.limit] if self.limit else found


@click.command("get")
@click.argument("kind", shell_complete=kinds.complete)
@click.argument("name", required=False, default="")
@click.option(
    "--status", default="", help="Builds: one or more, with commas; change requests: one."
)
@click.option("--event", default="", help="Builds: the event that began them.")
@click.option("--branch", default="", help="Builds: their branch.")
@click.option("--commit", default="", help="Builds and images: the whole commit.")
@click.option("--build", "of_build", default="", help="Images: of this build.")
@click.option("--candidates", is_flag=True, help="Images: only what may be promoted.")
@click.option("--org", default="", help="Secrets and repositories: of this organisation.")
@click.option("--global", "everywhere", is_flag=True, help="Secrets: of the whole installation.")
@click.option("--subject", default="", help="Audit and events: of this subject.")
@click.option("-e", "--env", "environment", default="", help="Deliveries: this environment.")
@click.option("--service", default="", help="Deliveries: this service.")
@click.option("--delivery", default="", help="Deliveries: of this Delivery.")
@click.option("--cluster", default="in-cluster", help="Rollouts and analyses: of this cluster.")
@click.option("--namespace", default="", help="Rollouts and analyses: of this namespace.")
@click.option("-A", "--all", "all_repos", is_flag=True, help="Of every repository.")
@click.option("-n", "--limit", type=click.IntRange(1, 10_000), default=30, show_default=True)
@click.option("-w", "--watch", is_flag=True, help="Go on with what changes.")
@output.format_option
@repo_option
@timeout_option
@connected
def get(
    session: Session, kind: str, name: str, *, watch: bool, timeout: float | None, **options: Any
) -> None:
    """List things of a KIND, or show the one with that NAME.

    Kinds: repos, builds, images, runners, queue, events, audit, crons, secrets, tokens, users,
    orgs, clusters, components, parked, change-requests, releases, envs, deployments,
    approvals, apps, rollouts, analysisruns.
    """
    found = kinds.named(kind)
    form = options["output"]
    with deadline(timeout, f"get {kind}"):
        if name:
            show_one(session, found, name, options)
            return
        query = make_query(session, found, options)
        items = query.fetch(session)
        print_list(found, items, form)
        if watch:
            follow(session, query, items, form)


def make_query(session: Session, kind: kinds.Kind, options: dict[str, Any]) -> Query:
    """Path and parameters of a list."""
    params: dict[str, Any] = {}
    path = kind.path
    if kind.repository == "needed" and not _elsewhere(kind, options):
        path = path.replace("{repo}", session.repository(options["repo"]))
    elif kind is kinds.SECRETS:
        path = "/secrets" if options["everywhere"] else f"/orgs/{options['org']}/secrets"
    elif kind.repository == "filter" and not options["all_repos"]:
        params["repository"] = session.find_repository(options["repo"])
    for name in _FILTERS.get(kind.name, ()):
        params[name] = options.get(name, "")
    if kind is kinds.IMAGES and options["of_build"]:
        slug, number = build_of(session, options["of_build"], options["repo"])
        params |= {"repository": slug, "build": number}
    if kind is kinds.REPOSITORIES:
        params["organisation"] = options["org"]
    if kind.objects:
        params = {"cluster": options["cluster"], "namespace": options["namespace"]}
    return Query(kind, path, params, options["limit"])


_FILTERS = {
    "builds": ("status", "event", "branch", "commit"),
    "images": ("commit", "candidates"),
    "audit": ("subject",),
    "events": ("subject",),
    "change-requests": ("status",),
    "releases": ("service", "delivery"),
    "envs": ("environment", "service", "delivery"),
    "deployments": ("environment", "service", "delivery", "status"),
}


def _elsewhere(kind: kinds.Kind, options: dict[str, Any]) -> bool:
    return kind is kinds.SECRETS and bool(options["everywhere"] or options["org"])


def print_list(kind: kinds.Kind, items: list[Any], form: str) -> None:
    """A list in the format that was asked for."""
    if form == "name":
        for item in items:
            output.emit(kind.label(item))
    elif form == "jsonl":
        for item in items:
            output.emit(output.line_text(output.plain(item)))
    elif form in {"json", "yaml"}:
        data = output.versioned(kind.name, {"items": [output.plain(item) for item in items]})
        output.emit(output.json_text(data) if form == "json" else output.yaml_text(data))
    elif items:
        output.emit(table(kind, items, wide=form == "wide"))
    else:
        output.say(f"no {kind.name}")


def table(kind: kinds.Kind, items: Iterable[Any], *, wide: bool) -> str:
    """The items as a table with titles."""
    titles, cells = kinds.cells(kind, wide=wide)
    return output.table(titles, [[cell(item) for cell in cells] for item in items])


def follow(session: Session, query: Query, items: list[Any], form: str) -> None:
    """Print what changes, as it changes: rows of the table, or one JSON line each."""
    kind = query.kind
    known = {kind.label(item): item for item in items}
    line_form = form if form in {"table", "wide", "name"} else "jsonl"
    for _ in moments(session, kind.events, str(query.params.get("repository") or "")):
        for item in reversed(query.fetch(session)):
            label = kind.label(item)
            if known.get(label) != item:
                known[label] = item
                _print_row(kind, item, line_form)


def _print_row(kind: kinds.Kind, item: Any, form: str) -> None:
    if form in {"table", "wide"}:
        output.emit(table(kind, [item], wide=form == "wide").split("\n", 1)[1])
    else:
        print_list(kind, [item], form)


def show_one(session: Session, kind: kinds.Kind, name: str, options: dict[str, Any]) -> None:
    """One thing by its name. Raises `NotFound`."""
    item = find_one(session, kind, name, options)
    form = options["output"]
    human = table(kind, [item], wide=form == "wide")
    output.emit_one(kind.one, item, form, name=kind.label(item), human=human)


def find_one(session: Session, kind: kinds.Kind, name: str, options: dict[str, Any]) -> Any:
    """One thing by its name: asked for directly, or searched in its list."""
    if kind is kinds.BUILDS:
        slug, number = build_of(session, name, options["repo"])
        return session.api.get(build_path(slug, number), kind.item)
    if kind is kinds.CHANGES:
        slug, number = build_of(session, name, options["repo"])
        return session.api.get(f"/repos/{slug}/changes/{number}", kind.item)
    if kind is kinds.REPOSITORIES:
        return session.api.get(f"/repos/{checked_slug(name)}", kind.item)
    query = make_query(session, kind, {**options, "limit": 0})
    for item in query.fetch(session):
        if name in {kind.label(item), getattr(item, "name", None), getattr(item, "digest", None)}:
            return item
    raise NotFound(f"there is no {kind.one} {name!r}", remedy=f"`fairway get {kind.name}`")
