"""Fairway is killed (-9) while a push is under way: the client hears of it, and a retry works."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from fairway.testing.installation import Copy, Installation, git_environment, until

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]
MIB = 1024 * 1024
FILE = """kind: pipeline
name: one
clone: {disable: true}
steps:
- {name: say, image: busybox, pull: never, commands: [echo said]}
"""


def test_a_git_push_in_flight_can_be_repeated_and_is_built_once(
    installation: Installation, tmp_path: Path, seed: int
) -> None:
    installation.start()
    copy = Copy(tmp_path / "copy")
    noise = random.Random(seed).randbytes(64 * MIB)
    commit = copy.commit({".drone.yml": FILE, "noise": noise})
    pushing = subprocess.Popen(
        ["git", "push", "-q", installation.remote("crash/pushed"), "HEAD:refs/heads/main"],
        cwd=copy.folder,
        env=git_environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    folder = installation.data / "git"
    until(
        "the pack comes in", lambda: any(folder.rglob("*incoming*")) or pushing.poll() is not None
    )
    assert pushing.poll() is None, "it was over before it could be cut"
    installation.kill()
    said = pushing.communicate(timeout=300)[1]
    assert pushing.returncode != 0, "the client was told that all is well"
    assert said.strip(), "git says nothing of what went wrong"
    installation.start()
    assert copy.push(installation.remote("crash/pushed"))
    assert installation.ended("crash/pushed").after == commit
    assert [build.number for build in installation.builds("crash/pushed")] == [1]
    clone = tmp_path / "clone"
    subprocess.run(
        ["git", "clone", "-q", installation.remote("crash/pushed"), clone],
        env=git_environment(),
        check=True,
    )
    assert (clone / "noise").read_bytes() == noise


def test_a_registry_push_in_flight_can_be_resumed_or_repeated(
    installation: Installation, seed: int
) -> None:
    installation.start()
    installation.create("crash/image")
    content = random.Random(seed).randbytes(32 * MIB)
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    registry = f"{installation.url}/v2/crash/image"
    with httpx.Client(auth=("admin", installation.token), timeout=60, trust_env=False) as client:
        begun = client.post(f"{registry}/blobs/uploads/")
        assert begun.status_code == 202, begun.text
        where = httpx.URL(installation.url).join(begun.headers["Location"])
        with pytest.raises(httpx.TransportError):
            client.patch(where, content=cut(content, installation))
        installation.start()
        assert client.head(f"{registry}/blobs/{digest}").status_code == 404
        asked = client.get(where)
        assert asked.status_code == 204, asked.text
        kept = int(asked.headers["Range"].partition("-")[2]) + 1
        if kept == 1:  # `0-0` is what an upload says of which nothing is kept, too
            kept = 0
        rest = {"Content-Range": f"{kept}-{len(content) - 1}"}
        where = httpx.URL(installation.url).join(asked.headers["Location"])
        more = client.patch(where, content=content[kept:], headers=rest)
        assert more.status_code == 202, more.text
        where = httpx.URL(installation.url).join(more.headers["Location"])
        assert client.put(where.copy_merge_params({"digest": digest})).status_code == 201
        assert client.get(f"{registry}/blobs/{digest}").content == content
        again = client.post(
            f"{registry}/blobs/uploads/", params={"digest": digest}, content=content
        )
        assert again.status_code == 201, again.text
        assert push_manifest(client, registry, digest, len(content)) == 201


def cut(content: bytes, system: Installation) -> Iterator[bytes]:
    """The first half, and then nobody is there any more."""
    half = len(content) // 2
    for at in range(0, half, MIB):
        yield content[at : at + MIB]
    system.kill()
    for at in range(half, len(content), MIB):
        yield content[at : at + MIB]


def push_manifest(client: httpx.Client, registry: str, digest: str, size: int) -> int:
    kind = "application/vnd.oci.image.manifest.v1+json"
    config = b"{}"
    named = f"sha256:{hashlib.sha256(config).hexdigest()}"
    client.post(f"{registry}/blobs/uploads/", params={"digest": named}, content=config)
    layer = {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": size}
    head = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": named, "size": 2}
    body = {"schemaVersion": 2, "mediaType": kind, "config": head, "layers": [layer]}
    put = client.put(
        f"{registry}/manifests/latest", content=json.dumps(body), headers={"Content-Type": kind}
    )
    return put.status_code
