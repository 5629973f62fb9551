"""What a Compose file of a repository that is not trusted may not ask, each by its path."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.pipeline.environments.judge import Ground, judge

WORKSPACE = "/work/tree/"
GROUND = Ground(inside=lambda path: path.startswith(WORKSPACE))


def service(**keys: Any) -> dict[str, Any]:
    return {"services": {"db": {"image": "postgres:15", **keys}}}


def bind(source: str, **more: Any) -> dict[str, Any]:
    return {"type": "bind", "source": source, "target": "/x", **more}


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("services.db.volumes[0]", service(volumes=[bind("/etc")])),
    ("services.db.volumes[0]", service(volumes=[bind("/var/run/docker.sock")])),
    ("services.db.volumes[0]", service(volumes=[bind(WORKSPACE + "docker.sock")])),
    (
        "services.db.volumes[1]",
        service(volumes=[bind(WORKSPACE + "sql"), bind("/work/tree-of-others")]),
    ),
    (
        "services.db.volumes[0].bind.propagation",
        service(volumes=[bind(WORKSPACE + "a", bind={"propagation": "rshared"})]),
    ),
    (
        "services.db.volumes[0].bind.selinux",
        service(volumes=[bind(WORKSPACE + "a", bind={"selinux": "z"})]),
    ),
    ("services.db.volumes[0]", service(volumes=[{"type": "image", "source": "a", "target": "/x"}])),
    (
        "services.db.volumes[0]",
        service(volumes=[{"type": "npipe", "source": "a", "target": "/x"}]),
    ),
    ("services.db.privileged", service(privileged=True)),
    ("services.db.network_mode", service(network_mode="host")),
    ("services.db.network_mode", service(network_mode="bridge")),
    ("services.db.network_mode", service(network_mode="container:other")),
    ("services.db.pid", service(pid="host")),
    ("services.db.pid", service(pid="container:other")),
    ("services.db.ipc", service(ipc="host")),
    ("services.db.ipc", service(ipc="container:other")),
    ("services.db.uts", service(uts="host")),
    ("services.db.userns_mode", service(userns_mode="host")),
    ("services.db.cgroup", service(cgroup="host")),
    ("services.db.cgroup_parent", service(cgroup_parent="/docker")),
    ("services.db.devices", service(devices=[{"source": "/dev/sda", "target": "/dev/sda"}])),
    ("services.db.device_cgroup_rules", service(device_cgroup_rules=["c 1:3 mr"])),
    ("services.db.gpus", service(gpus=[{"count": -1}])),
    (
        "services.db.deploy.resources.reservations.devices",
        service(deploy={"resources": {"reservations": {"devices": [{"driver": "nvidia"}]}}}),
    ),
    ("services.db.cap_add", service(cap_add=["SYS_ADMIN"])),
    ("services.db.security_opt", service(security_opt=["seccomp:unconfined"])),
    ("services.db.security_opt", service(security_opt=["no-new-privileges:true", "label:disable"])),
    ("services.db.sysctls", service(sysctls={"net.core.somaxconn": "1024"})),
    ("services.db.runtime", service(runtime="sysbox")),
    ("services.db.isolation", service(isolation="hyperv")),
    ("services.db.credential_spec", service(credential_spec={"file": "a"})),
    ("services.db.external_links", service(external_links=["other"])),
    ("services.db.volumes_from", service(volumes_from=["container:other"])),
    ("services.db.volume_driver", service(volume_driver="nfs")),
    ("services.db.provider", service(provider={"type": "awesomecloud"})),
    ("services.db.use_api_socket", service(use_api_socket=True)),
    ("services.db.models", service(models={"llm": {}})),
    ("services.db.annotations", service(annotations={"run.oci": "x"})),
    ("services.db.oom_kill_disable", service(oom_kill_disable=True)),
    ("services.db.oom_score_adj", service(oom_score_adj=-1000)),
    ("services.db.blkio_config", service(blkio_config={"weight": 300})),
    ("services.db.cpu_rt_runtime", service(cpu_rt_runtime=950000)),
    ("services.db.storage_opt", service(storage_opt={"size": "1G"})),
    ("services.db.pre_start", service(pre_start=[{"command": ["sh"], "image": "x"}])),
    ("services.db.post_start[0].privileged", service(post_start=[{"privileged": True}])),
    ("services.db.pre_stop[0].privileged", service(pre_stop=[{"privileged": True}])),
    (
        "services.db.networks.back.driver_opts",
        service(networks={"back": {"driver_opts": {"com.docker.network.endpoint.sysctls": "x"}}}),
    ),
    ("services.db.env_file[0]", service(env_file=[{"path": "/etc/shadow"}])),
    ("services.db.label_file[0]", service(label_file=["/etc/shadow"])),
    ("services.db.build.context", service(build={"context": "/etc"})),
    ("services.db.build.context", service(build={"context": "https://example.org/a.git"})),
    ("services.db.build.network", service(build={"context": WORKSPACE, "network": "host"})),
    (
        "services.db.build.entitlements",
        service(build={"context": WORKSPACE, "entitlements": ["network.host"]}),
    ),
    ("services.db.build.privileged", service(build={"context": WORKSPACE, "privileged": True})),
    ("services.db.build.ssh", service(build={"context": WORKSPACE, "ssh": ["default"]})),
    ("services.db.build.secrets", service(build={"context": WORKSPACE, "secrets": ["a"]})),
    (
        "services.db.build.additional_contexts",
        service(build={"context": WORKSPACE, "additional_contexts": {"a": "/etc"}}),
    ),
    ("services.db.a_key_of_a_later_compose", service(a_key_of_a_later_compose="x")),
    ("networks.back.external", {"networks": {"back": {"external": True, "name": "theirs"}}}),
    ("networks.back.driver", {"networks": {"back": {"driver": "macvlan"}}}),
    ("networks.back.driver_opts", {"networks": {"back": {"driver_opts": {"parent": "eth0"}}}}),
    (
        "networks.back.ipam",
        {"networks": {"back": {"ipam": {"config": [{"subnet": "8.8.8.0/24"}]}}}},
    ),
    ("volumes.data.external", {"volumes": {"data": {"external": True, "name": "theirs"}}}),
    ("volumes.data.driver", {"volumes": {"data": {"driver": "nfs"}}}),
    (
        "volumes.data.driver_opts",
        {"volumes": {"data": {"driver_opts": {"type": "none", "o": "bind", "device": "/"}}}},
    ),
    ("secrets.key.file", {"secrets": {"key": {"file": "/root/.ssh/id_rsa"}}}),
    ("secrets.key.external", {"secrets": {"key": {"external": True}}}),
    ("secrets.key.driver", {"secrets": {"key": {"driver": "vault"}}}),
    ("configs.conf.file", {"configs": {"conf": {"file": "/etc/passwd"}}}),
    ("models", {"models": {"llm": {"model": "ai/x"}}}),
]


@pytest.mark.parametrize(("path", "model"), REFUSED, ids=[path for path, _ in REFUSED])
def test_what_reaches_past_the_build_is_refused_by_its_path(
    path: str, model: dict[str, Any]
) -> None:
    found = judge(model, GROUND)
    assert [one.path for one in found] == [path]
    assert found[0].why
    assert "{" not in found[0].why


ALLOWED: list[dict[str, Any]] = [
    service(volumes=[bind(WORKSPACE + "sql", read_only=True, bind={"create_host_path": True})]),
    service(volumes=[{"type": "volume", "source": "data", "target": "/d", "volume": {}}]),
    service(volumes=[{"type": "tmpfs", "target": "/d", "tmpfs": {"size": 1024}}]),
    service(network_mode="none", pid="service:web", ipc="shareable", cgroup="private"),
    service(security_opt=["no-new-privileges:true"], cap_drop=["ALL"], privileged=False),
    service(environment={"A": "1"}, secrets=[{"source": "key"}], configs=[{"source": "conf"}]),
    service(build={"context": WORKSPACE + "db", "dockerfile": "Dockerfile", "args": {"A": "1"}}),
    service(ports=[{"target": 80, "published": "8080"}], expose=["80"], restart="always"),
    service(deploy={"replicas": 2, "resources": {"limits": {"cpus": 1}}}, scale=2),
    service(healthcheck={"test": ["CMD", "true"]}, depends_on={"web": {}}, tmpfs=["/tmp"]),
    service(volumes_from=["web"], **{"x-own": {"privileged": True}}),
    {"networks": {"back": {"internal": True, "ipam": {}, "driver": "bridge"}}},
    {"volumes": {"data": {"name": "p_data", "driver": "local"}}},
    {"secrets": {"key": {"environment": "KEY"}, "file": {"file": WORKSPACE + "key"}}},
    {"name": "p", "configs": {"conf": {"content": "a"}}},
]


@pytest.mark.parametrize("model", ALLOWED, ids=range(len(ALLOWED)))
def test_what_stays_in_the_build_may_be_asked(model: dict[str, Any]) -> None:
    assert judge(model, GROUND) == []


def test_everything_refused_is_named_at_once() -> None:
    model = service(privileged=True, pid="host", volumes=[bind("/")])
    assert {one.path for one in judge(model, GROUND)} == {
        "services.db.privileged",
        "services.db.pid",
        "services.db.volumes[0]",
    }
