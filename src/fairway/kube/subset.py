"""What of a foreign kind is supported so far: one table, a pure check, and a policy in CEL.

A rule names a place in an object: `spec.strategy.canary.steps[].experiment`, with `[]` for each
item of a list and `*` for each value of a map. What is there is refused, except for the values that
the rule allows. A field that is null is not there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final

from msgspec import Struct

from fairway.kube.client import Kube
from fairway.kube.kind import Json, Kind

_GROUP: Final = "admissionregistration.k8s.io"
POLICY: Final = Kind(
    _GROUP, "v1", "validatingadmissionpolicies", "ValidatingAdmissionPolicy", namespaced=False
)
BINDING: Final = Kind(
    _GROUP,
    "v1",
    "validatingadmissionpolicybindings",
    "ValidatingAdmissionPolicyBinding",
    namespaced=False,
)
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_RESERVED: Final = frozenset(
    {"as", "break", "const", "continue", "else", "false", "for", "function", "if", "import"}
    | {"in", "let", "loop", "namespace", "null", "package", "return", "true", "var", "void"}
    | {"while"}
)


class FieldProblem(Struct, frozen=True, order=True):
    """A field that cannot be as it is: `spec.strategy.canary.steps[2].plugin`, and why."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path} {self.message}"


class Rule(Struct, frozen=True):
    """What is refused at `path`: everything, or all values but `allow`.

    `keys`: the map there may have only these names. `why` replaces "is not supported yet".
    """

    path: str
    allow: tuple[Any, ...] = ()
    keys: tuple[str, ...] | None = None
    why: str = ""


def unsupported(obj: Mapping[str, Any], rules: Sequence[Rule]) -> list[FieldProblem]:
    """Every field of an object that a rule refuses, with its whole path; sorted, each once."""
    found = {problem for rule in rules for problem in _refused(obj, rule)}
    return sorted(found)


def refuse(*paths: str) -> tuple[Rule, ...]:
    """Rules that refuse these places whatever their values are."""
    return tuple(Rule(path) for path in paths)


def _refused(obj: Mapping[str, Any], rule: Rule) -> Iterator[FieldProblem]:
    for path, value in _values(obj, _parts(rule.path), ""):
        if rule.keys is not None:
            names = value if isinstance(value, Mapping) else ()
            for name in names:
                if name not in rule.keys:
                    yield FieldProblem(f'{path}["{name}"]', rule.why or _NOT_YET)
        elif not any(_same(value, one) for one in rule.allow):
            yield FieldProblem(path, _message(rule, value))


def _same(one: Any, other: Any) -> bool:
    """Equal and of one type: 0 is not False."""
    return type(one) is type(other) and bool(one == other)


_NOT_YET: Final = "is not supported yet"


def _message(rule: Rule, value: Any) -> str:
    if rule.why:
        return rule.why
    if rule.allow and isinstance(value, str | int | float | bool):
        return f"{json.dumps(value)} {_NOT_YET}"
    return _NOT_YET


@cache  # the rules are constants
def _parts(path: str) -> tuple[str, ...]:
    """`a.b[].c` → a, b, [], c."""
    return tuple(part for part in path.replace("[]", ".[]").split(".") if part)


def _values(value: Any, parts: tuple[str, ...], path: str) -> Iterator[tuple[str, Any]]:
    if value is None:
        return
    if not parts:
        yield path, value
        return
    first, rest = parts[0], parts[1:]
    if first == "[]":
        for number, item in enumerate(value if isinstance(value, list) else ()):
            yield from _values(item, rest, f"{path}[{number}]")
    elif first == "*":
        for name, item in (value if isinstance(value, Mapping) else {}).items():
            yield from _values(item, rest, f"{path}.{name}")
    elif isinstance(value, Mapping) and first in value:
        yield from _values(value[first], rest, f"{path}.{first}" if path else first)


# ---- the same as an admission policy ------------------------------------------------------------


def policy(kind: Kind, rules: Sequence[Rule]) -> tuple[Json, Json]:
    """A ValidatingAdmissionPolicy with its binding that refuse what `unsupported` finds."""
    name = f"fairway-{kind.plural}-subset.{kind.group}"
    match = {
        "resourceRules": [
            {
                "apiGroups": [kind.group],
                "apiVersions": [kind.version],
                "operations": ["CREATE", "UPDATE"],
                "resources": [kind.plural],
            }
        ]
    }
    checks = [
        {"expression": expression(rule), "message": _told(rule), "reason": "Invalid"}
        for rule in rules
    ]
    body = {
        "apiVersion": POLICY.api_version,
        "kind": POLICY.kind,
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": match,
            # An object that is being deleted must be able to lose its finalizers.
            "matchConditions": [
                {"name": "lives", "expression": "!has(object.metadata.deletionTimestamp)"}
            ],
            "validations": checks,
        },
    }
    binding = {
        "apiVersion": BINDING.api_version,
        "kind": BINDING.kind,
        "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": ["Deny"]},
    }
    return body, binding


async def ensure_policy(kube: Kube, kind: Kind, rules: Sequence[Rule]) -> None:
    """Have the cluster refuse what is outside of the subset. For clusters of ours; repeatable."""
    body, binding = policy(kind, rules)
    await kube.apply(POLICY, body, force=True)
    await kube.apply(BINDING, binding, force=True)


def _told(rule: Rule) -> str:
    if rule.keys is not None:
        return f"{rule.path}: only {', '.join(rule.keys)}: others {rule.why or _told_of(_NOT_YET)}"
    if rule.allow:
        values = ", ".join(json.dumps(one) for one in rule.allow)
        return f"{rule.path} other than {values} {rule.why or _NOT_YET}"
    return f"{rule.path} {rule.why or _NOT_YET}"


def _told_of(words: str) -> str:
    return words.replace("is ", "are ", 1)


def expression(rule: Rule) -> str:
    """CEL that is true for an object in which the rule finds nothing."""
    return _cel("object", _parts(rule.path), rule, depth=0)


def _cel(at: str, parts: tuple[str, ...], rule: Rule, *, depth: int) -> str:
    if not parts:
        return _end(at, rule)
    first, rest = parts[0], parts[1:]
    if first in ("[]", "*"):
        name = f"v{depth}"
        here = name if first == "[]" else f"{at}[{name}]"
        return f"{at}.all({name}, {_cel(here, rest, rule, depth=depth + 1)})"
    if _IDENTIFIER.match(first) and first not in _RESERVED:
        there, absent = f"{at}.{first}", f"!has({at}.{first})"
    else:
        there, absent = f'{at}["{first}"]', f'!("{first}" in {at})'
    inner = _cel(there, rest, rule, depth=depth)
    return absent if inner == "false" else f"{absent} || ({inner})"


def _end(at: str, rule: Rule) -> str:
    if rule.keys is not None:
        return f"{at}.all(k, k in {json.dumps(list(rule.keys))})"
    if not rule.allow:
        return "false"
    return " || ".join(f"{at} == {json.dumps(one)}" for one in rule.allow)
