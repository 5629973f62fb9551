"""How each component of a cluster is started. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from fairway.cluster.layout import Layout
from fairway.cluster.plan import API_PORT, ClusterPlan

MANAGER_PORT: Final = 10257
SCHEDULER_PORT: Final = 10259
PROXY_HEALTH: Final = 10256
NODE_PORT: Final = 10443
PROVISIONER: Final = "fairway.dev/local-path"
_PROXY_NAMES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "FTP_PROXY")


class Start(Struct, frozen=True):
    """A component: its command, where it runs, what must be ready before, and which certificates
    it reads (a renewed one restarts it).
    """

    name: str
    command: tuple[str, ...]
    inside: bool = False  # in the node's namespace
    after: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()
    files: tuple[str, ...] = ()  # of `config`: a change restarts it
    pulls: bool = False  # it fetches images, by the machine's proxies
    stop_s: float = 10.0
    hung_s: float = 120.0


def environment(plan: ClusterPlan, proxies: Mapping[str, str], *, pulls: bool) -> dict[str, str]:
    """What a component's environment has besides ours.

    Half of Go's usual garbage: the components' live data is small. While ours start, twice as much
    as usual (native/main.go). The cluster's own addresses never go through a proxy; only
    containerd needs one at all.
    """
    own = f"{plan.block},127.0.0.0/8,localhost,.svc,.cluster.local"
    found = {"GOGC": "50", "FAIRWAY_START_GOGC": "200"}
    for name in _PROXY_NAMES:
        value = proxies.get(name, "") if pulls else ""
        found |= {name: value, name.lower(): value}
    exempt = ",".join(filter(None, [proxies.get("NO_PROXY", ""), own]))
    return {**found, "NO_PROXY": exempt, "no_proxy": exempt}


def starts(
    paths: Layout, plan: ClusterPlan, native: str, containerd: str, *, extras: bool
) -> list[Start]:
    """Every component, in the order in which they start; they stop in the reverse.

    `extras`: this build of the programs has the node's extras (volumes and metrics).
    """
    found = [
        _etcd(paths, plan, native),
        Start(
            name="containerd",
            command=(containerd, "--config", str(paths.config / "containerd.toml")),
            inside=True,
            files=("containerd.toml",),
            pulls=True,
        ),
        _apiserver(paths, plan, native),
        _manager(paths, plan, native),
        _scheduler(paths, plan, native),
        _kubelet(paths, plan, native),
        _proxy(paths, plan, native),
        Start(
            name="coredns",
            command=(native, "coredns", "-conf", str(paths.config / "Corefile")),
            inside=True,
            after=("apiserver",),
            certificates=("coredns",),
            files=("Corefile",),
        ),
    ]
    return [*found, _extras(paths, plan, native)] if extras else found


def _pair(paths: Layout, name: str, cert: str, key: str) -> tuple[str, str]:
    return f"--{cert}={paths.pki / name}.crt", f"--{key}={paths.pki / name}.key"


def _etcd(paths: Layout, plan: ClusterPlan, native: str) -> Start:
    return Start(
        name="etcd",
        command=(
            native,
            "etcd",
            f"--data-dir={paths.etcd}",
            f"--listen-client-url={plan.etcd}",
            *_pair(paths, "etcd", "cert-file", "key-file"),
            f"--trusted-ca-file={paths.pki / 'etcd-ca.crt'}",
        ),
        certificates=("etcd",),
    )


def _apiserver(paths: Layout, plan: ClusterPlan, native: str) -> Start:
    accounts = paths.pki / "service-accounts"
    return Start(
        name="apiserver",
        command=(
            native,
            "kube-apiserver",
            f"--etcd-servers={plan.etcd}",
            f"--etcd-cafile={paths.pki / 'etcd-ca.crt'}",
            *_pair(paths, "apiserver-etcd", "etcd-certfile", "etcd-keyfile"),
            f"--bind-address={plan.gateway}",
            f"--advertise-address={plan.gateway}",
            f"--secure-port={API_PORT}",
            f"--cert-dir={paths.pki}",
            *_pair(paths, "apiserver", "tls-cert-file", "tls-private-key-file"),
            f"--client-ca-file={paths.pki / 'ca.crt'}",
            f"--service-account-key-file={accounts}.crt",
            f"--service-account-signing-key-file={accounts}.key",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-cluster-ip-range={plan.services}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            "--kubelet-preferred-address-types=InternalIP",
            f"--kubelet-certificate-authority={paths.pki / 'ca.crt'}",
            *_pair(paths, "apiserver-kubelet", "kubelet-client-certificate", "kubelet-client-key"),
            *_aggregation(paths),
            f"--audit-policy-file={paths.config / 'audit.yaml'}",
            f"--audit-log-path={paths.logs / 'audit.log'}",
            "--audit-log-maxsize=50",
            "--audit-log-maxbackup=3",
            "--audit-log-mode=batch",
            "--profiling=false",
        ),
        after=("etcd",),
        certificates=("apiserver", "apiserver-etcd", "apiserver-kubelet", "front-proxy"),
        files=("audit.yaml",),
        stop_s=20.0,
    )


def _aggregation(paths: Layout) -> tuple[str, ...]:
    """How it calls extension servers (metrics.k8s.io), and how those know it."""
    return (
        f"--requestheader-client-ca-file={paths.pki / 'front-ca.crt'}",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        *_pair(paths, "front-proxy", "proxy-client-cert-file", "proxy-client-key-file"),
        "--enable-aggregator-routing=true",
    )


def _controller(paths: Layout, plan: ClusterPlan, name: str) -> tuple[str, ...]:
    """What controller-manager and scheduler share. One of each: nobody to elect."""
    config = paths.kubeconfig(name)
    return (
        f"--kubeconfig={config}",
        f"--authentication-kubeconfig={config}",
        f"--authorization-kubeconfig={config}",
        "--leader-elect=false",
        f"--bind-address={plan.loopback}",
        *_pair(paths, name, "tls-cert-file", "tls-private-key-file"),
        "--profiling=false",
    )


def _manager(paths: Layout, plan: ClusterPlan, native: str) -> Start:
    return Start(
        name="controller-manager",
        command=(
            native,
            "kube-controller-manager",
            *_controller(paths, plan, "controller-manager"),
            f"--secure-port={MANAGER_PORT}",
            f"--service-account-private-key-file={paths.pki / 'service-accounts.key'}",
            f"--root-ca-file={paths.pki / 'ca.crt'}",
            "--use-service-account-credentials=true",
            *_pair(paths, "ca", "cluster-signing-cert-file", "cluster-signing-key-file"),
            "--allocate-node-cidrs=true",
            f"--cluster-cidr={plan.pods}",
            f"--node-cidr-mask-size={plan.pods.partition('/')[2]}",
            f"--service-cluster-ip-range={plan.services}",
            "--terminated-pod-gc-threshold=500",
            # Some ninety calls, one after another, before its first controller starts: with the 20
            # a second that are usual, a new cluster would wait four seconds for them.
            "--kube-api-qps=300",
            "--kube-api-burst=600",
        ),
        after=("apiserver",),
        certificates=("controller-manager",),
    )


def _scheduler(paths: Layout, plan: ClusterPlan, native: str) -> Start:
    return Start(
        name="scheduler",
        command=(
            native,
            "kube-scheduler",
            *_controller(paths, plan, "scheduler"),
            f"--secure-port={SCHEDULER_PORT}",
        ),
        after=("apiserver",),
        certificates=("scheduler",),
    )


def _kubelet(paths: Layout, plan: ClusterPlan, native: str) -> Start:
    return Start(
        name="kubelet",
        command=(
            native,
            "kubelet",
            f"--config={paths.config / 'kubelet.yaml'}",
            f"--kubeconfig={paths.kubeconfig('kubelet')}",
            f"--root-dir={paths.kubelet}",
            f"--cert-dir={paths.kubelet / 'pki'}",
            f"--hostname-override={plan.node_name}",
            f"--node-ip={plan.node}",
        ),
        inside=True,
        after=("containerd", "apiserver"),
        certificates=("kubelet",),
        files=("kubelet.yaml",),
    )


def _proxy(paths: Layout, plan: ClusterPlan, native: str) -> Start:
    return Start(
        name="proxy",
        command=(
            native,
            "kube-proxy",
            f"--kubeconfig={paths.kubeconfig('proxy')}",
            "--proxy-mode=iptables",
            f"--cluster-cidr={plan.pods}",
            f"--hostname-override={plan.node_name}",
            f"--healthz-bind-address={plan.node}:{PROXY_HEALTH}",
            "--metrics-bind-address=127.0.0.1:10249",
            # these are the whole machine's, not a namespace's
            "--conntrack-max-per-core=0",
            "--conntrack-tcp-timeout-established=0",
            "--conntrack-tcp-timeout-close-wait=0",
        ),
        inside=True,
        after=("apiserver",),
        certificates=("proxy",),
    )


def _extras(paths: Layout, plan: ClusterPlan, native: str) -> Start:
    """Volumes of the default StorageClass, and metrics.k8s.io (a metrics-server and its flags)."""
    config = paths.kubeconfig("node-extras")
    return Start(
        name="node",
        command=(
            native,
            "node",
            f"--kubeconfig={config}",
            f"--authentication-kubeconfig={config}",
            f"--authorization-kubeconfig={config}",
            f"--node-name={plan.node_name}",
            f"--local-path={paths.volumes}",
            f"--provisioner={PROVISIONER}",
            f"--bind-address={plan.node}",
            f"--secure-port={NODE_PORT}",
            *_pair(paths, "node-extras", "tls-cert-file", "tls-private-key-file"),
            f"--kubelet-certificate-authority={paths.pki / 'ca.crt'}",
            *_pair(paths, "node-extras", "kubelet-client-certificate", "kubelet-client-key"),
            "--kubelet-preferred-address-types=InternalIP",
            "--metric-resolution=15s",
        ),
        inside=True,
        after=("apiserver",),
        certificates=("node-extras",),
    )
