"""Images built by a real engine and pushed into our registry."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import tarfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from fairway.blob.folder import Folder
from fairway.docker.build import BuildApi
from fairway.docker.client import Docker
from fairway.image.build import Builder
from fairway.image.registry import Deps, registry_app
from fairway.image.registry.access import Open
from fairway.model.errors import FairwayError, InvalidInput
from fairway.model.image import BuildRequest, BuiltImage, Facts, Rewrite, Target
from fairway.store.database import Database, sqlite_url
from fairway.store.schema import metadata
from fairway.testing.http import served

pytestmark = [
    pytest.mark.docker,
    pytest.mark.timeout(300),
    pytest.mark.skipif(shutil.which("busybox") is None, reason="needs busybox-static"),
]
FACTS = Facts(source="http://x/o/r", revision="abc", created="2026-01-01T00:00:00Z", version="7")
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
Ask = Callable[..., BuildRequest]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Our registry's host:port, open to all."""
    folder = tmp_path_factory.mktemp("registry")
    database = Database(sqlite_url(folder / "registry.db"), durable=False)
    metadata.create_all(database.engine)
    deps = Deps(db=database, blobs=Folder(folder / "blobs"), access=Open(), key=bytes(32))
    with served(registry_app(deps)) as url:
        yield url.removeprefix("http://")
    database.close()


@pytest.fixture
async def docker() -> AsyncIterator[Docker]:
    client = Docker(os.environ["DOCKER_HOST"])
    yield client
    client.close()


async def _busybox() -> AsyncIterator[bytes]:
    """A tar of busybox and the one link that a shell needs."""
    program = Path(shutil.which("busybox") or "").read_bytes()
    entry = tarfile.TarInfo("bin/busybox")
    entry.size, entry.mode = len(program), 0o755
    yield entry.tobuf(tarfile.GNU_FORMAT)
    yield program + bytes(-len(program) % tarfile.BLOCKSIZE)
    for name in ("sh", "cat", "ls", "sleep", "echo", "test"):
        link = tarfile.TarInfo(f"bin/{name}")
        link.type, link.linkname = tarfile.SYMTYPE, "/bin/busybox"
        yield link.tobuf(tarfile.GNU_FORMAT)
    yield bytes(2 * tarfile.BLOCKSIZE)


@pytest.fixture
async def box(docker: Docker, registry: str) -> AsyncIterator[str]:
    """A base image in our registry that no engine has yet: `NAME:1`."""
    name = f"box{secrets.token_hex(4)}"
    full = f"{registry}/library/{name}"
    await BuildApi(docker).import_tar(full, "1", _busybox())
    async for _ in docker.push(full, "1", auth=None):
        pass
    await docker.remove_image(f"{full}:1")
    yield f"{name}:1"
    for image in await docker.call("GET", "/images/json", query={"all": False}):
        for digest in image.get("RepoDigests") or []:
            if digest.startswith(f"{registry}/"):
                await docker.remove_image(digest, force=True)


@pytest.fixture
def ask(tmp_path: Path, registry: str) -> Ask:
    def make(dockerfile: str = "", **about: Any) -> BuildRequest:
        root = tmp_path / "work"
        root.mkdir(exist_ok=True)
        if dockerfile:
            (root / "Dockerfile").write_text(dockerfile)
        name = f"o/r{secrets.token_hex(4)}:1"
        targets = (Target(written=name, full=f"{registry}/{name}"),)
        given = {"targets": targets, "facts": FACTS, "registry": registry, **about}
        return BuildRequest(key=secrets.token_hex(4), root=root, **given)

    return make


class Log:
    """A log that is kept."""

    def __init__(self) -> None:
        self.text = ""

    async def __call__(self, data: bytes) -> None:
        self.text += data.decode()


async def build(docker: Docker, request: BuildRequest) -> tuple[list[BuiltImage], str]:
    log = Log()
    return await Builder(docker).build(request, log), log.text


async def config(docker: Docker, request: BuildRequest, built: BuiltImage) -> dict[str, Any]:
    found = await docker.image(f"{request.registry}/{built.repository}@{built.digest}")
    assert found is not None, "the engine does not keep it by its digest"
    return found


async def output(docker: Docker, image: str, *command: str) -> str:
    spec = {"Image": image, "Cmd": list(command)}
    container = await docker.create(f"fairway-test-{secrets.token_hex(4)}", spec)
    try:
        await docker.start(container)
        await docker.wait(container)
        log = bytearray()

        async def take(data: bytes) -> None:
            log.extend(data)

        await docker.logs(container, take)
        return log.decode()
    finally:
        await docker.remove(container)


async def test_an_image_is_built_in_stages_pushed_and_known_by_its_digest(
    docker: Docker, box: str, ask: Ask, registry: str
) -> None:
    request = ask(
        f"ARG BASE=nothing\nFROM ${{BASE}} AS one\nARG WHO\nRUN echo hello $WHO >/said\n"
        f"FROM {box}\nCOPY --from=one /said /said\nCOPY here.txt /\n",
        build_args={"BASE": box, "WHO": "you"},
        labels={"mine": "yes"},
    )
    (request.root / "here.txt").write_text("here\n")
    (one,), log = await build(docker, request)
    assert one.name == request.targets[0].written
    assert f"{box} is {registry}/library/" in log
    image = f"{registry}/{one.repository}@{one.digest}"
    assert await output(docker, image, "cat", "/said", "/here.txt") == "hello you\nhere\n"
    labels = (await config(docker, request, one))["Config"]["Labels"]
    assert labels == {"mine": "yes", **FACTS.labels()}


async def test_what_the_tag_names_is_an_annotated_manifest_of_that_digest(
    docker: Docker, box: str, ask: Ask, registry: str
) -> None:
    (one,), _log = await build(docker, ask(f"FROM {box}\nRUN echo >/x\n"))
    async with httpx.AsyncClient(timeout=90) as http:
        url = f"http://{registry}/v2/{one.repository}/manifests/1"
        answer = await http.get(url, headers={"Accept": MANIFEST})
    assert answer.headers["docker-content-digest"] == one.digest
    assert answer.json()["annotations"] == FACTS.labels()
    assert answer.json()["mediaType"] == MANIFEST


async def test_names_of_the_build_come_before_the_operators_table_and_the_registry(
    docker: Docker, box: str, ask: Ask
) -> None:
    first = ask(f"FROM {box}\nRUN echo earlier >/who\n")
    (earlier,), _log = await build(docker, first)
    then = ask(
        "FROM mine:1\nRUN test -e /who\nFROM corp/x:2\nRUN test ! -e /who\nCOPY --from=0 /who /w\n",
        built={"mine:1": f"{earlier.repository}@{earlier.digest}"},
        rewrites=(Rewrite("corp/*", box), Rewrite("mine:*", "nowhere:1")),
    )
    _built, log = await build(docker, then)
    assert f"mine:1 is {then.registry}/{earlier.repository}@{earlier.digest}" in log


async def test_certificates_reach_run_and_leave_no_trace(
    docker: Docker, box: str, ask: Ask, tmp_path: Path
) -> None:
    bundle = tmp_path / "ca.crt"
    bundle.write_text(f"certificates {secrets.token_hex(4)}\n")
    request = ask(
        f"FROM {box}\nRUN cat $SSL_CERT_FILE && echo via $HTTP_PROXY\n",
        ca_bundle=bundle,
        proxies={"HTTP_PROXY": "http://proxy.example:3128"},
    )
    (one,), log = await build(docker, request)
    assert bundle.read_text() in log.replace("#6 ", "").replace("#7 ", "")
    assert "via http://proxy.example:3128" in log
    found = json.dumps(await config(docker, request, one))
    assert "proxy.example" not in found
    image = f"{request.registry}/{one.repository}@{one.digest}"
    assert "fairway" not in await output(docker, image, "ls", "/dev", "/")
    for kept in await docker.call(
        "GET", "/images/json", query={"filters": '{"reference":["fairway-ca"]}'}
    ):
        await docker.remove_image(kept["Id"], force=True)


async def test_nothing_outside_of_the_context_is_read(
    docker: Docker, box: str, ask: Ask, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("secret")
    request = ask(f"FROM {box}\nCOPY . /all\nRUN ls /all; cat /all/way || echo dangling\n")
    (request.root / "way").symlink_to(tmp_path / "secret")
    _built, log = await build(docker, request)
    assert "dangling" in log
    for context in ("..", "out"):
        (request.root / "out").unlink(missing_ok=True)
        (request.root / "out").symlink_to(tmp_path)
        with pytest.raises(InvalidInput) as caught:
            await build(docker, replace(request, context=context))
        assert caught.value.code == "context-outside"


async def test_a_command_that_fails_ends_the_build_with_its_words_in_the_log(
    docker: Docker, box: str, ask: Ask
) -> None:
    log = Log()
    with pytest.raises(InvalidInput) as caught:
        await Builder(docker).build(ask(f"FROM {box}\nRUN echo reasons && exit 3\n"), log)
    assert caught.value.code == "build-failed"
    assert "exit code: 3" in caught.value.message
    assert "reasons" in log.text


@pytest.mark.parametrize(
    ("dockerfile", "told"),
    [
        (
            "FROM scratch\nCOPY x /\n\nFROM 127.0.0.1:1/no/such:1\n",
            ("base-image-not-found", "Dockerfile:4"),
        ),
        ("RUN true\n", ("dockerfile-malformed", "Dockerfile:1")),
    ],
)
async def test_what_the_dockerfile_gets_wrong_is_told_with_its_line(
    docker: Docker, ask: Ask, dockerfile: str, told: tuple[str, str]
) -> None:
    with pytest.raises(FairwayError) as caught:
        await build(docker, ask(dockerfile))
    assert (caught.value.code, caught.value.where) == told


async def test_a_dry_run_pushes_nothing(docker: Docker, box: str, ask: Ask) -> None:
    request = ask(f"FROM {box}\nRUN echo >/dry\n", dry_run=True)
    built, log = await build(docker, request)
    assert built == []
    assert "dry run" in log
    path = request.targets[0].written.removesuffix(":1")
    async with httpx.AsyncClient(timeout=90) as http:
        answer = await http.get(f"http://{request.registry}/v2/{path}/manifests/1")
    assert answer.status_code == 404


async def test_no_name_is_left_in_the_engine(docker: Docker, box: str, ask: Ask) -> None:
    request = ask(f"FROM {box}\nRUN echo >/named\n")
    (one,), _log = await build(docker, request)
    assert (await config(docker, request, one))["RepoTags"] == []


class Classic(Builder):
    """A builder over an engine that has no BuildKit."""

    def __init__(self, docker: Docker) -> None:
        super().__init__(docker)
        self._api = _NoBuildKit(docker)


class _NoBuildKit(BuildApi):
    async def has_buildkit(self) -> bool:
        return False


async def test_without_buildkit_the_classic_builder_is_used(
    docker: Docker, box: str, ask: Ask
) -> None:
    request = ask(f"FROM {box} AS one\nRUN echo old >/x\nFROM {box}\nCOPY --from=one /x /x\n")
    log = Log()
    (one,) = await Classic(docker).build(request, log)
    image = f"{request.registry}/{one.repository}@{one.digest}"
    assert await output(docker, image, "cat", "/x") == "old\n"
    assert "the classic builder is used" in log.text


async def test_cancelling_it_ends_the_command_that_runs(docker: Docker, box: str, ask: Ask) -> None:
    begun = asyncio.Event()
    mark = f"3{secrets.randbelow(10**8)}"

    async def log(data: bytes) -> None:
        if b"begun" in data and b"RUN" not in data:
            begun.set()

    request = ask(f"FROM {box}\nRUN echo begun && sleep {mark}\n")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(Builder(docker).build(request, log))
        await begun.wait()
        await _until(lambda: _sleeping(mark))  # the shell begins it after the words
        task.cancel()
    await _until(lambda: not _sleeping(mark))


async def _until(so: Callable[[], bool]) -> None:
    async with asyncio.timeout(90):
        while not so():
            await asyncio.sleep(0.05)


def _sleeping(mark: str) -> bool:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[:2] == [b"sleep", mark.encode()]:
            return True
    return False
