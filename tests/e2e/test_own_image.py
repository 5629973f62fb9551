"""Fairway's own image: its roles in a container beside the Engine, and a pipeline through them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import ownimage
import pytest
import yaml
from ground import Ground, Receiver, Repository, receiving, steps

from fairway.kit.net import free_port

ROOT = Path(__file__).resolve().parents[2]
DOCKER = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
USER = 65532  # of the image
DEMO = "webflix"
SOCKET = Path(DOCKER.removeprefix("unix://"))

pytestmark = [
    pytest.mark.docker,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not SOCKET.is_socket(), reason="the Engine has no socket to mount"),
]


class Contained(Ground):
    """`fairway serve` in a container, not as root, and a person on the machine."""

    def __init__(self, folder: Path, port: int, image: str) -> None:
        super().__init__(folder, DOCKER, port)
        self.image, self.container = image, f"fairway-e2e-{port}"

    def up(self) -> None:
        """Start it: data and workspaces lie at the same path inside and outside."""
        self.data.mkdir()
        self.docker_run("--user", "0", "--entrypoint", "chown", given=[str(USER), str(self.data)])
        mapped = self.environment["FAIRWAY_PIPELINE__IMAGES"]
        words = ["-d", "--name", self.container, "--network", "host", "--init"]
        words += ["--group-add", str(SOCKET.stat().st_gid), "-v", f"{SOCKET}:{SOCKET}"]
        words += ["-e", f"FAIRWAY_PIPELINE__IMAGES={mapped}"]
        serve = ["serve", "--data", str(self.data), "--port", str(self.port)]
        self.docker_run(*words, given=[*serve, "--docker-host", DOCKER])
        self._await_ready()
        token = ["exec", self.container, "cat", str(self.data / "keys" / "admin-token")]
        self.token = self.docker(*token).out.strip()
        self.ok("login", self.url, "--no-git", "--no-docker", given=self.token)

    def docker_run(self, *words: str, given: list[str]) -> None:
        """`docker run` of the image with the data mounted."""
        keep = [] if "-d" in words else ["--rm"]
        self.docker("run", *keep, *words, "-v", f"{self.data}:{self.data}", self.image, *given)

    def _await_ready(self) -> None:
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"{self.url}/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        raise AssertionError(self.logs())

    def logs(self) -> str:
        """What it said."""
        return self.program("docker", "logs", self.container, cwd=self.folder).all

    def down(self) -> None:
        """Remove the container, and the data as whom it belongs to."""
        if self._api is not None:
            self._api.close()
        self.docker("stop", "-t", "30", self.container)
        code = self.docker("inspect", "-f", "{{.State.ExitCode}}", self.container).out.strip()
        said = self.logs()
        self.docker("rm", self.container)
        empty = f"rm -rf {self.data}/* {self.data}/.[!.]*"
        self.docker_run("--user", "0", "--entrypoint", "sh", given=["-c", empty])
        assert code == "0", said


@pytest.fixture(scope="module")
def archive() -> Path:
    """The image as `make image` makes it."""
    return ownimage.archive()


@pytest.fixture(scope="module")
def image(archive: Path) -> Iterator[str]:
    """Its name in the Engine, as `docker load` takes it."""
    subprocess.run(["docker", "-H", DOCKER, "load", "-i", archive], check=True, capture_output=True)
    name = ownimage.name_of(archive)
    yield name
    subprocess.run(["docker", "-H", DOCKER, "rmi", name], check=True, capture_output=True)


@pytest.fixture(scope="module")
def contained(
    tmp_path_factory: pytest.TempPathFactory, image: str, busybox: str, own_loop: None
) -> Iterator[Contained]:
    """The running container, with busybox in its registry."""
    folder = tmp_path_factory.mktemp("contained")
    folder.chmod(0o755)
    for parent in folder.parents:
        if parent.stat().st_uid == os.geteuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)  # the container's user must get there
    made = Contained(folder, free_port(), image)
    try:
        made.up()
        login = ["login", "-u", "admin", "--password-stdin", made.registry]
        assert made.program("docker", *login, cwd=folder, given=made.token).code == 0
        ours = f"{made.registry}/library/busybox:latest"
        made.docker("tag", busybox, ours)
        made.docker("push", "-q", ours)
        made.docker("rmi", ours)
        yield made
    finally:
        made.down()


@pytest.fixture(scope="module")
def told(contained: Contained) -> Iterator[Receiver]:
    """What the demo's builds stand on: base images, an organisation, somebody who is told."""
    cache = Path(os.environ.get("FAIRWAY_CACHE") or ROOT / ".cache").expanduser()
    for name in ("busybox", "python", "golang", "node", "postgres", "locust"):
        made = contained.program(
            sys.executable, "-m", "fairway", "image", "base", name, "--cache", str(cache),
            cwd=contained.folder, seconds=600,
        )  # fmt: skip
        assert made.code == 0, made.all
    contained.ok("org", "add", DEMO)
    with receiving() as receiver:
        contained.ok("secret", "set", "notify_url", "--org", DEMO, given=receiver.url)
        yield receiver


def test_it_does_not_run_as_root_and_has_every_program(contained: Contained) -> None:
    inside = ["exec", contained.container]
    assert contained.docker(*inside, "id", "-u").out.strip() == str(USER)
    assert contained.docker(*inside, "git", "--version").out.startswith("git version")
    client = contained.docker(*inside, "kubectl", "version", "--client", "-o", "json").json()
    assert client["clientVersion"]["gitVersion"].startswith("v1.")
    assert contained.docker(*inside, "helm", "version", "--short").out.startswith("v4.")
    assert "Compose" in contained.docker(*inside, "docker-compose", "version").out


def test_a_pipeline_tests_builds_an_image_and_uses_it(contained: Contained) -> None:
    repo = contained.repository("app")
    text = steps(f"""
        services:
        - {{name: web, image: busybox, commands: ['mkdir w; echo served > w/x', 'httpd -f -h w']}}
        steps:
        - name: test
          image: busybox
          commands:
          - until wget -qO answer http://web/x; do :; done
          - grep served answer
        - {{name: image, image: plugins/docker, settings: {{repo: {repo.slug}, tags: x}}}}
        - {{name: use, image: '{repo.slug}:x', commands: ['cat /answer']}}
        """)
    build = repo.build(text, {"Dockerfile": "FROM busybox\nCOPY answer /answer\n"})
    assert build.status == "passed", (build, contained.logs())
    assert "served" in repo.log("use")


def test_the_demos_builds_pass_in_it_as_far_as_they_need_no_cluster(
    contained: Contained, told: Receiver
) -> None:
    for service, without in {
        "catalogue": {"deploy"},
        "ratings": {"deploy", "try"},  # that one is tried in a namespace
        "storefront": {"deploy"},  # on the candidates of the other two
    }.items():
        slug = f"{DEMO}/{service}"
        contained.ok("repo", "create", slug, "--visibility", "internal")  # as in the demo
        repo = Repository(contained, slug)
        kept = ci_half(repo, ROOT / "examples" / DEMO / service, without)
        number = repo.start(yaml.safe_dump_all(kept))
        deadline = time.monotonic() + 600
        while (build := repo.ended(number)).status in {"pending", "running"}:
            assert time.monotonic() < deadline, (build, contained.logs()[-5000:])
        bad = {"failed", "errored"}
        failed = [one.name for stage in build.stages for one in stage.steps if one.status in bad]
        said = [build.error, *(repo.log(name)[-2000:] for name in failed)]
        assert build.status == "passed", "\n".join(said)
        assert [stage.name for stage in build.stages] == [one["name"] for one in kept]
        found = contained.ok("get", "images", "--candidates", "-o", "json").json()["items"]
        assert any(one["repository"] == repo.slug for one in found), found
        call = json.loads(told.calls[-1]["body"])
        assert (call["service"], call["build"], call["status"]) == (service, number, "success")


def ci_half(repo: Repository, source: Path, without: set[str]) -> list[dict[str, Any]]:
    """A service of the demo in a working copy; its pipelines but those that need a cluster."""
    left = shutil.ignore_patterns("__pycache__", "static", "reports", ".coverage")
    shutil.copytree(source, repo.folder, dirs_exist_ok=True, ignore=left)
    pipelines = [*yaml.safe_load_all((source / ".drone.yml").read_text())]
    assert without < {one["name"] for one in pipelines}
    kept = [one for one in pipelines if one["name"] not in without]
    for one in kept:
        one["depends_on"] = [name for name in one.get("depends_on", ()) if name not in without]
    return kept


def test_pushed_to_a_fairway_registry_it_is_pulled_as_what_was_made(
    contained: Contained, archive: Path, image: str
) -> None:
    name = f"{contained.registry}/library/fairway:own"
    words = ["--archive", str(archive), "--push", name, "--insecure"]
    secret = {"FAIRWAY_PUSH_USER": "admin", "FAIRWAY_PUSH_PASSWORD": contained.token}
    done = contained.program(str(ROOT / "scripts" / "image"), *words, cwd=ROOT, **secret)
    assert done.code == 0, done.all
    contained.docker("pull", "-q", name)
    ids = [contained.docker("inspect", "-f", "{{.Id}}", each).out for each in (name, image)]
    contained.docker("rmi", name)
    assert ids[0] == ids[1]
