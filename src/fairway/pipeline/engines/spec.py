"""What a step is to Docker: names, labels and the container's specification. Pure.

Names derive from (stage key, step number, attempt), so a runner that was killed finds its
containers again. `commands` reach the container in the variable DRONE_SCRIPT, as in Drone, which a
first shell feeds to `/bin/sh`'s standard input after dropping it from the environment: nothing has
to be written to the container after its start, so a killed runner loses nothing. Both outputs are
joined there, which keeps their order and makes the log's bytes the same however it is read.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

from fairway.kit.secret import Secret
from fairway.pipeline.engine import Place
from fairway.pipeline.graph import Mount, StepGraph, Volume

LABEL_OWNER: Final = "fairway.owner"
LABEL_STAGE: Final = "fairway.stage"
LABEL_STEP: Final = "fairway.step"
SCRIPT: Final = "DRONE_SCRIPT"
_PIECE: Final = 96 * 1024  # the kernel takes 128 KiB in one variable
_LOG_MOST: Final = "512m"  # the engine's own copy of a log: a flood must not fill its disk
_SAFE: Final = re.compile(r"[^a-zA-Z0-9_.-]+")
Json = dict[str, Any]


def stem(key: str) -> str:
    """A stage key as a name that Docker accepts, distinct for distinct keys."""
    safe = _SAFE.sub("-", key).strip("-.")[:80]
    if safe == key:
        return f"fairway-{key}"
    return f"fairway-{safe}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"


def container_name(place: Place, step: StepGraph, attempt: int) -> str:
    """The container of one attempt at a step."""
    return f"{stem(place.key)}-{step.number}-{attempt}"


def network_name(key: str) -> str:
    """The stage's bridge."""
    return stem(key)


def volume_name(place: Place, volume: Volume) -> str:
    """A temporary volume of the stage."""
    index = [known.name for known in place.graph.volumes].index(volume.name)
    return f"{stem(place.key)}-v{index}"


def labels(place: Place, step: StepGraph | None = None) -> dict[str, str]:
    """The labels that make a thing ours."""
    found = {LABEL_OWNER: place.owner, LABEL_STAGE: place.key}
    if step is not None:
        found[LABEL_STEP] = str(step.number)
    return found


def container_spec(
    place: Place, step: StepGraph, environment: Mapping[str, str | Secret], *, image: str
) -> Json:
    """The body of the Engine's create call."""
    values = {name: _reveal(value) for name, value in environment.items() if name != SCRIPT}
    spec: Json = {
        "Image": image,
        "Labels": labels(place, step),
        "AttachStdout": True,
        "AttachStderr": True,
        "HostConfig": host_config(place, step),
    }
    if step.script:
        pieces = script_pieces(step.script)
        values.update(pieces)
        spec["Entrypoint"] = ["/bin/sh", "-c"]
        spec["Cmd"] = [launcher(list(pieces))]
    else:
        if step.entrypoint:
            spec["Entrypoint"] = list(step.entrypoint)
        if step.command:
            spec["Cmd"] = list(step.command)
    spec["Env"] = [f"{name}={value}" for name, value in values.items()]
    if step.working_dir:
        spec["WorkingDir"] = step.working_dir
    if step.user:
        spec["User"] = step.user
    if not step.network_mode:
        network = network_name(place.key)
        aliases = {"Aliases": [step.name]} if place.graph.network_aliases else {}
        spec["NetworkingConfig"] = {"EndpointsConfig": {network: aliases}}
    return spec


def _reveal(value: str | Secret) -> str:
    return value.reveal() if isinstance(value, Secret) else value


def script_pieces(script: str) -> dict[str, str]:
    """The variables that carry a script: one, or several where it is too long for one."""
    count = max(1, -(-len(script) // (_PIECE // 4)))
    if len(script.encode()) <= _PIECE:
        return {SCRIPT: script}
    size = -(-len(script) // count)
    cuts = [script[at : at + size] for at in range(0, len(script), size)]
    return {f"{SCRIPT}_{number}": cut for number, cut in enumerate(cuts)}


def launcher(names: list[str]) -> str:
    """The first shell's command line: it feeds the script to a second one's standard input."""
    text = "".join(f"${{{name}}}" for name in names)
    drop = " ".join(names)
    return f"printf '%s\\n' \"{text}\" | {{ unset {drop}; exec /bin/sh; }} 2>&1"


def host_config(place: Place, step: StepGraph) -> Json:
    """The parts of a container that concern its machine."""
    config: Json = {
        "NetworkMode": step.network_mode or network_name(place.key),
        "Privileged": step.privileged,
        "ExtraHosts": [*place.hosts, *step.extra_hosts],
        "LogConfig": {"Type": "json-file", "Config": {"max-size": _LOG_MOST, "max-file": "1"}},
        "Binds": [],
        "Tmpfs": {},
        "Devices": [],
    }
    volumes = {volume.name: volume for volume in place.graph.volumes}
    for mount in _mounts(place, step, volumes):
        _add_mount(config, place, mount, volumes[mount.volume])
    for mount in step.devices:
        if mount.volume in volumes:
            _add_mount(config, place, mount, volumes[mount.volume])
    for name, value in (
        ("Dns", list(step.dns)),
        ("DnsSearch", list(step.dns_search)),
        ("ShmSize", step.shm_size_bytes),
        ("Memory", step.mem_limit_bytes),
        ("MemorySwap", step.memswap_limit_bytes),
    ):
        if value:
            config[name] = value
    return config


def _mounts(place: Place, step: StepGraph, volumes: dict[str, Volume]) -> list[Mount]:
    mounts = [mount for mount in step.mounts if mount.volume in volumes]
    if not any(volumes[mount.volume].kind == "workspace" for mount in mounts):
        name = next((v.name for v in place.graph.volumes if v.kind == "workspace"), "")
        if not name:
            name = "_workspace"
            volumes[name] = Volume(name, "workspace")
        mounts.insert(0, Mount(name, place.graph.workspace_base))
    return mounts


def _add_mount(config: Json, place: Place, mount: Mount, volume: Volume) -> None:
    suffix = ":ro" if mount.read_only else ""
    if volume.kind == "workspace":
        config["Binds"].append(f"{place.workspace}:{mount.path}{suffix}")
    elif volume.kind == "temp":
        config["Binds"].append(f"{volume_name(place, volume)}:{mount.path}{suffix}")
    elif volume.kind == "memory":
        size = f",size={volume.size_bytes}" if volume.size_bytes else ""
        config["Tmpfs"][mount.path] = f"rw,exec,mode=1777{size}"
    elif volume.kind == "device":
        config["Devices"].append(
            {
                "PathOnHost": volume.path,
                "PathInContainer": mount.path or volume.path,
                "CgroupPermissions": "r" if mount.read_only else "rwm",
            }
        )
    else:
        config["Binds"].append(f"{volume.path}:{mount.path}{suffix}")
