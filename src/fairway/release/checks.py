"""Verifications: an AnalysisRun of a template, or a build. Started once, read until they ended."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from fairway.kube import Kube
from fairway.kube.errors import KubeExists
from fairway.kube.fleet import find
from fairway.kube.kind import Kind
from fairway.model.errors import FairwayError, NotFound
from fairway.model.release import Release, Verification
from fairway.release import making
from fairway.release.ports import Deps
from fairway.release.spec import AnalysisCheck, Environment, PipelineCheck, VerificationGate
from fairway.store import promotions

_GROUP: Final = "argoproj.io"
RUN: Final = Kind(_GROUP, "v1alpha1", "analysisruns", "AnalysisRun")
TEMPLATE: Final = Kind(_GROUP, "v1alpha1", "analysistemplates", "AnalysisTemplate")
CLUSTER_TEMPLATE: Final = Kind(
    _GROUP, "v1alpha1", "clusteranalysistemplates", "ClusterAnalysisTemplate", namespaced=False
)
RELEASE: Final = "fairway.dev/release"
_ENDED: Final = {"Successful": "passed", "Failed": "failed", "Error": "failed",
                 "Inconclusive": "failed"}  # fmt: skip
Json = dict[str, Any]


def key_of(check: VerificationGate, turn: int) -> str:
    """A check's name in the records of its `turn`: whoever promotes a release again after it was
    refused wants to know anew."""
    return f"{check.key}#{turn}" if turn else check.key


async def start(
    deps: Deps, release: Release, place: Environment, check: VerificationGate, *, turn: int = 0
) -> None:
    """Start a check of a release in an environment, once for each turn. A check that cannot be
    started failed.

    Raises what may be tried again.
    """
    key = key_of(check, turn)
    try:
        if check.pipeline is not None:
            reference = await _pipeline(deps, release, place, check.pipeline, key=key)
        else:
            assert check.analysis is not None  # noqa: S101 the reader checked
            reference = await _analysis(deps, release, place, check.analysis, turn=turn)
        verdict = message = ""
    except FairwayError as error:
        if error.retriable:
            raise
        reference, verdict, message = "", "failed", str(error)
    made = Verification(
        release=release.id,
        environment=place.name,
        key=key,
        reference=reference,
        verdict=verdict,
        message=message,
    )
    await deps.database.write(promotions.verify, made)


async def _pipeline(
    deps: Deps, release: Release, place: Environment, check: PipelineCheck, *, key: str
) -> str:
    parameters = {
        "FAIRWAY_DELIVERY": release.delivery,
        "FAIRWAY_SERVICE": release.service,
        "FAIRWAY_VERSION": release.version,
        "FAIRWAY_DIGEST": release.digest,
        "FAIRWAY_ENVIRONMENT": place.name,
    }
    slug = check.repository or release.repository
    name = f"verify/{release.id}/{place.name}/{key}"
    return await deps.pipelines.start(slug, check, parameters, key=name)


async def _analysis(
    deps: Deps, release: Release, place: Environment, check: AnalysisCheck, *, turn: int
) -> str:
    namespace = await making.destination(deps, place.application_of(release.service))
    kube = find(deps.fleet, name=place.cluster).client()
    kind = CLUSTER_TEMPLATE if check.cluster_scope else TEMPLATE
    template = await kube.find(kind, check.template, "" if check.cluster_scope else namespace)
    if template is None:
        raise NotFound(
            f"there is no {kind} {check.template} in {namespace}", code="no-analysis-template"
        )
    seed = f"{release.delivery}/{release.id}/{place.name}/{sorted(check.args.items())}"
    seed += f"/{turn}" if turn else ""
    name = f"{check.template}-{hashlib.sha256(seed.encode()).hexdigest()[:10]}"
    made = run_of(template, name, namespace, release=release, args=check.args)
    await _create(kube, made)
    return f"{place.cluster}/{namespace}/{name}"


async def _create(kube: Kube, made: Json) -> None:
    try:
        await kube.create(RUN, made)
    except KubeExists:  # a crash came between it and its record
        return


def run_of(
    template: Mapping[str, Any],
    name: str,
    namespace: str,
    *,
    release: Release,
    args: Mapping[str, str],
) -> Json:
    """An AnalysisRun of a template with values of its arguments. Pure."""
    spec = template.get("spec") or {}
    known = {
        "fairway-version": release.version,
        "fairway-digest": release.digest,
        "fairway-service": release.service,
        **args,
    }
    values = []
    for one in spec.get("args") or ():
        given = known.get(one["name"])
        values.append({"name": one["name"], "value": given} if given is not None else dict(one))
    parts = {part: spec[part] for part in ("metrics", "dryRun", "measurementRetention")
             if part in spec}  # fmt: skip
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {RELEASE: str(release.id)},
        },
        "spec": {**parts, "args": values},
    }


async def read(deps: Deps, one: Verification) -> None:
    """Write down the verdict of a check that has ended. Raises what may be tried again."""
    if one.key.startswith("pipeline/"):
        verdict, message = await deps.pipelines.verdict(one.reference)
    else:
        verdict, message = await _analysis_verdict(deps, one.reference)
    if verdict:
        await deps.database.write(promotions.verified, one.id, verdict, message)


async def _analysis_verdict(deps: Deps, reference: str) -> tuple[str, str]:
    cluster, namespace, name = reference.split("/")
    kube = find(deps.fleet, name=cluster).client()
    found = await kube.find(RUN, name, namespace)
    if found is None:
        return "failed", f"the AnalysisRun {name} is gone"
    status = found.get("status") or {}
    phase = str(status.get("phase", ""))
    return _ENDED.get(phase, ""), str(status.get("message", "")) or f"AnalysisRun {name}: {phase}"
