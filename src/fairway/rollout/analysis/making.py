"""From templates and arguments to the AnalysisRun that a Rollout begins. Pure.

The order, the precedence and the sentences are those of Argo Rollouts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from fairway.kit import gotext
from fairway.kit.scalar import go_float
from fairway.kube import objects
from fairway.kube.kind import Json
from fairway.model.errors import InvalidInput, NotFound
from fairway.rollout.analysis.crds import ANALYSIS_RUN

Find = Callable[[str, bool], Json | None]
"""A template by its name, and whether it is the cluster's: for `templates`."""
_SECTIONS: Final = re.compile(r"[.\[\]]+")
_SUBSCRIPT: Final = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]\Z")
_COMPARED: Final = ("metrics", "dryRun", "measurementRetention", "args")


def templates(refs: Iterable[Mapping[str, Any]], find: Find) -> tuple[list[Json], list[Json]]:
    """What `analysis.templates` refers to, with what these refer to; each once.

    Returns the namespace's and the cluster's ones. Raises `NotFound` (code `no-template`).
    """
    found: dict[tuple[str, bool], Json] = {}
    _collect(refs, find, found)
    own = [found[key] for key in found if not key[1]]
    return own, [found[key] for key in found if key[1]]


def _collect(
    refs: Iterable[Mapping[str, Any]], find: Find, found: dict[tuple[str, bool], Json]
) -> None:
    for ref in refs:
        name, cluster = str(ref.get("templateName") or ""), bool(ref.get("clusterScope"))
        if (name, cluster) in found:
            continue
        template = find(name, cluster)
        if template is None:
            kind = "ClusterAnalysisTemplate" if cluster else "AnalysisTemplate"
            raise NotFound(f"{kind} '{name}' not found", code="no-template")
        found[name, cluster] = template
        _collect(_spec(template).get("templates") or (), find, found)


def run_spec(
    own: Sequence[Json],
    of_cluster: Sequence[Json],
    args: Sequence[Json],
    *,
    dry_run: Sequence[Json] = (),
    retention: Sequence[Json] = (),
) -> Json:
    """The `spec` of a run of these templates with these arguments (`arguments`).

    Raises `InvalidInput` (code `bad-analysis`).
    """
    specs = [_spec(template) for template in (*own, *of_cluster)]
    metrics = [metric for spec in specs for metric in spec.get("metrics") or ()]
    _once(metrics, "name", "two metrics have the same name '%s'")
    made: Json = {"metrics": objects.copy(metrics)}
    dry = [*dry_run, *(one for spec in specs for one in spec.get("dryRun") or ())]
    _once(dry, "metricName", "two Dry-Run metric rules have the same name '%s'")
    kept = [*retention, *(one for spec in specs for one in spec.get("measurementRetention") or ())]
    _once(kept, "metricName", "two Measurement Retention metric rules have the same name '%s'")
    merged = _merged(args, _flat(specs))
    parts = {"args": merged, "dryRun": dry, "measurementRetention": kept}
    return {**made, **{name: objects.copy(part) for name, part in parts.items() if part}}


def compose(  # noqa: PLR0913 what a run is made of, by name
    *,
    name: str,
    namespace: str,
    templates: Sequence[Json],
    cluster_templates: Sequence[Json],
    args: Sequence[Json],
    dry_run: Sequence[Json] = (),
    retention: Sequence[Json] = (),
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Json:
    """The whole AnalysisRun, but for its owner. Raises as `run_spec` does."""
    spec = run_spec(templates, cluster_templates, args, dry_run=dry_run, retention=retention)
    metadata: Json = {"name": name, "namespace": namespace}
    if labels:
        metadata["labels"] = dict(labels)
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {
        "apiVersion": ANALYSIS_RUN.api_version,
        "kind": ANALYSIS_RUN.kind,
        "metadata": metadata,
        "spec": spec,
    }


def same_spec(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two specs of runs mean the same: a run that exists already may be taken for ours."""
    return all((one.get(name) or []) == (other.get(name) or []) for name in _COMPARED)


def _spec(template: Mapping[str, Any]) -> Json:
    spec: Json = template.get("spec") or {}
    return spec


def _once(items: Iterable[Mapping[str, Any]], key: str, sentence: str) -> None:
    seen = set()
    for item in items:
        name = item.get(key) or ""
        if name in seen:
            raise InvalidInput(sentence % name, code="bad-analysis")
        seen.add(name)


def _flat(specs: Iterable[Mapping[str, Any]]) -> list[Json]:
    """All templates' arguments by name; the first value counts, and two must not differ."""
    found: dict[str, Json] = {}
    for arg in (arg for spec in specs for arg in spec.get("args") or ()):
        name = str(arg.get("name") or "")
        before = found.get(name, {}).get("value")
        now = arg.get("value")
        if before is not None and now is not None and before != now:
            raise InvalidInput(
                f"Argument `{name}` specified multiple times with different values: "
                f"'{before}', '{now}'",
                code="bad-analysis",
            )
        if before is None:
            found[name] = dict(arg)
    return list(found.values())


def _merged(given: Iterable[Mapping[str, Any]], declared: list[Json]) -> list[Json]:
    """What is given wins over what templates declare; what they do not declare is left out."""
    found = {str(arg.get("name") or ""): arg for arg in declared}
    for arg in given:
        into = found.get(str(arg.get("name") or ""))
        if into is not None and arg.get("value") is not None:
            into["value"] = arg["value"]
        elif into is not None and arg.get("valueFrom") is not None:
            into["valueFrom"] = arg["valueFrom"]
    for name, arg in found.items():
        if arg.get("value") is None and arg.get("valueFrom") is None:
            raise InvalidInput(f"args.{name} was not resolved", code="bad-analysis")
    return list(found.values())


# ---- arguments of a Rollout ----------------------------------------------------------------------


def arguments(
    args: Iterable[Mapping[str, Any]],
    rollout: Mapping[str, Any],
    *,
    stable_hash: str,
    latest_hash: str,
) -> list[Json]:
    """A Rollout's arguments with their values: literal, a pod-template hash, or one of its fields.

    Raises `InvalidInput` (code `bad-analysis`) for a field that is not there.
    """
    hashes = {"Stable": stable_hash, "Latest": latest_hash}
    found = []
    for arg in args:
        value = str(arg.get("value") or "")
        source = arg.get("valueFrom") or {}
        wanted = source.get("podTemplateHashValue")
        path = (source.get("fieldRef") or {}).get("fieldPath")
        if wanted is not None:
            value = hashes.get(wanted, value)
        elif path is not None:
            look = _of_metadata if path.startswith("metadata") else field_of
            value = look(rollout, path)
        found.append({"name": arg.get("name") or "", "value": value})
    return found


def _of_metadata(rollout: Mapping[str, Any], path: str) -> str:
    """A field as the downward API of pods knows it."""
    given = rollout.get("metadata") or {}
    if match := _SUBSCRIPT.match(path):
        return str((given.get(match[1]) or {}).get(match[2]) or "")
    if path in ("metadata.labels", "metadata.annotations"):
        pairs = (given.get(path.partition(".")[2]) or {}).items()
        return "\n".join(f"{name}={gotext.quote(str(value))}" for name, value in sorted(pairs))
    if path in ("metadata.name", "metadata.namespace", "metadata.uid"):
        return str(given.get(path.partition(".")[2]) or "")
    raise InvalidInput(f"unsupported fieldPath: {path}", code="bad-analysis")


def field_of(rollout: Mapping[str, Any], path: str) -> str:
    """Any single value of an object: `spec.template.spec.containers[0].image`."""
    found: Any = rollout
    for section in _SECTIONS.split(path):
        if section:
            found = _step(found, section, path)
    if found is None:
        raise InvalidInput(f"invalid path {path} in rollout", code="bad-analysis")
    if isinstance(found, list | dict):
        raise InvalidInput(
            f"path {path} in rollout must terminate in a primitive value", code="bad-analysis"
        )
    if isinstance(found, bool):
        return str(found).lower()
    return go_float(float(found)) if isinstance(found, int | float) else str(found)


def _step(found: Any, section: str, path: str) -> Any:
    if isinstance(found, dict):
        return found.get(section)
    if not isinstance(found, list):
        raise InvalidInput(f"invalid path {path} in rollout", code="bad-analysis")
    if not re.fullmatch(r"[+-]?\d+", section):
        raise InvalidInput(f"invalid index '{section}'", code="bad-analysis")
    if not 0 <= int(section) < len(found):
        raise InvalidInput(f"index {int(section)} out of range", code="bad-analysis")
    return found[int(section)]
