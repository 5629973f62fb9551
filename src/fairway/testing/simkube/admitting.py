"""Policies of pods' images, as far as `release.admission` writes them: one form of expression.

What they say is enforced; an expression of another form is a mistake of whoever wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from fairway.kube.kind import Json
from fairway.kube.subset import BINDING, POLICY
from fairway.testing.simkube.server import SimApi

_NAMESPACE: Final = "kubernetes.io/metadata.name"
_RULE: Final = re.compile(
    r"!has\(object\.spec\.(\w+)\) \|\| object\.spec\.\1\.all\(c, c\.image\.startsWith\('(.*?)'\)"
    r" \|\| \(oldObject != null && has\(oldObject\.spec\.\1\)"
    r" && oldObject\.spec\.\1\.exists\(o, o\.image == c\.image\)\)\)"
)


def refusal(api: SimApi, namespace: str, pod: Mapping[str, Any], before: Json | None = None) -> str:
    """Why a pod is not admitted; "" when it is. Raises `ValueError` for an unknown expression."""
    for policy in _policies(api, namespace):
        for one in policy["spec"]["validations"]:
            found = _RULE.fullmatch(one["expression"])
            if found is None:
                raise ValueError(f"the simulated API does not know {one['expression']!r}")
            part, prefix = found.groups()
            new = _images(pod, part) - _images(before or {}, part)
            if not all(image.startswith(prefix) for image in new):
                return str(one["message"])
    return ""


def _images(pod: Mapping[str, Any], part: str) -> set[str]:
    return {str(one.get("image", "")) for one in (pod.get("spec") or {}).get(part) or ()}


def _policies(api: SimApi, namespace: str) -> Iterator[Json]:
    for _, binding in api.of(BINDING):
        policy = api.find(POLICY, str(binding["spec"].get("policyName", "")))
        if policy is not None and "Deny" in binding["spec"].get("validationActions", ()):
            matched = policy["spec"].get("matchConstraints") or {}
            if _is_for_pods(matched) and namespace in _namespaces(matched):
                yield policy


def _is_for_pods(matched: Json) -> bool:
    rules = matched.get("resourceRules") or ()
    return any("pods" in one.get("resources", ()) and "" in one["apiGroups"] for one in rules)


def _namespaces(matched: Json) -> list[str]:
    terms = (matched.get("namespaceSelector") or {}).get("matchExpressions") or ()
    named = [one for one in terms if one["key"] == _NAMESPACE]
    return [name for one in named if one["operator"] == "In" for name in one["values"]]
