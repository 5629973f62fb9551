"""What must lie in an embedded cluster's folder before its components start. Blocks."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from ipaddress import IPv4Network
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from fairway.cluster import cgroups, commands, files, host, leftovers, network, pause, pki
from fairway.cluster import plan as plans
from fairway.cluster.commands import Start
from fairway.cluster.host import Programs
from fairway.cluster.layout import Layout, layout
from fairway.cluster.plan import ClusterPlan
from fairway.kit import clock
from fairway.kit.files import replace_file
from fairway.kit.processes import is_alive
from fairway.model.errors import Unavailable
from fairway.supervise import records

_ROUTES: Final = Path("/proc/net/route")
_RESOLV: Final = Path("/etc/resolv.conf")
_SYSTEMD_RESOLV: Final = Path("/run/systemd/resolve/resolv.conf")
_CAPABILITY_RESOURCE: Final = 24  # CAP_SYS_RESOURCE


class Wanted(Struct, frozen=True, kw_only=True):
    """What a cluster is made of. `native` and `pause` are our programs, found by whoever asks."""

    data: Path
    name: str
    installation: str
    arch: str
    native: Path
    pause: Path
    extras: bool
    proxies: dict[str, str] = {}


class Ground(Struct, frozen=True):
    """A cluster that is set up: what its components need to start."""

    paths: Layout
    plan: ClusterPlan
    programs: Programs
    starts: tuple[Start, ...]
    environments: dict[str, dict[str, str]]
    pause: str


def planned(paths: Layout, installation: str, name: str) -> ClusterPlan:
    """The cluster's plan: chosen at the first start, the same ever after.

    Raises Unavailable (`addresses-taken`) when something else uses its addresses now.
    """
    known = read_plan(paths)
    taken = plans.routes(host.text(_ROUTES), known.bridge if known else "")
    servers = plans.nameservers(host.text(_RESOLV))
    others = [*taken, *(IPv4Network(address) for address in servers)]
    if known is not None:
        # the range of balancers is a local route, and is in no table that others read
        if (clash := plans.overlap(known, others)) is not None:
            raise Unavailable(
                f"the cluster {name} has the addresses {known.block}, and {clash} is now"
                " somebody else's on this machine",
                code="addresses-taken",
                remedy="end what uses them (`ip route`), or `fairway cluster delete` and create it"
                " anew",
            )
        return known
    made = plans.choose(installation, name, others)
    paths.folder.mkdir(parents=True, exist_ok=True)
    replace_file(paths.plan, msgspec.json.encode(made))
    return made


def read_plan(paths: Layout) -> ClusterPlan | None:
    """The plan of a cluster that was made; None before.

    Raises Unavailable (`bad-cluster-plan`) when it is of another version of Fairway.
    """
    try:
        return msgspec.json.decode(paths.plan.read_bytes(), type=ClusterPlan)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise Unavailable(
            f"{paths.plan} cannot be read: {error}",
            code="bad-cluster-plan",
            remedy="it is another version's: start that one, or `fairway down --purge`",
        ) from error


def set_up(wanted: Wanted) -> Ground:
    """Have folders, certificates, files, namespace, bridge and rules; sweep what a crash or the
    machine's restart left. Raises Unavailable and OSError; may be retried.
    """
    programs = host.programs()
    paths = layout(wanted.data, wanted.name)
    plan = planned(paths, wanted.installation, wanted.name)
    for folder in (paths.folder, paths.run, paths.cni, paths.logs, paths.volumes, paths.kubelet):
        folder.mkdir(parents=True, exist_ok=True)
    paths.folder.chmod(0o711)  # pods' users pass through to their volumes
    paths.registries.mkdir(mode=0o700, exist_ok=True)
    pki.Pki(paths, plan).ensure(clock.now())
    if not _lives(paths, "containerd") and leftovers.is_idle(paths, plan):
        leftovers.sweep(paths, plan)
    network.ensure(paths, plan)
    made = pause.image(wanted.pause.read_bytes(), wanted.arch)
    (paths.config / "pause.tar").write_bytes(made.archive)
    _write_files(paths, plan, programs, made.name)
    starts = commands.starts(
        paths, plan, str(wanted.native), programs["containerd"], extras=wanted.extras
    )
    environments = {
        one.name: commands.environment(plan, wanted.proxies, pulls=one.pulls) for one in starts
    }
    return Ground(paths, plan, programs, tuple(starts), environments, made.name)


def _write_files(paths: Layout, plan: ClusterPlan, programs: Programs, pause_name: str) -> None:
    hosts = host.text(_RESOLV)
    servers = files.upstream(hosts, host.text(_SYSTEMD_RESOLV))
    texts = {
        "containerd.toml": files.containerd(paths, pause=pause_name, cni=programs.cni),
        "cni/10-pods.conflist": files.cni(paths, plan),
        "kubelet.yaml": files.kubelet(paths, plan, confined=not may_raise_limits()),
        "Corefile": files.corefile(paths, plan, servers),
        "resolv.conf": files.resolv_conf(servers, hosts),
        "audit.yaml": files.audit_policy(),
    }
    for name, text in texts.items():
        pki.write_private(paths.config / name, text.encode())


def version(ground: Ground, start: Start, fingerprints: Mapping[str, str]) -> str:
    """Changes when a component must be restarted though its command did not."""
    parts = [fingerprints.get(name, "") for name in start.certificates]
    parts += [host.text(ground.paths.config / name) for name in start.files]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def may_raise_limits() -> bool:
    """Whether we have CAP_SYS_RESOURCE; without it, the kubelet must not try."""
    status = host.text(Path("/proc/self/status"))
    line = next((one for one in status.splitlines() if one.startswith("CapEff:")), "CapEff: 0")
    return bool(int(line.split()[1], 16) >> _CAPABILITY_RESOURCE & 1)


def before(ground: Ground, component: str) -> None:
    """What each start of a component needs. Raises Unavailable, OSError; may be retried."""
    paths, plan = ground.paths, ground.plan
    network.ensure(paths, plan)
    if component == "containerd":
        if leftovers.is_idle(paths, plan):
            leftovers.sweep(paths, plan)
        paths.socket.unlink(missing_ok=True)
    elif component == "kubelet":
        cgroups.ensure(plan.cgroup)
        import_pause(ground)


def import_pause(ground: Ground) -> bool:
    """Have the pause image on the node: nothing else could pull it. Returns whether it lacked.

    Raises Unavailable; may be retried.
    """
    ctr = (ground.programs["ctr"], "-a", str(ground.paths.socket), "-n", "k8s.io", "images")
    if ground.pause in host.run(*ctr, "ls", "-q", f"name=={ground.pause}"):
        return False
    host.run(*ctr, "import", str(ground.paths.config / "pause.tar"))
    return True


def _lives(paths: Layout, component: str) -> bool:
    record = records.read(paths.state, component)
    return record is not None and is_alive(record.process)
