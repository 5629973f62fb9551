"""The network of an embedded cluster on its host: bridge, wire, namespace, routes, rules. Blocks.

The node lives in a network namespace of its own (decision 6), joined by a veth to a bridge of
ours. `ensure` may be called at any time: it makes what is missing and touches nothing else.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
from pathlib import Path
from typing import Final

from fairway.cluster import firewall, host
from fairway.cluster.layout import Layout
from fairway.cluster.plan import ClusterPlan
from fairway.kit import processes
from fairway.model.errors import Unavailable

_FORWARD: Final = Path("/proc/sys/net/ipv4/ip_forward")
_DEVICES: Final = Path("/proc/self/net/dev")  # /sys/class/net may show another namespace
_INSIDE: Final = "eth0"
_NOTE: Final = "did-not-forward"
_DETACH: Final = 2  # MNT_DETACH
_BRIDGES: Final = "fwk"
# What many pods need; only ever raised. Values as kubelets and their users commonly have them.
_LIMITS: Final = {
    Path("/proc/sys/fs/inotify/max_user_instances"): 8192,
    Path("/proc/sys/fs/inotify/max_user_watches"): 524288,
}

_log = logging.getLogger(__name__)


def ensure(paths: Layout, plan: ClusterPlan) -> bool:
    """Have all of it; whether anything was made. Raises Unavailable; may be retried."""
    parts = (
        _namespace(paths),
        _forward(paths),
        _bridge(plan),
        _wire(paths, plan),
        _routes(plan),
        _rules(plan),
    )
    return any(parts)


def devices() -> set[str]:
    """The network devices of our namespace."""
    lines = host.text(_DEVICES).splitlines()[2:]
    return {line.partition(":")[0].strip() for line in lines}


def has_namespace(paths: Layout) -> bool:
    """Whether the node's namespace is there."""
    return paths.netns in processes.mounts_below(paths.netns)


def inside(paths: Layout, *command: str) -> str:
    """Run a command in the node's namespace. Raises Unavailable."""
    return host.run("nsenter", f"--net={paths.netns}", "--", *command)


def _namespace(paths: Layout) -> bool:
    if has_namespace(paths):
        return False
    paths.run.mkdir(parents=True, exist_ok=True)
    paths.run.chmod(0o711)
    paths.netns.touch()
    host.run("unshare", f"--net={paths.netns}", "true")
    inside(paths, "ip", "link", "set", "lo", "up")
    inside(paths, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
    return True


def _forward(paths: Layout) -> bool:
    """Have the machine forward packets; the first time, note whether it did so by itself."""
    if host.text(_FORWARD).strip() != "0":
        return False
    (paths.run / _NOTE).touch()
    _FORWARD.write_text("1\n")
    return True


def _bridge(plan: ClusterPlan) -> bool:
    made = plan.bridge not in devices()
    if made:
        host.run("ip", "link", "add", plan.bridge, "type", "bridge")
    if not made and _has_address(plan):
        return False
    host.run("ip", "address", "replace", f"{plan.gateway}/{plan.prefix}", "dev", plan.bridge)
    host.run("ip", "link", "set", plan.bridge, "up")
    for path, least in _LIMITS.items():
        with contextlib.suppress(OSError, ValueError):
            if int(path.read_text()) < least:
                path.write_text(f"{least}\n")
    return True


def _has_address(plan: ClusterPlan) -> bool:
    said = host.run("ip", "-4", "-o", "address", "show", "dev", plan.bridge, "up")
    return f" {plan.gateway}/{plan.prefix} " in said


def _wire(paths: Layout, plan: ClusterPlan) -> bool:
    plugged = False
    if plan.veth in devices():
        plugged = _plug(plan)
        if _is_wired(paths, plan):
            return plugged
        host.attempt("ip", "link", "delete", plan.veth)  # its other end is in a namespace that went
    peer = ("peer", "name", _INSIDE, "netns", str(paths.netns))
    host.run("ip", "link", "add", plan.veth, "type", "veth", *peer)
    _plug(plan)
    inside(paths, "ip", "address", "replace", f"{plan.node}/{plan.prefix}", "dev", _INSIDE)
    inside(paths, "ip", "link", "set", _INSIDE, "up")
    inside(paths, "ip", "route", "replace", "default", "via", plan.gateway)
    return True


def _plug(plan: ClusterPlan) -> bool:
    """Have our end of the wire in the bridge, which may be a new one."""
    said = host.run("ip", "-o", "link", "show", "dev", plan.veth)
    if f" master {plan.bridge} " in said and ",UP" in said:
        return False
    host.run("ip", "link", "set", plan.veth, "master", plan.bridge, "up")
    return True


def _is_wired(paths: Layout, plan: ClusterPlan) -> bool:
    routes = inside(paths, "ip", "route", "show", "default")
    return f"via {plan.gateway} dev {_INSIDE}" in routes


def _routes(plan: ClusterPlan) -> bool:
    wanted: dict[str, tuple[str, ...]] = {
        plan.pods: (plan.pods, "via", plan.node, "dev", plan.bridge),
        plan.services: (plan.services, "via", plan.node, "dev", plan.bridge),
    }
    there = host.run("ip", "-4", "route", "show", "dev", plan.bridge)
    missing = [words for net, words in wanted.items() if f"{net} via {plan.node}" not in there]
    local = host.run("ip", "-4", "route", "show", "table", "local", "dev", "lo")
    if f"local {plan.balancers} " not in local:
        missing.append(("local", plan.balancers, "dev", "lo"))
    for words in missing:
        host.run("ip", "route", "replace", *words)
    return bool(missing)


def _rules(plan: ClusterPlan) -> bool:
    changed = False
    saved = firewall.parse(host.run("iptables-save"))
    if not firewall.is_whole(plan, saved):
        host.run("iptables-restore", "-w", "--noflush", given=firewall.restore(plan))
        changed = True
    for command in firewall.jumps(plan, saved):
        host.run("iptables", "-w", *command)
        changed = True
    return changed


def remove(paths: Layout, plan: ClusterPlan) -> None:
    """Take all of it away; what is gone already is no error.

    Forwarding of packets is turned off again where it was off and nobody else needs it.
    """
    try:
        rules = firewall.parse(host.run("iptables-save"))
    except Unavailable as error:
        _log.warning("rules of %s may be left: %s (%s)", plan.bridge, error, error.remedy)
    else:
        for command in firewall.removal(plan, rules):
            host.attempt("iptables", "-w", *command)
    host.attempt("ip", "route", "delete", "local", plan.balancers, "dev", "lo")
    for device in (plan.veth, plan.bridge):
        if device in devices():
            host.attempt("ip", "link", "delete", device)
    drop_namespace(paths)
    note = paths.run / _NOTE
    if note.exists():
        note.unlink()
        if not _forwarding_is_used():
            with contextlib.suppress(OSError):
                _FORWARD.write_text("0\n")


def drop_namespace(paths: Layout) -> None:
    """Let go of the node's namespace; it ends with its last process."""
    libc = ctypes.CDLL(None, use_errno=True)
    while has_namespace(paths):
        if libc.umount2(os.fsencode(paths.netns), _DETACH):
            break
    with contextlib.suppress(OSError):
        paths.netns.unlink()


def _forwarding_is_used() -> bool:
    """Whether a Docker Engine or another cluster forwards packets here."""
    if any(name.startswith(_BRIDGES) for name in devices()):
        return True
    return any(
        Path(words[0]).name == "dockerd" and processes.same_network(pid)
        for pid, words in processes.everything()
        if words
    )
