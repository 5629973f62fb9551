"""A real Kubernetes: pods, names, Services, volumes, exec, logs, and the way to and from it."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator

import pytest
from town import Town, claim, eventually, get, pod, web

pytestmark = pytest.mark.usefixtures("loaded")  # begun here, and looked at later


@pytest.fixture
def space(cluster: Town) -> Iterator[str]:
    with cluster.namespace(f"t-{uuid.uuid4().hex[:8]}") as name:
        yield name


def test_pods_answer_by_the_name_and_the_address_of_their_service(
    cluster: Town, space: str
) -> None:
    cluster.apply(*web("web", space, replicas=2))
    cluster.pod("asker", "exec sleep 3600", space)
    cluster.wait("deployment", "web", "condition=Available", space)
    names = {one["metadata"]["name"] for one in cluster.get("pods", "-n", space)["items"]}
    address = cluster.get("service", "web", "-n", space)["spec"]["clusterIP"]
    eventually(lambda: answers(cluster, space, address) == names - {"asker"})
    assert cluster.fetch("asker", "web", 80, namespace=space).strip() in names
    full = f"web.{space}.svc.cluster.local"
    assert cluster.fetch("asker", full, 80, namespace=space).strip() in names


def answers(cluster: Town, space: str, address: str) -> set[str]:
    """Who answers at an address, asked twenty times."""
    return {cluster.fetch("asker", address, 80, namespace=space).strip() for _ in range(20)}


def test_a_pod_reaches_itself_by_its_own_service(cluster: Town, space: str) -> None:
    cluster.apply(*web("web", space))
    cluster.wait("deployment", "web", "condition=Available", space)
    (one,) = cluster.get("pods", "-n", space)["items"]
    name = one["metadata"]["name"]
    assert eventually(lambda: cluster.fetch(name, "web", 80, namespace=space).strip()) == name


def test_this_machine_and_its_containers_reach_pods_and_services(cluster: Town, space: str) -> None:
    cluster.apply(*web("web", space))
    cluster.wait("deployment", "web", "condition=Available", space)
    (one,) = cluster.get("pods", "-n", space)["items"]
    service = cluster.get("service", "web", "-n", space)["spec"]["clusterIP"]
    name = one["metadata"]["name"]
    assert eventually(lambda: get(one["status"]["podIP"], 8080).endswith(f"{name}\n"))
    assert eventually(lambda: get(service, 80).endswith(f"{name}\n"))
    ask = f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 5 {service} 80"
    done = cluster.docker("run", "--rm", "busybox:latest", "sh", "-c", ask)
    assert done.out.endswith(f"{name}\n")


def test_pods_reach_ports_that_containers_publish_and_fairway_on_the_bridge(
    cluster: Town, space: str
) -> None:
    script = "mkdir /w; echo published > /w/index.html; exec httpd -f -p 80 -h /w"
    words = ("run", "-d", "--rm", "-p", "80", "busybox:latest", "sh", "-c", script)
    container = cluster.docker(*words).out.strip()
    try:
        port = int(cluster.docker("port", container, "80").out.split()[0].rpartition(":")[2])
        cluster.pod("asker", "exec sleep 3600", space)
        gateway = cluster.plan.gateway
        assert (
            eventually(lambda: cluster.fetch("asker", gateway, port, namespace=space))
            == "published\n"
        )
        # our server takes a caller that has closed its half of the line for one that has gone
        ask = "{ printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n'; sleep 2; }"
        said = cluster.sh("asker", f"{ask} | nc -w 5 {gateway} {cluster.port}", space)
        assert "alive" in said
    finally:
        cluster.docker("rm", "-f", container)


def test_exec_logs_and_exit_statuses_are_the_pods_own(cluster: Town, space: str) -> None:
    cluster.pod("talker", "echo one; echo two >&2; exec sleep 3600", space)
    assert eventually(
        lambda: sorted(cluster.kubectl("logs", "talker", "-n", space).out.split()) == ["one", "two"]
    )
    assert cluster.sh("talker", "echo $((6 * 7))", space) == "42\n"
    words = ("exec", "talker", "-n", space, "--", "sh", "-c", "exit 7")
    assert cluster.kubectl(*words, check=False).code == 7


def test_a_pod_whose_image_does_not_exist_says_so(cluster: Town, space: str) -> None:
    lost = pod("lost", "true", space, container={"image": "fairway.invalid/no/such:1"})
    lost["spec"]["containers"][0]["imagePullPolicy"] = "IfNotPresent"
    cluster.apply(lost)

    def reason() -> str:
        status = cluster.get("pod", "lost", "-n", space)["status"]
        waiting = [one["state"].get("waiting", {}) for one in status.get("containerStatuses", [])]
        return next((one["message"] for one in waiting if "Image" in one.get("reason", "")), "")

    assert "fairway.invalid/no/such:1" in eventually(reason)


def test_a_volume_outlives_its_pod_and_goes_with_its_claim(cluster: Town, space: str) -> None:
    mount = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]
    cluster.apply(claim("data", space))
    cluster.pod("one", "echo kept > /v/f; exec sleep 3600", space, volumes=volumes, container=mount)
    volume = cluster.get("pvc", "data", "-n", space)["spec"]["volumeName"]
    cluster.kubectl("delete", "pod", "one", "-n", space)
    cluster.pod("two", "exec sleep 3600", space, volumes=volumes, container=mount)
    assert cluster.sh("two", "cat /v/f", space) == "kept\n"
    assert [path for path in cluster.paths.volumes.iterdir() if volume in path.name]
    cluster.kubectl("delete", "pod", "two", "-n", space)
    cluster.kubectl("delete", "pvc", "data", "-n", space)
    eventually(
        lambda: not [path for path in cluster.paths.volumes.iterdir() if volume in path.name]
    )


def test_metrics_tell_what_nodes_and_pods_use(cluster: Town, loaded: str) -> None:
    def used() -> list[str]:
        words = ("top", "pod", "-l", "app=busy", "-n", loaded, "--no-headers")
        said = cluster.kubectl(*words, check=False).out.splitlines()
        return [line.split()[1] for line in said if line.split()[1] != "0m"]

    assert all(cpu.endswith("m") for cpu in eventually(used))
    assert cluster.name in cluster.kubectl("top", "nodes").out


def test_what_asks_for_more_than_its_rights_is_refused(cluster: Town, space: str) -> None:
    words = ("auth", "can-i", "delete", "nodes", f"--as=system:serviceaccount:{space}:default")
    assert cluster.kubectl(*words, check=False).out.strip() == "no"
    done = subprocess.run(
        ["curl", "-sk", "--max-time", "10", f"{cluster.plan.api}/api/v1/secrets"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert '"code": 403' in done.stdout


def test_no_user_of_the_machine_reads_the_store_behind_the_api(cluster: Town) -> None:
    address = cluster.plan.etcd.removeprefix("https://")
    words = ["curl", "-sk", "--max-time", "10", f"https://{address}/version"]
    assert subprocess.run(words, capture_output=True, check=False).returncode != 0
    pki = cluster.paths.pki
    pair = ["--cert", str(pki / "kubelet.crt"), "--key", str(pki / "kubelet.key")]
    assert subprocess.run([*words, *pair], capture_output=True, check=False).returncode != 0
    assert pki.stat().st_mode & 0o077 == 0
    assert not [path for path in pki.glob("*.key") if path.stat().st_mode & 0o077]


def test_who_changed_what_is_in_the_audit_log_and_reads_are_not(cluster: Town, space: str) -> None:
    cluster.kubectl("create", "configmap", "noted", "-n", space)
    log = cluster.paths.logs / "audit.log"
    lines = eventually(
        lambda: [line for line in log.read_text().splitlines() if f'"namespace":"{space}"' in line
                 and '"name":"noted"' in line]
    )  # fmt: skip
    assert '"username":"fairway:admin"' in lines[0]
    assert not [line for line in lines if '"verb":"get"' in line]
