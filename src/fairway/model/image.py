"""Images: their names, what a build of one asks for, and what came of it.

Neutral ground between the pipeline (whose plugins ask for a build) and the image chapter (which
carries it out): neither imports the other.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from msgspec import Struct, field

from fairway.kit.secret import Secret

HUB: Final = "docker.io"
CANDIDATE_TAG: Final = "candidate"
_SHORT: Final = 7
_LONGEST_TAG: Final = 128

Log = Callable[[bytes], Awaitable[None]]
"""Takes the next raw bytes of a log; returning means they are kept."""


class ImageName(Struct, frozen=True, kw_only=True):
    """An image's name in parts. `host` is "" where none is written (a public hub's, or ours)."""

    host: str = ""
    path: str = ""
    tag: str = ""
    digest: str = ""

    def __str__(self) -> str:
        text = f"{self.host}/{self.path}" if self.host else self.path
        text += f":{self.tag}" if self.tag else ""
        return text + (f"@{self.digest}" if self.digest else "")

    @property
    def repository(self) -> str:
        """The name without tag and digest."""
        return f"{self.host}/{self.path}" if self.host else self.path

    @property
    def reference(self) -> str:
        """What is asked of a registry: the digest if there is one, else the tag, else `latest`."""
        return self.digest or self.tag or "latest"


def parse_name(text: str) -> ImageName:
    """Take `[host/]path[:tag][@digest]` apart. Does not check the characters.

    The first part is a host when it has a dot or a colon, or is `localhost`: Docker's own rule.
    """
    rest, _, digest = text.partition("@")
    first, slash, after = rest.partition("/")
    host = ""
    if slash and ("." in first or ":" in first or first == "localhost"):
        host, rest = first, after
    cut = rest.rfind(":")
    path, tag = (rest[:cut], rest[cut + 1 :]) if cut > rest.rfind("/") else (rest, "")
    if host in (HUB, "index.docker.io"):
        host, path = "", path.removeprefix("library/")
    return ImageName(host=host, path=path, tag=tag, digest=digest)


class Rewrite(Struct, frozen=True):
    """A line of the operator's table: images whose name matches `pattern` become `image`.

    `pattern` is a glob over the name as written; `*` in `image` stands for the tag as written
    (`latest` where there is none). `{registry}` in `image` is our registry's host.
    """

    pattern: str
    image: str


def rewrite(name: str, table: Sequence[Rewrite], *, registry: str = "") -> str:
    """The name after the table's first line that matches, or unchanged."""
    parts = parse_name(name)
    plain = str(parts)
    tagged = plain if parts.tag or parts.digest else f"{plain}:latest"
    for line in table:
        if not any(fnmatch.fnmatchcase(text, line.pattern) for text in (name, plain, tagged)):
            continue
        image = line.image.replace("*", parts.tag or "latest")
        return image.replace("{registry}", registry)
    return name


class Facts(Struct, frozen=True, kw_only=True):
    """What every image says of itself, as OCI labels and annotations. "" leaves one out."""

    source: str = ""  # URL of the repository
    revision: str = ""  # the commit
    created: str = ""  # RFC 3339
    version: str = ""
    title: str = ""

    def labels(self) -> dict[str, str]:
        """By the names of the OCI image specification."""
        pairs = {
            "source": self.source,
            "revision": self.revision,
            "created": self.created,
            "version": self.version,
            "title": self.title,
        }
        return {f"org.opencontainers.image.{key}": text for key, text in pairs.items() if text}


class Target(Struct, frozen=True, kw_only=True):
    """A name under which the image is pushed."""

    written: str  # as the step gave it, with its tag: how later steps name it
    full: str  # host/path:tag
    ours: bool = True  # whether `host` is Fairway's own registry


class BuildRequest(Struct, frozen=True, kw_only=True):
    """An image to build from a folder of the workspace, and where to push it.

    `root` is the workspace: nothing outside of it, by `..` or by link, is ever read.
    """

    key: str  # unique to this run of the step: names of intermediate things derive from it
    root: Path
    context: str = "."  # below `root`
    dockerfile: str = "Dockerfile"  # below `root`
    target: str = ""
    build_args: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    facts: Facts = Facts()
    targets: tuple[Target, ...] = ()
    auths: Mapping[str, Secret] = field(default_factory=dict)  # host -> {"username", "password"}
    cache_from: tuple[str, ...] = ()
    pull: bool = True  # fetch base images again
    no_cache: bool = False
    squash: bool = False
    dry_run: bool = False  # build, and push nothing
    keep: bool = False  # without a system: the names stay in this Engine, nothing is pushed
    purge: bool = True  # remove the local names afterwards
    mirror: str = ""  # a registry tried first for names without a host
    insecure: bool = False  # plain HTTP to foreign registries
    network: str = ""  # "" (the engine's default), host, none
    platform: str = ""
    add_hosts: tuple[str, ...] = ()
    registry: str = ""  # our registry's host:port as the engine reaches it
    built: Mapping[str, str] = field(default_factory=dict)  # name as written -> path@digest in ours
    rewrites: tuple[Rewrite, ...] = ()
    proxies: Mapping[str, str] = field(default_factory=dict)  # HTTP_PROXY, ... of the host
    ca_bundle: Path | None = None  # the host's own certificates, for RUN


class BuiltImage(Struct, frozen=True, kw_only=True):
    """An image that a step pushed."""

    name: str  # as written, with tag: how later steps name it
    repository: str  # in our registry, without host; "" for a foreign one
    digest: str  # the image's own id where it was kept in the Engine
    registry: str = ""  # host of a foreign registry; "" also where it was kept
    target: str = ""


class ImageBuilder(Protocol):
    """Builds images for the pipeline's plugins; `image/build.py` is it."""

    async def build(self, request: BuildRequest, log: Log) -> list[BuiltImage]:
        """Build, name and push. One result for each of `request.targets` (none on a dry run).

        Raises `InvalidInput` (codes `dockerfile-not-found`, `context-outside`, `build-failed`,
        `image-not-found`, `push-refused`, ...) for what the repository must change, `Unavailable`
        when the engine or the registry does not answer. Cancelling it kills the build.
        """
        ...


def change_tag(tag: str, *, number: str, sha: str) -> str:
    """The tag under which a pull request's build may push an image: its own, or made its own.

    A tag that names its commit (seven digits at least) or begins with `change-NUMBER` is its own;
    any other, `latest` or a version, is what deployments go by.
    """
    begin = f"change-{number}"
    named = len(sha) >= _SHORT and sha[:_SHORT] in tag
    if named or tag == begin or tag.startswith(f"{begin}-"):
        return tag
    return f"{begin}-{tag}"[:_LONGEST_TAG]
