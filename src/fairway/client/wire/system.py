"""Images, runners, events, the queue and the system itself."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from fairway.client.wire.common import Request


class Image(Struct, kw_only=True):
    """An image that a build made: which commit, which step, and whether it may be promoted."""

    repository_name: str  # in our registry, without its host
    digest: str
    reference: str = ""  # as `docker pull` takes it
    name: str = ""  # as the step named it
    target: str = ""
    repository: str = ""
    build: int = 0
    stage: str = ""
    step: str = ""
    revision: str = ""
    candidate: str = ""  # "" not judged yet | yes | no
    reason: str = ""  # why not
    tags: list[str] = field(default_factory=list)
    size: int = 0
    judged: str | None = None
    created: str = ""


class Runner(Struct, kw_only=True):
    """A runner and what it does."""

    name: str
    type: str = "docker"
    os: str = ""
    arch: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    capacity: int = 0
    busy: int = 0
    version: str = ""
    paused: bool = False
    online: bool = False
    seen: str = ""


class Waiting(Struct, kw_only=True):
    """A stage that waits, and why."""

    repository: str
    build: int
    stage: str
    status: str
    reason: str
    created: str = ""


class Event(Struct, kw_only=True):
    """Something that happened."""

    id: int
    kind: str
    at: str
    subject: str = ""
    data: dict[str, Any] = field(default_factory=dict)


class Component(Struct, kw_only=True):
    """A part of the system and how it is."""

    name: str
    healthy: bool
    detail: str = ""
    state: str = ""  # of one that is supervised: waiting, starting, ready, unready, failed, stopped
    since: str = ""  # when it came into that state
    restarts: int = 0
    reason: str = ""  # why it is not ready, or why it was restarted last


class Parked(Struct, kw_only=True):
    """An event that a handler could not take, after every try."""

    id: int
    handler: str
    kind: str
    subject: str
    tries: int
    error: str
    at: str
    data: dict[str, Any] = field(default_factory=dict)


class System(Struct, kw_only=True):
    """The installation."""

    version: str
    installation: str = ""
    external_url: str = ""
    registry: str = ""
    git_url: str = ""
    paused: bool = False
    pause_reason: str = ""
    parked: int = 0
    time: str = ""


class Pause(Request):
    """Whether new stages wait, and why."""

    paused: bool
    reason: str = ""


class KeyRotation(Struct, kw_only=True):
    """What a rotation did: the new key's id, how much was sealed anew, the keys that are gone."""

    key: str
    values: int
    retired: list[str]
