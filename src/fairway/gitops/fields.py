"""Every field of Argo CD's objects, as OpenAPI is made of it: what there is, not what is done.

What a field means is Argo CD's to say:
https://argo-cd.readthedocs.io/en/stable/user-guide/application-specification/
"""

from __future__ import annotations

from typing import Final

from fairway.kube.crd import Fields, Typed

_PAIRS: Final[list[Fields]] = [{"name!": "string", "value!": "string"}]
_TEXTS: Final[Fields] = {"*": "string"}
_VARIABLES: Final[list[Fields]] = [{"code": "bool", "name!": "string", "value!": "string"}]
_DIRECTORY: Final[Fields] = {
    "exclude": "string",
    "include": "string",
    "jsonnet": {"extVars": _VARIABLES, "libs": ["string"], "tlas": _VARIABLES},
    "recurse": "bool",
}
_HELM: Final[Fields] = {
    "apiVersions": ["string"],
    "fileParameters": [{"name": "string", "path": "string"}],
    "ignoreMissingValueFiles": "bool",
    "kubeVersion": "string",
    "namespace": "string",
    "parameters": [{"forceString": "bool", "name": "string", "value": "string"}],
    "passCredentials": "bool",
    "releaseName": "string",
    "skipCrds": "bool",
    "skipSchemaValidation": "bool",
    "skipTests": "bool",
    "valueFiles": ["string"],
    "values": "string",
    "valuesObject": "any",
    "version": "string",
}
_PATCH_TARGET: Final[Fields] = dict.fromkeys(
    ("annotationSelector", "group", "kind", "labelSelector", "name", "namespace", "version"),
    "string",
)
_KUSTOMIZE: Final[Fields] = {
    "apiVersions": ["string"],
    "commonAnnotations": _TEXTS,
    "commonAnnotationsEnvsubst": "bool",
    "commonLabels": _TEXTS,
    "components": ["string"],
    "forceCommonAnnotations": "bool",
    "forceCommonLabels": "bool",
    "ignoreMissingComponents": "bool",
    "images": ["string"],
    "kubeVersion": "string",
    "labelIncludeTemplates": "bool",
    "labelWithoutSelector": "bool",
    "namePrefix": "string",
    "nameSuffix": "string",
    "namespace": "string",
    "patches": [
        {"options": {"*": "bool"}, "patch": "string", "path": "string", "target": _PATCH_TARGET}
    ],
    "replicas": [{"count!": "int-or-string", "name!": "string"}],
    "version": "string",
}
_PLUGIN: Final[Fields] = {
    "env": _PAIRS,
    "name": "string",
    "parameters": [{"array": ["string"], "map": _TEXTS, "name": "string", "string": "string"}],
}
_RENDERING: Final[Fields] = {
    "directory": _DIRECTORY,
    "helm": _HELM,
    "kustomize": _KUSTOMIZE,
    "plugin": _PLUGIN,
}
_SOURCE: Final[Fields] = {
    **_RENDERING,
    "chart": "string",
    "name": "string",
    "path": "string",
    "ref": "string",
    "repoURL!": "string",
    "tagPrefix": "string",
    "targetRevision": "string",
}
_DESTINATION: Final[Fields] = {"name": "string", "namespace": "string", "server": "string"}
_IGNORED: Final[list[Fields]] = [
    {
        "group": "string",
        "jqPathExpressions": ["string"],
        "jsonPointers": ["string"],
        "kind!": "string",
        "managedFieldsManagers": ["string"],
        "name": "string",
        "namespace": "string",
    }
]
_NAMESPACE_METADATA: Final[Fields] = {"annotations": _TEXTS, "labels": _TEXTS}
_RETRY: Final[Fields] = {
    "backoff": {"duration": "string", "factor": "int64", "maxDuration": "string"},
    "limit": "int64",
    "refresh": "bool",
}
_INITIATOR: Final[Fields] = {"automated": "bool", "username": "string"}
_OPERATION: Final[Fields] = {
    "info": _PAIRS,
    "initiatedBy": _INITIATOR,
    "retry": _RETRY,
    "sync": {
        "autoHealAttemptsCount": "int64",
        "dryRun": "bool",
        "manifests": ["string"],
        "prune": "bool",
        "resources": [
            {"group": "string", "kind!": "string", "name!": "string", "namespace": "string"}
        ],
        "revision": "string",
        "revisions": ["string"],
        "source": _SOURCE,
        "sources": [_SOURCE],
        "syncOptions": ["string"],
        "syncStrategy": {"apply": {"force": "bool"}, "hook": {"force": "bool"}},
    },
}
_SYNC_PATH: Final = Typed("string", {"minLength": 1, "pattern": r"^.{2,}|[^./]$"})
_HYDRATOR: Final[Fields] = {
    "drySource!": {
        **_RENDERING,
        "path!": "string",
        "repoURL!": "string",
        "targetRevision!": "string",
    },
    "hydrateTo": {"targetBranch!": "string"},
    "syncSource!": {"path!": _SYNC_PATH, "repoURL": "string", "targetBranch!": "string"},
}
_SPEC: Final[Fields] = {
    "destination!": _DESTINATION,
    "ignoreDifferences": _IGNORED,
    "info": _PAIRS,
    "project!": "string",
    "revisionHistoryLimit": "int64",
    "source": _SOURCE,
    "sourceHydrator": _HYDRATOR,
    "sources": [_SOURCE],
    "syncPolicy": {
        "automated": {
            "allowEmpty": "bool",
            "enabled": "bool",
            "prune": "bool",
            "selfHeal": "bool",
        },
        "managedNamespaceMetadata": _NAMESPACE_METADATA,
        "retry": _RETRY,
        "syncOptions": ["string"],
    },
}
_HEALTH: Final[Fields] = {"lastTransitionTime": "time", "message": "string", "status": "string"}
_RESULT: Final[Fields] = {
    "group!": "string",
    "hookPhase": "string",
    "hookType": "string",
    "images": ["string"],
    "kind!": "string",
    "message": "string",
    "name!": "string",
    "namespace!": "string",
    "status": "string",
    "syncPhase": "string",
    "version!": "string",
}
_HYDRATED: Final[Fields] = {
    "drySHA": "string",
    "hydratedSHA": "string",
    "sourceHydrator": _HYDRATOR,
}
_STATUS: Final[Fields] = {
    "conditions": [{"lastTransitionTime": "time", "message!": "string", "type!": "string"}],
    "controllerNamespace": "string",
    "health": _HEALTH,
    "history": [
        {
            "deployStartedAt": "time",
            "deployedAt!": "time",
            "id!": "int64",
            "initiatedBy": _INITIATOR,
            "revision": "string",
            "revisions": ["string"],
            "source": _SOURCE,
            "sources": [_SOURCE],
        }
    ],
    "observedAt": "time",
    "operationState": {
        "finishedAt": "time",
        "message": "string",
        "operation!": _OPERATION,
        "phase!": "string",
        "retryCount": "int64",
        "startedAt!": "time",
        "syncResult": {
            "managedNamespaceMetadata": _NAMESPACE_METADATA,
            "resources": [_RESULT],
            "revision!": "string",
            "revisions": ["string"],
            "source": _SOURCE,
            "sources": [_SOURCE],
        },
    },
    "reconciledAt": "time",
    "resourceHealthSource": "string",
    "resources": [
        {
            "group": "string",
            "health": _HEALTH,
            "hook": "bool",
            "kind": "string",
            "name": "string",
            "namespace": "string",
            "requiresDeletionConfirmation": "bool",
            "requiresPruning": "bool",
            "status": "string",
            "syncWave": "int64",
            "version": "string",
        }
    ],
    "sourceHydrator": {
        "currentOperation": {
            **_HYDRATED,
            "finishedAt": "time",
            "message!": "string",
            "phase!": Typed("string", {"enum": ["Hydrating", "Failed", "Hydrated"]}),
            "startedAt": "time",
        },
        "lastComparedDryRevision": "string",
        "lastSuccessfulOperation": _HYDRATED,
    },
    "sourceType": "string",
    "sourceTypes": ["string"],
    "summary": {"externalURLs": ["string"], "images": ["string"], "isAppOfApps": "bool"},
    "sync": {
        "comparedTo": {
            "destination!": _DESTINATION,
            "ignoreDifferences": _IGNORED,
            "source": _SOURCE,
            "sources": [_SOURCE],
        },
        "revision": "string",
        "revisions": ["string"],
        "status!": "string",
    },
}

APPLICATION_FIELDS: Final[Fields] = {
    "operation": _OPERATION,
    "spec!": _SPEC,
    "status": _STATUS,
}
_GROUP_KIND: Final[Fields] = {"group!": "string", "kind!": "string"}
_TOKENS: Final[list[Fields]] = [{"exp": "int64", "iat!": "int64", "id": "string"}]
PROJECT_FIELDS: Final[Fields] = {
    "spec!": {
        "clusterResourceBlacklist": [{**_GROUP_KIND, "name": "string"}],
        "clusterResourceWhitelist": [{**_GROUP_KIND, "name": "string"}],
        "description": Typed("string", {"maxLength": 255}),
        "destinationServiceAccounts": [
            {"defaultServiceAccount!": "string", "namespace": "string", "server!": "string"}
        ],
        "destinations": [_DESTINATION],
        "namespaceResourceBlacklist": [_GROUP_KIND],
        "namespaceResourceWhitelist": [_GROUP_KIND],
        "orphanedResources": {
            "ignore": [{"group": "string", "kind": "string", "name": "string"}],
            "warn": "bool",
        },
        "permitOnlyProjectScopedClusters": "bool",
        "roles": [
            {
                "description": "string",
                "groups": ["string"],
                "jwtTokens": _TOKENS,
                "name!": "string",
                "policies": ["string"],
            }
        ],
        "signatureKeys": [{"keyID!": "string"}],
        "sourceIntegrity": {
            "git!": {
                "policies!": [
                    {
                        "gpg!": {"keys!": ["string"], "mode!": "string"},
                        "repos!": [{"url!": "string"}],
                    }
                ]
            }
        },
        "sourceNamespaces": ["string"],
        "sourceRepos": ["string"],
        "syncWindows": [
            {
                "andOperator": "bool",
                "applications": ["string"],
                "clusters": ["string"],
                "description": "string",
                "duration": "string",
                "kind": "string",
                "manualSync": "bool",
                "namespaces": ["string"],
                "schedule": "string",
                "syncOverrun": "bool",
                "timeZone": "string",
            }
        ],
    },
    "status": {"jwtTokensByRole": {"*": {"items": _TOKENS}}},
}
