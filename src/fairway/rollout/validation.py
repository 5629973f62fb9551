"""What is wrong with a Rollout: outside of the subset, contradictory, or without what it names.

The sentences are those of Argo Rollouts where it has one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from fairway.kube import objects
from fairway.kube.subset import FieldProblem, unsupported
from fairway.rollout import steps
from fairway.rollout.crds import PLUGIN, RULES
from fairway.rollout.objects import MANAGED_BY, Rollout, given
from fairway.rollout.plan import Seen

_STRATEGY: Final = "spec.strategy"
_ONE_STEP: Final = (
    "Step must have one of the following set: experiment, setWeight, setCanaryScale, plugin "
    "or pause"
)
_KINDS: Final = ("setWeight", "pause", "analysis", "setCanaryScale")
_SAME: Final = (
    "This rollout uses the same service for the {} services, but two different services are "
    "required."
)


def problem(seen: Seen) -> FieldProblem | None:
    """The first thing that is wrong; None for a Rollout that can be worked on."""
    found = unsupported(seen.rollout, RULES)
    if found:
        return found[0]
    rollout = Rollout(seen.rollout)
    return next(_problems(rollout, seen), None)


def sentence(rollout: Rollout, found: FieldProblem) -> str:
    """As the condition tells it."""
    return f'The Rollout "{rollout.name}" is invalid: {found.path}: {found.message}'


def _problems(rollout: Rollout, seen: Seen) -> Iterator[FieldProblem]:
    yield from _spec(rollout)
    if rollout.canary is not None and rollout.blue_green is not None:
        yield FieldProblem(f"{_STRATEGY}.strategy", "Multiple Strategies can not be listed")
    elif rollout.canary is not None:
        yield from _canary(rollout)
    elif rollout.blue_green is not None:
        yield from _blue_green(rollout)
    else:
        words = "Rollout has missing field '.spec.strategy.canary or .spec.strategy.blueGreen'"
        yield FieldProblem(f"{_STRATEGY}.strategy", f"Required value: {words}")
    yield from _named(rollout, seen)


def _spec(rollout: Rollout) -> Iterator[FieldProblem]:
    selector = rollout.selector
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        yield FieldProblem(
            "spec.selector", "Required value: Rollout has missing field '.spec.selector'"
        )
    labels = (rollout.template.get("metadata") or {}).get("labels") or {}
    if not _matches(selector, labels):
        yield FieldProblem(
            "spec.template.metadata.labels", "`selector` does not match template `labels`"
        )
    if not (rollout.template.get("spec") or {}).get("containers"):
        yield FieldProblem("spec.template.spec.containers", "Required value")
    for name in ("replicas", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"):
        if given(rollout.spec.get(name), 0) < 0:
            yield FieldProblem(f"spec.{name}", "must be greater than or equal to 0")
    if rollout.deadline_s <= given(rollout.spec.get("minReadySeconds"), 0):
        yield FieldProblem("spec.progressDeadlineSeconds", "must be greater than minReadySeconds")


def _matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    same = all(
        labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items()
    )
    return same and all(_matching(one, labels) for one in selector.get("matchExpressions") or ())


def _matching(one: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = one["key"], one.get("values") or ()
    return {
        "In": labels.get(key) in values,
        "NotIn": labels.get(key) not in values,
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }.get(one["operator"], False)


def _blue_green(rollout: Rollout) -> Iterator[FieldProblem]:
    part, path = rollout.blue_green or {}, f"{_STRATEGY}.blueGreen"
    if part.get("activeService") == part.get("previewService"):
        yield FieldProblem(f"{path}.activeService", _SAME.format("active and preview"))
    limit = part.get("scaleDownDelayRevisionLimit")
    if limit is not None and given(rollout.spec.get("revisionHistoryLimit"), 10) < limit:
        yield FieldProblem(
            f"{path}.scaleDownDelayRevisionLimit",
            "This rollout's revision history limit can not be smaller than the rollout's scale "
            "down limit",
        )
    yield from _whole(part, ("maxUnavailable",), path)


def _canary(rollout: Rollout) -> Iterator[FieldProblem]:
    canary, path = rollout.canary or {}, f"{_STRATEGY}.canary"
    yield from _whole(canary, ("maxSurge", "maxUnavailable"), path)
    sizes = [str(canary.get(name, "25")).rstrip("%") for name in ("maxSurge", "maxUnavailable")]
    if sizes == ["0", "0"]:
        yield FieldProblem(f"{path}.maxSurge", "MaxSurge and MaxUnavailable both can not be zero")
    stable, new = canary.get("stableService"), canary.get("canaryService")
    if stable and stable == new:
        yield FieldProblem(f"{path}.stableService", _SAME.format("stable and canary"))
    if rollout.routing is None:
        if canary.get("scaleDownDelaySeconds") is not None:
            words = "Canary scaleDownDelaySeconds can only be used with traffic routing"
            yield FieldProblem(f"{path}.scaleDownDelaySeconds", words)
    else:
        yield from _routing(rollout)
    for place, step in enumerate(rollout.steps):
        yield from _step(step, f"{path}.steps[{place}]", routed=rollout.routing is not None)


def _whole(part: Mapping[str, Any], names: tuple[str, ...], path: str) -> Iterator[FieldProblem]:
    for name in names:
        value = part.get(name)
        if value is not None and not str(value).removesuffix("%").isdigit():
            yield FieldProblem(f"{path}.{name}", f"{value!r} is neither a number nor a percentage")


def _routing(rollout: Rollout) -> Iterator[FieldProblem]:
    canary, path = rollout.canary or {}, f"{_STRATEGY}.canary"
    if PLUGIN not in ((rollout.routing or {}).get("plugins") or {}):
        words = f'trafficRouting needs plugins["{PLUGIN}"]: no other router is supported yet'
        yield FieldProblem(f"{path}.trafficRouting", words)
    for name in ("stableService", "canaryService"):
        if not canary.get(name):
            words = "Canary service and Stable service must to be set to use Traffic Routing"
            yield FieldProblem(f"{path}.{name}", words)


def _step(step: Mapping[str, Any], path: str, *, routed: bool) -> Iterator[FieldProblem]:
    kinds = [name for name in _KINDS if step.get(name) is not None]
    if len(kinds) != 1:
        yield FieldProblem(path, _ONE_STEP)
        return
    if kinds == ["setWeight"] and not 0 <= step["setWeight"] <= 100:
        yield FieldProblem(f"{path}.setWeight", "SetWeight needs to be between 0 and 100")
    if kinds == ["pause"]:
        duration = step["pause"].get("duration")
        if duration is not None and steps.seconds(duration) < 0:
            yield FieldProblem(f"{path}.pause.duration", "Duration needs to be greater than 0")
    if kinds == ["setCanaryScale"] and not routed:
        words = "Required value: SetCanaryScale requires TrafficRouting to be set"
        yield FieldProblem(f"{_STRATEGY}.canary.trafficRouting", words)


# ---- what it names -------------------------------------------------------------------------------


def _named(rollout: Rollout, seen: Seen) -> Iterator[FieldProblem]:
    part = rollout.canary if rollout.canary is not None else rollout.blue_green or {}
    path = f"{_STRATEGY}.{'canary' if rollout.canary is not None else 'blueGreen'}"
    for name in ("activeService", "previewService", "stableService", "canaryService"):
        service = part.get(name)
        if service:
            yield from _service(rollout, seen, str(service), f"{path}.{name}")
    for at, analysis in _analyses(part):
        for ref in analysis.get("templates") or ():
            yield from _template(seen, ref, f"{path}.{at}.templates")


def _service(rollout: Rollout, seen: Seen, name: str, path: str) -> Iterator[FieldProblem]:
    found = seen.services.get(name)
    if found is None:
        yield FieldProblem(path, f'Invalid value: "{name}": service "{name}" not found')
        return
    manager = objects.notes(found).get(MANAGED_BY, rollout.name)
    if manager != rollout.name and manager in seen.rollouts:
        words = f'Service "{name}" is managed by another Rollout'
        yield FieldProblem(path, f'Invalid value: "{name}": {words}')


def _analyses(part: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name in ("analysis", "prePromotionAnalysis", "postPromotionAnalysis"):
        if part.get(name):
            yield name, part[name]
    for place, step in enumerate(part.get("steps") or ()):
        if step.get("analysis"):
            yield f"steps[{place}].analysis", step["analysis"]


def _template(seen: Seen, ref: Mapping[str, Any], path: str) -> Iterator[FieldProblem]:
    name, cluster = str(ref.get("templateName") or ""), bool(ref.get("clusterScope"))
    if name not in (seen.cluster_templates if cluster else seen.templates):
        kind = "ClusterAnalysisTemplate" if cluster else "AnalysisTemplate"
        yield FieldProblem(path, f"Invalid value: \"{name}\": {kind} '{name}' not found")
