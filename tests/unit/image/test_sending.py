"""An Engine's archive of an image, read so that it can be pushed."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from fairway.image.sending import _manifest, _unpack, distrusts
from fairway.model.errors import InvalidInput

CONFIG = b'{"rootfs": {}}'
ENTRY = {"Config": "c.json", "Layers": ["a/layer.tar", "b/layer.tar"]}


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ('Get "https://r:5000/v2/": http: server gave HTTP response to HTTPS client', True),
        ('Get "https://r:5000/v2/": x509: certificate signed by unknown authority', True),
        ("tls: failed to verify certificate: x509: certificate has expired", True),
        ("denied: requested access to the resource is denied", False),
        ("unauthorized: authentication required", False),
        ("dial tcp 10.0.0.9:5000: connect: connection refused", False),
    ],
)
def test_distrust_is_told_from_other_refusals(words: str, found: bool) -> None:
    assert distrusts(words) is found


def archive(path: Path, manifest: Any = (ENTRY,)) -> Path:
    """What `docker save` writes: a layer that is there twice is a link within it."""
    with tarfile.open(path, "w") as tar:
        for name, data in {
            "a/layer.tar": b"layer",
            "c.json": CONFIG,
            "manifest.json": json.dumps(manifest).encode(),
        }.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
        link = tarfile.TarInfo("b/layer.tar")
        link.type, link.linkname = tarfile.SYMTYPE, "../a/layer.tar"
        tar.addfile(link)
    return path


def test_configuration_and_layers_are_taken_out_and_described(tmp_path: Path) -> None:
    config, layers = _unpack(archive(tmp_path / "image.tar"), tmp_path)
    assert config == CONFIG
    for layer in layers:
        data = layer.path.read_bytes()
        assert gzip.decompress(data) == b"layer"
        assert (layer.size, layer.digest) == (
            len(data),
            f"sha256:{hashlib.sha256(data).hexdigest()}",
        )
    manifest = json.loads(_manifest(config, layers))
    assert [one["digest"] for one in manifest["layers"]] == [one.digest for one in layers]
    assert manifest["config"]["size"] == len(CONFIG)


@pytest.mark.parametrize(
    "manifest",
    [[], [ENTRY, ENTRY], [{}], "x", [{"Config": "none", "Layers": []}], [{**ENTRY, "Layers": 1}]],
)
def test_an_archive_that_is_none_is_an_error_of_the_push(tmp_path: Path, manifest: Any) -> None:
    with pytest.raises(InvalidInput) as raised:
        _unpack(archive(tmp_path / "image.tar", manifest), tmp_path)
    assert raised.value.code == "push-refused"
    (tmp_path / "image.tar").write_bytes(b"nothing")
    with pytest.raises(InvalidInput):
        _unpack(tmp_path / "image.tar", tmp_path)
