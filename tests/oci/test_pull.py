"""Workflow 1 of the specification: pull."""

from __future__ import annotations

import json

import pytest
from spec import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    NOWHERE,
    OCI_INDEX,
    OCI_MANIFEST,
    Api,
    code,
    descriptor,
    sha,
)

DATA = bytes(range(256)) * 40


def test_the_registry_says_that_it_is_one(api: Api) -> None:
    answer = api("GET", "/v2/")
    assert answer.status_code == 200
    assert answer.headers["docker-distribution-api-version"] == "registry/2.0"


def test_a_blob_is_announced_by_head(api: Api) -> None:
    digest = api.blob(DATA)
    answer = api("HEAD", f"blobs/{digest}")
    assert answer.status_code == 200
    assert answer.headers["content-length"] == str(len(DATA))
    assert answer.headers["docker-content-digest"] == digest
    assert answer.content == b""


def test_a_blob_is_pulled_whole(api: Api) -> None:
    digest = api.blob(DATA)
    answer = api("GET", f"blobs/{digest}")
    assert answer.status_code == 200
    assert answer.content == DATA
    assert answer.headers["content-length"] == str(len(DATA))
    assert answer.headers["docker-content-digest"] == digest
    assert answer.headers["content-type"] == "application/octet-stream"


def test_an_unknown_blob_is_not_found(api: Api) -> None:
    api.blob(DATA)
    assert api("HEAD", f"blobs/{NOWHERE}").status_code == 404
    answer = api("GET", f"blobs/{NOWHERE}")
    assert answer.status_code == 404
    assert code(answer) == "BLOB_UNKNOWN"


def test_a_blob_of_another_repository_is_not_found(api: Api) -> None:
    digest = api.blob(b"elsewhere " + api.name.encode())
    other = f"/v2/{api.name}-other/blobs/{digest}"
    assert api("GET", other).status_code == 404


@pytest.mark.parametrize(
    ("span", "wanted"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=10-19", (10, 20)),
        ("bytes=10000-", (10000, 10240)),
        ("bytes=-7", (10233, 10240)),
        ("bytes=10230-99999", (10230, 10240)),
    ],
)
def test_a_blob_is_pulled_in_part(api: Api, span: str, wanted: tuple[int, int]) -> None:
    digest = api.blob(DATA)
    answer = api("GET", f"blobs/{digest}", headers={"Range": span})
    start, end = wanted
    assert answer.status_code == 206
    assert answer.content == DATA[start:end]
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(DATA)}"
    assert answer.headers["content-length"] == str(end - start)


def test_a_part_outside_of_the_blob_is_refused(api: Api) -> None:
    digest = api.blob(DATA)
    answer = api("GET", f"blobs/{digest}", headers={"Range": "bytes=10240-"})
    assert answer.status_code == 416


def test_a_malformed_range_is_ignored(ours: Api) -> None:
    digest = ours.blob(DATA)
    for span in ("bytes=", "bytes=a-b", "lines=1-2", "bytes=9-3", "bytes=0-1,4-5"):
        answer = ours("GET", f"blobs/{digest}", headers={"Range": span})
        assert (answer.status_code, answer.content) == (200, DATA), span


def test_a_blob_that_the_client_has_is_not_sent_again(api: Api) -> None:
    digest = api.blob(DATA)
    answer = api("GET", f"blobs/{digest}", headers={"If-None-Match": f'"{digest}"'})
    assert answer.status_code == 304
    assert answer.content == b""


@pytest.mark.parametrize("text", ["sha256:abc", "sha256:" + "G" * 64, "nothing:1", "sha256"])
def test_a_malformed_digest_is_refused(api: Api, text: str) -> None:
    api.blob(DATA)
    answer = api("GET", f"blobs/{text}")
    assert answer.status_code in {400, 404}


def test_a_malformed_digest_is_named_so(ours: Api) -> None:
    answer = ours("GET", "blobs/sha256:abc")
    assert answer.status_code == 400
    assert code(answer) == "DIGEST_INVALID"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_manifest_is_pulled_by_tag_and_by_digest(api: Api, method: str) -> None:
    body = api.image()
    digest = api.push("v1", body)
    for reference in ("v1", digest):
        answer = api.get(reference, OCI_MANIFEST, method)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == OCI_MANIFEST
        assert answer.headers["docker-content-digest"] == digest
        assert answer.headers["content-length"] == str(len(body))
        assert answer.content == (body if method == "GET" else b"")


def test_a_manifest_comes_back_byte_for_byte(api: Api) -> None:
    body = json.dumps(json.loads(api.image()), indent=3).encode() + b"\n\n"
    digest = api.push("v1", body)
    assert sha(api.get(digest, OCI_MANIFEST).content) == digest


def test_an_unknown_manifest_is_not_found(api: Api) -> None:
    api.push("v1", api.image())
    for reference in ("nothing", NOWHERE):
        answer = api.get(reference)
        assert answer.status_code == 404
        assert code(answer) == "MANIFEST_UNKNOWN"
        assert api.get(reference, method="HEAD").status_code == 404


def test_an_unknown_repository_is_not_found(api: Api) -> None:
    answer = api.get("v1")
    assert answer.status_code == 404
    assert code(answer) in {"NAME_UNKNOWN", "MANIFEST_UNKNOWN"}


def test_a_manifest_that_the_client_has_is_not_sent_again(api: Api) -> None:
    digest = api.push("v1", api.image())
    headers = {"Accept": OCI_MANIFEST, "If-None-Match": f'"{digest}"'}
    assert api("GET", "manifests/v1", headers=headers).status_code == 304


@pytest.mark.parametrize(
    "accept",
    [
        OCI_MANIFEST,
        f"{DOCKER_MANIFEST}, {OCI_MANIFEST}",
        f"{OCI_INDEX};q=0.9, {OCI_MANIFEST};q=0.8",
        "*/*",
    ],
)
def test_a_manifest_is_sent_to_who_accepts_it(api: Api, accept: str) -> None:
    api.push("v1", api.image())
    assert api.get("v1", accept).status_code == 200


def test_a_manifest_is_not_sent_to_who_does_not_accept_it(api: Api) -> None:
    api.push("v1", api.image())
    answer = api.get("v1", DOCKER_LIST)
    assert answer.status_code == 404
    assert code(answer) == "MANIFEST_UNKNOWN"


def test_several_accept_headers_count_together(ours: Api) -> None:
    ours.push("v1", ours.image())
    headers = [("Accept", DOCKER_LIST), ("Accept", OCI_MANIFEST)]
    assert ours("GET", "manifests/v1", headers=headers).status_code == 200


def test_an_index_is_pulled_as_one(api: Api) -> None:
    child = api.image()
    api.push(sha(child), child)
    platform = {"architecture": "amd64", "os": "linux"}
    index = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [descriptor(child, OCI_MANIFEST, platform=platform)],
    }
    digest = api.push("multi", json.dumps(index).encode(), OCI_INDEX)
    answer = api.get("multi", OCI_INDEX)
    assert answer.headers["content-type"] == OCI_INDEX
    assert answer.headers["docker-content-digest"] == digest
    assert api.get(answer.json()["manifests"][0]["digest"], OCI_MANIFEST).content == child
