"""Manifests (what the wire says of them is in tests/oci)."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.model.errors import FairwayError, InvalidInput, TooLarge
from fairway.oci import manifest, media

DIGEST = "sha256:" + "1" * 64
ONE: dict[str, Any] = {"mediaType": "a/b", "digest": DIGEST, "size": 3}
IMAGE: dict[str, Any] = {"schemaVersion": 2, "config": ONE, "layers": [ONE]}
INDEX: dict[str, Any] = {"schemaVersion": 2, "manifests": [ONE]}
ARTIFACT: dict[str, Any] = {"mediaType": media.OCI_ARTIFACT, "blobs": [ONE]}


def read(value: object, content_type: str = "") -> manifest.Manifest:
    return manifest.read(json.dumps(value).encode(), content_type)


@pytest.mark.parametrize(
    ("value", "content_type", "wanted"),
    [
        (IMAGE, "", media.OCI_MANIFEST),
        (IMAGE, "application/json", media.OCI_MANIFEST),
        (IMAGE, media.DOCKER_MANIFEST, media.DOCKER_MANIFEST),
        ({**IMAGE, "mediaType": media.DOCKER_MANIFEST}, "", media.DOCKER_MANIFEST),
        (INDEX, "", media.OCI_INDEX),
        (INDEX, media.DOCKER_LIST, media.DOCKER_LIST),
        (ARTIFACT, media.OCI_ARTIFACT, media.OCI_ARTIFACT),
    ],
)
def test_the_type_comes_from_outside_or_inside(
    value: object, content_type: str, wanted: str
) -> None:
    assert read(value, content_type).media_type == wanted


def test_an_image_needs_its_config_and_its_layers() -> None:
    foreign = {**ONE, "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"}
    found = read({**IMAGE, "layers": [ONE, foreign]})
    assert len(found.blobs()) == 3
    assert len(found.needed()) == 2


def test_an_artifact_of_the_drafts_has_blobs() -> None:
    assert len(read(ARTIFACT, media.OCI_ARTIFACT).needed()) == 1


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (IMAGE, "a/b"),
        ({**IMAGE, "artifactType": "x/y"}, "x/y"),
        (INDEX, ""),
        ({**INDEX, "artifactType": "x/y"}, "x/y"),
    ],
)
def test_a_referrer_is_called_by_its_artifact_type(value: object, wanted: str) -> None:
    assert manifest.artifact_type(read(value)) == wanted


@pytest.mark.parametrize(
    ("value", "content_type"),
    [
        ({**IMAGE, "mediaType": media.OCI_MANIFEST}, media.DOCKER_MANIFEST),
        ({**INDEX, "layers": [ONE]}, ""),
        ({**INDEX, "config": ONE}, ""),
        (IMAGE, media.OCI_INDEX),
        (INDEX, media.OCI_MANIFEST),
        ({**IMAGE, "fsLayers": []}, ""),
        ({**IMAGE, "subject": "x"}, ""),
        ({**IMAGE, "subject": {**ONE, "digest": "x"}}, ""),
        ({**IMAGE, "config": {**ONE, "size": 1.5}}, ""),
        ({**IMAGE, "config": {**ONE, "size": 2**80}}, ""),
        ({**IMAGE, "layers": [ONE] * 20_001}, ""),
    ],
)
def test_what_contradicts_itself_is_refused(value: object, content_type: str) -> None:
    with pytest.raises(InvalidInput) as error:
        read(value, content_type)
    assert error.value.code in {"bad-manifest", "bad-digest"}


def test_a_type_that_is_not_taken_is_named() -> None:
    with pytest.raises(InvalidInput) as error:
        read(IMAGE, "application/vnd.docker.distribution.manifest.v1+prettyjws")
    assert error.value.code == "unsupported-manifest"
    assert "prettyjws" in str(error.value)


def test_a_large_manifest_is_not_even_parsed() -> None:
    with pytest.raises(TooLarge):
        manifest.read(b"x" * (manifest.LONGEST + 1), "")


@pytest.mark.parametrize(
    ("text", "deep"),
    [
        (b"[" * 64 + b"]" * 64, False),
        (b"[" * 65 + b"]" * 65, True),
        (b'{"a":' * 65, True),
        (b'"' + b"[" * 1000 + b'"', False),
        (b'"\\"' + b"[" * 1000 + b'"', False),
        (b'"\\\\"' + b"[" * 65, True),
        (b"[]" * 1000, False),
    ],
)
def test_depth_is_counted_outside_of_strings(text: bytes, deep: bool) -> None:
    if not deep:
        manifest.check_depth(text)
        return
    with pytest.raises(InvalidInput):
        manifest.check_depth(text)


@given(st.binary(max_size=200), st.sampled_from(["", *sorted(media.MANIFESTS)]))
def test_bytes_that_anybody_sends_raise_nothing_else(body: bytes, content_type: str) -> None:
    with suppress(FairwayError):  # "{}" is an artifact's manifest of the drafts
        manifest.read(body, content_type)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just(DIGEST),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(st.sampled_from([IMAGE, INDEX, ARTIFACT]), st.data())
def test_any_field_may_be_anything(value: dict[str, Any], data: st.DataObject) -> None:
    names = [
        "schemaVersion",
        "mediaType",
        "config",
        "layers",
        "manifests",
        "subject",
        "annotations",
    ]
    name = data.draw(st.sampled_from(names))
    try:
        found = read({**value, name: data.draw(_JSON)})
    except FairwayError:
        return
    assert found.media_type in media.MANIFESTS
