"""Tests of a chart's templates: `tests/*_test.yaml` in helm-unittest's form, a subset of it.

    suite: the deployment
    templates: [deployment.yaml]     # only documents of these templates; else all
    set: {image.digest: sha256:1}    # values by dotted path
    tests:
      - it: takes the digest
        set: {replicas: 2}
        template: deployment.yaml
        documentIndex: 0             # else every document must hold
        asserts:
          - equal: {path: spec.replicas, value: 2}

Asserts: equal, notEqual, matchRegex, notMatchRegex, contains, notContains, exists, notExists,
isKind, isAPIVersion, hasDocuments, failedTemplate. Everything else is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct, field

from fairway.kit import yaml
from fairway.model.errors import BadFile, InvalidInput

_PART: Final = re.compile(r"""([^.\[\]"']+)|\[(\d+)\]|\[["']([^"']+)["']\]|\.""")
_ABSENT: Final = object()
Json = Any


class Document(Struct, frozen=True):
    """One rendered object and the template that it came from."""

    source: str
    object: Json


class _Strict(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Nothing unknown."""


class Release(_Strict, frozen=True, kw_only=True):
    """How the chart is installed."""

    name: str = "release-name"
    namespace: str = "default"


class Case(_Strict, frozen=True, kw_only=True):
    """One test."""

    it: str
    asserts: list[dict[str, dict[str, Any]]]
    set: dict[str, Any] = field(default_factory=dict)
    values: list[str] = field(default_factory=list)
    template: str = ""
    document_index: int | None = None
    release: Release | None = None


class Suite(_Strict, frozen=True, kw_only=True):
    """One file."""

    suite: str = ""
    templates: list[str] = field(default_factory=list)
    set: dict[str, Any] = field(default_factory=dict)
    values: list[str] = field(default_factory=list)
    release: Release = Release()
    tests: list[Case]


class Asked(Struct, frozen=True, kw_only=True):
    """What to render for a case. `values`: files, relative to the chart's `tests/`."""

    values: tuple[str, ...]
    set: Mapping[str, Any]
    release: Release


Render = Callable[[Asked], Awaitable[Sequence[Document]]]
"""Renders the chart. Raises `InvalidInput` with the template's own words."""


def read(text: str, where: str) -> Suite:
    """A file of tests. Raises `BadFile` (code `bad-chart-test`) with the path."""
    try:
        found = msgspec.convert(yaml.load(text, name=where), Suite)
    except msgspec.ValidationError as error:
        raise _bad(str(error), where) from None
    for number, case in enumerate(found.tests):
        place = f"{where}: tests[{number}]"
        if not case.asserts:
            raise _bad("asserts: it asserts nothing", place)
        for one in case.asserts:
            _check_assert(one, place)
    if not found.tests:
        raise _bad("tests: there are none", where)
    return found


def _check_assert(one: Mapping[str, Mapping[str, Any]], where: str) -> None:
    if len(one) != 1:
        raise _bad("an assert is one key with its fields", where)
    name, given = next(iter(one.items()))
    if name not in _FIELDS:
        raise _bad(f"the assert {name} is not supported yet: " + ", ".join(_FIELDS), where)
    needed, optional = _FIELDS[name]
    if not needed <= set(given) or set(given) - needed - optional:
        raise _bad(f"{name} takes {', '.join(sorted(needed | optional))}", where)


def _bad(said: str, where: str) -> BadFile:
    return BadFile(said, code="bad-chart-test", where=where)


async def run(suite: Suite, render: Render) -> list[str]:
    """Run every test; what failed, in words. Raises what is no matter of the chart."""
    failures: list[str] = []
    for case in suite.tests:
        asked = Asked(
            values=(*suite.values, *case.values),
            set={**suite.set, **case.set},
            release=case.release or suite.release,
        )
        name = f"{suite.suite}: {case.it}" if suite.suite else case.it
        problem = ""
        documents: list[Document] = []
        try:
            documents = _chosen(suite, case, await render(asked))
        except InvalidInput as error:
            problem = str(error)
        failures += [f"{name}: {said}" for said in judge(case, documents, problem)]
    return failures


def _chosen(suite: Suite, case: Case, every: Sequence[Document]) -> list[Document]:
    wanted = [case.template] if case.template else suite.templates
    return [
        one
        for one in every
        if not wanted or any(one.source.endswith(f"/{_below(name)}") for name in wanted)
    ]


def _below(name: str) -> str:
    return name if name.startswith("templates/") else f"templates/{name}"


def judge(case: Case, documents: Sequence[Document], problem: str) -> list[str]:
    """What does not hold of a case. `problem`: why the chart could not be rendered, or ""."""
    found: list[str] = []
    for one in case.asserts:
        name, given = next(iter(one.items()))
        if name == "failedTemplate":
            found += _failed(given, problem)
        elif problem:
            return [*found, problem]
        elif name == "hasDocuments":
            if len(documents) != given["count"]:
                found.append(f"{len(documents)} documents, not {given['count']}")
        else:
            found += _of_documents(name, given, case, documents)
    return found


def _failed(given: Mapping[str, Any], problem: str) -> list[str]:
    wanted = given.get("errorMessage", "")
    if problem and wanted in problem:
        return []
    return [f"it should fail with {wanted!r}, but {problem or 'it did not fail'}"]


def _of_documents(
    name: str, given: Mapping[str, Any], case: Case, documents: Sequence[Document]
) -> list[str]:
    chosen = documents
    if case.document_index is not None:
        chosen = documents[case.document_index : case.document_index + 1]
    if not chosen:
        return [f"{name}: there is no document to look at"]
    return [said for one in chosen if (said := _hold(name, given, one.object))]


def _hold(name: str, given: Mapping[str, Any], obj: Json) -> str:
    if name in {"isKind", "isAPIVersion"}:
        key = "kind" if name == "isKind" else "apiVersion"
        found = obj.get(key)
        return "" if found == given["of"] else f"{key} is {found!r}, not {given['of']!r}"
    path = given["path"]
    found = at(obj, path)
    holds = _HOLDS[name](found, given)
    return "" if holds else f"{name} does not hold of {path}: it is {_shown(found)}"


def _shown(found: Any) -> str:
    return "not there" if found is _ABSENT else msgspec.json.encode(found).decode()[:200]


def at(obj: Json, path: str) -> Any:
    """What is at a path such as `spec.containers[0]["a.b"]`; a mark of its own for nothing."""
    for name, index, quoted in _PART.findall(path):
        if index:
            there = isinstance(obj, list) and int(index) < len(obj)
            obj = obj[int(index)] if there else _ABSENT
        elif name or quoted:
            key = name or quoted
            obj = obj.get(key, _ABSENT) if isinstance(obj, dict) else _ABSENT
    return obj


def _matches(found: Any, given: Mapping[str, Any]) -> bool:
    return isinstance(found, str) and re.search(given["pattern"], found) is not None


def _contains(found: Any, given: Mapping[str, Any]) -> bool:
    return isinstance(found, list) and given["content"] in found


_HOLDS: Final[Mapping[str, Callable[[Any, Mapping[str, Any]], bool]]] = {
    "equal": lambda found, given: found == given["value"],
    "notEqual": lambda found, given: found != given["value"],
    "matchRegex": _matches,
    "notMatchRegex": lambda found, given: not _matches(found, given),
    "contains": _contains,
    "notContains": lambda found, given: not _contains(found, given),
    "exists": lambda found, _given: found is not _ABSENT,
    "notExists": lambda found, _given: found is _ABSENT,
}
_NONE: Final[frozenset[str]] = frozenset()
_FIELDS: Final[Mapping[str, tuple[frozenset[str], frozenset[str]]]] = {
    "equal": (frozenset({"path", "value"}), _NONE),
    "notEqual": (frozenset({"path", "value"}), _NONE),
    "matchRegex": (frozenset({"path", "pattern"}), _NONE),
    "notMatchRegex": (frozenset({"path", "pattern"}), _NONE),
    "contains": (frozenset({"path", "content"}), _NONE),
    "notContains": (frozenset({"path", "content"}), _NONE),
    "exists": (frozenset({"path"}), _NONE),
    "notExists": (frozenset({"path"}), _NONE),
    "isKind": (frozenset({"of"}), _NONE),
    "isAPIVersion": (frozenset({"of"}), _NONE),
    "hasDocuments": (frozenset({"count"}), _NONE),
    "failedTemplate": (_NONE, frozenset({"errorMessage"})),
}
