"""`fairway context`: which servers there are, and which one counts."""

from __future__ import annotations

import click

from fairway.cli import output
from fairway.cli.session import Session, confirm, connected, yes_option
from fairway.client import context as contexts


@click.group("context", invoke_without_command=True)
@click.pass_context
def context(ctx: click.Context) -> None:
    """List the servers that `login` and `up` have set up; `use` chooses one."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_contexts)


@context.command("ls")
@output.format_option
@connected
def list_contexts(session: Session, *, output: str = "table") -> None:
    """List them, without their tokens."""
    found = contexts.load(session.path)
    _emit(found, output)


def _emit(found: contexts.Contexts, form: str) -> None:
    items = [
        {
            "name": name,
            "current": name == found.current,
            "url": one.url,
            "repository": one.repository,
        }
        for name, one in sorted(found.contexts.items())
    ]
    if form == "name":
        for item in items:
            output.emit(str(item["name"]))
    elif form in {"table", "wide"}:
        rows = [["*" if x["current"] else "", str(x["name"]), str(x["url"])] for x in items]
        output.emit(output.table(["", "NAME", "SERVER"], rows))
    elif form == "jsonl":
        for item in items:
            output.emit(output.line_text(item))
    else:
        data = output.versioned("contexts", {"items": items})
        output.emit(output.json_text(data) if form == "json" else output.yaml_text(data))


@context.command("use")
@click.argument("name")
@connected
def use(session: Session, name: str) -> None:
    """Let the context NAME count from now on."""
    found = contexts.load(session.path)
    found.named(name)
    found.current = name
    contexts.save(session.path, found)
    output.say(f"{name}: {found.contexts[name].url}")


@context.command("set")
@click.argument("name")
@click.option("--repo", default=None, metavar="ORG/NAME", help="Where none is named or found.")
@click.option("--ca", default=None, type=click.Path(exists=True), help="The server's authority.")
@connected
def change(session: Session, name: str, *, repo: str | None, ca: str | None) -> None:
    """Change the context NAME."""
    found = contexts.load(session.path)
    one = found.named(name)
    one.repository = one.repository if repo is None else repo
    one.ca = one.ca if ca is None else ca
    contexts.save(session.path, found)


@context.command("rm")
@click.argument("name")
@yes_option
@connected
def remove(session: Session, name: str, *, yes: bool) -> None:
    """Forget the context NAME with its token. The token itself stays valid on the server."""
    found = contexts.load(session.path)
    found.named(name)  # raises where there is none
    confirm(f"Forget the context {name} with its token?", yes=yes)
    del found.contexts[name]
    if found.current == name:
        found.current = ""
    contexts.save(session.path, found)
