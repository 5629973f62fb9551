"""Workflow 4 of the specification: content management; and errors that belong to no workflow."""

from __future__ import annotations

import pytest
from spec import NOWHERE, OCI_MANIFEST, Api, code, descriptor, sha


def test_a_tag_is_deleted_and_its_manifest_stays(api: Api) -> None:
    body = api.image()
    digest = api.push("v1", body)
    api.push("v2", body)
    assert api("DELETE", "manifests/v1").status_code == 202
    assert api.get("v1", OCI_MANIFEST).status_code == 404
    assert api.get("v2", OCI_MANIFEST).status_code == 200
    assert api.get(digest, OCI_MANIFEST).status_code == 200
    assert api("GET", "tags/list").json()["tags"] == ["v2"]


def test_an_unknown_tag_is_not_deleted(api: Api) -> None:
    api.push("v1", api.image())
    answer = api("DELETE", "manifests/nothing")
    assert answer.status_code == 404
    assert code(answer) == "MANIFEST_UNKNOWN"


def test_a_manifest_is_deleted_with_its_tags(api: Api) -> None:
    body = api.image()
    digest = api.push("v1", body)
    api.push("v2", body)
    assert api("DELETE", f"manifests/{digest}").status_code == 202
    for reference in ("v1", "v2", digest):
        assert api.get(reference, OCI_MANIFEST).status_code == 404
    assert api("GET", "tags/list").json()["tags"] in ([], None)


def test_an_unknown_manifest_is_not_deleted(api: Api) -> None:
    api.push("v1", api.image())
    answer = api("DELETE", f"manifests/{NOWHERE}")
    assert answer.status_code == 404
    assert code(answer) == "MANIFEST_UNKNOWN"


def test_what_was_deleted_is_pushed_again(api: Api) -> None:
    body = api.image()
    digest = api.push("v1", body)
    api("DELETE", f"manifests/{digest}")
    assert api.push("v1", body) == digest
    assert api.get("v1", OCI_MANIFEST).content == body


def test_a_blob_is_deleted(api: Api) -> None:
    digest = api.blob(b"to delete")
    assert api("DELETE", f"blobs/{digest}").status_code == 202
    assert api("HEAD", f"blobs/{digest}").status_code == 404
    answer = api("DELETE", f"blobs/{digest}")
    assert answer.status_code == 404
    assert code(answer) == "BLOB_UNKNOWN"


def test_a_blob_is_deleted_in_one_repository_only(ours: Api) -> None:
    digest = ours.blob(b"in two")
    other = f"/v2/{ours.name}-other/blobs"
    ours("POST", f"{other}/uploads/?mount={digest}&from={ours.name}")
    ours("DELETE", f"blobs/{digest}")
    assert ours("GET", f"{other}/{digest}").content == b"in two"


def test_a_deleted_blob_is_pushed_again(api: Api) -> None:
    digest = api.blob(b"again")
    api("DELETE", f"blobs/{digest}")
    assert api.blob(b"again") == digest
    assert api("GET", f"blobs/{digest}").content == b"again"


def test_a_deleted_referrer_is_listed_no_more(ours: Api) -> None:
    subject = ours.image()
    ours.push("v1", subject)
    body = ours.image("1", subject=descriptor(subject, OCI_MANIFEST))
    ours.push(sha(body), body)
    ours("DELETE", f"manifests/{sha(body)}")
    assert ours("GET", f"referrers/{sha(subject)}").json()["manifests"] == []


def test_referrers_outlive_their_subject(ours: Api) -> None:
    subject = ours.image()
    ours.push("v1", subject)
    body = ours.image("1", subject=descriptor(subject, OCI_MANIFEST))
    ours.push(sha(body), body)
    ours("DELETE", f"manifests/{sha(subject)}")
    assert len(ours("GET", f"referrers/{sha(subject)}").json()["manifests"]) == 1


@pytest.mark.parametrize(
    "name",
    [
        "UPPER/case",
        "-dash",
        "dot./x",
        "a//b",
        "a/",
        "under__score___x",
        "x" * 256,
        "sp ace",
        "ä/b",
        "a/../b",
        "a\x00b",
    ],
)
def test_a_name_that_is_none_is_refused(ours: Api, name: str) -> None:
    for method, path in (("GET", "tags/list"), ("POST", "blobs/uploads/"), ("GET", "manifests/x")):
        quoted = "".join(
            c if (c.isalnum() and c.isascii()) or c in "/._-" else _hex(c) for c in name
        )
        answer = ours(method, f"/v2/{quoted}/{path}".replace("/../", "/%2E%2E/"))
        assert answer.status_code == 400
        assert code(answer) == "NAME_INVALID"


def _hex(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode())


@pytest.mark.parametrize("name", ["a", "a/b/c/d", "a-b_c.d__e", "a---b", "0/1", "x" * 255])
def test_a_name_may_be_so(ours: Api, name: str) -> None:
    assert ours("POST", f"/v2/{name}/blobs/uploads/").status_code == 202


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v2/"),
        ("PUT", "tags/list"),
        ("POST", "manifests/v1"),
        ("PUT", f"blobs/{NOWHERE}"),
        ("POST", f"referrers/{NOWHERE}"),
        ("DELETE", "/v2/_catalog"),
        ("PUT", "blobs/uploads/"),
        ("POST", "blobs/uploads/0123"),
    ],
)
def test_a_method_that_is_not_for_a_path_is_refused(ours: Api, method: str, path: str) -> None:
    answer = ours(method, path)
    assert answer.status_code == 405
    assert code(answer) == "UNSUPPORTED"
    assert answer.headers["allow"]


@pytest.mark.parametrize("path", ["/v2/x/unknown", "/v2/x/blobs", "/v2/manifests/x", "/v2/a"])
def test_a_path_that_is_none_is_not_found(ours: Api, path: str) -> None:
    answer = ours("GET", path)
    assert answer.status_code == 404
    assert code(answer) == "UNSUPPORTED"


def test_parts_of_paths_may_be_parts_of_names(ours: Api) -> None:
    for name in ("blobs/manifests", "x/tags/list", "x/blobs/uploads", "v2/referrers"):
        with Api(ours.url, f"{ours.name}/{name}") as odd:
            digest = odd.push("v1", odd.image())
            assert odd.get("v1").headers["docker-content-digest"] == digest
            assert odd("GET", "tags/list").json()["name"] == odd.name


def test_a_content_length_that_is_none_does_no_harm(ours: Api) -> None:
    answer = ours("PATCH", ours.start(), content=b"", headers={"Content-Range": "0-"})
    assert answer.status_code == 400
    assert code(answer) == "BLOB_UPLOAD_INVALID"
