"""The CRD `Rollout`: every field of the original, and which of them are supported so far."""

from __future__ import annotations

from typing import Final

from fairway.kube.crd import Column, Crd, Fields, Scale, Typed
from fairway.kube.kind import Kind
from fairway.kube.subset import Rule, refuse

GROUP: Final = "argoproj.io"
ROLLOUT: Final = Kind(GROUP, "v1alpha1", "rollouts", "Rollout")
PLUGIN: Final = "argoproj-labs/gatewayAPI"

_METADATA: Final[Fields] = {"annotations": {"*": "string"}, "labels": {"*": "string"}}
_SELECTOR: Final[Fields] = {
    "matchExpressions": [{"key!": "string", "operator!": "string", "values": ["string"]}],
    "matchLabels": {"*": "string"},
}
_ARGS: Final = [
    {
        "name!": "string",
        "value": "string",
        "valueFrom": {
            "fieldRef": {"fieldPath!": "string"},
            "podTemplateHashValue": "string",
        },
    }
]
_ANALYSIS: Final[Fields] = {
    "analysisRunMetadata": _METADATA,
    "args": _ARGS,
    "dryRun": [{"metricName!": "string"}],
    "measurementRetention": [{"limit!": "int32", "metricName!": "string"}],
    "templates": [{"clusterScope": "bool", "templateName": "string"}],
}
_AFFINITY: Final[Fields] = {
    "preferredDuringSchedulingIgnoredDuringExecution": {"weight!": "int32"},
    "requiredDuringSchedulingIgnoredDuringExecution": {},
}
_MATCH: Final[Fields] = {"exact": "string", "prefix": "string", "regex": "string"}
_EXPERIMENT: Final[Fields] = {
    "analyses": [
        {
            "args": _ARGS,
            "clusterScope": "bool",
            "name!": "string",
            "requiredForCompletion": "bool",
            "templateName!": "string",
        }
    ],
    "analysisRunMetadata": _METADATA,
    "dryRun": [{"metricName!": "string"}],
    "duration": "string",
    "scaleDownDelaySeconds": "int32",
    "templates!": [
        {
            "metadata": _METADATA,
            "name!": "string",
            "replicas": "int32",
            "selector": _SELECTOR,
            "service": {"name": "string"},
            "specRef!": "string",
            "weight": "int32",
        }
    ],
}
_STEP: Final[Fields] = {
    "analysis": _ANALYSIS,
    "experiment": _EXPERIMENT,
    "pause": {"duration": "int-or-string"},
    "plugin": {"config": "any", "name!": "string"},
    "setCanaryScale": {"matchTrafficWeight": "bool", "replicas": "int32", "weight": "int32"},
    "setHeaderRoute": {
        "match": [{"headerName!": "string", "headerValue!": _MATCH}],
        "name": "string",
    },
    "setMirrorRoute": {
        "match": [{"headers": {"*": _MATCH}, "method": _MATCH, "path": _MATCH}],
        "name!": "string",
        "percentage": "int32",
    },
    "setWeight": "int32",
}
_VIRTUAL_SERVICE: Final[Fields] = {
    "name!": "string",
    "routes": ["string"],
    "tcpRoutes": [{"port": "int64"}],
    "tlsRoutes": [{"port": "int64", "sniHosts": ["string"]}],
}
_ROUTING: Final[Fields] = {
    "alb": {
        "annotationPrefix": "string",
        "ingress": "string",
        "ingresses": ["string"],
        "rootService": "string",
        "servicePort!": "int32",
        "stickinessConfig": {"durationSeconds!": "int64", "enabled!": "bool"},
    },
    "ambassador": {"mappings!": ["string"]},
    "apisix": {"route": {"name!": "string", "rules": ["string"]}},
    "appMesh": {
        "virtualNodeGroup": {
            "canaryVirtualNodeRef!": {"name!": "string"},
            "stableVirtualNodeRef!": {"name!": "string"},
        },
        "virtualService": {"name!": "string", "routes": ["string"]},
    },
    "istio": {
        "destinationRule": {
            "additionalSubsetNames": ["string"],
            "canarySubsetName!": "string",
            "name!": "string",
            "stableSubsetName!": "string",
        },
        "virtualService": _VIRTUAL_SERVICE,
        "virtualServices": [_VIRTUAL_SERVICE],
    },
    "managedRoutes": [{"name!": "string"}],
    "maxTrafficWeight": "int32",
    "nginx": {
        "additionalIngressAnnotations": {"*": "string"},
        "annotationPrefix": "string",
        "canaryIngressAnnotations": {"*": "string"},
        "stableIngress": "string",
        "stableIngresses": ["string"],
    },
    "plugins": "any",
    "smi": {"rootService": "string", "trafficSplitName": "string"},
    "traefik": {"weightedTraefikServiceName!": "string"},
}
_BLUE_GREEN: Final[Fields] = {
    "abortScaleDownDelaySeconds": "int32",
    "activeMetadata": _METADATA,
    "activeService!": "string",
    "antiAffinity": _AFFINITY,
    "autoPromotionEnabled": "bool",
    "autoPromotionSeconds": "int32",
    "maxUnavailable": "int-or-string",
    "postPromotionAnalysis": _ANALYSIS,
    "prePromotionAnalysis": _ANALYSIS,
    "previewMetadata": _METADATA,
    "previewReplicaCount": "int32",
    "previewService": "string",
    "scaleDownDelayRevisionLimit": "int32",
    "scaleDownDelaySeconds": "int32",
}
_CANARY: Final[Fields] = {
    "abortScaleDownDelaySeconds": "int32",
    "analysis": {**_ANALYSIS, "startingStep": "int32"},
    "antiAffinity": _AFFINITY,
    "canaryMetadata": _METADATA,
    "canaryService": "string",
    "dynamicStableScale": "bool",
    "maxSurge": "int-or-string",
    "maxUnavailable": "int-or-string",
    "minPodsPerReplicaSet": "int32",
    "pingPong": {"pingService!": "string", "pongService!": "string"},
    "replicaProgressThreshold": {"type!": "string", "value!": "int32"},
    "scaleDownDelayRevisionLimit": "int32",
    "scaleDownDelaySeconds": "int32",
    "stableMetadata": _METADATA,
    "stableService": "string",
    "steps": [_STEP],
    "trafficRouting": _ROUTING,
}
_SPEC: Final[Fields] = {
    "analysis": {"successfulRunHistoryLimit": "int32", "unsuccessfulRunHistoryLimit": "int32"},
    "minReadySeconds": "int32",
    "paused": "bool",
    "progressDeadlineAbort": "bool",
    "progressDeadlineSeconds": "int32",
    "replicas": "int32",
    "restartAt": "time",
    "revisionHistoryLimit": "int32",
    "rollbackWindow": {"revisions": "int32"},
    "selector": Typed(
        _SELECTOR,
        {
            "x-kubernetes-validations": [
                {"rule": "self == oldSelf", "message": ".spec.selector is immutable"}
            ]
        },
    ),
    "strategy": {"blueGreen": _BLUE_GREEN, "canary": _CANARY},
    "template": "any",
    "workloadRef": {
        "apiVersion": "string",
        "kind": "string",
        "name": "string",
        "scaleDown": "string",
    },
}
_GROUP: Final[Fields] = {"arn!": "string", "fullName": "string", "name!": "string"}
_ALB: Final[Fields] = {
    "canaryTargetGroup": _GROUP,
    "ingress": "string",
    "loadBalancer": _GROUP,
    "stableTargetGroup": _GROUP,
}
_RUN: Final[Fields] = {"message": "string", "name!": "string", "status!": "string"}
_WEIGHT: Final[Fields] = {
    "podTemplateHash": "string",
    "serviceName": "string",
    "weight!": "int32",
}
_STATUS: Final[Fields] = {
    "HPAReplicas": "int32",
    "abort": "bool",
    "abortedAt": "time",
    "alb": _ALB,
    "albs": [_ALB],
    "availableReplicas": "int32",
    "blueGreen": {
        "activeSelector": "string",
        "postPromotionAnalysisRunStatus": _RUN,
        "prePromotionAnalysisRunStatus": _RUN,
        "previewSelector": "string",
        "scaleUpPreviewCheckPoint": "bool",
    },
    "canary": {
        "currentBackgroundAnalysisRunStatus": _RUN,
        "currentExperiment": "string",
        "currentStepAnalysisRunStatus": _RUN,
        "stablePingPong": "string",
        "stepPluginStatuses": [
            {
                "backoff": "string",
                "disabled": "bool",
                "executions": "int32",
                "finishedAt": "time",
                "index!": "int32",
                "message": "string",
                "name!": "string",
                "operation!": "string",
                "phase": "string",
                "startedAt": "time",
                "status": "any",
                "updatedAt": "time",
            }
        ],
        "weights": {
            "additional": [_WEIGHT],
            "canary!": _WEIGHT,
            "stable!": _WEIGHT,
            "verified": "bool",
        },
    },
    "collisionCount": "int32",
    "conditions": [
        {
            "lastTransitionTime!": "time",
            "lastUpdateTime!": "time",
            "message!": "string",
            "reason!": "string",
            "status!": "string",
            "type!": "string",
        }
    ],
    "controllerPause": "bool",
    "currentPodHash": "string",
    "currentStepHash": "string",
    "currentStepIndex": "int32",
    "message": "string",
    "observedGeneration": "string",
    "pauseConditions": [{"reason!": "string", "startTime!": "time"}],
    "phase": "string",
    "promoteFull": "bool",
    "readyReplicas": "int32",
    "replicas": "int32",
    "restartedAt": "time",
    "selector": "string",
    "stableRS": "string",
    "updatedReplicas": "int32",
    "workloadObservedGeneration": "string",
}

ROLLOUT_CRD: Final = Crd(
    kind=ROLLOUT,
    fields={"spec!": _SPEC, "status": _STATUS},
    short=("ro",),
    scale=Scale(status=".status.HPAReplicas", selector=".status.selector"),
    columns=(
        Column("Desired", ".spec.replicas", "integer"),
        Column("Current", ".status.replicas", "integer"),
        Column("Up-to-date", ".status.updatedReplicas", "integer"),
        Column("Available", ".status.availableReplicas", "integer"),
        Column("Age", ".metadata.creationTimestamp", "date"),
    ),
)

_AT: Final = "spec.strategy.canary"
_PLUGIN: Final = f"{_AT}.trafficRouting.plugins.*"
RULES: Final[tuple[Rule, ...]] = (
    *refuse(
        "spec.workloadRef",
        "spec.restartAt",
        "spec.strategy.blueGreen.activeMetadata",
        "spec.strategy.blueGreen.antiAffinity",
        "spec.strategy.blueGreen.previewMetadata",
        f"{_AT}.antiAffinity",
        f"{_AT}.canaryMetadata",
        f"{_AT}.pingPong",
        f"{_AT}.replicaProgressThreshold",
        f"{_AT}.stableMetadata",
        f"{_AT}.steps[].experiment",
        f"{_AT}.steps[].plugin",
        f"{_AT}.steps[].setHeaderRoute",
        f"{_AT}.steps[].setMirrorRoute",
        f"{_AT}.trafficRouting.alb",
        f"{_AT}.trafficRouting.ambassador",
        f"{_AT}.trafficRouting.apisix",
        f"{_AT}.trafficRouting.appMesh",
        f"{_AT}.trafficRouting.istio",
        f"{_AT}.trafficRouting.nginx",
        f"{_AT}.trafficRouting.smi",
        f"{_AT}.trafficRouting.traefik",
    ),
    Rule(f"{_AT}.dynamicStableScale", allow=(False,)),
    Rule(f"{_AT}.trafficRouting.maxTrafficWeight", allow=(100,)),
    Rule(f"{_AT}.trafficRouting.managedRoutes", allow=([],)),
    Rule(f"{_AT}.trafficRouting.plugins", keys=(PLUGIN,)),
    Rule(
        _PLUGIN,
        keys=(
            "httpRoute",
            "httpRoutes",
            "namespace",
            "disableInProgressLabel",
            "inProgressLabelKey",
            "inProgressLabelValue",
        ),
    ),
    Rule(f"{_PLUGIN}.httpRoutes[].useHeaderRoutes", allow=(False,)),
)
