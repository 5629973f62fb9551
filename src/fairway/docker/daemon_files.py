"""The files of an Engine of our own: where they lie and what is in them. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from fairway.docker.addresses import Addresses
from fairway.docker.firewall import Rules
from fairway.kit.processes import Process

_SOCKET_PATH: Final = 107  # bytes; the kernel's limit
_LONGEST_SOCKET: Final = "exec/libnetwork/0123456789ab.sock"  # dockerd's own, below `run`
_STOP_SECONDS: Final = 5


class Layout(Struct, frozen=True):
    """Every path. `run` is below `folder` unless sockets there would have too long a name."""

    folder: Path
    run: Path

    @property
    def data(self) -> Path:
        """Images, containers, volumes."""
        return self.folder / "data"

    @property
    def execution(self) -> Path:
        """What lives as long as the daemon: network namespaces, containerd's state."""
        return self.run / "exec"

    @property
    def socket(self) -> Path:
        """The Engine's API."""
        return self.run / "docker.sock"

    @property
    def containerd_socket(self) -> Path:
        """containerd's API, for our dockerd alone."""
        return self.run / "containerd.sock"

    @property
    def pid_file(self) -> Path:
        """dockerd's own pid file."""
        return self.run / "docker.pid"

    @property
    def state(self) -> Path:
        """What we know of what we started."""
        return self.folder / "state.json"

    @property
    def config(self) -> Path:
        """dockerd's configuration: never /etc/docker/daemon.json, which is another daemon's."""
        return self.folder / "daemon.json"

    @property
    def containerd_config(self) -> Path:
        """containerd's configuration."""
        return self.folder / "containerd.toml"

    def log(self, program: str) -> Path:
        """What a daemon prints."""
        return self.folder / f"{program}.log"

    @property
    def host(self) -> str:
        """What DOCKER_HOST would be."""
        return f"unix://{self.socket}"


def layout(folder: Path) -> Layout:
    """The paths for a folder of ours (absolute)."""
    run = folder / "run"
    if len(str(run / _LONGEST_SOCKET).encode()) > _SOCKET_PATH:
        run = Path("/run") / f"fairway-{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
    return Layout(folder=folder, run=run)


class State(Struct):
    """`before` is what was here before our daemon's first start since the machine's."""

    addresses: Addresses
    bridge: str
    boot: str = ""
    before: Rules = {}
    forwarding: str = ""
    dockerd: Process | None = None
    containerd: Process | None = None


def docker_config(paths: Layout, state: State) -> str:
    """dockerd's configuration file.

    `live-restore`: containers, and so builds, go on while dockerd is restarted. `json-file`
    without options: attach is quick, a cut attach can be resumed, and no line is rotated away.
    """
    config: dict[str, Any] = {
        "data-root": str(paths.data),
        "exec-root": str(paths.execution),
        "pidfile": str(paths.pid_file),
        "hosts": [paths.host],
        "containerd": str(paths.containerd_socket),
        "bridge": state.bridge,
        "default-address-pools": [
            {"base": pool, "size": state.addresses.pool_prefix} for pool in state.addresses.pools
        ],
        "insecure-registries": [f"{state.addresses.gateway_address}/32"],
        "live-restore": True,
        "log-driver": "json-file",
        "log-level": "warn",
        "features": {"buildkit": True},
        "shutdown-timeout": _STOP_SECONDS,
        "max-concurrent-uploads": 5,
    }
    return json.dumps(config, indent=2) + "\n"


def containerd_config(paths: Layout) -> str:
    """containerd's configuration file: nothing outside our folder but shim sockets in /run."""
    unused = ("cri", "btrfs", "zfs", "aufs", "devmapper")
    kinds = {"cri": "io.containerd.grpc.v1"}
    plugins = [f"{kinds.get(name, 'io.containerd.snapshotter.v1')}.{name}" for name in unused]
    return "\n".join(
        [
            "version = 2",
            f"root = {json.dumps(str(paths.folder / 'containerd'))}",
            f"state = {json.dumps(str(paths.execution / 'containerd'))}",
            f"disabled_plugins = {json.dumps(plugins)}",
            "[grpc]",
            f"address = {json.dumps(str(paths.containerd_socket))}",
            "[debug]",
            'level = "warn"',
            '[plugins."io.containerd.internal.v1.opt"]',
            f"path = {json.dumps(str(paths.folder / 'containerd' / 'opt'))}",
            "",
        ]
    )


def docker_command(program: str, paths: Layout) -> Sequence[str]:
    """How dockerd is started."""
    return (program, "--config-file", str(paths.config))


def containerd_command(program: str, paths: Layout) -> Sequence[str]:
    """How containerd is started."""
    return (program, "--config", str(paths.containerd_config))


def daemon_of(words: Sequence[str], paths: Layout) -> str:
    """Which of our daemons a process is, by its arguments: dockerd, containerd, or "" for none."""
    for name, command in (("dockerd", docker_command), ("containerd", containerd_command)):
        if words and Path(words[0]).name == name and list(words[1:]) == [*command("", paths)][1:]:
            return name
    return ""


def is_shim_of(words: Sequence[str], paths: Layout) -> bool:
    """Whether a process's arguments are those of a container shim of our containerd."""
    if not words or "containerd-shim" not in words[0]:
        return False
    flags = dict(pairwise(words))
    return flags.get("-address") == str(paths.containerd_socket)
