"""The kinds of analysis, every field of Argo Rollouts' known; and what of them is not supported.

Two things are ours: `provider.fairway`, and the same below `provider.plugin["fairway.dev/gateway"]`
for clusters whose definitions were installed by Argo Rollouts.
"""

from __future__ import annotations

from typing import Any, Final

from fairway.kube.crd import Column, Crd, Typed
from fairway.kube.kind import Kind
from fairway.kube.subset import Rule

GROUP: Final = "argoproj.io"
ANALYSIS_RUN: Final = Kind(GROUP, "v1alpha1", "analysisruns", "AnalysisRun")
ANALYSIS_TEMPLATE: Final = Kind(GROUP, "v1alpha1", "analysistemplates", "AnalysisTemplate")
CLUSTER_ANALYSIS_TEMPLATE: Final = Kind(
    GROUP, "v1alpha1", "clusteranalysistemplates", "ClusterAnalysisTemplate", namespaced=False
)
EXPERIMENT: Final = Kind(GROUP, "v1alpha1", "experiments", "Experiment")
PLUGIN: Final = "fairway.dev/gateway"

_AUTHENTICATION: Final = {
    "oauth2": {
        "clientId": "string",
        "clientSecret": "string",
        "scopes": ["string"],
        "tokenUrl": "string",
    },
    "sigv4": {"profile": "string", "region": "string", "roleArn": "string"},
}
_HEADERS: Final = [{"key!": "string", "value!": "string"}]
_SCOPE: Final = {
    "end": "string",
    "region!": "string",
    "scope!": "string",
    "start": "string",
    "step!": "int64",
}
_CLOUD_WATCH: Final = {
    "interval": "string",
    "metricDataQueries!": [
        {
            "expression": "string",
            "id": "string",
            "label": "string",
            "metricStat": {
                "metric": {
                    "dimensions": [{"name": "string", "value": "string"}],
                    "metricName": "string",
                    "namespace": "string",
                },
                "period": "int-or-string",
                "stat": "string",
                "unit": "string",
            },
            "period": "int-or-string",
            "returnData": "bool",
        }
    ],
}
_AGGREGATORS: Final = ["avg", "min", "max", "sum", "last", "percentile", "mean", "l2norm", "area"]
_DATADOG: Final = {
    "aggregator": Typed("string", {"enum": _AGGREGATORS}),
    "apiVersion": Typed("string", {"enum": ["v1", "v2"], "default": "v1"}),
    "formula": "string",
    "interval": Typed("string", {"default": "5m"}),
    "queries": {"*": "string"},
    "query": "string",
    "requestTimeout": Typed("string", {"default": "10s"}),
    "secretRef": {"name": "string", "namespaced": "bool"},
}
_KAYENTA: Final = {
    "address!": "string",
    "application!": "string",
    "canaryConfigName!": "string",
    "configurationAccountName!": "string",
    "lookback": "bool",
    "metricsAccountName!": "string",
    "scopes!": [{"controlScope!": _SCOPE, "experimentScope!": _SCOPE, "name!": "string"}],
    "storageAccountName!": "string",
    "threshold!": {"marginal!": "int64", "pass!": "int64"},
}
_PROMETHEUS: Final = {
    "address": "string",
    "authentication": _AUTHENTICATION,
    "headers": _HEADERS,
    "insecure": "bool",
    "query": "string",
    "rangeQuery": {"end": "string", "start": "string", "step": "string"},
    "timeout": "int64",
}
_WEB: Final = {
    "authentication": _AUTHENTICATION,
    "body": "string",
    "headers": _HEADERS,
    "insecure": "bool",
    "jsonBody": "any",
    "jsonPath": "string",
    "method": "string",
    "timeoutSeconds": "int64",
    "url!": "string",
}
FAIRWAY: Final = {
    "service!": "string",
    "version": "string",
    "window": "string",
    "minRequests": "int-or-string",
}
_PROVIDER: Final = {
    "cloudWatch": _CLOUD_WATCH,
    "datadog": _DATADOG,
    "fairway": FAIRWAY,
    "graphite": {"address": "string", "query": "string"},
    "influxdb": {"profile": "string", "query": "string"},
    "job": {"metadata": "any", "spec!": "any"},
    "kayenta": _KAYENTA,
    "newRelic": {"profile": "string", "query!": "string", "timeout": "int64"},
    "plugin": "any",
    "prometheus": _PROMETHEUS,
    "skywalking": {"address": "string", "interval": "string", "query": "string"},
    "wavefront": {"address": "string", "query": "string"},
    "web": _WEB,
}
_METRIC: Final = {
    "consecutiveErrorLimit": "int-or-string",
    "consecutiveSuccessLimit": "int-or-string",
    "count": "int-or-string",
    "failureCondition": "string",
    "failureLimit": "int-or-string",
    "inconclusiveLimit": "int-or-string",
    "initialDelay": "string",
    "interval": "string",
    "name!": "string",
    "provider!": _PROVIDER,
    "successCondition": "string",
}
_ARGS: Final = [
    {
        "name!": "string",
        "value": "string",
        "valueFrom": {
            "fieldRef": {"fieldPath!": "string"},
            "secretKeyRef": {"key!": "string", "name!": "string"},
        },
    }
]
_COMMON: Final = {
    "args": _ARGS,
    "dryRun": [{"metricName!": "string"}],
    "measurementRetention": [{"limit!": "int32", "metricName!": "string"}],
}
_TEMPLATE: Final = {
    **_COMMON,
    "metrics": [_METRIC],
    "templates": [{"clusterScope": "bool", "templateName": "string"}],
}
_SUMMARY: Final = {
    "count": "int32",
    "error": "int32",
    "failed": "int32",
    "inconclusive": "int32",
    "successful": "int32",
}
_MEASUREMENT: Final = {
    "finishedAt": "time",
    "message": "string",
    "metadata": {"*": "string"},
    "phase!": "string",
    "resumeAt": "time",
    "startedAt": "time",
    "value": "string",
}
_RESULT: Final = {
    **_SUMMARY,
    "consecutiveError": "int32",
    "consecutiveSuccess": "int32",
    "dryRun": "bool",
    "measurements": [_MEASUREMENT],
    "message": "string",
    "metadata": {"*": "string"},
    "name!": "string",
    "phase!": "string",
}
_RUN: Final[dict[str, Any]] = {
    "spec!": {
        **_COMMON,
        "metrics!": [_METRIC],
        "terminate": "bool",
        "ttlStrategy": {
            "secondsAfterCompletion": "int32",
            "secondsAfterFailure": "int32",
            "secondsAfterSuccess": "int32",
        },
    },
    "status": {
        "completedAt": "time",
        "dryRunSummary": _SUMMARY,
        "message": "string",
        "metricResults": [_RESULT],
        "phase!": "string",
        "runSummary": _SUMMARY,
        "startedAt": "time",
    },
}
_AGE: Final = Column("Age", ".metadata.creationTimestamp", "date")
CRDS: Final = (
    # The status is no subresource, as in the original: clients write both together.
    Crd(
        kind=ANALYSIS_RUN,
        fields=_RUN,
        short=("ar",),
        status=False,
        columns=(Column("Status", ".status.phase"), _AGE),
    ),
    Crd(
        kind=ANALYSIS_TEMPLATE,
        fields={"spec!": _TEMPLATE},
        short=("at",),
        status=False,
        columns=(_AGE,),
    ),
    Crd(
        kind=CLUSTER_ANALYSIS_TEMPLATE,
        fields={"spec!": _TEMPLATE},
        short=("cat",),
        status=False,
        columns=(_AGE,),
    ),
    # Not carried out: but Argo's command line shows nothing where this kind is not served.
    Crd(
        kind=EXPERIMENT,
        fields={"spec!": "any", "status": {"phase": "string", "message": "string"}},
        short=("exp",),
        status=False,
        columns=(Column("Status", ".status.phase"), _AGE),
    ),
)

_PLACE: Final = "spec.metrics[].provider."
RULES: Final = (
    *(
        Rule(_PLACE + name)
        for name in (
            "cloudWatch",
            "datadog",
            "graphite",
            "influxdb",
            "kayenta",
            "newRelic",
            "skywalking",
            "wavefront",
            "prometheus.authentication",
            "prometheus.rangeQuery",
            "web.authentication",
        )
    ),
    Rule(_PLACE + "plugin", keys=(PLUGIN,)),
)
"""What is refused, of runs and of both kinds of templates."""
EXPERIMENT_RULES: Final = (Rule("spec", why="of an Experiment is not supported yet"),)
