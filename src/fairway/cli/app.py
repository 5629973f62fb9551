"""Applications: `fairway sync`, `wait app`, `diff app`, `apply -f`; how `describe` shows one."""

from __future__ import annotations

import difflib
import threading
from typing import Any, Final

import click

from fairway.cli import kubectl, output
from fairway.cli.kinds_app import APPS, revision, source
from fairway.cli.session import (
    Session,
    connected,
    connecting,
    deadline,
    dry_run_option,
    timeout_option,
)
from fairway.cli.text import age, clean
from fairway.client.wire.app import App, AppDifference, AppResource, AppSync
from fairway.client.wire.common import Page

_WORDS: Final = (APPS.one, APPS.name, *APPS.aliases)
_LOOK_S: Final = 0.3


def named(words: tuple[str, ...]) -> str:
    """The application of `app NAME`, or of `NAME` alone. Raises a usage error."""
    names = words[1:] if len(words) > 1 and words[0] in _WORDS else words
    if len(names) != 1:
        raise click.UsageError("name one application: `app NAME`")
    return names[0]


def is_app(words: tuple[str, ...]) -> bool:
    """Whether words begin with the kind `app`."""
    return len(words) > 1 and words[0] in _WORDS


@click.command("sync")
@click.argument("words", nargs=-1, required=True, metavar="app NAME")
@click.option("--prune", is_flag=True, help="Delete what is wanted no more.")
@click.option("--revision", "wanted", default="", help="To this commit, tag, branch or version.")
@click.option("--resource", "resources", multiple=True, metavar="[GROUP:]KIND:NAME",
              help="Only this object; may be repeated.")  # fmt: skip
@click.option("--wait", "waits", is_flag=True, help="Wait for its end; exit code 1 if it fails.")
@dry_run_option
@timeout_option
@output.format_option
@connected
def sync(session: Session, words: tuple[str, ...], *, waits: bool, timeout: float | None,
         **options: Any) -> None:  # fmt: skip
    """Sync an application now: bring its cluster to what its source says."""
    name = named(words)
    asked = AppSync(
        prune=options["prune"],
        dry_run=options["dry_run"],
        revision=options["wanted"],
        resources=list(options["resources"]),
    )
    app = session.api.post(f"/apps/{name}/sync", asked, App)
    if not waits:
        _print(app, options["output"])
        return
    with deadline(timeout, f"{name} is not synced"):
        app = _until(session, name, lambda one: not one.running)
    _print(app, options["output"])
    if app.phase != "Succeeded":
        raise click.exceptions.Exit(1)


def wait(session: Session, name: str, *, sync: bool, health: bool, timeout: float | None,
         form: str) -> None:  # fmt: skip
    """Until an application is Synced, Healthy, or both; and its operation has ended."""

    def good(one: App) -> bool:
        synced = not sync or one.sync == "Synced"
        return not one.running and synced and (not health or one.health == "Healthy")

    with deadline(timeout, f"{name} is not there yet"):
        app = _until(session, name, good)
    _print(app, form)


def diff(session: Session, name: str, form: str) -> None:
    """What differs between an application and its cluster. Exit code 1 where anything does."""
    found = list(session.api.get(f"/apps/{name}/diff", Page[AppDifference]).items)
    if form in {"table", "wide"}:
        for one in found:
            output.emit(_lines(one))
        if not found:
            output.say("no difference")
    elif form == "name":
        for one in found:
            output.emit(_label(one))
    else:
        data = output.versioned(
            "diff", {"app": name, "differences": list(map(output.plain, found))}
        )
        texts = {"json": output.json_text, "yaml": output.yaml_text, "jsonl": output.line_text}
        output.emit(texts[form](data))
    if found:
        raise click.exceptions.Exit(1)


def _lines(one: AppDifference) -> str:
    made = difflib.unified_diff(
        one.live.splitlines(), one.wanted.splitlines(), "live", "wanted", lineterm="", n=3
    )
    return "\n".join([f"===== {_label(one)}", *map(clean, made)])


def _label(one: AppDifference) -> str:
    return "/".join(part for part in (one.kind, one.namespace, one.name) if part)


def _until(session: Session, name: str, good: Any) -> App:
    """The application once it is so; each change of it is one line on the way."""
    pause, said = threading.Event(), ""
    while True:
        app = session.api.get(f"/apps/{name}", App)
        now = f"{name}: {app.sync or '-'}, {app.health or '-'}, {app.phase or '-'}"
        now += f": {clean(app.message)}" if app.running and app.message else ""
        if now != said:
            output.say(now)
            said = now
        if good(app):
            return app
        pause.wait(_LOOK_S)


def _print(app: App, form: str) -> None:
    human = f"{app.name}  {app.sync}  {app.health}  {app.phase} {clean(app.message)}".rstrip()
    output.emit_one(APPS.one, app, form, name=app.name, human=human)


def text(app: App) -> str:
    """All about an application, for people."""
    rows = [
        ("App", app.name),
        ("Project", app.project),
        ("Sync", f"{app.sync} {revision(app.revision)}"),
        ("Health", app.health),
        ("Operation", f"{app.phase} {clean(app.message)}"),
        ("Source", source(app)),
        ("Target", app.target),
        ("Cluster", app.cluster),
        ("Namespace", app.destination),
        ("Automated", "yes" if app.automated else "no"),
        ("Images", " ".join(app.images)),
        ("Compared", age(app.compared)),
    ]
    lines = [f"{title + ':':<11}{value}" for title, value in rows if value.strip()]
    lines += [f"{one.type}: {clean(one.message)}" for one in app.conditions]
    if app.resources:
        titles = ["KIND", "NAMESPACE", "NAME", "SYNC", "HEALTH", "MESSAGE"]
        lines += ["", output.table(titles, [_row(one) for one in app.resources])]
    if app.history:
        visits = [[str(one.id), revision(one.revision), age(one.deployed), one.by]
                  for one in reversed(app.history)]  # fmt: skip
        lines += ["", output.table(["ID", "REVISION", "AGE", "BY"], visits)]
    return "\n".join(lines)


def _row(one: AppResource) -> list[str]:
    marks = [word for word, on in (("hook", one.hook), ("prune", one.requires_pruning)) if on]
    said = " ".join([*marks, clean(one.message)]).strip()
    return [one.kind, one.namespace, one.name, one.sync, one.health, said[:60]]


@click.command("apply")
@click.option("-f", "--file", "files", multiple=True, required=True, metavar="FILE",
              help="A file, a folder, an address, or - for the input.")  # fmt: skip
@click.option("-n", "--namespace", default="", help="For objects that name none.")
@click.option("--cluster", default=kubectl.HOME, metavar="NAME", help="The cluster.")
@click.option("--force", is_flag=True, help="Take fields over that others own.")
@click.option("-R", "--recursive", is_flag=True, help="Folders below FILE too.")
@dry_run_option
@connecting("fairway-")
def apply(session: Session, files: tuple[str, ...], *, cluster: str, **options: Any) -> None:
    """Bring objects about in a cluster by server-side apply, as yourself: Applications,
    Deliveries, or any other object of Kubernetes.
    """
    words = ["apply", "--server-side", "--field-manager=fairway-cli"]
    words += [f"--filename={name}" for name in files]
    words += [f"--namespace={options['namespace']}"] if options["namespace"] else []
    words += ["--force-conflicts"] if options["force"] else []
    words += ["--recursive"] if options["recursive"] else []
    words += ["--dry-run=server"] if options["dry_run"] else []
    kubectl.run("kubectl", session, tuple(words), cluster)
