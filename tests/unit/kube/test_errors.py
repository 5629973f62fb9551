"""The server's refusals as ours: types, paths, owners, seconds to wait."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fairway.kube import errors
from fairway.kube.errors import FieldError, FieldOwner, refused
from fairway.model.errors import FairwayError


def told(code: int, message: str, reason: str = "", **details: Any) -> bytes:
    status = {"kind": "Status", "code": code, "message": message, "reason": reason}
    return json.dumps({**status, "details": details}).encode()


@pytest.mark.parametrize(
    ("status", "reason", "kind", "code"),
    [
        (400, "BadRequest", errors.KubeInvalid, "kube-invalid"),
        (401, "Unauthorized", errors.KubeUnauthenticated, "kube-unauthenticated"),
        (403, "Forbidden", errors.KubeForbidden, "kube-forbidden"),
        (404, "NotFound", errors.KubeNotFound, "kube-not-found"),
        (405, "MethodNotAllowed", errors.KubeInvalid, "kube-invalid"),
        (409, "AlreadyExists", errors.KubeExists, "kube-exists"),
        (409, "Conflict", errors.KubeConflict, "kube-conflict"),
        (410, "Expired", errors.KubeExpired, "kube-expired"),
        (410, "Gone", errors.KubeExpired, "kube-expired"),
        (413, "RequestEntityTooLarge", errors.KubeTooLarge, "kube-too-large"),
        (415, "UnsupportedMediaType", errors.KubeInvalid, "kube-invalid"),
        (422, "Invalid", errors.KubeInvalid, "kube-invalid"),
        (429, "TooManyRequests", errors.KubeBusy, "kube-busy"),
        (500, "InternalError", errors.KubeUnavailable, "kube-unavailable"),
        (504, "Timeout", errors.KubeUnavailable, "kube-unavailable"),
    ],
)
def test_each_refusal_has_a_type_and_a_code(
    status: int, reason: str, kind: type[FairwayError], code: str
) -> None:
    found = refused(status, told(status, "the server's words", reason), {})
    assert type(found) is kind
    assert found.code == code
    assert "the server's words" in str(found)
    assert found.retriable == (status in (410, 429) or status >= 500)


@pytest.mark.parametrize("body", [b"", b"<html>Bad Gateway</html>", b"\xff\xfe", b"[1]", b"null"])
def test_an_answer_that_is_no_status_is_told_as_it_is(body: bytes) -> None:
    found = refused(502, body, {})
    assert isinstance(found, errors.KubeUnavailable)
    assert "502" in str(found) or body.decode("utf-8", "replace").strip() in str(found)


def test_a_conflict_of_managers_names_them_with_their_paths() -> None:
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "kubectl-client-side-apply" using apps/v1',
            "field": ".spec.replicas",
        },
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "an \\"odd\\" one" with subresource "scale" using v1',
            "field": '.spec.containers[name="main"].image',
        },
    ]
    found = refused(409, told(409, "two conflicts", "Conflict", causes=causes), {})
    assert isinstance(found, errors.ApplyConflict)
    assert found.owners == (
        FieldOwner("spec.replicas", "kubectl-client-side-apply"),
        FieldOwner('spec.containers[name="main"].image', 'an "odd" one'),
    )
    assert found.remedy


@pytest.mark.parametrize(
    ("status", "message", "fields"),
    [
        (
            400,
            'X in version "v1" cannot be handled as a X: strict decoding error: '
            'unknown field "spec.a", duplicate field "spec.b[0].c"',
            [("spec.a", "unknown field"), ("spec.b[0].c", "duplicate field")],
        ),
        (
            500,
            "failed to create typed patch object (n/d; apps/v1, Kind=Deployment): "
            ".spec.foo: field not declared in schema",
            [("spec.foo", "field not declared in schema")],
        ),
        (
            500,
            "failed to create typed patch object (n/d; apps/v1, Kind=Deployment): errors:\n"
            '  .spec.x[name="a: b"].y: expected numeric (int or float), got string\n'
            "  .spec.z: field not declared in schema",
            [
                ('spec.x[name="a: b"].y', "expected numeric (int or float), got string"),
                ("spec.z", "field not declared in schema"),
            ],
        ),
        (400, "the object provided is unrecognized", []),
    ],
)
def test_fields_are_found_in_the_words(
    status: int, message: str, fields: list[tuple[str, str]]
) -> None:
    found = refused(status, told(status, message), {})
    assert isinstance(found, errors.KubeInvalid)
    assert [(each.path, each.message) for each in found.fields] == fields


def test_fields_are_taken_from_the_causes() -> None:
    causes = [{"reason": "FieldValueRequired", "message": "Required value", "field": "spec.x"}]
    found = refused(422, told(422, "invalid", "Invalid", causes=causes), {})
    assert isinstance(found, errors.KubeInvalid)
    assert found.fields == (FieldError("spec.x", "Required value", "FieldValueRequired"),)


@pytest.mark.parametrize(
    ("headers", "details", "seconds"),
    [
        ({"retry-after": "7"}, {"retryAfterSeconds": 3}, 7.0),
        ({}, {"retryAfterSeconds": 3}, 3.0),
        ({"retry-after": "soon"}, {}, 1.0),
        ({"retry-after": "-1"}, {"retryAfterSeconds": None}, 1.0),
        ({"retry-after": "nan"}, {}, 1.0),
        ({"retry-after": "inf"}, {}, 1.0),
    ],
)
def test_how_long_to_wait_is_told(
    headers: dict[str, str], details: dict[str, Any], seconds: float
) -> None:
    found = refused(429, told(429, "later", **details), headers)
    assert isinstance(found, errors.KubeBusy)
    assert found.after == seconds
