"""Tests of templates in helm-unittest's form."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.model.errors import BadFile, InvalidInput
from fairway.release import chart_tests
from fairway.release.chart_tests import Asked, Document

OBJECT: dict[str, Any] = {
    "kind": "Deployment",
    "apiVersion": "apps/v1",
    "metadata": {"labels": {"a.b/c": "x"}},
    "spec": {"replicas": 2, "list": ["one", {"two": 2}], "empty": None},
}
SERVICE: dict[str, Any] = {"kind": "Service", "apiVersion": "v1"}


async def render(asked: Asked) -> list[Document]:
    if asked.set.get("fail"):
        raise InvalidInput("execution error: no name was given")
    return [Document("web/templates/a.yaml", OBJECT), Document("web/templates/s.yaml", SERVICE)]


async def failures(asserts: str, **more: str) -> list[str]:
    head = "".join(f"    {name}: {value}\n" for name, value in more.items())
    text = f"tests:\n  - it: holds\n{head}    asserts:\n      - {asserts}\n"
    return await chart_tests.run(chart_tests.read(text, "tests/a_test.yaml"), render)


GOOD = [
    "equal: {path: spec.replicas, value: 2}",
    "notEqual: {path: spec.replicas, value: 3}",
    "matchRegex: {path: kind, pattern: ^Dep}",
    "notMatchRegex: {path: kind, pattern: ^Ser}",
    "contains: {path: spec.list, content: {two: 2}}",
    "notContains: {path: spec.list, content: three}",
    "exists: {path: 'spec.list[1].two'}",
    "notExists: {path: 'spec.list[2]'}",
    "exists: {path: 'metadata.labels[\"a.b/c\"]'}",
    "exists: {path: spec.empty}",
    "isKind: {of: Deployment}",
    "isAPIVersion: {of: apps/v1}",
    "hasDocuments: {count: 1}",
]
BAD = [
    "equal: {path: spec.replicas, value: '2'}",
    "notEqual: {path: spec.replicas, value: 2}",
    "matchRegex: {path: spec.replicas, pattern: '2'}",
    "contains: {path: kind, content: D}",
    "notExists: {path: spec.empty}",
    "exists: {path: spec.list.two}",
    "isKind: {of: Service}",
    "hasDocuments: {count: 2}",
    "failedTemplate: {}",
]


@pytest.mark.parametrize("text", GOOD)
async def test_what_holds_holds(text: str) -> None:
    assert await failures(text, template="a.yaml") == []


@pytest.mark.parametrize("text", BAD)
async def test_what_does_not_hold_is_said(text: str) -> None:
    (said,) = await failures(text, template="a.yaml")
    assert said.startswith("holds: ")


async def test_every_document_must_hold_unless_one_is_named() -> None:
    assert len(await failures("isKind: {of: Deployment}")) == 1
    assert await failures("isKind: {of: Service}", documentIndex="1") == []
    assert "no document" in (await failures("isKind: {of: X}", documentIndex="7"))[0]
    assert "no document" in (await failures("isKind: {of: X}", template="gone.yaml"))[0]


async def test_a_template_that_fails_is_a_failure_unless_it_is_meant_to() -> None:
    assert "no name" in (await failures("isKind: {of: X}", set="{fail: true}"))[0]
    good = "failedTemplate: {errorMessage: no name}"
    assert await failures(good, set="{fail: true}") == []
    assert len(await failures("failedTemplate: {errorMessage: other}", set="{fail: true}")) == 1


@pytest.mark.parametrize(
    "text",
    [
        "tests: []",
        "tests: [{it: x, asserts: []}]",
        "tests: [{it: x, asserts: [{isSubset: {path: a}}]}]",
        "tests: [{it: x, asserts: [{equal: {path: a}}]}]",
        "tests: [{it: x, asserts: [{equal: {path: a, value: 1, more: 2}}]}]",
        "tests: [{it: x, asserts: [{isKind: {of: a}}], capabilities: {}}]",
        "tests: [{asserts: [{isKind: {of: a}}]}]",
    ],
)
def test_what_is_not_known_is_refused(text: str) -> None:
    with pytest.raises(BadFile) as caught:
        chart_tests.read(text, "tests/a_test.yaml")
    assert caught.value.where.startswith("tests/a_test.yaml")
