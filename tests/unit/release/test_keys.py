"""Which keys of configuration a chart's pods need."""

from typing import Any

from fairway.release import keys
from fairway.release.keys import Need


def deployment(**pod: Any) -> dict[str, Any]:
    return {"kind": "Deployment", "metadata": {"name": "x"}, "spec": {"template": {"spec": pod}}}


CONTAINER = {
    "env": [
        {"name": "A", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}},
        {
            "name": "B",
            "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k", "optional": True}},
        },
        {"name": "C", "value": "plain"},
    ],
    "envFrom": [{"configMapRef": {"name": "all"}}, {"secretRef": {"name": "o", "optional": True}}],
}
VOLUMES = [
    {"name": "s", "secret": {"secretName": "tls", "items": [{"key": "a", "path": "a"}]}},
    {"name": "p", "projected": {"sources": [{"configMap": {"name": "pc"}}]}},
    {"name": "e", "emptyDir": {}},
]


def test_what_is_not_optional_is_needed() -> None:
    assert keys.needed([deployment(initContainers=[CONTAINER], volumes=VOLUMES)]) == [
        Need("ConfigMap", "all", ""),
        Need("ConfigMap", "pc", ""),
        Need("Secret", "db", "password"),
        Need("Secret", "tls", "a"),
    ]


def test_a_pull_secret_is_named_and_blocks_nobody() -> None:
    puller = deployment(containers=[], imagePullSecrets=[{"name": "b"}, {"name": "a"}, {}])
    assert keys.pull_secrets([puller, puller, {"kind": "Service"}]) == ["a", "b"]
    assert keys.needed([puller]) == []


def test_cron_jobs_and_pods_are_looked_into_and_others_have_none() -> None:
    cron = {"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": {"spec": {
        "containers": [CONTAINER]}}}}}}  # fmt: skip
    pod = {"kind": "Pod", "spec": {"containers": [CONTAINER]}}
    assert keys.needed([cron]) == keys.needed([pod])
    assert keys.needed([{"kind": "Service", "spec": {}}, {"kind": "List"}]) == []


def test_what_the_chart_brings_itself_is_not_missing() -> None:
    mine = {"kind": "Secret", "metadata": {"name": "db"}, "stringData": {"user": "x"}}
    needs = keys.needed([deployment(containers=[CONTAINER])])
    lacking = keys.missing(needs, keys.given([mine]))
    assert [str(one) for one in lacking] == ["ConfigMap all", "Secret db key password"]
    mine["stringData"] = {"password": "x"}
    assert [str(one) for one in keys.missing(needs, keys.given([mine]))] == ["ConfigMap all"]
