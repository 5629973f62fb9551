"""Test environments in a namespace, and deployments with a repository's own rights."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from ground import Repository, statuses, step_of, steps
from town import BUSYBOX, Town, eventually

GET = "printf 'GET / HTTP/1.0\\\\r\\\\n\\\\r\\\\n' | nc -w 5 $(grep 'web$' /etc/hosts | cut -f1) 80"
HEAD = """
        steps:
        - name: env
          image: fairway/environment
          settings: {manifests: deploy, timeout: 240s}
        - {name: after, image: 'busybox:latest', pull: never, commands: ["CALL"]}
"""


def web(command: str = "exec httpd -f -p 8000 -h /www", **pod: Any) -> str:
    """A page, a Deployment that serves it, and a Service."""
    container = {
        "name": "web",
        "image": BUSYBOX,
        "imagePullPolicy": "Never",
        "command": ["sh", "-c", f"echo serving; {command}"],
        "readinessProbe": {"tcpSocket": {"port": 8000}, "periodSeconds": 1},
        "volumeMounts": [{"name": "page", "mountPath": "/www"}],
    }
    container |= pod.pop("container", {})
    spec = {
        "terminationGracePeriodSeconds": 0,
        "containers": [container],
        "volumes": [{"name": "page", "configMap": {"name": "page"}}],
        **pod,
    }
    labels = {"app": "web"}
    objects = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "page"},
         "data": {"index.html": "hello from a namespace\n"}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
         "spec": {"selector": {"matchLabels": labels},
                  "template": {"metadata": {"labels": labels}, "spec": spec}}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
         "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8000}]}},
    ]  # fmt: skip
    return "---\n".join(json.dumps(one) + "\n" for one in objects)


# After 25 seconds: by then it has ended five or six times, or less often on a slow machine.
ENDED = re.compile(r"container web ended [3-9] times, the last time with 3 \(Error\)")


def namespaces(cluster: Town) -> list[str]:
    """Those of environments."""
    return [name for name in cluster.namespaces() if name.startswith("env-")]


def tried(cluster: Town, files: dict[str, str], call: str = "true") -> tuple[Repository, Any]:
    """A build with an environment of these files."""
    repo = cluster.repository()
    return repo, repo.build(steps(HEAD.replace("CALL", call)), files)


def test_later_steps_reach_services_by_name_and_the_namespace_goes(cluster: Town) -> None:
    repo, build = tried(cluster, {"deploy/web.yaml": web()}, GET)
    said = repo.log("env")
    assert build.status == "passed", said
    assert "hello from a namespace" in repo.log("after")
    assert "Deployment web: it is well" in said
    assert " | serving" in said
    assert "later steps reach web\n" in said
    eventually(lambda: not namespaces(cluster))


def test_a_kustomization_and_a_chart_are_rendered(cluster: Town) -> None:
    kustomization = "resources: [web.yaml]\nnamePrefix: ''\ncommonLabels: {by: kustomize}\n"
    files = {"deploy/web.yaml": web(), "deploy/kustomization.yaml": kustomization}
    repo, build = tried(cluster, files)
    assert build.status == "passed", repo.log("env")
    chart = {
        "deploy/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
        "deploy/values.yaml": "text: from a chart\n",
        "deploy/templates/web.yaml": web().replace("hello from a namespace", "{{ .Values.text }}"),
    }
    repo = cluster.repository()
    text = HEAD.replace("manifests: deploy", "chart: deploy, set: {text: as set}")
    build = repo.build(steps(text.replace("CALL", GET)), chart)
    assert build.status == "passed", repo.log("env")
    assert "as set" in repo.log("after")


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        (web(container={"image": "nowhere.invalid/no/such:1", "imagePullPolicy": "Always"}),
         "image nowhere.invalid/no/such:1: ErrImagePull"),
        (web("echo cannot start; exit 3"), "container web ended "),
        (web().replace('"selector"', '"replicaz": 1, "selector"'), "replicaz"),
        (web(hostNetwork=True), "spec.template.spec.hostNetwork"),
        (web(volumes=[{"name": "page", "hostPath": {"path": "/etc"}}]),
         "spec.template.spec.volumes[0].hostPath"),
        (web(container={"securityContext": {"privileged": True}}),
         "spec.template.spec.containers[0].securityContext.privileged"),
        (web().replace('"name": "page"}, "data"', '"name": "page", "namespace": "kube-system"},'
                       ' "data"'), "metadata.namespace"),
        ("apiVersion: v1\nkind: Namespace\nmetadata: {name: mine}\n", "belongs to the whole"),
        ("apiVersion: apps/v1\nkind: Deployment\nmetadata: {nam: web}\n", "metadata.name is miss"),
        ("a: [b\n", "deploy/web.yaml:"),
    ],
    ids=["no-image", "crashes", "bad-field", "host-network", "host-path", "privileged",
         "other-namespace", "cluster-wide", "no-object", "no-yaml"],
)  # fmt: skip
def test_what_cannot_be_is_said_and_leaves_nothing(
    cluster: Town, manifest: str, words: str
) -> None:
    repo, build = tried(cluster, {"deploy/web.yaml": manifest})
    said = repo.log("env")
    assert (build.status, statuses(build)["after"]) == ("errored", "skipped"), said
    assert words in said
    assert words in step_of(build, "env").error
    if "cannot start" in manifest:
        assert "    cannot start" in said
        assert ENDED.search(said)
        assert ENDED.search(step_of(build, "env").error)
    eventually(lambda: not namespaces(cluster))


def test_a_cancelled_build_leaves_no_namespace(cluster: Town) -> None:
    repo = cluster.repository()
    text = steps(HEAD.replace('"CALL"', "echo begun, sleep 300"))
    number = repo.start(text, {"deploy/web.yaml": web()})
    repo.says(number, "begun")
    assert namespaces(cluster)
    assert repo.cli("cancel", str(number)).code == 0
    assert repo.ended(number).status == "cancelled"
    eventually(lambda: not namespaces(cluster))


def test_a_namespace_that_a_crash_left_goes_when_its_build_has_ended_meanwhile(
    cluster: Town,
) -> None:
    """Fairway dies, the build is cancelled while there is no runner, and then one starts."""
    repo = cluster.repository()
    text = steps(HEAD.replace('"CALL"', "echo begun, sleep 300"))
    number = repo.start(text, {"deploy/web.yaml": web()})
    repo.says(number, "begun")
    [left] = namespaces(cluster)
    cluster.kill()
    try:
        with cluster.serving("server", "git", "controllers"):
            assert repo.cli("cancel", str(number)).code == 0
            assert repo.ended(number).status == "cancelled"
            assert namespaces(cluster) == [left]
    finally:
        cluster.up()
    eventually(lambda: not namespaces(cluster))
    assert repo.build(text.replace("sleep 300", "true"), {"deploy/web.yaml": web()}).status == (
        "passed"
    )


APPLY = """
        steps:
        - name: deploy
          image: fairway/apply
          settings: {manifests: deploy, namespace: NAMESPACE, timeout: 240s}
"""
ROLE = """
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: deployer}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: "fairway:builds:SLUG"}]
"""


def test_a_repository_deploys_into_its_own_namespace_and_nowhere_else(cluster: Town) -> None:
    repo, other = cluster.repository(), cluster.repository()
    with cluster.namespace("own-shop") as shop, cluster.namespace("foreign") as foreign:
        role = ROLE.replace("SLUG", repo.slug)
        cluster.kubectl("apply", "-n", shop, "-f", "-", given=role)
        text = steps(APPLY.replace("NAMESPACE", shop))
        build = repo.build(text, {"deploy/web.yaml": web()})
        assert build.status == "passed", repo.log("deploy")
        found = cluster.kubectl("get", "deployment", "web", "-n", shop, "-o", "json").out
        manager = json.loads(found)["metadata"].get("managedFields")
        assert json.loads(found)["status"]["readyReplicas"] == 1, manager
        for who, where in ((repo, foreign), (other, shop)):
            build = who.build(steps(APPLY.replace("NAMESPACE", where)), {"deploy/web.yaml": web()})
            assert build.status == "failed"
            assert "forbidden" in who.log("deploy").lower()


def test_a_deployment_that_does_not_come_up_fails_the_step_and_the_old_one_goes_on(
    cluster: Town,
) -> None:
    repo = cluster.repository()
    with cluster.namespace("kept-shop") as shop:
        cluster.kubectl("apply", "-n", shop, "-f", "-", given=ROLE.replace("SLUG", repo.slug))
        text = steps(APPLY.replace("NAMESPACE", shop))
        assert repo.build(text, {"deploy/web.yaml": web()}).status == "passed"
        bad = web("echo cannot start; exit 3")
        build = repo.build(text, {"deploy/web.yaml": bad})
        said = repo.log("deploy")
        assert build.status == "failed"
        assert ENDED.search(said)
        assert "    cannot start" in said
        found = cluster.kubectl("get", "deployment", "web", "-n", shop, "-o", "json").out
        assert json.loads(found)["status"]["readyReplicas"] == 1


def test_a_person_starts_a_namespace_by_hand(cluster: Town) -> None:
    folder = cluster.folder / "by-hand"
    folder.mkdir()
    (folder / "web.yaml").write_text(web())
    which = ("--manifests", str(folder), "--data", str(cluster.data))
    try:
        done = cluster.ok("environment", "up", *which)
        assert done.out.strip() == "try-by-hand"
        assert "Deployment web: it is well" in done.err
        said = cluster.ok("environment", "logs", *which).out
        assert " | serving" in said
    finally:
        cluster.ok("environment", "down", *which)
    eventually(lambda: "try-by-hand" not in cluster.namespaces())
