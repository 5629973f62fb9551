"""`plugins/docker` and its registry siblings: their settings, turned into a request for an image.

Names without a host are Fairway's own registry's, with the build's own credentials, unless the
settings name a registry or bring credentials of their own (which are the public hub's, as the
original has it). What the settings cannot mean here is said in the log.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct, field, structs

from fairway.kit import clock
from fairway.kit.aio import blocking
from fairway.kit.secret import Secret
from fairway.model.errors import InvalidInput
from fairway.model.image import (
    HUB,
    BuildRequest,
    Facts,
    ImageBuilder,
    Rewrite,
    Target,
    change_tag,
    parse_name,
)
from fairway.pipeline.plugin import Job, PluginEnd
from fairway.pipeline.plugins import ecr
from fairway.pipeline.plugins.http import HttpSender, Sender
from fairway.pipeline.plugins.settings import Settings
from fairway.pipeline.plugins.tags import automatic_tags

_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\Z")
_PATH: Final = re.compile(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*\Z")
_TAGS_FILE_LIMIT: Final = 64 * 1024
_HARMLESS: Final = (
    "bip",
    "compress",
    "custom_dns",
    "custom_dns_search",
    "daemon_off",
    "debug",
    "email",
    "experimental",
    "ipv6",
    "mtu",
    "quiet",
    "storage_driver",
    "storage_path",
)
"""Settings of the original's own Docker daemon, which is not run here."""


class BuilderSettings(Struct, frozen=True, kw_only=True):
    """What the operator adds to every build."""

    rewrites: tuple[Rewrite, ...] = ()
    proxies: Mapping[str, str] = field(default_factory=dict)
    ca_bundle: Path | None = None


class DockerPlugin:
    """Builds and pushes images through an `ImageBuilder`."""

    def __init__(
        self,
        builder: ImageBuilder,
        settings: BuilderSettings | None = None,
        *,
        sender: Sender | None = None,
    ) -> None:
        self._builder = builder
        self._settings = settings or BuilderSettings()
        self._sender = sender or HttpSender()

    async def run(self, job: Job) -> PluginEnd:
        """Build, tag and push by the step's settings."""
        settings = Settings(job.environment)
        job = await self._logged_in(job, settings)
        settings = Settings(job.environment, asked=settings.asked)
        request = await blocking(request_for, job, settings, self._settings)
        if request is None:
            ref = settings.text("DRONE_COMMIT_REF")
            await job.log(f"skipping automated docker build for {ref}\n".encode())
            return PluginEnd()
        for name in settings.unknown():
            await job.log(f"[fairway] the setting `{name}` has no effect here\n".encode())
        for target in request.targets:
            if target.ours and not target.full.endswith(f":{parse_name(target.written).tag}"):
                words = f"[fairway] a pull request's {target.written} is pushed as {target.full}\n"
                await job.log(words.encode())
        images = await self._builder.build(request, job.log)
        for image in images:
            await job.log(f"{image.name} is {image.digest}\n".encode())
        return PluginEnd(images=tuple(images))

    async def _logged_in(self, job: Job, settings: Settings) -> Job:
        """For plugins/ecr: the job with the address and a password of Amazon's registry."""
        identity = ecr.keys(settings) if _kind(job) == "ecr" else None
        if identity is None:
            return job
        found = await ecr.login(self._sender, identity)
        repo = settings.text("repo").removeprefix(f"{found.registry}/")
        if settings.flag("create_repository", "ECR_CREATE_REPOSITORY"):
            await ecr.ensure_repository(self._sender, identity, repo)
        own = {"PLUGIN_REPO": f"{found.registry}/{repo}"}
        return structs.replace(
            job,
            environment={**job.environment, **own},
            auths={**job.auths, found.registry: found.auth},
        )


def request_for(job: Job, settings: Settings, operator: BuilderSettings) -> BuildRequest | None:
    """The build that a step's settings ask for; None when `auto_tag` wants none for this ref.

    Raises `InvalidInput` (`plugin-setting`, `image-name`) for what cannot be right.
    """
    tags = _tags(job, settings)
    if tags is None:
        return None
    place = _place(job, settings)
    for name in _HARMLESS:
        settings.text(name)
    dry_run = settings.flag("dry_run")
    targets = tuple(place.target(tag, _pushed_as(settings, tag)) for tag in tags)
    return BuildRequest(
        key=job.key,
        root=job.tree,
        context=_folder(job, settings.text("context", default=".")),
        dockerfile=_folder(job, settings.text("dockerfile", default="Dockerfile")),
        target=settings.text("target"),
        build_args=_arguments(settings),
        labels=_labels(settings),
        facts=_facts(settings, tags),
        targets=targets,
        auths=_auths(job, settings, place),
        cache_from=tuple(settings.items("cache_from")),
        pull=settings.flag("pull_image", default=True),
        no_cache=settings.flag("no_cache"),
        squash=settings.flag("squash"),
        dry_run=dry_run,
        keep=place.kept,
        purge=settings.flag("purge", default=True),
        mirror=settings.text("mirror"),
        insecure=settings.flag("insecure"),
        network=settings.text("network"),
        platform=settings.text("platform"),
        add_hosts=tuple(settings.items("add_host")),
        registry=job.registry,
        built=job.built,
        rewrites=operator.rewrites,
        proxies=operator.proxies,
        ca_bundle=operator.ca_bundle,
    )


class _Place(Struct, frozen=True):
    """Where images go."""

    repo: str  # as the step gave it
    host: str
    path: str
    ours: bool
    kept: bool  # no system, no registry and no credentials were named: it stays in the Engine

    def target(self, tag: str, pushed_as: str) -> Target:
        full = f"{self.host}/{self.path}:{pushed_as if self.ours else tag}"
        return Target(written=f"{self.repo}:{tag}", full=full, ours=self.ours)


def _place(job: Job, settings: Settings) -> _Place:
    repo, host = _sibling(job, settings)
    if not repo:
        raise InvalidInput(
            "the setting `repo` is missing: it names the image to push",
            code="plugin-setting",
            remedy="Add `repo: NAME` to the step's settings.",
        )
    name = parse_name(repo)
    host = name.host or host or _default_host(job, settings)
    if not _PATH.match(name.path):
        raise InvalidInput(
            f"'{repo}' is no name for an image: it has lower-case letters, digits and . _ - /",
            code="image-name",
        )
    path = f"library/{name.path}" if host == HUB and "/" not in name.path else name.path
    named = bool(name.host or settings.text("registry", "DOCKER_REGISTRY"))
    known = any(_credentials(settings)) or bool(settings.text("config"))
    kept = host == HUB and not (job.registry or named or known)
    ours = host == job.registry
    return _Place(str(parse_name(name.repository)), host, path, ours=ours, kept=kept)


def _sibling(job: Job, settings: Settings) -> tuple[str, str]:
    """(repo, registry's host) by the rules of the plugin that the file names."""
    kind = _kind(job)
    repo = settings.text("repo")
    host = registry_host(settings.text("registry", "DOCKER_REGISTRY"))
    if kind == "heroku":
        process = settings.text("process_type", default="web")
        return f"registry.heroku.com/{settings.text('app')}/{process}", "registry.heroku.com"
    if kind == "gcr" and settings.text("json_key", "GCR_JSON_KEY", "GOOGLE_CREDENTIALS", "TOKEN"):
        host = host or "gcr.io"
    if host and repo.startswith(f"{host}/"):
        repo_host = parse_name(repo).host
        return (repo, repo_host or host)
    return repo, host


def _kind(job: Job) -> str:
    """The plugin's own name: docker, ecr, gcr, acr, heroku."""
    return parse_name(job.image).path.rpartition("/")[2]


def registry_host(address: str) -> str:
    """The host of a registry's address; the hub's old address is `docker.io`."""
    host = address.removeprefix("https://").removeprefix("http://").partition("/")[0]
    return HUB if host in ("index.docker.io", "registry-1.docker.io") else host


def _default_host(job: Job, settings: Settings) -> str:
    user, password = _credentials(settings)
    return HUB if (user and password) or not job.registry else job.registry


def _credentials(settings: Settings) -> tuple[str, str]:
    """User and password by the settings of any of the siblings."""
    key = settings.text("json_key", "GCR_JSON_KEY", "GOOGLE_CREDENTIALS", "TOKEN")
    if key:
        return "_json_key", key
    api_key = settings.text("api_key", "HEROKU_API_KEY")
    if api_key:
        return settings.text("email", "HEROKU_EMAIL"), api_key
    user = settings.text("username", "DOCKER_USERNAME")
    return user, settings.text("password", "DOCKER_PASSWORD")


def _auths(job: Job, settings: Settings, place: _Place) -> dict[str, Secret]:
    found = dict(job.auths)
    config = settings.text("config")
    if config:
        found.update(_from_config(config))
    user, password = _credentials(settings)
    if user and password:
        found[place.host] = Secret(json.dumps({"username": user, "password": password}))
    return found


def _from_config(text: str) -> dict[str, Secret]:
    try:
        entries = json.loads(text)["auths"]
        return {registry_host(host): Secret(json.dumps(entry)) for host, entry in entries.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(
            "the setting `config` is not a Docker configuration", code="plugin-setting"
        ) from error


def _tags(job: Job, settings: Settings) -> list[str] | None:
    ref, suffix = settings.text("DRONE_COMMIT_REF"), settings.text("auto_tag_suffix")
    suffix = suffix or settings.text("default_suffix")
    if settings.flag("auto_tag", "default_tags"):
        return automatic_tags(ref, settings.text("DRONE_REPO_BRANCH"), suffix)
    tags = settings.items("tag", "tags") or _tags_file(job) or ["latest"]
    for tag in tags:
        if not _TAG.match(tag):
            raise InvalidInput(
                f"'{tag}' cannot be an image's tag",
                code="image-name",
                remedy="A tag has letters, digits and . _ -, at most 128 of them. YAML takes digits"
                " alone, as some commits are, for a number: put the setting in quotes.",
            )
    return list(dict.fromkeys(tags))


def _pushed_as(settings: Settings, tag: str) -> str:
    """A pull request's image goes into our registry by a tag of its own; the rest of its build
    knows it as it is written all the same. The registry takes no other tag of it.
    """
    if settings.text("DRONE_BUILD_EVENT") != "pull_request":
        return tag
    number, sha = settings.text("DRONE_PULL_REQUEST"), settings.text("DRONE_COMMIT_SHA")
    return change_tag(tag, number=number, sha=sha)


def _tags_file(job: Job) -> list[str]:
    """The file `.tags`, which an earlier step may write: tags with commas or lines between."""
    path = job.tree / ".tags"
    if path.is_symlink() or not path.is_file():
        return []
    with path.open("rb") as file:
        text = file.read(_TAGS_FILE_LIMIT).decode("utf-8", "replace")
    return [tag.strip() for tag in re.split(r"[,\n]", text) if tag.strip()]


def _folder(job: Job, path: str) -> str:
    """A path as the step's container would see it, below the tree."""
    for prefix in (job.environment.get("DRONE_WORKSPACE", ""), str(job.tree)):
        if prefix and (path == prefix or path.startswith(f"{prefix.rstrip('/')}/")):
            return path[len(prefix.rstrip("/")) :].lstrip("/") or "."
    if path.startswith("/") or ".." in path.split("/"):
        raise InvalidInput(
            f"the path {path!r} leads out of the workspace",
            code="context-outside",
            remedy="Name a folder or file of the repository.",
        )
    return path


def _arguments(settings: Settings) -> dict[str, str]:
    """`build_args` (an argument without value takes the variable's), and those from variables."""
    found: dict[str, str] = {}
    text = settings.text("build_args")
    for key, value in settings.pairs("build_args").items():
        bare = f"{key}=" not in text and not text.startswith("{")
        found[key] = settings.variable(key) if bare else value
    for name in settings.items("build_args_from_env"):
        found[name] = settings.variable(name)
    return found


def _labels(settings: Settings) -> dict[str, str]:
    schema = settings.pairs("label_schema")
    labels = {f"org.label-schema.{key}": value for key, value in schema.items()}
    return {**labels, **settings.pairs("custom_labels"), **settings.pairs("labels")}


def _facts(settings: Settings, tags: list[str]) -> Facts:
    """Without a Git tag the version is the first tag but `latest`, else the commit's."""
    revision = settings.text("DRONE_COMMIT_SHA")
    told = next((tag for tag in tags if tag != "latest"), revision[:12])
    return Facts(
        source=settings.text("DRONE_REPO_LINK", "DRONE_REMOTE_URL"),
        revision=revision,
        created=clock.text(clock.now()) or "",
        version=settings.text("DRONE_SEMVER") or settings.text("DRONE_TAG") or told,
        title=settings.text("DRONE_REPO_NAME"),
    )
