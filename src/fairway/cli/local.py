"""`fairway init`, `lint`, `compile`, `exec`: pipeline files without a server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from fairway.cli import output
from fairway.cli.session import dry_run_option
from fairway.model.errors import Conflict

if TYPE_CHECKING:
    from fairway.boot.offline import Asked

EVENTS: Final = ("push", "tag", "pull_request", "custom", "cron", "promote", "rollback")
_FILE: Final = ".drone.yml"


def asking(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that say for which event a file is looked at."""
    options = (
        click.option("--event", type=click.Choice(EVENTS), default="push", show_default=True),
        click.option("--branch", default="", help="The branch or tag; Git's unless given."),
        click.option("--ref", default=""),
        click.option("--commit", default="", help="The commit; Git's unless given."),
        click.option("-R", "--repo", default="", metavar="ORG/NAME"),
        click.option("--source", default="", help="pull_request: the branch that it comes from."),
        click.option("--to", default="", help="promote, rollback: the environment."),
        click.option("--cron", default="", help="cron: the job's name."),
        click.option("--action", default="", help="pull_request: opened or synchronized."),
        click.option("--message", default="", help="The commit's message; Git's unless given."),
        click.option("-p", "--param", "params", multiple=True, metavar="NAME=VALUE"),
        click.option("--changed", multiple=True, metavar="PATH", help="A path that was changed."),
        click.option("--trusted", is_flag=True, help="As in a trusted repository."),
        click.option("--no-builtins", is_flag=True, help="Plugins run as their images."),
        click.option("--env", "environment", multiple=True, metavar="NAME=VALUE",
                     help="As the operator's environment of every step."),
        click.option("--rewrite", multiple=True, metavar="GLOB=IMAGE",
                     help="As a line of the operator's table of image names."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def asked_of(options: dict[str, Any], **more: Any) -> Asked:
    """The options as `boot.offline` has them."""
    from fairway.boot.offline import Asked
    from fairway.cli.run import pairs

    return Asked(
        event=options["event"],
        branch=options["branch"],
        ref=options["ref"],
        commit=options["commit"],
        repository=options["repo"],
        source=options["source"],
        deploy_to=options["to"],
        cron=options["cron"],
        action=options["action"],
        message=options["message"],
        params=pairs(options["params"]),
        changed=tuple(options["changed"]) or None,
        trusted=options["trusted"],
        builtins=not options["no_builtins"],
        environment=pairs(options["environment"]),
        images=pairs(options["rewrite"]),
        **more,
    )


file_argument = click.argument(
    "file", default=_FILE, type=click.Path(dir_okay=False, path_type=Path)
)


@click.command("lint")
@click.argument("files", nargs=-1, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
@asking
@output.format_option
def lint(files: tuple[Path, ...], *, strict: bool, output: str, **options: Any) -> None:
    """Say everything that is wrong with FILES (default: .drone.yml), with line and column.

    Warnings are of what is likely a mistake. Exit code 1 when there are errors.
    """
    from fairway.boot import offline

    asked = asked_of(options)
    found: list[dict[str, Any]] = []
    for path in files or (Path(_FILE),):
        found += [{**one, "file": str(path)} for one in offline.lint(path, asked)]
    _print_findings(found, output)
    if any(strict or one["level"] == "error" for one in found):
        raise click.exceptions.Exit(1)


def _print_findings(found: list[dict[str, Any]], form: str) -> None:
    if form in {"json", "yaml"}:
        data = output.versioned("lint", {"items": found})
        output.emit(output.json_text(data) if form == "json" else output.yaml_text(data))
        return
    for one in found:
        place = f"{one['file']}:{one['line']}:{one['column']}"
        if form == "jsonl":
            output.emit(output.line_text(one))
        elif form == "name":
            output.emit(place)
        else:
            output.emit(_finding(one, place))
    if not found and form in {"table", "wide"}:
        output.say("nothing wrong")


def _finding(one: dict[str, Any], place: str) -> str:
    colour = "red" if one["level"] == "error" else "yellow"
    path = f"{one['path']}: " if one["path"] else ""
    text = (
        f"{place}: {click.style(one['level'], fg=colour)}: {path}{one['message']} [{one['code']}]"
    )
    return f"{text}\n  {one['remedy']}" if one["remedy"] else text


@click.command("compile")
@file_argument
@asking
@output.format_option
def compile_file(file: Path, *, output: str, **options: Any) -> None:
    """Print what FILE would run: pipelines, steps, services, environment, and what is left out.

    Secrets are shown by name only. Exit code 1 when the file has errors.
    """
    from fairway.boot import offline

    data = offline.compile_file(file, asked_of(options))
    _print_compiled(data, output)
    errors = [*data["errors"], *(one for item in data["pipelines"] for one in item["errors"])]
    if errors:
        if output in {"table", "wide", "name"}:
            _print_findings([{**one, "file": str(file)} for one in errors], "table")
        raise click.exceptions.Exit(1)


def _print_compiled(data: dict[str, Any], form: str) -> None:
    if form in {"json", "yaml", "jsonl"}:
        texts = {"json": output.json_text, "yaml": output.yaml_text, "jsonl": output.line_text}
        output.emit(texts[form](data))
        return
    for pipeline in data["pipelines"]:
        if form == "name":
            if pipeline["matched"]:
                output.emit(pipeline["name"])
            continue
        state = "runs" if pipeline["matched"] else f"left out: {pipeline['why']}"
        output.emit(f"{pipeline['name']}  ({pipeline['type']})  {state}")
        rows = [_step_row(step) for step in pipeline["steps"]]
        if rows:
            titles = ["#", "STEP", "KIND", "IMAGE", "AFTER", "RUNS", "FAILURE"]
            text = output.table(titles, rows)
            output.emit("\n".join(f"  {line}" for line in text.split("\n")))
        for one in pipeline["left_out"]:
            output.emit(f"  {one['name']} is left out: {one['why']}")


def _step_row(step: dict[str, Any]) -> list[str]:
    image = f"{step['image_written'] or step['image']}"
    if step["builtin"]:
        image += f" (built in: {step['builtin']})"
    after = ",".join(step["depends_on"])
    row = [str(step["number"]), step["name"], step["kind"], image, after]
    return [*row, step["runs"], step["failure"]]


@click.command("exec")
@file_argument
@asking
@click.option("--pipeline", "pipelines", multiple=True, help="Only this pipeline.")
@click.option("--include", multiple=True, help="Only this step.")
@click.option("--exclude", multiple=True, help="Not this step.")
@click.option("--secret", "secrets", multiple=True, metavar="NAME=VALUE",
              help="A secret; others can see it here: better --secret-file.")  # fmt: skip
@click.option("--secret-file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="NAME=VALUE lines.")  # fmt: skip
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), default=None)
@click.option("--docker-host", default=None, metavar="URL")
@dry_run_option
def exec_file(file: Path, *, dry_run: bool, **options: Any) -> None:
    """Run FILE in its folder, as the system would, without a server.

    Logs go to stdout. Exit code 1 when it ends other than passed.
    """
    from fairway import settings
    from fairway.boot import offline

    asked = asked_of(
        options,
        pipelines=options["pipelines"],
        include=options["include"],
        exclude=options["exclude"],
    )
    if dry_run:
        _print_compiled(offline.compile_file(file, asked), "table")
        return
    flags = {"docker": {"host": options["docker_host"]}}
    made = settings.load(options["data"], flags)
    ended = offline.exec_file(
        file, asked, _secrets(options), output.emit, settings=made, engine="docker"
    )
    output.say(ended)
    if ended not in {"passed", "skipped"}:
        raise click.exceptions.Exit(1)


def _secrets(options: dict[str, Any]) -> dict[str, str]:
    from fairway.cli.run import pairs

    lines: tuple[str, ...] = ()
    if options["secret_file"]:
        text = options["secret_file"].read_text(encoding="utf-8")
        kept = (line.strip() for line in text.splitlines())
        lines = tuple(line for line in kept if line and not line.startswith("#"))
    return {**pairs(lines), **pairs(options["secrets"])}


_FIRST: Final = """\
kind: pipeline
type: docker
name: default

steps:
{steps}"""
_STEP: Final = """\
  - name: {name}
    image: {image}
    commands:
{commands}
"""
_KNOWN: Final[tuple[tuple[str, str, str, tuple[str, ...]], ...]] = (
    ("pyproject.toml", "test", "python:3.11", ("python -m unittest",)),
    ("requirements.txt", "test", "python:3.11", ("python -m unittest",)),
    ("go.mod", "test", "golang:1.24", ("go test ./...",)),
    ("package.json", "test", "node:22", ("npm ci", "npm test")),
    ("Cargo.toml", "test", "rust:1", ("cargo test",)),
    ("pom.xml", "test", "maven:3", ("mvn -B test",)),
)
_IMAGE: Final = """\
  - name: image
    image: plugins/docker
    settings:
      repo: {name}
      tags: "${{DRONE_COMMIT_SHA:0:8}}"
"""


@click.command("init")
@click.argument(
    "folder", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@dry_run_option
def init(folder: Path, *, force: bool, dry_run: bool) -> None:
    """Write a first .drone.yml for FOLDER, from what lies in it."""
    text = first_file(folder.resolve())
    if dry_run:
        click.echo(text, nl=False)
        return
    path = folder / _FILE
    if path.exists() and not force:
        raise Conflict(
            f"there is a {path} already", code="file-exists", remedy="--force replaces it"
        )
    path.write_text(text, encoding="utf-8")
    output.say(f"written: {path}; look at it, then `fairway exec` runs it here")


def first_file(folder: Path) -> str:
    """A pipeline that tests what the folder is made of, and builds its Dockerfile."""
    found = [one for one in _KNOWN if (folder / one[0]).exists()]
    seen: dict[str, str] = {}
    for _file, name, image, commands in found:
        number = f"{name}-{len(seen) + 1}" if seen else name
        lines = "\n".join(f"      - {command}" for command in commands)
        if image not in seen.values():
            seen[number] = image
            seen[f"{number}:"] = _STEP.format(name=number, image=image, commands=lines)
    steps = [text for name, text in seen.items() if name.endswith(":")]
    if (folder / "Dockerfile").exists():
        steps.append(_IMAGE.format(name=f"local/{folder.name.lower()}"))
    if not steps:
        steps = [_STEP.format(name="hello", image="busybox", commands="      - echo hello")]
    return _FIRST.format(steps="\n".join(steps))
