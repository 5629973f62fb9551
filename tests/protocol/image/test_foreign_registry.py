"""Images and a registry that is not ours: Debian's docker-registry, over HTTP and untrusted TLS.

An Engine takes any registry of this machine as it is; one of any other address has to speak TLS
with a certificate that it knows. The gateway of a network of its own is such an address.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import secrets
import shutil
import subprocess
import tarfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import authority
import httpx
import pytest

from fairway.docker.client import Docker
from fairway.image.build import Builder
from fairway.model.errors import InvalidInput
from fairway.model.image import BuildRequest, BuiltImage, Facts, Target

pytestmark = [
    pytest.mark.docker,
    pytest.mark.timeout(300),
    pytest.mark.skipif(shutil.which("docker-registry") is None, reason="needs docker-registry"),
]
FACTS = Facts(source="http://x/o/r", revision="abc", created="2026-01-01T00:00:00Z", version="7")
TYPES = (
    "application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json"
)
START_S = 120
_AT = re.compile(rb"listening on [^ \"]*:(\d+)")


@pytest.fixture
async def docker() -> AsyncIterator[Docker]:
    client = Docker(os.environ["DOCKER_HOST"])
    yield client
    client.close()


@pytest.fixture
async def address(docker: Docker) -> AsyncIterator[str]:
    """An address of this machine that is none of loopback."""
    name = f"fairway-test-{secrets.token_hex(4)}"
    await docker.create_network(name, {})
    about = await docker.call("GET", f"/networks/{name}")
    yield str(about["IPAM"]["Config"][0]["Gateway"])
    await docker.remove_network(name)


@contextmanager
def foreign(folder: Path, address: str, tls: dict[str, str] | None = None) -> Iterator[str]:
    """Debian's registry; yields its host:port."""
    config = folder / "registry.json"
    config.write_text(
        json.dumps(
            {
                "version": "0.1",
                "log": {"level": "info", "accesslog": {"disabled": True}},
                "storage": {"filesystem": {"rootdirectory": str(folder / "registry")}},
                "http": {"addr": f"{address}:0", **({"tls": tls} if tls else {})},
            }
        )
    )
    said = folder / "registry.log"
    with (
        said.open("wb") as log,
        subprocess.Popen(
            ["docker-registry", "serve", str(config)],
            stderr=log,
            stdout=log,
            env={"PATH": os.environ["PATH"], "OTEL_TRACES_EXPORTER": "none"},
        ) as child,
    ):
        try:
            yield f"{address}:{port(child, said)}"
        finally:
            child.kill()


def port(child: subprocess.Popen[bytes], said: Path) -> str:
    """Where it listens, from its own words."""
    until = time.monotonic() + START_S
    while time.monotonic() < until and child.poll() is None:
        if found := _AT.search(said.read_bytes()):
            return found[1].decode()
        time.sleep(0.05)
    raise AssertionError(said.read_text())


@pytest.fixture
def near(tmp_path: Path) -> Iterator[str]:
    """A registry that the Engine takes as it is."""
    with foreign(tmp_path, "127.0.0.1") as host:
        yield host


def asked(folder: Path, full: str, files: dict[str, str], **about: Any) -> BuildRequest:
    for name, text in files.items():
        (folder / "work").mkdir(exist_ok=True)
        (folder / "work" / name).write_text(text)
    given = {"targets": (Target(written=full, full=full, ours=False),), "facts": FACTS, **about}
    return BuildRequest(key=secrets.token_hex(4), root=folder / "work", **given)


async def build(docker: Docker, request: BuildRequest) -> tuple[list[BuiltImage], str]:
    said = bytearray()

    async def log(data: bytes) -> None:
        said.extend(data)

    built = await Builder(docker).build(request, log)
    return built, said.decode()


@pytest.mark.parametrize("secure", [False, True], ids=["http", "tls"])
async def test_a_registry_that_the_engine_does_not_trust_gets_the_image_if_the_step_says_so(
    docker: Docker, address: str, tmp_path: Path, secure: bool
) -> None:
    _ca, certificate, key = authority.write(tmp_path, address)
    tls = {"certificate": str(certificate), "key": str(key)} if secure else None
    with foreign(tmp_path, address, tls) as host:
        files = {"Dockerfile": "FROM scratch\nCOPY one /\nCOPY two /\n", "one": "1", "two": "2"}
        request = asked(tmp_path, f"{host}/o/r:v1", files)
        with pytest.raises(InvalidInput) as refused:
            await build(docker, request)
        assert refused.value.code == "push-refused"
        assert "insecure: true" in refused.value.remedy
        (one,), _log = await build(docker, asked(tmp_path, f"{host}/o/r:v1", {}, insecure=True))
        assert (one.registry, one.repository) == (host, "")
        base = f"{'https' if secure else 'http'}://{host}/v2/o/r"
        async with httpx.AsyncClient(verify=False) as http:
            answer = await http.get(f"{base}/manifests/v1", headers={"Accept": TYPES})
            assert answer.headers["docker-content-digest"] == one.digest
            manifest = answer.json()
            assert manifest["annotations"] == FACTS.labels()
            config = (await http.get(f"{base}/blobs/{manifest['config']['digest']}")).json()
            layers = [
                (await http.get(f"{base}/blobs/{layer['digest']}")).content
                for layer in manifest["layers"]
            ]
    assert config["config"]["Labels"] == FACTS.labels()
    assert len(layers) == len(config["rootfs"]["diff_ids"]) == 2
    assert [names(layer) for layer in layers] == [["one"], ["two"]]


def names(layer: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(layer))) as tar:
        return tar.getnames()


async def test_a_mirror_is_asked_for_names_without_a_host_and_for_no_others(
    docker: Docker, near: str, tmp_path: Path
) -> None:
    name = f"base{secrets.token_hex(4)}"
    full = f"{near}/library/{name}:1"
    files = {"Dockerfile": f"FROM scratch\nCOPY {name} /\n", name: ""}
    (base,), _log = await build(docker, asked(tmp_path, full, files))
    files = {"Dockerfile": f"FROM {name}:1\nCOPY mine /\n", "mine": ""}
    about = {"mirror": f"http://{near}"}
    try:
        _built, log = await build(docker, asked(tmp_path, f"{near}/o/r:1", files, **about))
        assert f"{name}:1 is {near}/library/{name}@{base.digest}" in log
    finally:
        await docker.remove_image(f"{near}/library/{name}@{base.digest}", force=True)
    files = {"Dockerfile": "FROM 127.0.0.1:1/no/such:1\n"}  # a name with a host is no mirror's
    with pytest.raises(InvalidInput) as missing:
        await build(docker, asked(tmp_path, f"{near}/o/r:2", files, **about))
    assert missing.value.code == "base-image-not-found"
    assert near not in missing.value.message


async def test_a_step_is_taken_from_the_cache_that_an_image_elsewhere_holds(
    docker: Docker, near: str, tmp_path: Path
) -> None:
    token = secrets.token_hex(8)
    command = f"cat /proc/sys/kernel/random/uuid >/{token}"
    full = f"{near}/o/r:1"
    request = asked(
        tmp_path,
        full,
        {"Dockerfile": f"FROM busybox\nRUN {command}\n"},
        pull=False,
        cache_from=(full,),
    )
    (first,), _log = await build(docker, request)
    await forget(docker, token)
    (second,), log = await build(docker, request)
    assert f"importing cache manifest from {full}" in log
    layers = [await last_layer(near, one.digest) for one in (first, second)]
    assert layers[0] == layers[1], "the command ran again"
    await forget(docker, token)
    (third,), _log = await build(docker, asked(tmp_path, full, {}, pull=False))
    assert await last_layer(near, third.digest) != layers[0], "the Engine itself had kept it"


async def forget(docker: Docker, token: str) -> None:
    """Make the Engine's build cache forget the steps that hold a word, and no others."""
    found = await docker.call("GET", "/system/df")
    ids = [one["ID"] for one in found["BuildCache"] or [] if token in one.get("Description", "")]
    for one in ids:
        only = json.dumps({"id": [one]})
        await docker.call("POST", "/build/prune", query={"all": True, "filters": only})


async def last_layer(host: str, digest: str) -> str:
    async with httpx.AsyncClient() as http:
        url = f"http://{host}/v2/o/r/manifests/{digest}"
        manifest = (await http.get(url, headers={"Accept": TYPES})).json()
        config = await http.get(f"http://{host}/v2/o/r/blobs/{manifest['config']['digest']}")
    return str(config.json()["rootfs"]["diff_ids"][-1])
