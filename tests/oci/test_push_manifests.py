"""Workflow 2 of the specification: push, manifests."""

from __future__ import annotations

import json
from typing import Any

import pytest
from spec import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    NOWHERE,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    Api,
    code,
    descriptor,
    sha,
)

EMPTY = b"{}"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"


def test_a_manifest_is_pushed_by_tag(api: Api) -> None:
    body = api.image()
    answer = api.put("v1.0_x-y", body)
    assert answer.status_code == 201
    assert answer.headers["docker-content-digest"] == sha(body)
    assert api("GET", answer.headers["location"], headers={"Accept": OCI_MANIFEST}).content == body


def test_a_manifest_is_pushed_by_digest(api: Api) -> None:
    body = api.image()
    answer = api.put(sha(body), body)
    assert answer.status_code == 201
    assert answer.headers["docker-content-digest"] == sha(body)
    assert api.get(sha(body)[:19]).status_code in {400, 404}


def test_a_manifest_is_pushed_by_a_sha512_digest(ours: Api) -> None:
    body = ours.image()
    digest = sha(body, "sha512")
    answer = ours.put(digest, body)
    assert answer.headers["docker-content-digest"] == digest
    assert ours.get(digest).content == body


def test_a_tag_moves(api: Api) -> None:
    first, second = api.push("v1", api.image("1")), api.push("v1", api.image("2"))
    assert api.get("v1", OCI_MANIFEST).headers["docker-content-digest"] == second
    assert api.get(first, OCI_MANIFEST).status_code == 200


def test_the_same_manifest_is_pushed_again(api: Api) -> None:
    body = api.image()
    assert api.push("v1", body) == api.push("v2", body) == api.push("v1", body)


def test_a_wrong_digest_of_a_manifest_is_refused(api: Api) -> None:
    answer = api.put(NOWHERE, api.image())
    assert answer.status_code == 400
    assert code(answer) == "DIGEST_INVALID"


def test_a_manifest_whose_layer_is_missing_is_refused(api: Api) -> None:
    body = json.loads(api.image())
    body["layers"].append({"mediaType": OCI_LAYER, "digest": NOWHERE, "size": 1})
    answer = api.put("v1", json.dumps(body).encode())
    assert answer.status_code in {400, 404}
    assert code(answer) == "MANIFEST_BLOB_UNKNOWN"
    assert NOWHERE in answer.text
    assert api.get("v1", OCI_MANIFEST).status_code == 404


def test_a_manifest_whose_config_is_missing_is_refused(api: Api) -> None:
    body = json.loads(api.image())
    body["config"]["digest"] = NOWHERE
    answer = api.put("v1", json.dumps(body).encode())
    assert answer.status_code in {400, 404}
    assert code(answer) == "MANIFEST_BLOB_UNKNOWN"


def test_an_index_whose_manifest_is_missing_is_refused(api: Api) -> None:
    index = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [{"mediaType": OCI_MANIFEST, "digest": NOWHERE, "size": 10}],
    }
    answer = api.put("v1", json.dumps(index).encode(), OCI_INDEX)
    assert answer.status_code in {400, 404}
    assert code(answer) == "MANIFEST_BLOB_UNKNOWN"


def test_a_blob_of_another_repository_does_not_count(ours: Api) -> None:
    body = ours.image()
    answer = ours("PUT", f"/v2/{ours.name}-other/manifests/v1", content=body)
    assert code(answer) == "MANIFEST_BLOB_UNKNOWN"


def test_a_layer_that_lies_elsewhere_need_not_be_here(api: Api) -> None:
    body = json.loads(api.image())
    foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    urls = ["https://example.org/layer"]
    body["mediaType"] = DOCKER_MANIFEST
    body["layers"].append({"mediaType": foreign, "digest": NOWHERE, "size": 1, "urls": urls})
    body["config"]["mediaType"] = "application/vnd.docker.container.image.v1+json"
    assert api.put("v1", json.dumps(body).encode(), DOCKER_MANIFEST).status_code == 201


def test_a_wrong_size_is_refused(ours: Api) -> None:
    body = json.loads(ours.image())
    body["layers"][0]["size"] += 1
    answer = ours.put("v1", json.dumps(body).encode())
    assert answer.status_code == 400
    assert code(answer) == "SIZE_INVALID"


BROKEN: dict[str, Any] = {
    "no JSON": b"nothing",
    "half": b'{"schemaVersion": 2',
    "a list": b"[]",
    "null": b"null",
    "no version": {"schemaVersion": None},
    "schema 1": {"schemaVersion": 1},
    "layers of another type": {"layers": "x"},
    "a digest that is none": {"layers": [{"mediaType": OCI_LAYER, "digest": "x", "size": 1}]},
    "another type inside": {"mediaType": DOCKER_MANIFEST},
    "not UTF-8": b'{"schemaVersion": 2, "mediaType": "\xff"}',
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_manifest_that_is_none_is_refused(api: Api, name: str) -> None:
    change = BROKEN[name]
    body = change
    if isinstance(change, dict):
        body = json.dumps({**json.loads(api.image()), **change}).encode()
    answer = api.put("v1", body)
    assert answer.status_code == 400
    assert code(answer) in {"MANIFEST_INVALID", "DIGEST_INVALID"}


OURS_BROKEN: dict[str, Any] = {
    "no config": {"config": None},
    "manifests in an image": {"manifests": []},
    "a negative size": {"layers": [{"mediaType": OCI_LAYER, "digest": NOWHERE, "size": -1}]},
    "a size that is text": {"layers": [{"mediaType": OCI_LAYER, "digest": NOWHERE, "size": "1"}]},
    "no media type of a layer": {"layers": [{"mediaType": "", "digest": NOWHERE, "size": 1}]},
    "annotations that are no text": {"annotations": {"a": 1}},
    "deep nesting": {"x": json.loads("[" * 80 + "]" * 80)},
}


@pytest.mark.parametrize("name", OURS_BROKEN)
def test_we_refuse_what_the_image_specification_forbids(ours: Api, name: str) -> None:
    body = json.dumps({**json.loads(ours.image()), **OURS_BROKEN[name]}).encode()
    answer = ours.put("v1", body)
    assert answer.status_code == 400
    assert code(answer) == "MANIFEST_INVALID"


def test_a_million_brackets_do_no_harm(ours: Api) -> None:
    answer = ours.put("v1", b"[" * 1_000_000)
    assert code(answer) == "MANIFEST_INVALID"


def test_a_type_that_nobody_knows_is_refused(api: Api) -> None:
    answer = api.put("v1", api.image(mediaType="text/plain"), "text/plain")
    assert answer.status_code == 400
    assert code(answer) == "MANIFEST_INVALID"


def test_a_type_may_stand_inside_only(ours: Api) -> None:
    body = ours.image()
    assert ours.put("v1", body, "").status_code == 201
    assert ours.get("v1").headers["content-type"] == OCI_MANIFEST


def test_parameters_of_a_type_do_not_matter(ours: Api) -> None:
    assert ours.put("v1", ours.image(), f"{OCI_MANIFEST}; charset=utf-8").status_code == 201


def test_a_manifest_of_four_mebibytes_is_taken(api: Api) -> None:
    body = api.image(annotations={"x": "y" * (4 * 1024 * 1024 - 2000)})
    assert api.put("v1", body).status_code == 201


def test_a_larger_manifest_is_too_large(api: Api) -> None:
    body = api.image(annotations={"x": "y" * (5 * 1024 * 1024)})
    answer = api.put("v1", body)
    assert answer.status_code in {400, 413}


def test_too_large_is_said_so(ours: Api) -> None:
    answer = ours.put("v1", ours.image(annotations={"x": "y" * (5 * 1024 * 1024)}))
    assert answer.status_code == 413
    assert code(answer) == "SIZE_INVALID"


@pytest.mark.parametrize("tag", ["-x", ".x", "a" * 129, "a b", "a@b", "ä"])
def test_a_tag_that_is_none_is_refused(api: Api, tag: str) -> None:
    assert api.put(tag, api.image()).status_code in {400, 404}


@pytest.mark.parametrize("tag", ["_x", "A.b-c_d", "a" * 128, "0"])
def test_a_tag_may_be_called_so(api: Api, tag: str) -> None:
    assert api.put(tag, api.image()).status_code == 201


def test_dockers_schema_two_is_taken(api: Api) -> None:
    types = {
        "mediaType": DOCKER_MANIFEST,
        "config": {"mediaType": "application/vnd.docker.container.image.v1+json"},
    }
    body = json.loads(api.image())
    body["mediaType"] = DOCKER_MANIFEST
    body["config"].update(types["config"])
    raw = json.dumps(body).encode()
    digest = api.push("v1", raw, DOCKER_MANIFEST)
    many = {
        "schemaVersion": 2,
        "mediaType": DOCKER_LIST,
        "manifests": [
            descriptor(raw, DOCKER_MANIFEST, platform={"architecture": "amd64", "os": "linux"})
        ],
    }
    api.push("many", json.dumps(many).encode(), DOCKER_LIST)
    assert api.get("many", DOCKER_LIST).headers["content-type"] == DOCKER_LIST
    assert api.get("v1", DOCKER_MANIFEST).headers["docker-content-digest"] == digest


def test_an_artifact_has_an_empty_config(api: Api) -> None:
    api.blob(EMPTY)
    api.blob(b"text")
    body = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": "application/x.note",
        "config": descriptor(EMPTY, OCI_EMPTY),
        "layers": [descriptor(b"text", "text/plain")],
    }
    api.push("note", json.dumps(body).encode())
    assert api.get("note", OCI_MANIFEST).json()["artifactType"] == "application/x.note"


def test_a_subject_is_acknowledged(api: Api) -> None:
    subject = api.image()
    digest = api.push("v1", subject)
    body = api.image("signature", subject=descriptor(subject, OCI_MANIFEST))
    answer = api.put(sha(body), body)
    assert answer.status_code == 201
    assert answer.headers["oci-subject"] == digest


def test_a_subject_need_not_be_here(api: Api) -> None:
    subject = {"mediaType": OCI_MANIFEST, "digest": NOWHERE, "size": 100}
    assert api.put("signature", api.image(subject=subject)).status_code == 201


def test_an_index_may_hold_an_index(ours: Api) -> None:
    child = ours.image()
    ours.push(sha(child), child)
    inner = json.dumps(
        {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [descriptor(child, OCI_MANIFEST)]}
    ).encode()
    ours.push(sha(inner), inner, OCI_INDEX)
    outer = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [descriptor(inner, OCI_INDEX)],
    }
    assert ours.put("all", json.dumps(outer).encode(), OCI_INDEX).status_code == 201


def test_a_config_is_of_any_type(api: Api) -> None:
    body = json.loads(api.image())
    body["config"]["mediaType"] = "application/vnd.example.chart.config.v1+json"
    assert api.put("chart", json.dumps(body).encode()).status_code == 201
    assert OCI_CONFIG not in api.get("chart", OCI_MANIFEST).text
