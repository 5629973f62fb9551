"""Real clients push, pull, copy, attach and delete, with credentials, against our registry."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from box import LOGIN, TOKEN, Box
from people import People
from setting import our_deps
from spec import Api, sha

from fairway.image.registry import registry_app
from fairway.testing.http import served

pytestmark = [pytest.mark.client, pytest.mark.timeout(300)]

Tools = Callable[[str], Path]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Our registry; Ann may everything."""
    deps = our_deps(tmp_path_factory.mktemp("clients"), access=People())
    with served(registry_app(deps)) as served_at:
        yield served_at
    deps.db.close()


@pytest.fixture
def box(tmp_path: Path) -> Box:
    """Where a client runs."""
    return Box(tmp_path)


@pytest.fixture
def api(url: str) -> Iterator[Api]:
    """A fresh repository, with Ann's credentials."""
    with Api(url, f"clients/{uuid.uuid4().hex[:10]}") as opened:
        opened.http.auth = (LOGIN, TOKEN)
        yield opened


@pytest.mark.docker
def test_docker(box: Box, api: Api) -> None:
    name = f"{api.host}/{api.name}"
    try:
        box("docker", "import", box.layer_file("docker"), f"{name}:v1")
        box("docker", "push", f"{name}:v1", fails=True)
        assert "Succeeded" in _docker_login(box, api.host)
        pushed = box("docker", "push", f"{name}:v1")
        digest = api.get("v1").headers["docker-content-digest"]
        assert digest in pushed
        box("docker", "tag", f"{name}:v1", f"{name}/copy:v2")
        assert "Mounted from" in box("docker", "push", f"{name}/copy:v2")
        box("docker", "rmi", f"{name}:v1", f"{name}/copy:v2")
        assert digest in box("docker", "pull", f"{name}:v1")
        assert digest in box("docker", "pull", f"{name}@{digest}")
        run = ("docker", "run", "--rm", "--network=none", f"{name}:v1")
        assert box(*run, "/bin/busybox", "cat", "/text") == "docker"
        assert api("DELETE", f"manifests/{digest}").status_code == 202
        assert "not found" in box("docker", "pull", f"{name}:v1", fails=True)
    finally:
        listed = box("docker", "images", "-q", "--filter", f"reference={name}*")
        copies = box("docker", "images", "-q", "--filter", f"reference={name}/*")
        for image in {*listed.split(), *copies.split()}:
            box("docker", "rmi", "-f", image)


def _docker_login(box: Box, host: str) -> str:
    return box("docker", "login", "-u", LOGIN, "--password-stdin", host, stdin=TOKEN)


def test_skopeo(box: Box, api: Api) -> None:
    layout, digest = box.layout("skopeo")
    name = f"docker://{api.host}/{api.name}"
    skopeo = ("skopeo", "--insecure-policy")
    quiet = ("--dest-tls-verify=false", "--src-tls-verify=false")
    box(*skopeo, "copy", *quiet, f"oci:{layout}:v1", f"{name}:v1", fails=True)
    box("skopeo", "login", "--tls-verify=false", "-u", LOGIN, "-p", TOKEN, api.host)
    box(*skopeo, "copy", *quiet, "--preserve-digests", f"oci:{layout}:v1", f"{name}:v1")
    shown = json.loads(box("skopeo", "inspect", "--tls-verify=false", f"{name}:v1"))
    assert shown["Digest"] == digest
    box(*skopeo, "copy", *quiet, "--all", f"{name}:v1", f"{name}/copy:v2")
    box(*skopeo, "copy", *quiet, f"{name}/copy@{digest}", f"dir:{box.folder / 'pulled'}")
    assert sha((box.folder / "pulled" / "manifest.json").read_bytes()) == digest
    docker = ("--format", "v2s2")
    box(*skopeo, "copy", *quiet, *docker, f"{name}:v1", f"{name}:docker")
    listed = json.loads(box("skopeo", "list-tags", "--tls-verify=false", name))
    assert listed["Tags"] == ["docker", "v1"]
    box("skopeo", "delete", "--tls-verify=false", f"{name}:v1")
    assert api.get(digest).status_code == 404
    assert api.get("docker").status_code == 200


def test_buildah(box: Box, api: Api) -> None:
    name = f"docker://{api.host}/{api.name}"
    where = ("--root", str(box.folder / "root"), "--runroot", str(box.folder / "runroot"))
    buildah = ("buildah", *where, "--storage-driver", "vfs")
    policy = ("--signature-policy", str(box.folder / "policy.json"), "--tls-verify=false")
    made = box(*buildah, "from", *policy, "scratch")
    (box.folder / "text").write_text("buildah")
    box(*buildah, "copy", made, box.folder / "text", "/text")
    box(*buildah, "commit", policy[0], policy[1], made, "built:v1")
    box(*buildah, "push", *policy, "built:v1", f"{name}:v1", fails=True)
    box(*buildah, "login", "--tls-verify=false", "-u", LOGIN, "-p", TOKEN, api.host)
    box(*buildah, "push", *policy, "--digestfile", "digest", "built:v1", f"{name}:v1")
    digest = (box.folder / "digest").read_text()
    assert api.get("v1").headers["docker-content-digest"] == digest
    box(*buildah, "manifest", "create", "many:v1")
    box(*buildah, "manifest", "add", "--tls-verify=false", "many:v1", f"{name}:v1")
    box(*buildah, "manifest", "push", *policy, "--all", "many:v1", f"{name}:many")
    assert [one["digest"] for one in api.get("many").json()["manifests"]] == [digest]
    box(*buildah, "rm", "--all")
    box(*buildah, "rmi", "--all", "--force")
    box(*buildah, "pull", *policy, f"{name}:v1")
    again = box(*buildah, "from", *policy, f"{api.host}/{api.name}:v1")
    mounted = Path(box(*buildah, "mount", again))
    assert (mounted / "text").read_text() == "buildah"
    box(*buildah, "umount", again)


def test_oras(box: Box, api: Api, tool: Tools) -> None:
    oras, name = tool("oras"), f"{api.host}/{api.name}"
    http = "--plain-http"
    (box.folder / "note.txt").write_text("oras")
    box(oras, "push", http, f"{name}:v1", "note.txt:text/plain", fails=True)
    box(oras, "login", http, "-u", LOGIN, "--password-stdin", api.host, stdin=TOKEN)
    kind = ("--artifact-type", "application/x.note")
    box(oras, "push", http, *kind, f"{name}:v1", "note.txt:text/plain")
    digest = box(oras, "resolve", http, f"{name}:v1")
    sbom = ("--artifact-type", "application/x.sbom")
    box(oras, "attach", http, *sbom, f"{name}:v1", "note.txt:text/plain")
    found = json.loads(box(oras, "discover", http, "--format", "json", f"{name}:v1"))
    key = "referrers" if "referrers" in found else "manifests"
    assert [one["artifactType"] for one in found[key]] == ["application/x.sbom"]
    assert api("GET", "tags/list").json()["tags"] == ["v1"], "no fallback tag was needed"
    plain = ("--from-plain-http", "--to-plain-http")
    box(oras, "cp", *plain, "-r", f"{name}:v1", f"{name}/copy:v1")
    listed = api("GET", f"/v2/{api.name}/copy/referrers/{digest}").json()["manifests"]
    assert [one["artifactType"] for one in listed] == ["application/x.sbom"]
    box(oras, "pull", http, "-o", "out", f"{name}:v1")
    assert (box.folder / "out" / "note.txt").read_text() == "oras"
    assert box(oras, "repo", "tags", http, name) == "v1"
    box(oras, "manifest", "delete", http, "--force", f"{name}@{digest}")
    box(oras, "pull", http, f"{name}:v1", fails=True)
    note = sha(b"oras")
    box(oras, "blob", "delete", http, "--force", f"{name}@{note}")
    assert api("HEAD", f"blobs/{note}").status_code == 404


def test_crane(box: Box, api: Api, tool: Tools) -> None:
    crane, name = tool("crane"), f"{api.host}/{api.name}"
    append = (crane, "append", "--insecure", "-f", box.layer_file("crane"), "-t", f"{name}:v1")
    box(*append, fails=True)
    box(crane, "auth", "login", "-u", LOGIN, "--password-stdin", api.host, stdin=TOKEN)
    box(*append)
    digest = box(crane, "digest", f"{name}:v1")
    assert api.get("v1").headers["docker-content-digest"] == digest
    assert "mounted blob" in box(crane, "copy", f"{name}:v1", f"{name}/copy:v2")
    box(crane, "validate", "--remote", f"{name}/copy:v2")
    box(crane, "pull", "--format=oci", f"{name}@{digest}", box.folder / "pulled")
    index = json.loads((box.folder / "pulled" / "index.json").read_text())
    assert [one["digest"] for one in index["manifests"]] == [digest]
    box(crane, "index", "append", "-m", f"{name}@{digest}", "-t", f"{name}:many")
    box(crane, "tag", f"{name}:v1", "v3")
    assert box(crane, "ls", name).split() == ["many", "v1", "v3"]
    assert f"{api.name}/copy" in box(crane, "catalog", api.host).split()
    box(crane, "delete", f"{name}/copy@{digest}")
    box(crane, "digest", f"{name}/copy:v2", fails=True)


def test_regctl(box: Box, api: Api, tool: Tools) -> None:
    regctl, name = tool("regctl"), f"{api.host}/{api.name}"
    layout, digest = box.layout("regctl")
    box(regctl, "registry", "set", "--tls", "disabled", api.host)
    source = f"ocidir://{layout}:v1"
    box(regctl, "image", "copy", source, f"{name}:v1", fails=True)
    box(regctl, "registry", "login", "-u", LOGIN, "--pass-stdin", api.host, stdin=TOKEN)
    box(regctl, "image", "copy", source, f"{name}:v1")
    assert box(regctl, "image", "digest", f"{name}:v1") == digest
    put = ("artifact", "put", "--artifact-type", "application/x.note", "--subject", f"{name}:v1")
    box(regctl, *put, stdin="a note")
    shown = json.loads(box(regctl, "artifact", "list", f"{name}:v1", "--format", "{{json .}}"))
    assert [one["artifactType"] for one in shown["descriptors"]] == ["application/x.note"]
    assert api("GET", "tags/list").json()["tags"] == ["v1"], "no fallback tag was needed"
    box(regctl, "image", "copy", "--referrers", f"{name}:v1", f"{name}/copy:v2")
    listed = api("GET", f"/v2/{api.name}/copy/referrers/{digest}").json()["manifests"]
    assert len(listed) == 1
    blob = box(regctl, "blob", "put", name, stdin="some bytes").split()[-1]
    assert box(regctl, "blob", "get", name, blob) == "some bytes"
    box(regctl, "image", "export", f"{name}:v1", "image.tar")
    assert (box.folder / "image.tar").stat().st_size > 1_000_000
    assert box(regctl, "tag", "ls", name) == "v1"
    assert api.name in box(regctl, "repo", "ls", api.host)
    box(regctl, "tag", "delete", f"{name}:v1")
    assert api.get(digest).status_code == 200
    box(regctl, "manifest", "delete", f"{name}@{digest}")
    assert api.get(digest).status_code == 404
    box(regctl, "blob", "delete", name, blob)
    assert api("HEAD", f"blobs/{blob}").status_code == 404


@pytest.mark.docker
def test_what_one_client_pushes_another_pulls(box: Box, api: Api, tool: Tools) -> None:
    layout, digest = box.layout("shared")
    name = f"{api.host}/{api.name}"
    regctl = tool("regctl")
    box(regctl, "registry", "set", "--tls", "disabled", api.host)
    box(regctl, "registry", "login", "-u", LOGIN, "--pass-stdin", api.host, stdin=TOKEN)
    box(regctl, "image", "copy", f"ocidir://{layout}:v1", f"{name}:v1")
    _docker_login(box, api.host)
    try:
        box("docker", "pull", f"{name}@{digest}")
        assert box("docker", "run", "--rm", "--network=none", f"{name}@{digest}") == "shared"
    finally:
        box("docker", "rmi", f"{name}@{digest}")
