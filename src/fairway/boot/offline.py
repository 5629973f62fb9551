"""What the command line does without a server: lint, compile, exec, doctor, base images.

These block.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct, field

from fairway.boot.toolbox import passing
from fairway.kit import clock
from fairway.model.errors import BadFile, InvalidInput, NotFound, Unavailable
from fairway.pipeline import compile as compiler
from fairway.pipeline.compile import (
    BuildFacts,
    Context,
    Operator,
    Renderer,
    RepoFacts,
    StageFacts,
)
from fairway.pipeline.imports import JSONNET, gather
from fairway.settings import Settings

_TEMPLATES: Final = Path(".drone/templates")
_LARGEST: Final = 10 * 1024 * 1024
_GIT: Final = ("%H", "%s", "%an", "%ae", "%B")

Say = Callable[[str], None]


class Asked(Struct, frozen=True, kw_only=True):
    """For which event, of which repository, a file is looked at. "" is what the folder says."""

    event: str = "push"
    branch: str = ""
    ref: str = ""
    commit: str = ""
    repository: str = ""
    source: str = ""
    deploy_to: str = ""
    cron: str = ""
    action: str = ""
    message: str = ""
    params: dict[str, str] = field(default_factory=dict)
    changed: tuple[str, ...] | None = None
    trusted: bool = False
    builtins: bool = True
    environment: dict[str, str] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)
    pipelines: tuple[str, ...] = ()  # exec: only these
    include: tuple[str, ...] = ()  # exec: only these steps
    exclude: tuple[str, ...] = ()


class Checked(Struct, frozen=True, kw_only=True):
    """One check of this machine."""

    name: str
    health: str
    found: str
    mend: str
    bad: bool


def read(path: Path) -> str:
    """A pipeline file's text. Raises `NotFound`, `BadFile`."""
    try:
        data = path.read_bytes() if path.stat().st_size <= _LARGEST else None
    except OSError as error:
        raise NotFound(
            f"{path} cannot be read: {error.strerror}",
            code="no-pipeline-file",
            remedy="`fairway init` writes a first one",
        ) from error
    if data is None:
        raise BadFile(f"larger than {_LARGEST} bytes", code="yaml-too-large", where=str(path))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadFile("not UTF-8 text", code="not-utf8", where=str(path)) from error


def context_of(path: Path, asked: Asked, renderer: Renderer | None = None) -> Context:
    """What compiling may know: what was asked, and what the folder's Git and templates say."""
    folder = path.resolve().parent
    git = _git(folder)
    branch = asked.branch or git.get("branch", "") or "main"
    namespace, _, name = (asked.repository or f"local/{folder.name}").partition("/")
    if not name:
        raise InvalidInput(
            f"{asked.repository!r} is no repository's name",
            code="bad-name",
            remedy="write ORGANISATION/NAME",
        )
    build = _build_facts(asked, git, branch)
    operator = Operator(environment=asked.environment, images=asked.images)
    return Context(
        repo=RepoFacts(namespace=namespace, name=name, trusted=asked.trusted),
        build=build,
        stage=StageFacts(started=build.started),
        operator=operator,
        use_builtins=asked.builtins,
        templates=_templates(folder),
        imports=_imports(path),
        renderer=renderer,
        filename=path.name,
    )


def _build_facts(asked: Asked, git: Mapping[str, str], branch: str) -> BuildFacts:
    now = clock.now() // 1000
    message = asked.message or git.get("message", "")
    return BuildFacts(
        event=asked.event,
        action=asked.action or ("opened" if asked.event == "pull_request" else ""),
        ref=asked.ref or _ref(asked.event, branch),
        after=asked.commit or git.get("sha", ""),
        source=asked.source or branch,
        target=branch,
        title=message.split("\n", 1)[0],
        message=message,
        author=git.get("author", ""),
        author_name=git.get("author", ""),
        author_email=git.get("email", ""),
        deploy_to=asked.deploy_to,
        cron=asked.cron,
        params=asked.params,
        changed_paths=asked.changed,
        created=now,
        started=now,
    )


def _ref(event: str, branch: str) -> str:
    if event == "tag":
        return f"refs/tags/{branch}"
    return "refs/pull/1/head" if event == "pull_request" else f"refs/heads/{branch}"


def _git(folder: Path) -> dict[str, str]:
    """Branch, commit, author and message of the folder; empty outside a repository."""
    shown = _run(folder, "log", "-1", "--format=" + "%x00".join(_GIT))
    if not shown:
        return {}
    sha, _title, author, email, message = shown.split("\0", 4)
    branch = _run(folder, "symbolic-ref", "--short", "-q", "HEAD")
    return {
        "sha": sha,
        "author": author,
        "email": email,
        "message": message.strip(),
        "branch": branch.strip(),
    }


def _run(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), *words]
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=10)  # noqa: S603 our own words
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""


def _templates(folder: Path) -> dict[str, str]:
    place = folder / _TEMPLATES
    if not place.is_dir():
        return {}
    return {one.name: read(one) for one in sorted(place.iterdir()) if one.is_file()}


def _imports(path: Path) -> dict[str, str]:
    """What a Jsonnet file imports from its folder and below."""
    top = path.resolve().parent

    async def content(name: str) -> str | None:
        place = (top / name).resolve()
        return read(place) if place.is_relative_to(top) and place.is_file() else None

    if not path.name.endswith(JSONNET):
        return {}
    return asyncio.run(gather(path.name, read(path), content))


def lint(path: Path, asked: Asked) -> list[dict[str, Any]]:
    """Every error and likely mistake of a file, with its place."""
    with passing() as renderer:
        found = compiler.lint(read(path), context_of(path, asked, renderer))
    data: list[dict[str, Any]] = msgspec.to_builtins(found)
    return data


def compile_file(path: Path, asked: Asked) -> dict[str, Any]:
    """What would run: the documented, versioned schema."""
    with passing() as renderer:
        return compiler.report(read(path), context_of(path, asked, renderer))


def exec_file(
    path: Path,
    asked: Asked,
    secrets: Mapping[str, str],
    say: Say,
    *,
    settings: Settings,
    engine: str,
) -> str:
    """Run a file's pipelines in its folder. Returns how they ended: passed, failed, ...

    Raises `BadFile` for the first error, `Unavailable` without an engine.
    """
    with passing() as renderer:
        context = context_of(path, asked, renderer)
        plan = compiler.plan(read(path), context)
    for finding in (*plan.errors, *(one for item in plan.matched for one in item.errors)):
        raise finding.error()
    for pipeline in plan.pipelines:
        if not pipeline.matched:
            say(f"pipeline {pipeline.name}: left out: {pipeline.why}")
    chosen = [one for one in plan.matched if _wanted(one, asked)]
    if not chosen:
        raise InvalidInput(
            "no pipeline of the file is for this event",
            code="no-pipeline-matches",
            where=str(path),
            remedy="`fairway compile` says why each is left out; --event and --branch change that",
        )
    graphs = [compiler.compile_stage(plan.text, one.name, context) for one in chosen]
    graphs = [_part(graph, asked) for graph in graphs]
    from fairway.pipeline.local_run import Course  # noqa: PLC0415 only exec needs it

    courses = {
        one.name: Course(
            depends_on=tuple(one.depends_on), on_success=one.on_success, on_failure=one.on_failure
        )
        for one in chosen
    }
    work = _exec(graphs, path.resolve().parent, secrets, say,
                 settings=settings, engine=engine, courses=courses,
                 trusted=asked.trusted)  # fmt: skip
    return asyncio.run(work)


def _wanted(one: compiler.PlannedPipeline, asked: Asked) -> bool:
    return one.kind == "pipeline" and (not asked.pipelines or one.name in asked.pipelines)


def _part(graph: Any, asked: Asked) -> Any:
    """Only the steps that were asked for; services stay."""
    if not asked.include and not asked.exclude:
        return graph
    kept = tuple(
        step
        for step in graph.steps
        if step.service
        or ((not asked.include or step.name in asked.include) and step.name not in asked.exclude)
    )
    names = {step.name for step in kept}
    freed = tuple(
        msgspec.structs.replace(step, depends_on=tuple(n for n in step.depends_on if n in names))
        for step in kept
    )
    return msgspec.structs.replace(graph, steps=freed)


async def _exec(
    graphs: Sequence[Any],
    folder: Path,
    secrets: Mapping[str, str],
    say: Say,
    *,
    settings: Settings,
    engine: str,
    courses: Mapping[str, Any],
    trusted: bool,
) -> str:
    from fairway.boot import opening  # noqa: PLC0415 only exec needs an engine
    from fairway.boot.environments import environment_remains  # noqa: PLC0415
    from fairway.docker.client import Docker  # noqa: PLC0415
    from fairway.pipeline.engines.docker import DockerEngine  # noqa: PLC0415
    from fairway.pipeline.engines.local import LocalEngine  # noqa: PLC0415
    from fairway.pipeline.local_run import Local, new_owner, run_local  # noqa: PLC0415
    from fairway.settings import local_environment  # noqa: PLC0415

    owner = new_owner()
    docker: Docker | None = None
    kinds = {graph.type for graph in graphs}
    if "docker" in kinds and engine == "docker":
        docker = Docker(_engine_host(settings, say))
    ports = opening.runner_ports(settings, docker, owner, "")
    engines: dict[str, Any] = {}
    if docker is not None:
        engines["docker"] = DockerEngine(docker, owner=owner)
    if "exec" in kinds:
        root = settings.data / "exec"
        engines["exec"] = LocalEngine(root, owner=owner, base=local_environment())
    try:
        local = Local(engines=engines, plugins=ports.plugins, owner=owner, trusted=trusted,
                      remains=environment_remains(settings, docker, owner))  # fmt: skip
        status = await run_local(graphs, folder, secrets, say, local=local, courses=courses)
    finally:
        if docker is not None:
            docker.close()
    return str(status)


def _engine_host(settings: Settings, say: Say) -> str:
    from fairway.boot import machines  # noqa: PLC0415 only exec needs an engine

    found = machines.engine(settings, say, note=False)
    if found is None:
        raise Unavailable("there is no Docker Engine", code="docker-unavailable")
    return found.host


def examine(settings: Settings) -> list[Checked]:
    """Every check of `fairway doctor`."""
    from fairway.boot import cluster_checks, process  # noqa: PLC0415
    from fairway.docker.daemon_files import layout  # noqa: PLC0415
    from fairway.machine.check import Wanted  # noqa: PLC0415 only doctor needs it
    from fairway.machine.doctor import run_checks  # noqa: PLC0415
    from fairway.settings import docker_host, proxy_environment  # noqa: PLC0415

    host = settings.docker.host or docker_host() or "unix:///var/run/docker.sock"
    own = layout(settings.data / "docker").host
    wanted = Wanted(
        data=settings.data,
        docker_hosts=(host, own),
        may_start_docker=settings.docker.own,
        port=settings.http.port,
        is_running=process.find(settings.data) is not None,
        database_url=settings.database.url,
        free_bytes=settings.retention.free_space_bytes,
        proxies=proxy_environment(),
    )
    return [
        Checked(
            name=one.name,
            health=str(one.health),
            found=one.found,
            mend=one.mend,
            bad=one.is_bad,
        )
        for one in run_checks(wanted)
    ] + [
        Checked(
            name=one.name,
            health=one.health,
            found=one.found,
            mend=one.mend,
            bad=one.health == cluster_checks.MISSING,
        )
        for one in cluster_checks.run_checks(settings)
    ]


def base_names() -> list[tuple[str, str]]:
    """(name, what it is) of every base image that we can make."""
    from fairway.image.recipes import RECIPES  # noqa: PLC0415 only base images need it

    return [(name, recipe.about) for name, recipe in sorted(RECIPES.items())]


def make_bases(
    names: Sequence[str], *, registry: str, token: str, cache: Path, fresh: bool, say: Say
) -> list[dict[str, Any]]:
    """Make base images and push them into the registry. Raises as `image.base.make_base`."""
    from fairway.image.base import Where, make_base  # noqa: PLC0415
    from fairway.kit.secret import Secret  # noqa: PLC0415

    login = msgspec.json.encode({"username": "fairway", "password": token}).decode()
    local = registry.startswith(("127.", "localhost"))
    where = Where(registry=registry, auth=Secret(login), cache=cache, insecure=local, fresh=fresh)

    async def told(text: str) -> None:
        say(text)

    async def every() -> list[Any]:
        return [await make_base(name, where, told) for name in names]

    data: list[dict[str, Any]] = msgspec.to_builtins(asyncio.run(every()))
    return data
