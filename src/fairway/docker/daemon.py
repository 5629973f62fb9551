"""The Docker Engine: the one that answers, else, as root, Debian's dockerd started by us.

Ours has its data, sockets, pid file, bridge and addresses to itself, outlives a restart of
Fairway, is adopted by pid and start time, and leaves nothing behind when it is told to go.
All functions here block: call them through `kit.aio.blocking`, or as `python -m` this module.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import msgspec
from msgspec import Struct

from fairway.docker import addresses as pick
from fairway.docker import daemon_files, daemon_host, firewall, interfaces
from fairway.docker.daemon_files import Layout, State
from fairway.kit import processes, trust
from fairway.model.errors import Unavailable

SYSTEM_HOST: Final = "unix:///var/run/docker.sock"
_FORWARDING: Final = Path("/proc/sys/net/ipv4/ip_forward")
_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 20.0
_LOG_BYTES: Final = 10 * 1024 * 1024
_DETACH: Final = 2  # MNT_DETACH
_log = logging.getLogger(__name__)


class Engine(Struct, frozen=True):
    """An Engine that answers. `gateway`: this machine's address on its bridge, "" if unknown."""

    host: str
    version: str
    gateway: str
    ours: bool


def client(host: str, seconds: float = 10.0) -> httpx.Client:
    """A plain client for an Engine's API at `unix://...` or `tcp://...`."""
    if host.startswith("unix://"):
        transport = httpx.HTTPTransport(uds=host.removeprefix("unix://"), verify=trust.nobody())
        return httpx.Client(transport=transport, base_url="http://docker", timeout=seconds)
    url = host.replace("tcp://", "http://", 1)
    return httpx.Client(base_url=url, timeout=seconds, verify=trust.for_address(url))


def ask(host: str, *, ours: bool = False) -> Engine | None:
    """The Engine at an address, or None when none answers there."""
    try:
        with client(host) as api:
            version = api.get("/version").raise_for_status().json()
            bridge = api.get("/networks/bridge")
            config = bridge.json()["IPAM"]["Config"] if bridge.is_success else []
    except (httpx.HTTPError, OSError, ValueError, KeyError):
        return None
    gateway = next((one["Gateway"] for one in config or [] if one.get("Gateway")), "")
    return Engine(host=host, version=str(version["Version"]), gateway=gateway, ours=ours)


def find(hosts: Iterable[str]) -> Engine | None:
    """The first Engine that answers, of addresses in the order of preference; "" is skipped."""
    return next((found for host in hosts if host and (found := ask(host))), None)


def provide(hosts: Sequence[str], own: OwnEngine | None) -> Engine:
    """An Engine: one that answers at `hosts`, else our own (installed first, where we may).

    Raises Unavailable: none answers and we may not, or cannot, start one.
    """
    found = find(hosts)
    if found is not None:
        return found
    if own is None:
        raise Unavailable(
            "no Docker Engine answers",
            code="docker-unavailable",
            remedy="start Docker, or set DOCKER_HOST to an Engine; `fairway doctor` says more",
        )
    if own.install() and (found := find(hosts)) is not None:
        return found  # where there is an init system, Debian's package starts Docker itself
    return own.ensure()


class OwnEngine:
    """A dockerd and a containerd of our own, below `folder`."""

    def __init__(self, folder: Path, say: Callable[[str], None] = _log.info) -> None:
        self.paths: Layout = daemon_files.layout(folder.absolute())
        self._say = say

    @property
    def host(self) -> str:
        """Its address, whether it runs or not."""
        return self.paths.host

    def is_running(self) -> bool:
        """Whether the daemon that we started lives (it may still be starting)."""
        state = self._load()
        return state is not None and processes.is_alive(state.dockerd)

    def install(self) -> bool:
        """As root where apt is: have Debian's Docker. Returns whether anything was installed.

        Raises Unavailable when the packages cannot be installed. May be retried.
        """
        if not daemon_host.may_install() or not daemon_host.missing_programs():
            return False
        packages = daemon_host.PACKAGES
        self._say(f"installing {' '.join(packages)} from Debian's packages: no Docker is here")
        for words in (("update",), ("install", "-y", "--no-install-recommends", *packages)):
            daemon_host.apt_get(words)
        return True

    def ensure(self) -> Engine:
        """Have it running: adopt what lives, start what died. Containers outlive a dead dockerd.

        Raises Unavailable: not root, programs missing, or it does not start. May be retried.
        """
        state = self._load()
        if state is not None and processes.is_alive(state.dockerd):
            found = ask(self.host, ours=True)
            if found is not None:
                return found
        with self._alone():
            return self._start()

    def stop(self) -> None:
        """End containers, daemons, mounts, bridges and rules of ours. Images and volumes stay."""
        state = self._load()
        if state is None:
            return
        with self._alone():
            self._adopt(state)
            self._end_containers(state)
            processes.end(state.dockerd, _STOP_SECONDS)
            processes.end(state.containerd, _STOP_SECONDS)
            for _, stray in self._running():
                processes.end(stray, _STOP_SECONDS)
            self._end_shims()
            self._unmount()
            self._clean_network(state)
            state.dockerd = state.containerd = None
            state.before, state.boot, state.forwarding = {}, "", ""
            with contextlib.suppress(OSError):  # a full disk must not keep anything running
                self._save(state)

    def purge(self) -> None:
        """`stop`, and remove all its files."""
        self.stop()
        left = processes.mounts_below(self.paths.folder)
        if left:
            raise Unavailable(
                f"{left[0]} is still mounted; nothing was removed",
                code="docker-still-mounted",
                remedy=f"see who uses it (`fuser -vm {left[0]}`), unmount it, and purge again",
            )
        shutil.rmtree(self.paths.run, ignore_errors=True)
        shutil.rmtree(self.paths.folder, ignore_errors=True)

    def _adopt(self, state: State) -> None:
        """What a start began that was killed before it could write it down is ours all the same."""
        for name, found in self._running():
            if name == "dockerd" and not processes.is_alive(state.dockerd):
                state.dockerd = found
            elif name == "containerd" and not processes.is_alive(state.containerd):
                state.containerd = found

    def _running(self) -> list[tuple[str, processes.Process | None]]:
        return [
            (name, processes.identify(pid))
            for pid, words in list(processes.everything())
            if (name := daemon_files.daemon_of(words, self.paths)) and processes.same_root(pid)
        ]

    # Starting

    def _start(self) -> Engine:
        programs = daemon_host.programs()
        state = self._load() or self._new_state()
        self._adopt(state)
        if not processes.is_alive(state.dockerd):
            self._note_what_is_here(state)
            self._write_config(state)
            interfaces.make_bridge(state.bridge, state.addresses.gateway)
            self._start_containerd(programs["containerd"], state)
            self._say(f"starting a Docker Engine of our own in {self.paths.folder}")
            self.paths.pid_file.unlink(missing_ok=True)
            command = daemon_files.docker_command(programs["dockerd"], self.paths)
            state.dockerd = processes.start(command, self._log_file("dockerd"))
            self._save(state)
        found = self._await_answer(state)
        self._put_back(state)
        return found

    def _new_state(self) -> State:
        taken = pick.routes(daemon_host.text(Path("/proc/net/route")))
        taken += pick.nameservers(daemon_host.text(Path("/etc/resolv.conf")))
        return State(addresses=pick.choose(taken), bridge=pick.bridge_name(str(self.paths.folder)))

    def _note_what_is_here(self, state: State) -> None:
        """Once for each start of the machine: after a crash our own rules are still there."""
        if state.boot == processes.boot_id():
            return
        state.before, state.boot = daemon_host.rules(), processes.boot_id()
        state.forwarding = daemon_host.text(_FORWARDING).strip()
        self._save(state)

    def _write_config(self, state: State) -> None:
        for folder in (self.paths.data, self.paths.execution):
            folder.mkdir(parents=True, exist_ok=True)
        self.paths.folder.chmod(0o711)  # containers' users pass through to their files
        self.paths.run.chmod(0o700)
        self.paths.config.write_text(daemon_files.docker_config(self.paths, state))
        self.paths.containerd_config.write_text(daemon_files.containerd_config(self.paths))

    def _start_containerd(self, program: str, state: State) -> None:
        if processes.is_alive(state.containerd):
            return
        self.paths.containerd_socket.unlink(missing_ok=True)
        command = daemon_files.containerd_command(program, self.paths)
        state.containerd = processes.start(command, self._log_file("containerd"))
        self._save(state)
        alive = state.containerd
        processes.wait_for(
            lambda: self.paths.containerd_socket.exists() or not processes.is_alive(alive),
            _START_SECONDS,
        )
        if not processes.is_alive(alive):
            raise self._did_not_start("containerd")

    def _await_answer(self, state: State) -> Engine:
        found: list[Engine] = []

        def answers() -> bool:
            engine = ask(self.host, ours=True) if self.paths.socket.exists() else None
            found.extend([engine] if engine else [])
            return bool(found) or not processes.is_alive(state.dockerd)

        processes.wait_for(answers, _START_SECONDS)
        if not found:
            processes.end(state.dockerd, _STOP_SECONDS)  # one that hangs: the next try starts it
            raise self._did_not_start("dockerd")
        return found[0]

    def _did_not_start(self, program: str) -> Unavailable:
        lines = daemon_host.text(self.paths.log(program)).strip().splitlines()
        last = lines[-1] if lines else "it printed nothing"
        return Unavailable(
            f"{program} does not start: {last}",
            code="docker-did-not-start",
            remedy=f"read {self.paths.log(program)}; `fairway doctor` checks what it needs",
        )

    def _log_file(self, program: str) -> Path:
        path = self.paths.log(program)
        if path.exists() and path.stat().st_size > _LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        return path

    def _put_back(self, state: State) -> None:
        """A starting dockerd empties Docker's chains, another daemon's rules with them."""
        if daemon_host.other_daemons(state):
            here = interfaces.addresses()
            for command in firewall.lost(state.before, daemon_host.rules(), here):
                daemon_host.iptables(command)

    # Stopping

    def _end_containers(self, state: State) -> None:
        if not processes.is_alive(state.dockerd):
            return
        self._say("stopping the containers of our Docker Engine")
        with contextlib.suppress(httpx.HTTPError, ValueError), client(self.host, 60.0) as api:
            for container in api.get("/containers/json").json():
                api.post(f"/containers/{container['Id']}/kill")
                api.post(f"/containers/{container['Id']}/wait")

    def _end_shims(self) -> None:
        """With live-restore, containers of a daemon that was killed have outlived it."""
        for pid, words in list(processes.everything()):
            if daemon_files.is_shim_of(words, self.paths):
                for inner in daemon_host.children(pid):
                    daemon_host.kill(inner)
                daemon_host.kill(pid)
                daemon_host.remove_cgroups(words[words.index("-id") + 1])

    def _unmount(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        for folder in (self.paths.folder, self.paths.run):
            for point in processes.mounts_below(folder):
                libc.umount2(os.fsencode(point), _DETACH)

    def _clean_network(self, state: State) -> None:
        bridges = firewall.owned_bridges(interfaces.addresses(), state.addresses)
        ours = firewall.Ours(bridges=tuple({*bridges, state.bridge}), addresses=state.addresses)
        others = daemon_host.other_daemons(state)
        before = state.before if state.boot == processes.boot_id() else daemon_host.rules()
        for command in firewall.removal(before, daemon_host.rules(), ours, others=others):
            daemon_host.iptables(command)
        for bridge in ours.bridges:
            interfaces.remove_bridge(bridge)
        if state.forwarding == "0" and not others:
            _FORWARDING.write_text("0\n")

    # State

    def _load(self) -> State | None:
        try:
            return msgspec.json.decode(self.paths.state.read_bytes(), type=State)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def _save(self, state: State) -> None:
        self.paths.folder.mkdir(parents=True, exist_ok=True)
        fresh = self.paths.state.with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(state))
        fresh.replace(self.paths.state)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Two Fairways of one folder must not start two daemons."""
        self.paths.folder.mkdir(parents=True, exist_ok=True)
        with (self.paths.folder / "lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
