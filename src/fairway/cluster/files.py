"""The configuration files of a cluster's components, as text. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from fairway.cluster.layout import Layout
from fairway.cluster.plan import KUBELET_PORT, ClusterPlan, nameservers

DOMAIN: Final = "cluster.local"
MAX_PODS: Final = 250
KUBELET_HEALTH: Final = 10248
_UNUSED: Final = ("btrfs", "zfs", "aufs", "devmapper")


def containerd(paths: Layout, *, pause: str, cni: Path) -> str:
    """containerd's configuration: nothing outside our folder but the shims' sockets in /run."""
    kind = "io.containerd.snapshotter.v1"
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    runc = f"{cri}.containerd.runtimes.runc"
    sections: list[tuple[str, dict[str, Any]]] = [
        ("grpc", {"address": str(paths.socket)}),
        ("debug", {"level": "warn"}),
        ('plugins."io.containerd.internal.v1.opt"', {"path": str(paths.images / "opt")}),
        (
            cri,
            {
                "sandbox_image": pause,
                "restrict_oom_score_adj": True,  # without CAP_SYS_RESOURCE a lower one is refused
                "netns_mounts_under_state_dir": True,
                "stream_server_address": "127.0.0.1",
                "max_concurrent_downloads": 5,
            },
        ),
        (f"{cri}.cni", {"bin_dir": str(cni), "conf_dir": str(paths.cni)}),
        (f"{cri}.containerd", {"default_runtime_name": "runc"}),
        (runc, {"runtime_type": "io.containerd.runc.v2"}),
        (f"{cri}.registry", {"config_path": str(paths.registries)}),
    ]
    lines = [
        "version = 2",
        f"root = {json.dumps(str(paths.images))}",
        f"state = {json.dumps(str(paths.containerd_state))}",
        f"disabled_plugins = {json.dumps([f'{kind}.{name}' for name in _UNUSED])}",
    ]
    for name, values in sections:
        lines.append(f"[{name}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"


def cni(paths: Layout, plan: ClusterPlan) -> str:
    """The pods' network: a wire for each pod, so that all traffic is routed and no answer of a
    Service takes a short cut past its translation, as it can on a bridge.
    """
    pods = {
        "type": "ptp",
        "ipMasq": False,  # the host does it, for what leaves it
        "ipam": {
            "type": "host-local",
            "dataDir": str(paths.folder / "addresses"),
            "ranges": [[{"subnet": plan.pods}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True}
    config = {"cniVersion": "0.4.0", "name": plan.cgroup, "plugins": [pods, ports]}
    return json.dumps(config, indent=2) + "\n"


# The disk is shared with all that this machine does: percentages of it say little.
_DISK: Final[dict[str, Any]] = {
    "imageGCHighThresholdPercent": 97,
    "imageGCLowThresholdPercent": 95,
    "evictionHard": {
        "memory.available": "100Mi",
        "nodefs.available": "500Mi",
        "nodefs.inodesFree": "1%",
        "imagefs.available": "500Mi",
    },
    "evictionPressureTransitionPeriod": "30s",
}


def _resolution(paths: Layout, plan: ClusterPlan) -> dict[str, Any]:
    """How pods find names."""
    return {
        "clusterDNS": [plan.dns],
        "clusterDomain": DOMAIN,
        "resolvConf": str(paths.config / "resolv.conf"),
    }


def kubelet(paths: Layout, plan: ClusterPlan, *, confined: bool) -> str:
    """The kubelet's configuration. `confined`: we lack the right to raise limits."""
    config: dict[str, Any] = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": plan.node,
        "port": KUBELET_PORT,
        "healthzBindAddress": plan.node,
        "healthzPort": KUBELET_HEALTH,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(paths.pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(paths.pki / "kubelet.crt"),
        "tlsPrivateKeyFile": str(paths.pki / "kubelet.key"),
        "containerRuntimeEndpoint": f"unix://{paths.socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{plan.cgroup}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        **_resolution(paths, plan),
        "maxPods": MAX_PODS,
        "serializeImagePulls": False,
        "maxParallelImagePulls": 5,
        "podLogsDir": str(paths.folder / "pods"),
        "volumePluginDir": str(paths.kubelet / "volume-plugins"),
        "containerLogMaxSize": "10Mi",
        "containerLogMaxFiles": 3,
        **_DISK,
        "shutdownGracePeriod": "0s",
        # The first restart of what crashes waits a second, not ten; the tenth five minutes as ever.
        "crashLoopBackOff": {"maxContainerRestartPeriod": "300s"},
        "featureGates": {
            "ReduceDefaultCrashLoopBackOffDecay": True,
            **({"KubeletInUserNamespace": True} if confined else {}),
        },
    }
    return _yaml(config)


def corefile(paths: Layout, plan: ClusterPlan, upstream: Sequence[str]) -> str:
    """CoreDNS: the cluster's names itself, all others by the machine's own name servers."""
    forward = f"    forward . {' '.join(upstream)}\n" if upstream else ""
    return (
        ".:53 {\n"
        f"    bind {plan.node}\n"
        "    errors\n"
        f"    kubernetes {DOMAIN} in-addr.arpa ip6.arpa {{\n"
        f"        kubeconfig {paths.kubeconfig('coredns')} {plan.name}\n"
        "        pods insecure\n"
        "        fallthrough in-addr.arpa ip6.arpa\n"
        "    }\n"
        f"{forward}"
        "    cache 5\n"
        "}\n"
    )


def resolv_conf(upstream: Sequence[str], host: str) -> str:
    """What pods with `dnsPolicy: Default` get: the machine's, without its loopback servers."""
    kept = [line for line in host.splitlines() if line.split()[:1] in (["search"], ["options"])]
    return "\n".join([*(f"nameserver {one}" for one in upstream), *kept]) + "\n"


def audit_policy() -> str:
    """Who changed what: metadata of every change; nothing of reads and of what components do."""
    quiet = [
        {"level": "None", "verbs": ["get", "list", "watch"]},
        {"level": "None", "userGroups": ["system:nodes"]},
        {
            "level": "None",
            "users": [
                "system:apiserver",
                "system:kube-controller-manager",
                "system:kube-scheduler",
                "system:kube-proxy",
            ],
        },
        {"level": "None", "resources": [{"group": "", "resources": ["events"]}]},
        {"level": "None", "resources": [{"group": "events.k8s.io"}]},
        {"level": "None", "resources": [{"group": "coordination.k8s.io"}]},
    ]
    return _yaml(
        {
            "apiVersion": "audit.k8s.io/v1",
            "kind": "Policy",
            "omitStages": ["RequestReceived"],
            "rules": [*quiet, {"level": "Metadata"}],
        }
    )


def _yaml(value: Any) -> str:
    return str(yaml.safe_dump(value, sort_keys=False))


def upstream(hosts: str, systemd: str) -> list[str]:
    """The name servers that the node can reach: a loopback server is the host's alone, and
    systemd's stub has the real ones in a file of its own.
    """

    found = [one for one in nameservers(hosts) if not one.startswith("127.")]
    return found or [one for one in nameservers(systemd) if not one.startswith("127.")]
