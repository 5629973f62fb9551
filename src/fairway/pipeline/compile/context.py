"""All that compiling may know beside the file: plain facts, filled in by whoever asks.

Compiling is a pure function of the text and a `Context`. Times are seconds since 1970 in UTC, as
Drone's variables have them. No secret's value is ever in here, only names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from msgspec import Struct, field

NETRC_PASSWORD: Final = "fairway:netrc-password"  # noqa: S105 a name, not a password
NETRC_USERNAME: Final = "fairway:netrc-username"
"""Secret names (no user's secret can hold a colon) that the runner fills from `Lease.clone_*`."""

BUILTIN_PLUGINS: Final[dict[str, str]] = {
    "drone/git": "clone",
    "plugins/docker": "docker",
    "plugins/ecr": "docker",
    "plugins/gcr": "docker",
    "plugins/acr": "docker",
    "plugins/heroku": "docker",
    "plugins/webhook": "webhook",
    "plugins/slack": "slack",
}
"""Well-known plugin images, without tag, and the built-in implementation that runs instead."""


class Renderer(Protocol):
    """What evaluates Go templates and Jsonnet: a function of its arguments that may block.

    Raises `InvalidInput` with a place for what cannot be evaluated, `TooLarge` past its limits,
    and `Unavailable` (`native-missing` where the programs for it are not installed).
    """

    def go_template(self, name: str, text: str, data: Mapping[str, Any]) -> str:
        """The text that a Go template with sprig's functions makes of data."""
        ...

    def jsonnet(
        self, name: str, text: str, variables: Mapping[str, str], files: Mapping[str, str]
    ) -> str:
        """The JSON that a program makes. `files`: what it may import, by paths like its name."""
        ...


class RepoFacts(Struct, frozen=True, kw_only=True):
    """The repository."""

    namespace: str = "octocat"
    name: str = "hello-world"
    link: str = ""
    branch: str = "main"  # the default branch
    clone_url: str = ""  # over HTTP
    ssh_url: str = ""
    visibility: str = "private"  # public | private | internal
    private: bool = True
    scm: str = ""
    trusted: bool = False
    protected: bool = False  # its file needs a signature or a person's approval
    timeout_s: float = 3600.0

    @property
    def slug(self) -> str:
        """namespace/name."""
        return f"{self.namespace}/{self.name}"


class BuildFacts(Struct, frozen=True, kw_only=True):
    """The build and its commit."""

    number: int = 1
    parent: int = 0
    event: str = "push"  # push tag pull_request custom cron promote rollback
    action: str = ""
    status: str = "running"
    failing: bool = False  # a stage of it has failed already
    failed_stages: tuple[str, ...] = ()
    created: int = 0
    started: int = 0
    finished: int = 0
    link: str = ""  # the commit or comparison in the forge
    title: str = ""
    message: str = ""
    ref: str = "refs/heads/main"
    before: str = ""
    after: str = ""
    source: str = "main"  # the branch that the change comes from
    target: str = "main"  # the branch that the change goes to
    fork: str = ""  # slug of the fork that a pull request comes from
    author: str = ""
    author_name: str = ""
    author_email: str = ""
    author_avatar: str = ""
    sender: str = ""
    trigger: str = ""  # who or what began it: a login, `@hook`, `@cron`
    deploy_to: str = ""
    deploy_id: int = 0
    cron: str = ""
    debug: bool = False
    params: dict[str, str] = field(default_factory=dict)
    changed_paths: tuple[str, ...] | None = None  # None: not known, `paths` then matches


class StageFacts(Struct, frozen=True, kw_only=True):
    """The stage, as far as the system has numbered it."""

    number: int = 1
    machine: str = ""
    version: int = 1  # of the database's row, as Drone has it
    status: str = "running"
    started: int = 0
    finished: int = 0
    failed_steps: tuple[str, ...] = ()


class SystemFacts(Struct, frozen=True, kw_only=True):
    """The installation."""

    proto: str = "http"
    host: str = "127.0.0.1"  # with its port
    hostname: str = "127.0.0.1"
    version: str = "0.1.0"


class Netrc(Struct, frozen=True, kw_only=True):
    """Which host the steps may clone from, and whether there is a login for it."""

    machine: str = ""


class Operator(Struct, frozen=True, kw_only=True):
    """What the operator of this installation or runner has set."""

    environment: dict[str, str] = field(default_factory=dict)  # in every step of every build
    privileged: tuple[str, ...] = (
        "plugins/docker",
        "plugins/acr",
        "plugins/ecr",
        "plugins/gcr",
        "plugins/heroku",
    )
    images: dict[str, str] = field(default_factory=dict)  # image rewriting: glob -> image
    builtins: dict[str, str] = field(default_factory=lambda: dict(BUILTIN_PLUGINS))
    use_builtins: bool = True
    clone_image: str = "drone/git:latest"
    registry: str = ""  # host[:port] of Fairway's own registry


class Context(Struct, frozen=True, kw_only=True):
    """Everything known beside the text."""

    repo: RepoFacts = RepoFacts()
    build: BuildFacts = BuildFacts()
    stage: StageFacts = StageFacts()
    system: SystemFacts = SystemFacts()
    netrc: Netrc = Netrc()
    operator: Operator = field(default_factory=Operator)
    use_builtins: bool = True  # the repository's own switch
    templates: dict[str, str] = field(default_factory=dict)  # file name -> text
    imports: dict[str, str] = field(default_factory=dict)  # of a Jsonnet file: path -> text
    renderer: Renderer | None = None  # None: templates in YAML and Jsonnet cannot be evaluated
    filename: str = ".drone.yml"
