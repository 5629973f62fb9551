"""The kinds of Argo CD's objects, and what of them is done: the rest is refused with its path."""

from __future__ import annotations

from typing import Final

from fairway.gitops.fields import APPLICATION_FIELDS, PROJECT_FIELDS
from fairway.kube import Kind
from fairway.kube.crd import Column, Crd
from fairway.kube.subset import Rule, refuse

GROUP: Final = "argoproj.io"
APPLICATION: Final = Kind(GROUP, "v1alpha1", "applications", "Application")
PROJECT: Final = Kind(GROUP, "v1alpha1", "appprojects", "AppProject")

# The status is no subresource, as in the original: clients of Argo CD's write it by plain updates.
APPLICATION_CRD: Final = Crd(
    kind=APPLICATION,
    fields=APPLICATION_FIELDS,
    short=("app", "apps"),
    status=False,
    columns=(
        Column("Sync Status", ".status.sync.status"),
        Column("Health Status", ".status.health.status"),
        Column("Revision", ".status.sync.revision", priority=10),
        Column("Project", ".spec.project", priority=10),
    ),
)

PROJECT_CRD: Final = Crd(
    kind=PROJECT,
    fields=PROJECT_FIELDS,
    short=("appproj", "appprojs"),
    status=False,
)

OPTIONS: Final = (
    "CreateNamespace=true",
    "CreateNamespace=false",
    "ServerSideApply=true",
    "ServerSideApply=false",
    "Prune=true",
    "Prune=false",
    "Delete=true",
    "Delete=false",
    "PruneLast=true",
    "PruneLast=false",
    "ApplyOutOfSyncOnly=true",
    "ApplyOutOfSyncOnly=false",
    "Validate=true",
    "Validate=false",
    "PrunePropagationPolicy=foreground",
    "PrunePropagationPolicy=background",
    "PrunePropagationPolicy=orphan",
    "SkipDryRunOnMissingResource=true",
    "SkipDryRunOnMissingResource=false",
    "Replace=false",
    "Force=false",
    "RespectIgnoreDifferences=false",
    "FailOnSharedResource=false",
)


def _source_rules(at: str) -> tuple[Rule, ...]:
    """What of a source is outside of the subset."""
    return (
        *refuse(f"{at}.plugin", f"{at}.directory.jsonnet"),
        Rule(f"{at}.ref", allow=("",)),
        Rule(f"{at}.tagPrefix", allow=("",)),
        Rule(f"{at}.helm.passCredentials", allow=(False,)),
        Rule(f"{at}.kustomize.commonAnnotationsEnvsubst", allow=(False,)),
        *refuse(*(f"{at}.kustomize.{name}" for name in ("version", "kubeVersion", "apiVersions"))),
    )


APPLICATION_RULES: Final = (
    *refuse("spec.sources", "spec.sourceHydrator"),
    *_source_rules("spec.source"),
    *refuse(
        "spec.ignoreDifferences[].jqPathExpressions",
        "spec.ignoreDifferences[].managedFieldsManagers",
        "spec.syncPolicy.managedNamespaceMetadata",
    ),
    Rule("spec.syncPolicy.syncOptions[]", allow=OPTIONS),
    *refuse("operation.sync.manifests", "operation.sync.sources", "operation.sync.revisions"),
    *_source_rules("operation.sync.source"),
    Rule("operation.sync.syncOptions[]", allow=OPTIONS),
    Rule("operation.sync.syncStrategy.apply.force", allow=(False,)),
    Rule("operation.sync.syncStrategy.hook.force", allow=(False,)),
)
PROJECT_RULES: Final = (
    *refuse(
        "spec.destinationServiceAccounts",
        "spec.orphanedResources",
        "spec.roles",
        "spec.signatureKeys",
        "spec.sourceIntegrity",
        "spec.sourceNamespaces",
        "spec.syncWindows",
    ),
)
