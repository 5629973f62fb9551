"""What a Compose file of a repository that is not trusted may ask of the machine. Pure.

The resolved model is judged (nothing interpolated, included or inherited is left in it), and the
same model is run. Each key is either known to be harmless or refused by its path: what a later
Compose adds is refused until somebody has looked at it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

Json = Mapping[str, Any]
Check = Callable[[Any], str]
"""Why a value is refused; "" when it may stay."""

TRUST: Final = "for trusted repositories only"


class Refusal(Struct, frozen=True):
    """One thing that may not be, by its path in the file: `services.db.volumes[0]`."""

    path: str
    why: str

    def __str__(self) -> str:
        return f"{self.path}: {self.why}"


class Ground(Struct, frozen=True):
    """What a file may name: `inside` says of a path of the runner's machine whether it lies, all
    links followed, in the workspace.
    """

    inside: Callable[[str], bool]


def judge(model: Json, ground: Ground) -> list[Refusal]:
    """Everything that is refused, in the file's order."""
    found: list[Refusal] = []
    for name, service in (model.get("services") or {}).items():
        found += _service(f"services.{name}", service, ground)
    for name, network in (model.get("networks") or {}).items():
        found += _keys(f"networks.{name}", network, _NETWORK)
    for name, volume in (model.get("volumes") or {}).items():
        found += _keys(f"volumes.{name}", volume, _VOLUME)
    for kind in ("secrets", "configs"):
        for name, item in (model.get(kind) or {}).items():
            found += _keys(f"{kind}.{name}", item, _FILE)
            found += _file(f"{kind}.{name}.file", item, "file", ground)
    known = {"name", "services", "networks", "volumes", "secrets", "configs"}
    extra = [key for key in model if key not in known and not key.startswith("x-") and model[key]]
    return found + [Refusal(key, f"`{key}` is {TRUST}") for key in extra]


def _service(path: str, service: Json, ground: Ground) -> Iterator[Refusal]:
    yield from _keys(path, service, _SERVICE)
    yield from _parts(path, service, "networks", _ENDPOINT)
    for key in ("post_start", "pre_stop"):
        for place, hook in enumerate(service.get(key) or []):
            yield from _keys(f"{path}.{key}[{place}]", hook, _HOOK)
    for place, volume in enumerate(service.get("volumes") or []):
        yield from _mount(f"{path}.volumes[{place}]", volume, ground)
    for key in ("env_file", "label_file"):
        for place, file in enumerate(service.get(key) or []):
            entry = file if isinstance(file, Mapping) else {"path": file}
            yield from _file(f"{path}.{key}[{place}]", entry, "path", ground)
    build = service.get("build")
    if build is not None:
        yield from _keys(f"{path}.build", build, _BUILD)
        yield from _file(f"{path}.build.context", build, "context", ground)
    yield from _deploy(f"{path}.deploy", service.get("deploy") or {})


def _keys(path: str, value: Json | None, known: Mapping[str, Check]) -> Iterator[Refusal]:
    """Each key by its rule; one without a rule is refused, unless nothing is in it."""
    for key, item in (value or {}).items():
        if _nothing(item) or key.startswith("x-"):
            continue
        why = known.get(key, _trusted)(item)
        if why:
            yield Refusal(f"{path}.{key}", why.format(key=key))


def _parts(path: str, service: Json, key: str, known: Mapping[str, Check]) -> Iterator[Refusal]:
    for name, item in (service.get(key) or {}).items():
        yield from _keys(f"{path}.{key}.{name}", item, known)


def _nothing(value: object) -> bool:
    return value is None or value is False or value in ("", 0) or value in ({}, [])


def _mount(path: str, volume: Json, ground: Ground) -> Iterator[Refusal]:
    kind = volume.get("type")
    if kind == "bind":
        source = str(volume.get("source", ""))
        if _is_socket(source):
            yield Refusal(path, f"the Docker Engine's socket is {TRUST}")
        elif not ground.inside(source):
            yield Refusal(path, f"{source} is not in the workspace: a mount of the host is {TRUST}")
        yield from _keys(f"{path}.bind", volume.get("bind"), _BIND)
    elif kind not in ("volume", "tmpfs"):
        yield Refusal(path, f"a mount of type {kind} is {TRUST}")
    yield from _keys(f"{path}.volume", volume.get("volume"), _MOUNTED_VOLUME)


def _is_socket(path: str) -> bool:
    return path.rpartition("/")[2] in ("docker.sock", "containerd.sock", "podman.sock")


def _file(path: str, value: Json, key: str, ground: Ground) -> Iterator[Refusal]:
    file = value.get(key) if value else None
    if file and not ground.inside(str(file)):
        yield Refusal(path, f"{file} is not in the workspace: files of the host are {TRUST}")


def _deploy(path: str, deploy: Json) -> Iterator[Refusal]:
    resources = deploy.get("resources") or {}
    for part in ("limits", "reservations"):
        for key in ("devices", "generic_resources"):
            if (resources.get(part) or {}).get(key):
                yield Refusal(f"{path}.resources.{part}.{key}", f"devices are {TRUST}")


# ---- rules of single values ----------------------------------------------------------------------


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _free(_value: object) -> str:
    return ""


def _trusted(_value: object) -> str:
    return f"`{{key}}` is {TRUST}"


def _only(*words: str, prefixes: tuple[str, ...] = (), what: str = "") -> Check:
    """The value must be one of `words` or begin with one of `prefixes`."""

    def check(value: object) -> str:
        text = str(value)
        if text in words or (prefixes and text.startswith(prefixes)):
            return ""
        return f"{what or '`{key}`'} '{_braces(text)}' is {TRUST}"

    return check


def _braces(text: str) -> str:
    """The text for `format`, which must find nothing in it."""
    return text.replace("{", "{{").replace("}", "}}")


def _security(value: object) -> str:
    options = value if isinstance(value, list) else [value]
    harmless = ("no-new-privileges", "no-new-privileges:true", "no-new-privileges=true")
    bad = [str(option) for option in options if option not in harmless]
    return f"`{{key}}: {_braces(bad[0])}` is {TRUST}" if bad else ""


def _containers(value: object) -> str:
    names = value if isinstance(value, list) else [value]
    foreign = [str(name) for name in names if str(name).startswith("container:")]
    return f"'{_braces(foreign[0])}' is a container of others: that is {TRUST}" if foreign else ""


def _platforms(value: object) -> str:
    several = isinstance(value, list) and len(value) > 1
    return "several platforms cannot be built for one test" if several else ""


_network = _only("none", prefixes=("service:",), what="the network mode")
_pid = _only(prefixes=("service:",), what="the process namespace")
_ipc = _only("private", "none", "shareable", prefixes=("service:",), what="the IPC namespace")

_HARMLESS: Final = _words(
    """
    attach cap_drop command configs container_name cpu_count cpu_percent cpu_period cpu_quota cpus
    cpu_shares cpuset depends_on deploy develop dns dns_opt dns_search domainname entrypoint
    environment env_file expose extra_hosts group_add healthcheck hostname image init labels
    label_file links logging log_driver log_opt mem_limit mem_reservation memswap_limit mac_address
    networks pids_limit platform ports post_start pre_stop profiles pull_policy read_only restart
    scale secrets shm_size stdin_open stop_grace_period stop_signal tmpfs tty ulimits user volumes
    working_dir build
    """
)
"""Keys whose values are free here: those with parts are looked into by rules of their own."""

_SERVICE: Final[Mapping[str, Check]] = {
    **dict.fromkeys(_HARMLESS, _free),
    "network_mode": _network,
    "pid": _pid,
    "ipc": _ipc,
    "cgroup": _only("private", what="the control group namespace"),
    "uts": _only("", what="the UTS namespace"),
    "userns_mode": _only("", what="the user namespace"),
    "security_opt": _security,
    "volumes_from": _containers,
}
_NETWORK: Final[Mapping[str, Check]] = {
    **dict.fromkeys(
        ("name", "internal", "attachable", "labels", "enable_ipv4", "enable_ipv6"), _free
    ),
    "driver": _only("bridge", what="a network of driver"),
    "external": lambda _value: f"a network of others is {TRUST}",
}
_VOLUME: Final[Mapping[str, Check]] = {
    **dict.fromkeys(("name", "labels"), _free),
    "driver": _only("local", what="a volume of driver"),
    "external": lambda _value: f"a volume of others is {TRUST}",
}
_FILE: Final[Mapping[str, Check]] = {
    **dict.fromkeys(("name", "file", "environment", "content", "labels"), _free),
    "external": lambda _value: f"what lies outside of the file is {TRUST}",
}
_ENDPOINT: Final[Mapping[str, Check]] = dict.fromkeys(
    _words(
        """
        aliases gw_priority interface_name ipv4_address ipv6_address link_local_ips mac_address
        priority
        """
    ),
    _free,
)
_HOOK: Final[Mapping[str, Check]] = dict.fromkeys(
    ("command", "user", "working_dir", "environment", "per_replica"), _free
)
_BIND: Final[Mapping[str, Check]] = {
    **dict.fromkeys(("create_host_path", "recursive"), _free),
    "propagation": _only("private", "rprivate", what="a mount's propagation"),
}
_MOUNTED_VOLUME: Final[Mapping[str, Check]] = dict.fromkeys(("labels", "nocopy", "subpath"), _free)
_BUILD: Final[Mapping[str, Check]] = {
    **dict.fromkeys(
        _words(
            """
            context dockerfile dockerfile_inline args labels cache_from no_cache no_cache_filter
            pull target tags extra_hosts provenance sbom
            """
        ),
        _free,
    ),
    "network": _only("default", "none", what="building with the network"),
    "platforms": _platforms,
}
