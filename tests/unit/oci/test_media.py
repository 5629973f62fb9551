"""Media types and Accept headers."""

from __future__ import annotations

import pytest

from fairway.oci import media
from fairway.oci.media import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST


@pytest.mark.parametrize(
    ("header", "media_type", "wanted"),
    [
        ("", OCI_MANIFEST, True),
        ("  ", OCI_MANIFEST, True),
        ("*/*", OCI_MANIFEST, True),
        ("application/*", OCI_INDEX, True),
        ("text/*", OCI_INDEX, False),
        (OCI_MANIFEST, OCI_MANIFEST, True),
        (OCI_MANIFEST.upper(), OCI_MANIFEST, True),
        (OCI_MANIFEST, DOCKER_MANIFEST, False),
        (f"{DOCKER_LIST}, {OCI_INDEX}", OCI_INDEX, True),
        (f"{DOCKER_LIST},{OCI_INDEX};q=0.5", OCI_INDEX, True),
        (f"{OCI_INDEX};q=0, */*;q=0.1", OCI_INDEX, True),
        (f"{OCI_INDEX};q=0", OCI_INDEX, False),
        (f"{OCI_INDEX}; q=0.000", OCI_INDEX, False),
        (f"{OCI_INDEX};q=many", OCI_INDEX, True),
        (f"{OCI_INDEX};charset=utf-8", OCI_INDEX, True),
        (",,,", OCI_INDEX, False),
    ],
)
def test_an_accept_header_takes_what_it_names(header: str, media_type: str, wanted: bool) -> None:
    assert media.accepts(header, media_type) is wanted


@pytest.mark.parametrize(
    ("header", "wanted"),
    [("a/b", "a/b"), ("A/B; charset=utf-8", "a/b"), (" a/b ;x", "a/b"), ("", "")],
)
def test_a_content_type_is_taken_without_its_parameters(header: str, wanted: str) -> None:
    assert media.plain(header) == wanted


@pytest.mark.parametrize(
    ("media_type", "wanted"),
    [
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", True),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", True),
        ("application/vnd.oci.image.layer.v1.tar", False),
        ("", False),
    ],
)
def test_some_layers_may_lie_elsewhere(media_type: str, wanted: bool) -> None:
    assert media.may_be_elsewhere(media_type) is wanted
