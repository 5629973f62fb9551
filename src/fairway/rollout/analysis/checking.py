"""Whether a run can be carried out: its metrics' numbers, providers and rules by name. Pure.

Sentences are those of Argo Rollouts, but for what is not supported.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from fairway.kit import goduration
from fairway.kube.kind import Json
from fairway.kube.subset import unsupported
from fairway.model.errors import InvalidInput
from fairway.rollout.analysis.crds import PLUGIN, RULES
from fairway.rollout.analysis.model import Metric, whole

PROVIDERS: Final = ("prometheus", "job", "web", "fairway")
_PLAIN: Final = re.compile(r"[A-Za-z0-9 _/-]*\Z")
_ALL: Final = frozenset({".*", "^.*$", "^.*", ".*$"})


def problem(obj: Mapping[str, Any]) -> str:
    """What of a run or a template is not supported, with every path; "" for nothing."""
    return "; ".join(str(one) for one in unsupported(obj, RULES))


def provider(metric: Metric) -> tuple[str, Json]:
    """The name of a metric's provider, and what is said for it. Raises `InvalidInput`."""
    found = [(name, given) for name, given in metric.provider.items() if given is not None]
    found = [one for each in found for one in _plugins(*each)]
    if not found:
        raise InvalidInput("no provider specified", code="bad-analysis")
    if len(found) > 1:
        raise InvalidInput("multiple providers specified", code="bad-analysis")
    name, given = found[0]
    if name not in PROVIDERS:
        raise InvalidInput(f"provider.{name} is not supported yet", code="bad-analysis")
    return name, given


def _plugins(name: str, given: Json) -> Iterable[tuple[str, Json]]:
    if name != "plugin":
        return [(name, given)]
    return [
        ("fairway" if plugin == PLUGIN else f'plugin["{plugin}"]', one)
        for plugin, one in given.items()
    ]


def check(metrics: Sequence[Metric]) -> None:
    """Raise `InvalidInput` (code `bad-analysis`) for the first metric that cannot be measured."""
    if not metrics:
        raise InvalidInput("no metrics specified", code="bad-analysis")
    seen = set()
    for number, metric in enumerate(metrics):
        if metric.name in seen:
            raise InvalidInput(
                f"metrics[{number}]: duplicate name '{metric.name}'", code="bad-analysis"
            )
        seen.add(metric.name)
        said = _limits(metric) or _counts(metric) or _times(metric) or _provider_problem(metric)
        if said:
            raise InvalidInput(f"metrics[{number}]: {said}", code="bad-analysis")


def _provider_problem(metric: Metric) -> str:
    try:
        provider(metric)
    except InvalidInput as error:
        return error.message
    return ""


def _limits(metric: Metric) -> str:
    failures, in_a_row = whole(metric.failure_limit), whole(metric.consecutive_success_limit)
    said = ""
    if in_a_row < 0:
        said = "consecutiveSuccessLimit must be >= 0"
    elif failures < -1:
        said = "failureLimit must be >= 0, or -1 to be disabled"
    elif in_a_row == 0 and failures == -1:
        said = "failureLimit and consecutiveSuccessLimit cannot both be disabled"
    elif whole(metric.inconclusive_limit) < 0:
        said = "inconclusiveLimit must be >= 0"
    elif whole(metric.consecutive_error_limit) < 0:
        said = "consecutiveErrorLimit must be >= 0"
    return said


def _counts(metric: Metric) -> str:
    count, failures = whole(metric.count), whole(metric.failure_limit)
    in_a_row = whole(metric.consecutive_success_limit)
    said = ""
    if count <= 0:
        return said
    if failures >= 0 and count < failures + in_a_row:
        said = (
            f"count ({count}) must be >= failureLimit + consecutiveSuccessLimit "
            f"({failures} + {in_a_row}) if both >= 0"
        )
    elif failures < 0 and count < in_a_row:
        said = "count must be >= consecutiveSuccessLimit"
    elif count < whole(metric.inconclusive_limit):
        said = "count must be >= inconclusiveLimit"
    elif count > 1 and not metric.interval:
        said = "interval must be specified when count > 1"
    return said


def _times(metric: Metric) -> str:
    for text, name in ((metric.interval, "interval"), (metric.initial_delay, "startDelay")):
        try:
            if text:
                goduration.nanoseconds(text)
        except ValueError as error:
            return f"invalid {name} string: {error}"
    return ""


# ---- rules that name metrics ---------------------------------------------------------------------


def plain_match(pattern: str, names: Iterable[str]) -> list[str] | None:
    """Names in which a regular expression is found; None where it needs Go's engine to say."""
    if pattern in _ALL:
        return list(names)
    if _PLAIN.match(pattern):
        return [name for name in names if pattern in name]
    return None


def dry_run(rules: Sequence[Mapping[str, Any]], matches: Mapping[str, Sequence[str]]) -> set[str]:
    """The metrics that are only looked at. `matches`: the names that each pattern finds."""
    found: set[str] = set()
    for number, rule in enumerate(rules):
        names = matches[rule.get("metricName") or ""]
        _matched(names, f"dryRun[{number}]")
        found |= set(names)
    return found


def retention(
    rules: Sequence[Mapping[str, Any]], matches: Mapping[str, Sequence[str]]
) -> dict[str, int]:
    """How many measurements of which metric are kept, where a rule says so; the last one counts."""
    found: dict[str, int] = {}
    for number, rule in enumerate(rules):
        names = matches[rule.get("metricName") or ""]
        _matched(names, f"measurementRetention[{number}]")
        found |= dict.fromkeys(names, int(rule.get("limit") or 0))
    return {name: limit for name, limit in found.items() if limit > 0}


def _matched(names: Sequence[str], where: str) -> None:
    if not names:
        raise InvalidInput(f"{where}: Rule didn't match any metric name(s)", code="bad-analysis")
