"""From stored nouns to the facts that compiling may know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from msgspec import Struct, field
from msgspec.structs import replace

from fairway.kit.net import is_loopback
from fairway.model.build import Build
from fairway.model.repository import Repository, Visibility
from fairway.model.stage import Stage
from fairway.pipeline.compile.context import (
    BuildFacts,
    Context,
    Netrc,
    Operator,
    Renderer,
    RepoFacts,
    StageFacts,
    SystemFacts,
)


class Installation(Struct, frozen=True, kw_only=True):
    """What pipelines learn of this installation."""

    name: str = ""  # its own, never twice: marks what is ours where others are too
    url: str = "http://127.0.0.1:8480"  # as links show it
    clone_url: str = ""  # as pipelines reach it; "" is `url`
    version: str = "0.1.0"
    operator: Operator = field(default_factory=Operator)
    log_limit_bytes: int = 64 * 1024 * 1024
    max_timeout_s: int = 24 * 3600


def reached(installation: Installation, url: str) -> Installation:
    """The same as a runner on another machine sees it, which reaches us at `url`.

    A registry that the operator gave no name is the loopback address, which means nothing there.
    """
    host, named = urlsplit(url).netloc, installation.operator.registry
    registry = host if not named or is_loopback(named) else named
    operator = replace(installation.operator, registry=registry)
    return replace(installation, clone_url=url.rstrip("/"), operator=operator)


def clone_url(installation: Installation, repository: Repository) -> str:
    """Where pipelines clone a repository from."""
    base = (installation.clone_url or installation.url).rstrip("/")
    return f"{base}/{repository.slug}.git"


def context_of(
    installation: Installation,
    repository: Repository,
    build: Build,
    *,
    stage: Stage | None = None,
    stages: Sequence[Stage] = (),
    templates: Mapping[str, str] | None = None,
    imports: Mapping[str, str] | None = None,
    renderer: Renderer | None = None,
) -> Context:
    """All that compiling may know for this build (and this stage of it)."""
    return Context(
        repo=_repository(installation, repository),
        build=_build(build, stages),
        stage=_stage(stage) if stage else StageFacts(),
        system=_system(installation),
        netrc=Netrc(machine=urlsplit(clone_url(installation, repository)).hostname or ""),
        operator=installation.operator,
        use_builtins=repository.settings.builtin_plugins,
        templates=dict(templates or {}),
        imports=dict(imports or {}),
        renderer=renderer,
        filename=repository.config_path,
    )


def _repository(installation: Installation, repository: Repository) -> RepoFacts:
    return RepoFacts(
        namespace=repository.namespace,
        name=repository.name,
        link=f"{installation.url.rstrip('/')}/{repository.slug}",
        branch=repository.default_branch,
        clone_url=clone_url(installation, repository),
        visibility=repository.visibility,
        private=repository.visibility is not Visibility.PUBLIC,
        trusted=repository.trusted,
        protected=repository.protected,
        timeout_s=float(min(repository.timeout_s, installation.max_timeout_s)),
    )


def _build(build: Build, stages: Sequence[Stage]) -> BuildFacts:
    failed = tuple(stage.name for stage in stages if stage.status.bad)
    return BuildFacts(
        number=build.number,
        parent=build.parent,
        event=build.event,
        action=build.action,
        failing=bool(failed),
        failed_stages=failed,
        created=build.created // 1000,
        started=(build.started or build.created) // 1000,
        finished=(build.finished or 0) // 1000,
        link=build.link,
        title=build.title,
        message=build.message,
        ref=build.ref,
        before=build.before,
        after=build.after,
        source=build.source,
        target=build.target,
        fork=build.source_repo if build.fork else "",
        author=build.author_login,
        author_name=build.author_name,
        author_email=build.author_email,
        sender=build.sender,
        trigger=build.trigger,
        deploy_to=build.deploy_to,
        deploy_id=build.deploy_id,
        cron=build.cron,
        debug=build.debug,
        params=build.params,
        changed_paths=None if build.changed is None else tuple(build.changed),
    )


def _stage(stage: Stage) -> StageFacts:
    return StageFacts(
        number=stage.number,
        machine=stage.machine,
        version=stage.version,
        started=(stage.started or 0) // 1000,
    )


def _system(installation: Installation) -> SystemFacts:
    parts = urlsplit(installation.url)
    return SystemFacts(
        proto=parts.scheme or "http",
        host=parts.netloc,
        hostname=parts.hostname or "",
        version=installation.version,
    )
