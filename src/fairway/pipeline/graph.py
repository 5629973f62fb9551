"""What will run: the immutable outcome of compiling one pipeline. Engines see this, never YAML.

A `StageGraph` is one pipeline of a build. All names are final (images in full, environment merged),
secrets are by name only; the runner puts their values in when it creates a container. It crosses
the wire to remote runners as JSON by msgspec, so every field is plain data.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct, field


class PullPolicy(StrEnum):
    """When an image is fetched. DEFAULT: only `:latest` again (Drone's rule)."""

    DEFAULT = "default"
    ALWAYS = "always"
    IF_NOT_EXISTS = "if-not-exists"
    NEVER = "never"


class RunPolicy(StrEnum):
    """When a step runs, as seen from what went before in the pipeline."""

    ON_SUCCESS = "on-success"
    ON_FAILURE = "on-failure"
    ALWAYS = "always"
    NEVER = "never"


class FailurePolicy(StrEnum):
    """What a step's failure does."""

    FAIL = "fail"  # the pipeline fails; what runs goes on, success-only steps are skipped
    FAST = "fast"  # the pipeline is ended at once
    IGNORE = "ignore"  # nothing


class SecretRef(Struct, frozen=True, tag=True):
    """An environment variable whose value is the secret of this name."""

    from_secret: str


class SettingSecrets(Struct, frozen=True, tag=True):
    """Reserved for values composed of secrets and text: parts joined in order."""

    parts: tuple[str | SecretRef, ...]


EnvValue = str | SecretRef


class Mount(Struct, frozen=True):
    """A volume's place in a container. `volume` names one of the stage's volumes."""

    volume: str
    path: str
    read_only: bool = False


class Volume(Struct, frozen=True):
    """A volume of the stage.

    kind: `temp` (a folder that lives as long as the stage's containers), `memory` (a tmpfs in each
    container), `host` (`path` of the runner's machine; trusted repositories only), `device`
    (`path` under /dev), or `workspace` (the stage's working tree, kept for retries).
    """

    name: str
    kind: str
    path: str = ""
    size_bytes: int = 0


class Ready(Struct, frozen=True):
    """`x-fairway.ready` of a service: later steps wait for it.

    kind: `healthcheck` (the image's own HEALTHCHECK), `tcp` (`port`), `http` (`port`, `path`),
    or `command` (run inside the container).
    """

    kind: str
    port: int = 0
    path: str = "/"
    command: tuple[str, ...] = ()
    interval_s: float = 1.0
    timeout_s: float = 60.0


class Retry(Struct, frozen=True):
    """`x-fairway.retry`: how often a failed step is tried again, and after how long."""

    limit: int = 0
    delay_s: float = 0.0
    on: tuple[str, ...] = ("failed", "errored")


class Reports(Struct, frozen=True):
    """`x-fairway.reports`: files of the workspace that a step promises to write."""

    junit: tuple[str, ...] = ()
    cobertura: tuple[str, ...] = ()
    lcov: tuple[str, ...] = ()
    min_coverage: float | None = None


class StepGraph(Struct, frozen=True, kw_only=True):
    """One container (or built-in plugin run) of a stage."""

    name: str
    number: int  # 1-based within the stage, in file order: clone, services, steps
    image: str = ""  # in full, with tag or digest; after the operator's rewriting
    image_written: str = ""  # as the file says
    builtin: str = ""  # name of the built-in plugin that runs instead of the image, or ""
    service: bool = False
    detach: bool = False
    clone: bool = False
    privileged: bool = False
    pull: PullPolicy = PullPolicy.DEFAULT
    run: RunPolicy = RunPolicy.ON_SUCCESS
    failure: FailurePolicy = FailurePolicy.FAIL
    depends_on: tuple[str, ...] = ()  # every edge, the implied ones too
    entrypoint: tuple[str, ...] = ()  # () leaves the image's own
    command: tuple[str, ...] = ()
    script: str = ""  # what the shell reads; "" for plugins and services without commands
    environment: dict[str, EnvValue] = field(default_factory=dict)
    working_dir: str = ""  # "" leaves the image's own
    user: str = ""
    mounts: tuple[Mount, ...] = ()
    devices: tuple[Mount, ...] = ()
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    extra_hosts: tuple[str, ...] = ()
    network_mode: str = ""
    shm_size_bytes: int = 0
    mem_limit_bytes: int = 0
    memswap_limit_bytes: int = 0
    ready: Ready | None = None
    retry: Retry = Retry()
    timeout_s: float | None = None
    reports: Reports | None = None
    line: int = 0  # where the step begins in the file, for messages


class StageGraph(Struct, frozen=True, kw_only=True):
    """One pipeline of a build, ready to run.

    `steps` holds the clone step (if any), services and steps, in that order; a step that never
    matches its conditions is left out, as Drone does.
    """

    name: str
    type: str  # docker | exec
    os: str = "linux"
    arch: str = "amd64"
    variant: str = ""
    version: str = ""
    labels: dict[str, str] = field(default_factory=dict)  # `node`: the runner's must equal them
    steps: tuple[StepGraph, ...] = ()
    volumes: tuple[Volume, ...] = ()
    workspace_path: str = "/drone/src"  # where the repository lies in each container
    workspace_base: str = "/drone/src"  # where the workspace volume is mounted
    pull_secrets: tuple[str, ...] = ()  # secrets that hold Docker config JSON
    secrets: tuple[str, ...] = ()  # every secret name that the stage asks for
    timeout_s: float = 3600.0
    network_aliases: bool = True
