"""Configuration files and commands say what keeps clusters apart and closed."""

import json
import tomllib
from pathlib import Path

import pytest
import yaml

from fairway.cluster import addons, commands, files, plan
from fairway.cluster.layout import layout
from fairway.cluster.pki import leaves

PATHS = layout(Path("/d"), "local")
PLAN = plan.choose("one", "local", [])
STARTS = {one.name: one for one in commands.starts(PATHS, PLAN, "/n", "/c", extras=True)}
SOONER = {"ReduceDefaultCrashLoopBackOffDecay": True}


def flags(name: str) -> dict[str, str]:
    pairs = (word.partition("=") for word in STARTS[name].command if word.startswith("--"))
    return {key: value for key, _, value in pairs}


def test_containerd_keeps_everything_below_its_own_folders() -> None:
    config = tomllib.loads(files.containerd(PATHS, pause="p:1", cni=Path("/usr/lib/cni")))
    cri = config["plugins"]["io.containerd.grpc.v1.cri"]
    assert config["root"] == "/d/cluster/local/containerd"
    assert config["state"] == "/d/cluster/local/run/containerd"
    assert config["grpc"]["address"] == "/d/cluster/local/run/containerd.sock"
    assert cri["netns_mounts_under_state_dir"] is True
    assert cri["sandbox_image"] == "p:1"
    assert cri["registry"]["config_path"] == "/d/cluster/local/registries"
    assert cri["cni"] == {"bin_dir": "/usr/lib/cni", "conf_dir": "/d/cluster/local/config/cni"}


def test_the_kubelet_answers_at_the_nodes_address_alone_and_to_nobody_unknown() -> None:
    config = yaml.safe_load(files.kubelet(PATHS, PLAN, confined=True))
    assert config["address"] == config["healthzBindAddress"] == PLAN.node
    assert config["authentication"]["anonymous"] == {"enabled": False}
    assert config["authorization"] == {"mode": "Webhook"}
    assert config["cgroupRoot"] == f"/{PLAN.cgroup}"
    assert config["featureGates"] == {**SOONER, "KubeletInUserNamespace": True}
    assert config["maxPods"] >= 250
    assert "readOnlyPort" not in config
    assert yaml.safe_load(files.kubelet(PATHS, PLAN, confined=False))["featureGates"] == SOONER


def test_what_crashes_is_restarted_soon_at_first_and_every_five_minutes_at_last() -> None:
    config = yaml.safe_load(files.kubelet(PATHS, PLAN, confined=False))
    assert config["featureGates"]["ReduceDefaultCrashLoopBackOffDecay"] is True
    assert config["crashLoopBackOff"] == {"maxContainerRestartPeriod": "300s"}


def test_pods_get_addresses_of_the_plan_and_their_leases_lie_with_the_cluster() -> None:
    config = json.loads(files.cni(PATHS, PLAN))
    ipam = config["plugins"][0]["ipam"]
    assert ipam["ranges"] == [[{"subnet": PLAN.pods}]]
    assert ipam["dataDir"].startswith("/d/cluster/local/")


def test_names_of_others_are_asked_of_the_machines_servers_and_never_of_its_loopback() -> None:
    stub = "nameserver 127.0.0.53\noptions edns0\n"
    real = "nameserver 192.0.2.1\nnameserver fe80::1\nnameserver 192.0.2.2\n"
    assert files.upstream(real, "") == ["192.0.2.1", "192.0.2.2"]
    assert files.upstream(stub, real) == ["192.0.2.1", "192.0.2.2"]
    assert files.upstream(stub, "") == []
    assert "forward . 192.0.2.1 192.0.2.2\n" in files.corefile(
        PATHS, PLAN, files.upstream(real, "")
    )
    assert "forward" not in files.corefile(PATHS, PLAN, [])
    text = files.resolv_conf(["192.0.2.1"], stub + "search example.com\n")
    assert text == "nameserver 192.0.2.1\noptions edns0\nsearch example.com\n"


def test_nothing_listens_on_an_address_of_the_machine_itself() -> None:
    own = {PLAN.gateway, PLAN.node, PLAN.loopback}
    assert flags("apiserver")["--bind-address"] == PLAN.gateway
    assert flags("etcd")["--listen-client-url"] == f"https://{PLAN.loopback}:2379"
    for name in ("controller-manager", "scheduler", "node"):
        assert flags(name)["--bind-address"] in own
    assert flags("proxy")["--healthz-bind-address"].partition(":")[0] == PLAN.node


def test_only_the_nodes_part_runs_in_its_namespace() -> None:
    inside = {name for name, one in STARTS.items() if one.inside}
    assert inside == {"containerd", "kubelet", "proxy", "coredns", "node"}


def test_whoever_reads_a_certificate_is_restarted_with_it() -> None:
    for one in STARTS.values():
        read = " ".join(one.command) + files.corefile(PATHS, PLAN, []) * (one.name == "coredns")
        named = {
            name for name in leaves(PLAN) if f"/{name}.crt" in read or f"/{name}.kubeconfig" in read
        }
        assert named == set(one.certificates)


def test_each_component_waits_only_for_ones_that_there_are() -> None:
    seen: set[str] = set()
    for name, one in STARTS.items():
        assert set(one.after) <= seen
        seen.add(name)
    assert "node" not in {
        one.name for one in commands.starts(PATHS, PLAN, "/n", "/c", extras=False)
    }


@pytest.mark.parametrize("pulls", [True, False])
def test_the_clusters_own_addresses_never_go_through_a_proxy(pulls: bool) -> None:
    given = {"HTTPS_PROXY": "http://p:3128", "NO_PROXY": "example.com"}
    found = commands.environment(PLAN, given, pulls=pulls)
    assert found["NO_PROXY"] == found["no_proxy"]
    assert found["NO_PROXY"].startswith("example.com,")
    assert PLAN.block in found["NO_PROXY"].split(",")
    assert found["HTTPS_PROXY"] == ("http://p:3128" if pulls else "")


def test_changes_are_audited_and_reads_are_not() -> None:
    policy = yaml.safe_load(files.audit_policy())
    assert policy["rules"][0] == {"level": "None", "verbs": ["get", "list", "watch"]}
    assert policy["rules"][-1] == {"level": "Metadata"}


def test_the_extension_servers_objects_are_there_only_with_it() -> None:
    plain = {path for path, _ in addons.objects(PLAN, None)}
    whole = {path for path, _ in addons.objects(PLAN, b"pem")}
    assert plain < whole
    assert not [path for path in plain if "metrics" in path or "storageclass" in path]
    assert [path for path in whole if path.endswith("v1beta1.metrics.k8s.io")]


def test_each_object_is_applied_at_its_own_path() -> None:
    for path, thing in addons.objects(PLAN, b"pem"):
        assert path.rpartition("/")[2] == thing["metadata"]["name"]
        space = thing["metadata"].get("namespace")
        assert (f"/namespaces/{space}/" in path) == (space is not None)
