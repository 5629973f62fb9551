"""The certificates of one cluster in its folder: made, renewed in time, written atomically. Blocks.

Three authorities: one for the API, one for etcd alone (a component's certificate must not open
the store behind it), one for the API server's calls to extension servers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from fairway.cluster import certificates
from fairway.cluster.certificates import Pair, Subject
from fairway.cluster.layout import Layout
from fairway.cluster.plan import ClusterPlan
from fairway.kit.clock import Millis
from fairway.kit.files import replace_private
from fairway.model.errors import Unavailable

EXTRAS_USER: Final = "system:fairway:node"
MASTERS: Final = "system:masters"
API, ETCD, FRONT = "ca", "etcd-ca", "front-ca"
_AUTHORITIES: Final = (API, ETCD, FRONT)
ACCOUNTS: Final = "service-accounts"


class Leaf(Struct, frozen=True):
    """A certificate: which authority signs it, for whom."""

    signer: str
    subject: Subject


def leaves(plan: ClusterPlan) -> dict[str, Leaf]:
    """Every certificate of a cluster, by the name of its files."""
    inside = ("kubernetes", "kubernetes.default", "kubernetes.default.svc")
    first = str(plan.services.rpartition(".")[0]) + ".1"
    api_hosts = (
        *inside,
        "kubernetes.default.svc.cluster.local",
        "localhost",
        first,
        plan.gateway,
        plan.loopback,
    )
    node = plan.node_name
    metrics = "metrics-server.kube-system.svc"

    def client(name: str, *groups: str) -> Leaf:
        return Leaf(API, Subject(name, groups))

    return {
        "apiserver": Leaf(API, Subject("kube-apiserver", (), api_hosts)),
        "apiserver-kubelet": client("fairway:apiserver", MASTERS),
        "apiserver-etcd": Leaf(ETCD, Subject("kube-apiserver")),
        "front-proxy": Leaf(FRONT, Subject("front-proxy-client")),
        "etcd": Leaf(ETCD, Subject("etcd", (), ("localhost", plan.loopback))),
        "controller-manager": Leaf(
            API, Subject("system:kube-controller-manager", (), (plan.loopback,))
        ),
        "scheduler": Leaf(API, Subject("system:kube-scheduler", (), (plan.loopback,))),
        "proxy": client("system:kube-proxy"),
        "coredns": client("system:coredns"),
        "node-extras": Leaf(API, Subject(EXTRAS_USER, (), (metrics, plan.node))),
        "kubelet": Leaf(API, Subject(f"system:node:{node}", ("system:nodes",), (node, plan.node))),
        "admin": client("fairway:admin", MASTERS),
    }


KUBECONFIGS: Final = (
    "controller-manager", "scheduler", "proxy", "coredns", "node-extras", "kubelet", "admin",
)  # fmt: skip


class Pki:
    """Reads and writes them."""

    def __init__(self, paths: Layout, plan: ClusterPlan) -> None:
        self._paths = paths
        self._plan = plan

    def ensure(self, now: Millis) -> list[str]:
        """Have every certificate, renewed where it must be; the names of those that were made.

        Raises Unavailable (`clock-before-authority`) when the clock lies outside the authorities'
        twenty-five years; the same once it is right again.
        """
        self._paths.pki.mkdir(parents=True, exist_ok=True)
        self._paths.pki.chmod(0o700)
        signers = {name: self._authority(name, now) for name in _AUTHORITIES}
        if self.read(ACCOUNTS) is None:
            self._write(ACCOUNTS, certificates.signing_key())
        made = []
        for name, leaf in leaves(self._plan).items():
            signer = signers[leaf.signer]
            known = self.read(name)
            if known is None or not certificates.fits(known, signer, leaf.subject, now):
                self._write(name, certificates.issue(signer, leaf.subject, now))
                made.append(name)
        for name in KUBECONFIGS:
            text = kubeconfig(self._paths.pki, name, self._plan)
            write_private(self._paths.kubeconfig(name), text.encode())
        return made

    def read(self, name: str) -> Pair | None:
        """A pair of files; None where one is missing."""
        try:
            cert, key = self.path(name, "crt").read_bytes(), self.path(name, "key").read_bytes()
        except FileNotFoundError:
            return None
        return Pair(cert=cert, key=key)

    def path(self, name: str, suffix: str) -> Path:
        """Where a certificate (`crt`) or key (`key`) lies."""
        return self._paths.pki / f"{name}.{suffix}"

    def fingerprints(self) -> Mapping[str, str]:
        """What tells each certificate of now from a renewed one."""
        pairs = ((name, self.read(name)) for name in leaves(self._plan))
        return {name: certificates.fingerprint(pair) for name, pair in pairs if pair}

    def _authority(self, name: str, now: Millis) -> Pair:
        known = self.read(name)
        if known is None:
            made = certificates.authority(f"fairway {self._plan.name} {name}", now)
            self._write(name, made)
            return made
        if not certificates.authority_serves(known, now):
            raise Unavailable(
                f"the authority {self.path(name, 'crt')} is not valid at the machine's time of day",
                code="clock-before-authority",
                remedy="set the clock (`timedatectl set-ntp true`)",
            )
        return known

    def _write(self, name: str, pair: Pair) -> None:
        write_private(self.path(name, "key"), pair.key)
        write_private(self.path(name, "crt"), pair.cert)


def kubeconfig(pki: Path, who: str, plan: ClusterPlan) -> str:
    """A kubeconfig that names files: it stays right when a certificate is renewed."""
    return f"""apiVersion: v1
kind: Config
clusters:
- name: {plan.name}
  cluster:
    server: {plan.api}
    certificate-authority: {pki / "ca.crt"}
users:
- name: {who}
  user:
    client-certificate: {pki / f"{who}.crt"}
    client-key: {pki / f"{who}.key"}
contexts:
- name: {plan.name}
  context:
    cluster: {plan.name}
    user: {who}
current-context: {plan.name}
"""


def write_private(path: Path, data: bytes) -> None:
    """Have a file for its owner alone with these bytes: whole or not at all. Raises OSError."""
    with contextlib.suppress(OSError):
        if path.read_bytes() == data:
            return
    replace_private(path, data)
