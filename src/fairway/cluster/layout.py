"""Where an embedded cluster's files lie. Pure."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final

from msgspec import Struct

from fairway.model.errors import InvalidInput, Unavailable

_SOCKET_PATH: Final = 107  # bytes; the kernel's limit
_KUBELET_SOCKET: Final = "device-plugins/kubelet.sock"  # the longest that is always there
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


class Layout(Struct, frozen=True):
    """Every path. `run` is below `folder` unless sockets there would have too long a name."""

    folder: Path
    run: Path

    @property
    def plan(self) -> Path:
        """The addresses, chosen once."""
        return self.folder / "plan.json"

    @property
    def pki(self) -> Path:
        """Authorities, certificates and keys; mode 0700."""
        return self.folder / "pki"

    @property
    def config(self) -> Path:
        """Configuration files, written anew at each start."""
        return self.folder / "config"

    @property
    def registries(self) -> Path:
        """containerd's `config_path`: how each registry is reached, and with which token."""
        return self.folder / "registries"

    @property
    def cni(self) -> Path:
        """The CNI configuration, alone in its folder."""
        return self.config / "cni"

    @property
    def state(self) -> Path:
        """What the supervisor remembers."""
        return self.folder / "components"

    @property
    def logs(self) -> Path:
        """A log for each component."""
        return self.folder / "logs"

    @property
    def etcd(self) -> Path:
        """The cluster's objects."""
        return self.folder / "etcd"

    @property
    def images(self) -> Path:
        """containerd's images and snapshots."""
        return self.folder / "containerd"

    @property
    def kubelet(self) -> Path:
        """The pods' volumes and the kubelet's own state."""
        return self.folder / "kubelet"

    @property
    def volumes(self) -> Path:
        """Persistent volumes of the default StorageClass."""
        return self.folder / "volumes"

    @property
    def containerd_state(self) -> Path:
        """containerd's state: lives as long as its containers."""
        return self.run / "containerd"

    @property
    def socket(self) -> Path:
        """containerd's API."""
        return self.run / "containerd.sock"

    @property
    def netns(self) -> Path:
        """The node's network namespace."""
        return self.run / "node.net"

    def log(self, component: str) -> Path:
        """What a component prints."""
        return self.logs / f"{component}.log"

    def kubeconfig(self, who: str) -> Path:
        """The kubeconfig of a component, or of `admin`."""
        return self.pki / f"{who}.kubeconfig"


def layout(data: Path, name: str) -> Layout:
    """The paths of the cluster `name` in a data directory (absolute).

    Raises InvalidInput (`bad-cluster-name`) and Unavailable (`path-too-long`).
    """
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"{name!r} cannot name a cluster",
            code="bad-cluster-name",
            remedy="use at most 40 small letters, digits and hyphens; no hyphen at the ends",
        )
    folder = data / "cluster" / name
    if len(str(folder / "kubelet" / _KUBELET_SOCKET).encode()) > _SOCKET_PATH:
        raise Unavailable(
            f"the path of {data} is too long: the kubelet's sockets below it cannot be made",
            code="path-too-long",
            remedy="use a data directory with a shorter path (`--data DIR`)",
        )
    run = folder / "run"
    if len(str(run / "containerd.sock.ttrpc").encode()) > _SOCKET_PATH:
        run = Path("/run") / f"fairway-{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
    return Layout(folder=folder, run=run)


def names(data: Path) -> list[str]:
    """The embedded clusters that were made in a data directory."""
    return sorted(path.parent.name for path in (data / "cluster").glob("*/plan.json"))
