"""What only a real Docker Engine can show: volumes, networks, limits, adoption, cleanliness."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from fairway.docker.client import Docker
from fairway.kit.secret import Secret
from fairway.model.errors import InvalidInput, Unavailable
from fairway.model.status import Status
from fairway.pipeline.dispatch import Lease
from fairway.pipeline.dispatch import Runner as Identity
from fairway.pipeline.engine import Place
from fairway.pipeline.engines.docker import DockerEngine
from fairway.pipeline.engines.spec import container_name
from fairway.pipeline.graph import Mount, PullPolicy, Ready, StageGraph, Volume
from fairway.pipeline.memory_dispatch import MemoryDispatch
from fairway.pipeline.runner import Runner, RunnerSettings, Tools
from fairway.pipeline.runner.report_files import FileReports
from fairway.pipeline.runner.workspaces import FolderWorkspaces
from fairway.testing.contracts.engine import Taker, run, step

pytestmark = pytest.mark.docker
OWNER = f"test-{secrets.token_hex(4)}"
Places = Callable[..., Place]


@pytest.fixture
async def docker() -> AsyncIterator[Docker]:
    client = Docker(os.environ["DOCKER_HOST"])
    yield client
    client.close()


@pytest.fixture
async def engine(docker: Docker) -> AsyncIterator[DockerEngine]:
    made = DockerEngine(docker, owner=OWNER)
    yield made
    await made.sweep([])
    made.close()
    label = [f"fairway.owner={OWNER}"]
    left = [await docker.containers(label), await docker.networks(label)]
    assert [*left, await docker.volumes(label)] == [[], [], []]


@pytest.fixture
def place(tmp_path: Path) -> Places:
    def make(*volumes: Volume, **more: Any) -> Place:
        graph = StageGraph(name="p", type="docker", volumes=volumes)
        key = f"t{secrets.token_hex(4)}"
        return Place(key=key, graph=graph, workspace=tmp_path / key, owner=OWNER, **more)

    return make


async def test_volumes_are_shared_private_or_the_hosts_as_they_say(
    engine: DockerEngine, place: Places, tmp_path: Path
) -> None:
    (tmp_path / "host").mkdir()
    (tmp_path / "host/given").write_text("from the host\n")
    here = place(
        Volume("cache", "temp"),
        Volume("ram", "memory", size_bytes=1 << 20),
        Volume("given", "host", path=str(tmp_path / "host")),
    )
    mounts = (Mount("cache", "/cache"), Mount("ram", "/ram"), Mount("given", "/given", True))
    await engine.setup(here)
    first = "echo kept >/cache/x; echo gone >/ram/x; echo all >shared; cat /given/given"
    log, _end = await run(engine, here, step(first, mounts=mounts, working_dir="/drone/src"))
    assert log == b"from the host\n"
    second = "cat /cache/x shared; ls /ram; df /ram | tail -1; touch /given/y || echo refused"
    what = step(second, number=2, mounts=mounts, working_dir="/drone/src")
    log, _end = await run(engine, here, what)
    assert log.startswith(b"kept\nall\ntmpfs")
    assert b"1024" in log
    assert log.endswith(b"refused\n")
    assert (here.workspace / "shared").read_text() == "all\n"


async def test_steps_reach_services_by_name_and_know_the_hosts_they_are_given(
    engine: DockerEngine, place: Places
) -> None:
    here = place(hosts=["fairway.test:10.9.8.7"])
    ready = Ready("tcp", 8080)
    service = step("mkdir /w; echo hi >/w/i; httpd -f -p 8080 -h /w", name="web", ready=ready)
    await engine.setup(here)
    assert not await engine.probe(here, service)
    await engine.start(here, service, {})
    async with asyncio.timeout(90):
        while not await engine.probe(here, service):
            await asyncio.sleep(0.02)
    for kind in (Ready("http", 8080, path="/i"), Ready("command", command=("test", "-e", "/w/i"))):
        assert await engine.probe(here, structs.replace(service, ready=kind))
    for kind in (Ready("http", 8080, path="/none"), Ready("command", command=("false",))):
        assert not await engine.probe(here, structs.replace(service, ready=kind))
    client = step("wget -qO- http://web:8080/i; grep fairway.test /etc/hosts", number=2)
    log, _end = await run(engine, here, client)
    assert log == b"hi\n10.9.8.7\tfairway.test\n"


async def test_a_step_that_uses_too_much_memory_is_told_apart(
    engine: DockerEngine, place: Places
) -> None:
    here = place()
    await engine.setup(here)
    hungry = step("exec tail /dev/zero", mem_limit_bytes=8 << 20, memswap_limit_bytes=8 << 20)
    what = structs.replace(hungry, script="", entrypoint=("tail",), command=("/dev/zero",))
    _log, ended = await run(engine, here, what)
    assert (ended.exit_code, ended.oom_killed) == (137, True)


async def test_a_container_keeps_its_entrypoint_user_and_folder(
    engine: DockerEngine, place: Places
) -> None:
    here = place()
    await engine.setup(here)
    what = step(
        "", entrypoint=("sh", "-c"), command=("id -u; pwd; echo err >&2; exit 5",), user="1234"
    )
    log, ended = await run(engine, here, structs.replace(what, working_dir="/tmp"))
    assert sorted(log.split()) == [b"/tmp", b"1234", b"err"]
    assert ended.exit_code == 5


async def test_a_script_of_any_length_and_any_letters_runs_as_it_is(
    engine: DockerEngine, place: Places
) -> None:
    here = place()
    await engine.setup(here)
    filler = "".join(f": '{number} $x \\n \"ä\"'\n" for number in range(12_000))
    script = f"{filler}printf '%s' 'a\\nb $HOME \"q\"'; env | grep SCRIPT; exit 9"
    assert len(script) > 200_000
    log, ended = await run(engine, here, step(script))
    assert (log, ended.exit_code) == (b'a\\nb $HOME "q"', 9)


async def test_both_outputs_keep_their_order(engine: DockerEngine, place: Places) -> None:
    here = place()
    await engine.setup(here)
    loop = "i=0; while [ $i -lt 600 ]; do echo $i; i=$((i+1)); echo $i >&2; i=$((i+1)); done"
    log, _end = await run(engine, here, step(loop))
    assert log == b"".join(b"%d\n" % number for number in range(600))


async def test_an_image_that_cannot_be_fetched_is_named(
    engine: DockerEngine, place: Places
) -> None:
    here = place(auths={"127.0.0.1:9": Secret('{"username": "u", "password": "p"}')})
    await engine.setup(here)
    what = step("true", image="127.0.0.1:9/a/b:1", pull=PullPolicy.DEFAULT)
    with pytest.raises(InvalidInput, match=r"127\.0\.0\.1:9/a/b:1 cannot be fetched"):
        await engine.start(here, what, {})


async def test_latest_is_used_as_it_is_when_its_registry_is_away(
    engine: DockerEngine, docker: Docker, place: Places
) -> None:
    here = place()
    await docker.tag("busybox:latest", "127.0.0.1:9/a/b", "latest")
    try:
        await engine.setup(here)
        what = step("echo ok", image="127.0.0.1:9/a/b:latest", pull=PullPolicy.DEFAULT)
        assert (await run(engine, here, what))[0] == b"ok\n"
        always = step("x", number=2, image="127.0.0.1:9/a/b:latest", pull=PullPolicy.ALWAYS)
        with pytest.raises(InvalidInput):
            await engine.start(here, always, {})
    finally:
        await engine.destroy(here)
        await docker.remove_image("127.0.0.1:9/a/b:latest")


async def test_a_container_that_cannot_start_is_refused_in_words(
    engine: DockerEngine, place: Places
) -> None:
    here = place()
    await engine.setup(here)
    what = step("", entrypoint=("/no/such/program",))
    for _again in range(2):
        with pytest.raises(InvalidInput, match="cannot start") as caught:
            await engine.start(here, what, {})
        assert caught.value.code == "container-refused"


async def test_things_of_others_are_never_touched(
    engine: DockerEngine, docker: Docker, place: Places
) -> None:
    here = place()
    what = step("echo x")
    spec = {"Image": "busybox:latest", "Cmd": ["true"], "Labels": {"fairway.owner": "another"}}
    name = container_name(here, what, 1)
    await docker.create(name, spec)
    try:
        await engine.setup(here)
        with pytest.raises(InvalidInput, match="is not this stage's"):
            await engine.start(here, what, {})
        await engine.destroy(here)
        await engine.sweep([])
        assert await docker.inspect(name) is not None
    finally:
        await docker.remove(name)


async def test_a_container_removed_by_somebody_else_ends_with_an_error(
    engine: DockerEngine, docker: Docker, place: Places
) -> None:
    here = place()
    await engine.setup(here)
    what = step("echo began; sleep 600")
    await engine.start(here, what, {})
    taker = Taker()
    async with asyncio.TaskGroup() as group:
        following = group.create_task(engine.follow(here, what, taker))
        await taker.until(b"began")
        await docker.remove(container_name(here, what, 1))
    assert following.result().exit_code in (255, 137)


async def test_an_engine_that_is_not_there_is_unavailable(place: Places, tmp_path: Path) -> None:
    engine = DockerEngine(Docker(f"unix://{tmp_path}/none.sock"), owner=OWNER)
    with pytest.raises(Unavailable) as caught:
        await engine.check()
    assert caught.value.code == "engine-unavailable"


def lease(key: str, *scripts: str) -> Lease:
    steps = tuple(
        step(script, number=number, name=f"s{number}", depends_on=(f"s{number - 1}",))
        for number, script in enumerate(scripts, 1)
    )
    graph = StageGraph(name="p", type="docker", steps=steps)
    fields: dict[str, Any] = {"stage": 1, "build": 1, "key": key, "token": "", "steps": []}
    return Lease(graph=graph, secrets={}, environment={}, **fields)


def runner(dispatch: MemoryDispatch, engine: DockerEngine, folder: Path) -> Runner:
    tools = Tools(
        engines={"docker": engine},
        plugins={},
        workspaces=FolderWorkspaces(folder),
        reports=FileReports(),
        settings=RunnerSettings(identity=Identity(name="r"), owner=OWNER),
    )
    return Runner(dispatch, tools)


async def until(dispatch: MemoryDispatch, size: int) -> None:
    """Return once the first step's log has so many bytes."""
    while len(dispatch.log(1, 1).data) < size:
        await asyncio.sleep(0.01)


async def test_a_runner_that_is_killed_again_and_again_keeps_every_line(
    docker: Docker, engine: DockerEngine, tmp_path: Path
) -> None:
    dispatch = MemoryDispatch()
    lines = "i=0; while [ $i -lt 40 ]; do echo line $i; i=$((i+1)); sleep 0.05; done"
    dispatch.add(lease(f"t{secrets.token_hex(4)}", lines, "seq 1 5000"))
    for kill in range(4):
        async with asyncio.TaskGroup() as group:
            task = group.create_task(runner(dispatch, engine, tmp_path).run())
            await until(dispatch, 60 * (kill + 1))
            task.cancel()
        dispatch.release(1)
        engine = DockerEngine(docker, owner=OWNER)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(runner(dispatch, engine, tmp_path).run())
        await dispatch.ended()
        task.cancel()
    stage = dispatch.stages[1]
    expected = "".join(f"line {number}\n" for number in range(40)).encode()
    assert bytes(dispatch.log(1, 1).data) == expected
    assert bytes(dispatch.log(1, 2).data) == b"".join(b"%d\n" % n for n in range(1, 5001))
    assert stage.report is not None
    assert stage.report.status is Status.PASSED


async def test_a_cancel_is_carried_out_at_once(engine: DockerEngine, tmp_path: Path) -> None:
    dispatch = MemoryDispatch()
    dispatch.add(lease(f"t{secrets.token_hex(4)}", "echo began; trap '' TERM INT; sleep 600"))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(runner(dispatch, engine, tmp_path).run())
        await until(dispatch, len(b"began\n"))
        began = time.monotonic()
        dispatch.cancel(1, "enough")
        await dispatch.ended()
        took = time.monotonic() - began
        task.cancel()
    assert dispatch.stages[1].steps[1].status is Status.CANCELLED
    assert took < 60  # the figure itself is a benchmark's; this tells a kill from a wait


async def test_an_image_without_a_health_check_is_told_so(
    engine: DockerEngine, place: Places
) -> None:
    here = place()
    await engine.setup(here)
    service = step("sleep 600", ready=Ready("healthcheck"))
    await engine.start(here, service, {})
    with pytest.raises(InvalidInput, match="HEALTHCHECK") as caught:
        await engine.probe(here, service)
    assert caught.value.code == "no-healthcheck"
