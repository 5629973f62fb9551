"""A pipeline of the file as data: typed, defaults not yet applied, nothing about any build."""

from __future__ import annotations

from msgspec import Struct, field

from fairway.kit.yaml import Node
from fairway.pipeline.compile.conditions import Conditions
from fairway.pipeline.graph import Ready, Reports, Retry, SecretRef


class Platform(Struct, frozen=True, kw_only=True):
    """Where the pipeline may run."""

    os: str = "linux"
    arch: str = "amd64"
    variant: str = ""
    version: str = ""


class Clone(Struct, frozen=True, kw_only=True):
    """How the repository is fetched."""

    disable: bool = False
    depth: int = 0
    retries: int = 0
    skip_verify: bool = False
    trace: bool = False


class Setting(Struct, frozen=True, kw_only=True):
    """One of a plugin's settings: a secret, or data as it is typed in the file."""

    secret: str = ""
    node: Node | None = None


class VolumeMount(Struct, frozen=True, kw_only=True):
    """`volumes:` or `devices:` of a step."""

    name: str
    path: str
    line: int = 0


class VolumeConfig(Struct, frozen=True, kw_only=True):
    """`volumes:` of a pipeline."""

    name: str
    kind: str  # temp | memory | host | claim ... | "" when it says nothing
    path: str = ""
    size_bytes: int = 0
    node: Node


class Extension(Struct, frozen=True, kw_only=True):
    """`x-fairway` of a step or service."""

    ready: Ready | None = None
    retry: Retry = Retry()
    timeout_s: float | None = None
    reports: Reports | None = None


class Step(Struct, frozen=True, kw_only=True):
    """A step or service."""

    name: str
    node: Node
    path: str  # in the file: `steps[1]`
    image: str = ""
    commands: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    environment: dict[str, str | SecretRef] = field(default_factory=dict)
    settings: dict[str, Setting] = field(default_factory=dict)
    privileged: bool = False
    detach: bool = False
    pull: str = ""
    failure: str = ""
    user: str = ""
    working_dir: str = ""
    network_mode: str = ""
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    extra_hosts: tuple[str, ...] = ()
    mem_limit_bytes: int = 0
    memswap_limit_bytes: int = 0
    shm_size_bytes: int = 0
    volumes: tuple[VolumeMount, ...] = ()
    devices: tuple[VolumeMount, ...] = ()
    depends_on: tuple[str, ...] = ()
    when: Conditions = Conditions()
    service: bool = False
    x: Extension = Extension()


class Pipeline(Struct, frozen=True, kw_only=True):
    """A `kind: pipeline` document."""

    name: str
    type: str
    node: Node
    platform: Platform = Platform()
    clone: Clone = Clone()
    concurrency: int = 0
    labels: dict[str, str] = field(default_factory=dict)
    depends_on: tuple[str, ...] = ()
    trigger: Conditions = Conditions()
    environment: dict[str, str] = field(default_factory=dict)
    services: tuple[Step, ...] = ()
    steps: tuple[Step, ...] = ()
    volumes: tuple[VolumeConfig, ...] = ()
    pull_secrets: tuple[str, ...] = ()
    workspace_base: str = ""
    workspace_path: str = ""
    timeout_s: float | None = None
