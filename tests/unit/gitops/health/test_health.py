"""The health of built-in kinds: one table, in the words of Argo CD 3.5."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.gitops import health
from fairway.gitops.objects import Health

Json = dict[str, Any]


def made(kind: str, spec: Json | None = None, status: Json | None = None, **meta: Any) -> Json:
    api, _, name = kind.rpartition(" ")
    found: Json = {"apiVersion": api, "kind": name, "metadata": {"name": "web", **meta}}
    if spec is not None:
        found["spec"] = spec
    if status is not None:
        found["status"] = status
    return found


DEPLOYMENT, STATEFUL = "apps/v1 Deployment", "apps/v1 StatefulSet"
REPLICAS, DAEMONS, POD = "apps/v1 ReplicaSet", "apps/v1 DaemonSet", "v1 Pod"
JOB, CRON = "batch/v1 Job", "batch/v1 CronJob"
AUTOSCALER, ROLLOUT = "autoscaling/v2 HorizontalPodAutoscaler", "argoproj.io/v1alpha1 Rollout"
WAITING = "Waiting for rollout to finish: "
ROLLING = {"type": "RollingUpdate"}
FAILED = {"type": "Failed", "status": "True", "message": "too often"}
DONE = {"type": "Complete", "status": "True", "message": "well"}


def deployment(spec: int | None, updated: int, there: int, available: int) -> Json:
    status = {"updatedReplicas": updated, "replicas": there, "availableReplicas": available}
    return made(DEPLOYMENT, {} if spec is None else {"replicas": spec}, status)


def stateful(strategy: Json, **status: Any) -> Json:
    seen = {"observedGeneration": 1, "readyReplicas": 3, "updatedReplicas": 2, **status}
    return made(STATEFUL, {"replicas": 3, "updateStrategy": strategy}, seen, generation=1)


def daemons(wanted: int, updated: int, available: int, kind: str = "RollingUpdate") -> Json:
    status = {
        "desiredNumberScheduled": wanted,
        "updatedNumberScheduled": updated,
        "numberAvailable": available,
    }
    return made(DAEMONS, {"updateStrategy": {"type": kind}}, status)


def pod(phase: str, policy: str = "Always", *containers: Json, **status: Any) -> Json:
    found = {"phase": phase, "containerStatuses": list(containers), **status}
    return made(POD, {"restartPolicy": policy}, found)


def waiting(reason: str) -> Json:
    return {"name": "app", "state": {"waiting": {"reason": reason, "message": f"said {reason}"}}}


def ended(**state: Any) -> Json:
    return {"name": "app", "state": {"terminated": state}}


def conditions(kind: str, *found: Json) -> Json:
    return made(kind, {}, {"conditions": list(found)})


def cron(**status: Any) -> Json:
    return made(CRON, {}, status)


EARLY, LATE = "2026-01-01T00:00:00Z", "2026-01-01T00:05:00Z"
READY = {"type": "Ready", "status": "True"}
BEFORE = {"name": "app", "state": {"running": {}}, "lastState": {"terminated": {"exitCode": 1}}}

CASES: list[tuple[Json, str, str]] = [
    (made(DEPLOYMENT, {"paused": True}, {}), "Suspended", "Deployment is paused"),
    (
        made(DEPLOYMENT, {}, {"observedGeneration": 1}, generation=2),
        "Progressing",
        WAITING + "observed deployment generation less than desired generation",
    ),
    (
        conditions(DEPLOYMENT, {"type": "Progressing", "reason": "ProgressDeadlineExceeded"}),
        "Degraded",
        'Deployment "web" exceeded its progress deadline',
    ),
    (
        deployment(3, 1, 3, 3),
        "Progressing",
        WAITING + "1 out of 3 new replicas have been updated...",
    ),
    (
        deployment(3, 3, 4, 3),
        "Progressing",
        WAITING + "1 old replicas are pending termination...",
    ),
    (
        deployment(3, 3, 3, 2),
        "Progressing",
        WAITING + "2 of 3 updated replicas are available...",
    ),
    (deployment(3, 3, 3, 3), "Healthy", ""),
    (deployment(0, 0, 0, 0), "Healthy", ""),
    (deployment(None, 1, 1, 1), "Healthy", ""),
    (
        made("apps/v1beta1 Deployment"),
        "Unknown",
        "unsupported Deployment GVK: apps/v1beta1, Kind=Deployment",
    ),
    (
        made(REPLICAS, {"replicas": 2}, {"availableReplicas": 1}),
        "Progressing",
        WAITING + "1 out of 2 new replicas are available...",
    ),
    (
        conditions(REPLICAS, {"type": "ReplicaFailure", "status": "True", "message": "quota"}),
        "Degraded",
        "quota",
    ),
    (
        made(STATEFUL, {}, {}, generation=1),
        "Progressing",
        "Waiting for statefulset spec update to be observed...",
    ),
    (stateful(ROLLING, readyReplicas=1), "Progressing", "Waiting for 2 pods to be ready..."),
    (
        stateful({**ROLLING, "rollingUpdate": {"partition": 0}}),
        "Progressing",
        "Waiting for partitioned roll out to finish: 2 out of 3 new pods have been updated...",
    ),
    (
        stateful({**ROLLING, "rollingUpdate": {"partition": 1}}),
        "Healthy",
        "partitioned roll out complete: 2 new pods have been updated...",
    ),
    (stateful({"type": "OnDelete"}), "Healthy", "statefulset has 3 ready pods"),
    (
        stateful(ROLLING, updateRevision="b", currentRevision="a"),
        "Progressing",
        "waiting for statefulset rolling update to complete 2 pods at revision b...",
    ),
    (
        stateful(ROLLING, updateRevision="b", currentRevision="b", currentReplicas=3),
        "Healthy",
        "statefulset rolling update complete 3 pods at revision b...",
    ),
    (
        daemons(3, 1, 1),
        "Progressing",
        'Waiting for daemon set "web" rollout to finish: 1 out of 3 new pods have been updated...',
    ),
    (
        daemons(3, 3, 1),
        "Progressing",
        'Waiting for daemon set "web" rollout to finish: 1 of 3 updated pods are available...',
    ),
    (daemons(3, 3, 3), "Healthy", ""),
    (
        daemons(3, 1, 1, "OnDelete"),
        "Healthy",
        "daemon set 1 out of 3 new pods have been updated",
    ),
    (pod("Pending", message="no node"), "Progressing", "no node"),
    (pod("Pending", "Always", waiting("ErrImagePull")), "Degraded", "said ErrImagePull"),
    (
        pod("Pending", "Always", waiting("CreateContainerError")),
        "Degraded",
        "said CreateContainerError",
    ),
    (pod("Pending", "Never", waiting("ImagePullBackOff")), "Progressing", ""),
    (pod("Pending", "Always", waiting("ContainerCreating")), "Progressing", ""),
    (pod("Running", conditions=[READY]), "Healthy", ""),
    (pod("Running", "Always", BEFORE), "Degraded", ""),
    (pod("Running"), "Progressing", ""),
    (pod("Running", "OnFailure", conditions=[READY]), "Progressing", ""),
    (pod("Succeeded", "Never"), "Healthy", ""),
    (
        pod("Failed", "Never", ended(exitCode=3)),
        "Degraded",
        'container "app" failed with exit code 3',
    ),
    (pod("Failed", "Never", ended(exitCode=137, reason="OOMKilled")), "Degraded", "OOMKilled"),
    (pod("Failed", "Never", ended(exitCode=1, message="bad flag")), "Degraded", "bad flag"),
    (pod("Failed", "Never", message="evicted"), "Degraded", "evicted"),
    (pod("Strange"), "Unknown", ""),
    (made("v1 Service", {"type": "ClusterIP"}), "Healthy", ""),
    (made("v1 Service", {"type": "LoadBalancer"}), "Progressing", ""),
    (
        made("v1 Service", {"type": "LoadBalancer"}, {"loadBalancer": {"ingress": [{"ip": "1"}]}}),
        "Healthy",
        "",
    ),
    (made("v1 PersistentVolumeClaim", {}, {"phase": "Lost"}), "Degraded", ""),
    (made("v1 PersistentVolumeClaim", {}, {"phase": "Pending"}), "Progressing", ""),
    (made("v1 PersistentVolumeClaim", {}, {"phase": "Bound"}), "Healthy", ""),
    (made("v1 PersistentVolumeClaim", {}, {}), "Unknown", ""),
    (made("networking.k8s.io/v1 Ingress", {}, {}), "Progressing", ""),
    (
        made("networking.k8s.io/v1 Ingress", {}, {"loadBalancer": {"ingress": [{"ip": "1"}]}}),
        "Healthy",
        "",
    ),
    (conditions(JOB), "Progressing", ""),
    (conditions(JOB, DONE), "Healthy", "well"),
    (conditions(JOB, FAILED), "Degraded", "too often"),
    (conditions(JOB, {"type": "Suspended", "status": "True", "message": "x"}), "Suspended", ""),
    (conditions(JOB, {"type": "Suspended", "status": "False", "message": "on"}), "Healthy", "on"),
    (made(CRON, {"suspend": True}), "Healthy", "CronJob is Suspended"),
    (made(CRON, {}), "Progressing", "Waiting for CronJob"),
    (cron(), "Healthy", "CronJob has not been scheduled yet"),
    (
        cron(lastScheduleTime=EARLY),
        "Healthy",
        "The CronJob never completed successfully. It may not be healthy",
    ),
    (
        cron(lastScheduleTime=LATE, lastSuccessfulTime=EARLY, active=[{"name": "one"}]),
        "Healthy",
        "The job is running. Its last execution may not have been successful",
    ),
    (
        cron(lastScheduleTime=LATE, lastSuccessfulTime=EARLY),
        "Degraded",
        "CronJob has not completed its last execution successfully",
    ),
    (
        cron(lastScheduleTime=EARLY, lastSuccessfulTime=LATE),
        "Healthy",
        "CronJob has completed its last execution successfully",
    ),
    (conditions(AUTOSCALER), "Progressing", "Waiting to Autoscale"),
    (
        conditions(
            AUTOSCALER, {"type": "ScalingActive", "reason": "InvalidSelector", "message": "m"}
        ),
        "Degraded",
        "m",
    ),
    (
        conditions(AUTOSCALER, {"type": "AbleToScale", "status": "True", "message": "can"}),
        "Healthy",
        "can",
    ),
    (
        conditions(
            "apiregistration.k8s.io/v1 APIService",
            {"type": "Available", "status": "False", "reason": "Missing", "message": "gone"},
        ),
        "Progressing",
        "Missing: gone",
    ),
    (
        made(ROLLOUT, {}, {"phase": "Paused", "message": "CanaryPauseStep"}),
        "Suspended",
        "CanaryPauseStep",
    ),
    (
        made(ROLLOUT, {}, {"phase": "Healthy", "observedGeneration": "3"}, generation=4),
        "Progressing",
        "Waiting for rollout spec update to be observed",
    ),
    (made(ROLLOUT, {}, {"phase": "Degraded", "message": "aborted"}), "Degraded", "aborted"),
    (
        made(ROLLOUT, {"replicas": 1}, {}),
        "Progressing",
        "Waiting for rollout to finish: status has not been reconciled.",
    ),
    (
        made(
            "gateway.networking.k8s.io/v1 HTTPRoute",
            {},
            {
                "parents": [
                    {
                        "parentRef": {"name": "edge"},
                        "conditions": [
                            {"type": "Accepted", "status": "False", "message": "no host"}
                        ],
                    }
                ]
            },
        ),
        "Degraded",
        "Parent edge: no host",
    ),
    (
        conditions("policy/v1 PodDisruptionBudget", {"status": "False", "reason": "SyncFailed"}),
        "Degraded",
        "PodDisruptionBudget has SyncFailed",
    ),
    (
        conditions(
            "apiextensions.k8s.io/v1 CustomResourceDefinition",
            {"type": "Established", "status": "True"},
        ),
        "Healthy",
        "CRD is healthy",
    ),
    (made("v1 Pod", deletionTimestamp="2026-01-01T00:00:00Z"), "Progressing", "Pending deletion"),
]


@pytest.mark.parametrize(("obj", "status", "message"), CASES)
def test_an_object_is_as_healthy_as_argo_cd_says(obj: Json, status: str, message: str) -> None:
    assert health.of(obj) == Health(status, message)


@pytest.mark.parametrize("kind", ["v1 ConfigMap", "argoproj.io/v1alpha1 Application", "x/v1 Thing"])
def test_a_kind_without_a_rule_has_no_health(kind: str) -> None:
    assert health.of(made(kind)) is None


def test_a_hook_that_only_waits_for_its_finalizer_is_judged_by_what_it_did() -> None:
    hook = made(
        JOB,
        {},
        {"conditions": [DONE]},
        deletionTimestamp="2026-01-01T00:00:00Z",
        finalizers=["argocd.argoproj.io/hook-finalizer"],
    )
    assert health.of(hook) == Health("Healthy", "well")


def test_a_status_of_a_wrong_type_is_unknown_and_says_so() -> None:
    found = health.of(made(DEPLOYMENT, {"replicas": "many"}, {}))
    assert found is not None
    assert found.status == "Unknown"
    assert "cannot be read" in found.message


@pytest.mark.parametrize(
    ("given", "worst"),
    [
        ([], "Healthy"),
        (["Healthy", "Suspended"], "Suspended"),
        (["Progressing", "Suspended"], "Progressing"),
        (["Missing", "Progressing"], "Missing"),
        (["Missing", "Degraded"], "Degraded"),
        (["Unknown", "Degraded"], "Unknown"),
    ],
)
def test_the_worst_of_several_counts(given: list[str], worst: str) -> None:
    assert health.worst(given) == worst
