"""A call that runs away is ended by its limit, and nobody else notices."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from toolboxcharts import chart, write

from fairway.kit import processes
from fairway.model.errors import Busy, FairwayError, InvalidInput, TooLarge, Unavailable
from fairway.native.helm import HelmTemplate
from fairway.native.languages import Expr, GoTemplate, Jsonnet, Lua, Query
from fairway.native.server import Server
from fairway.native.toolbox import Toolbox
from fairway.native.wire import Limits, Request

MB = 1024 * 1024
SHORT = Limits(deadline_s=0.5)
LONG = Limits(deadline_s=600, queue_s=600)  # as long as a loaded machine takes
SMALL = Limits(memory_bytes=100 * MB, deadline_s=600)
ROUNDS = "{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}"
ENDLESS = GoTemplate(templates={"a": ROUNDS})


def workers(server: Server) -> list[int]:
    """Pids of a toolbox's workers."""
    folder = str(server.folder)
    found = []
    for pid, words in processes.everything():
        if "--role" in words and _cwd(pid).startswith(folder):
            found.append(pid)
    return found


def _cwd(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/cwd").readlink())
    except OSError:
        return ""


@pytest.mark.parametrize(
    ("asked", "limits", "code"),
    [
        (ENDLESS, SHORT, "toolbox-deadline"),
        (Query(query="def f: f; f"), SHORT, "toolbox-deadline"),
        (Query(query="repeat(1)"), Limits(output_bytes=10_000), "toolbox-output"),
        (Query(query="[range(1e9)]"), SMALL, "toolbox-memory"),
        (Query(query="def f: [f]; f"), SMALL, "toolbox-memory"),
        (Lua(script="while true do end", steps=2**60), SHORT, "toolbox-deadline"),
        (Lua(script="x = 'x' while true do x = x .. x end"), SMALL, "toolbox-memory"),
        (Lua(script="return string.rep('x', 2000000000)"), SMALL, "toolbox-memory"),
        (Lua(script="return string.rep('x', 200000)"), Limits(output_bytes=1000), "toolbox-output"),
        (Lua(script="t = {} while true do t[#t+1] = {} end"), SMALL, "toolbox-memory"),
        (
            Jsonnet(text="std.foldl(function(a, b) a + a, std.range(1, 40), 'x')"),
            SMALL,
            "toolbox-memory",
        ),
        (Jsonnet(text="std.repeat('x', 10000)"), Limits(output_bytes=100), "toolbox-output"),
        (
            Jsonnet(text="local f(n) = if n == 0 then 0 else f(n - 1) + f(n - 1); f(60)"),
            SHORT,
            "toolbox-deadline",
        ),
        (Expr(source="map(1..100000, map(1..100000, 1))"), SHORT, ""),
        (GoTemplate(templates={"a": "{{ repeat 1000000000 `x` }}"}), SMALL, "toolbox-memory"),
        (GoTemplate(templates={"a": "{{ repeat 100000 `x` }}"}), Limits(output_bytes=999),
         "toolbox-output"),
    ],
)  # fmt: skip
async def test_what_runs_away_is_ended_by_its_limit(
    toolbox: Toolbox, asked: Request[Any], limits: Limits, code: str
):
    with pytest.raises(FairwayError) as caught:
        await toolbox.ask(asked, limits=limits)
    assert caught.value.code == code or not code
    assert await toolbox.ask(Expr(source="1 + 1")) == 2


async def test_an_endless_chart_is_ended_by_its_deadline(toolbox: Toolbox, tmp_path: Path):
    chart(tmp_path)
    write(tmp_path / "web/templates/endless.yaml", ROUNDS)
    with pytest.raises(TooLarge) as caught:
        await toolbox.ask(HelmTemplate(chart="web"), folder=tmp_path, limits=SHORT)
    assert caught.value.code == "toolbox-deadline"


async def test_recursion_without_end_is_an_error_of_the_template(toolbox: Toolbox, tmp_path: Path):
    chart(tmp_path)
    text = '{{ define "x" }}{{ include "x" . }}{{ end }}{{ include "x" . }}'
    write(tmp_path / "web/templates/deep.yaml", text)
    with pytest.raises(InvalidInput):
        await toolbox.ask(HelmTemplate(chart="web"), folder=tmp_path)


async def test_a_script_is_ended_after_its_steps(toolbox: Toolbox):
    with pytest.raises(InvalidInput) as caught:
        await toolbox.ask(Lua(script="while true do end", steps=1000))
    assert caught.value.code == "script-steps"
    caught_inside = Lua(script="pcall(function() while true do end end) return 1", steps=1000)
    with pytest.raises(InvalidInput) as again:
        await toolbox.ask(caught_inside)
    assert again.value.code == "script-steps"


async def test_calls_beside_a_runaway_are_answered(toolbox: Toolbox):
    async with asyncio.TaskGroup() as group:
        bad = [group.create_task(toolbox.ask(ENDLESS, limits=LONG)) for _ in range(4)]
        for number in range(30):
            assert await toolbox.ask(Expr(source=f"{number} * 2")) == number * 2
        assert not any(task.done() for task in bad)
        for task in bad:
            task.cancel()


async def _fails(toolbox: Toolbox, asked: Request[Any], limits: Limits) -> str:
    try:
        await toolbox.ask(asked, limits=limits)
    except FairwayError as error:
        return error.code
    return ""


async def test_a_hundred_calls_at_once_are_all_answered(toolbox: Toolbox, tmp_path: Path):
    chart(tmp_path)

    async def one(number: int) -> bool:
        asked = HelmTemplate(chart="web", release=f"r{number}")
        made = await toolbox.ask(asked, folder=tmp_path, limits=LONG)
        return f"name: r{number}\n" in made.manifest

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(number)) for number in range(100)]
    assert all(task.result() for task in tasks)


async def test_a_call_that_finds_no_worker_in_time_is_busy(own_server: Server):
    toolbox = Toolbox(own_server)
    async with asyncio.TaskGroup() as group:
        busy = [group.create_task(toolbox.ask(ENDLESS, limits=LONG)) for _ in range(8)]
        await _until(lambda: len(workers(own_server)) == 8)
        assert {await _asks(toolbox) for _ in range(3)} == {"busy"}
        for task in busy:
            task.cancel()


async def _asks(toolbox: Toolbox) -> str:
    try:
        await toolbox.ask(Expr(source="1"), limits=Limits(deadline_s=0.05, queue_s=0.05))
    except Busy:
        return "busy"
    return "answered"


async def _until(condition: Any, seconds: float = 90.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


async def test_extra_workers_end_when_they_are_idle(own_server: Server):
    toolbox = Toolbox(own_server)
    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(_fails(toolbox, ENDLESS, Limits(deadline_s=1.0)))
    await toolbox.ask(Expr(source="1"))
    await _until(lambda: len(workers(own_server)) == 1)


async def test_a_cancelled_call_ends_its_worker(own_server: Server):
    toolbox = Toolbox(own_server)
    assert await toolbox.ask(Expr(source="1")) == 1
    before = workers(own_server)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(toolbox.ask(ENDLESS, limits=LONG))
        await _until(lambda: len(workers(own_server)) >= 2)  # one more, because that one is busy
        task.cancel()
    await _until(lambda: not set(before) & set(workers(own_server)))
    assert await toolbox.ask(Expr(source="2")) == 2


async def test_a_killed_worker_is_replaced_and_the_call_repeated(own_server: Server):
    toolbox = Toolbox(own_server)
    assert await toolbox.ask(Expr(source="1")) == 1
    for millions in (30, 120, 480):  # on a loaded machine the call may end before a worker begins
        slow = Lua(script=f"for i = 1, {millions}000000 do end return 7", steps=2**40)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(toolbox.ask(slow, limits=LONG))
            # one more, because that one is busy
            await _until(lambda: len(workers(own_server)) >= 2 or task.done())  # noqa: B023
            caught = not task.done()
            if caught:
                for pid in workers(own_server):
                    os.kill(pid, signal.SIGKILL)
        assert task.result().values == [7]
        if caught:
            break
    assert caught
    await _until(lambda: len(workers(own_server)) >= 1)


async def test_a_killed_toolbox_is_started_again_and_leaves_no_worker(own_server: Server):
    toolbox = Toolbox(own_server)
    assert await toolbox.ask(Expr(source="1")) == 1
    old = workers(own_server)
    own_server.kill()
    await _until(lambda: not set(old) & set(workers(own_server)))
    assert await toolbox.ask(Expr(source="2")) == 2


async def test_the_socket_is_for_its_owner_only(own_server: Server):
    own_server.ensure()
    assert (own_server.folder / "socket").stat().st_mode & 0o777 == 0o600
    assert own_server.folder.stat().st_mode & 0o777 == 0o700


async def test_a_second_start_adopts_the_first(own_server: Server):
    own_server.ensure()
    before = workers(own_server)
    Server(own_server.folder, own_server.program).ensure()
    assert workers(own_server) == before


async def test_stop_leaves_nothing(own_server: Server):
    own_server.ensure()
    assert own_server.stop()
    await _until(lambda: not workers(own_server))
    assert not own_server.answers()
    assert not own_server.stop()


def test_a_program_that_does_not_start_says_why(tmp_path: Path):
    server = Server(tmp_path / "t", lambda: Path("/bin/false"))
    with pytest.raises(Unavailable) as caught:
        server.ensure()
    assert caught.value.code == "toolbox-unavailable"


def test_the_blocking_call_is_the_same(toolbox: Toolbox):
    assert toolbox.ask_now(Expr(source="[1, 2.5, 'x']")) == [1, 2.5, "x"]
    with pytest.raises(TooLarge) as caught:
        toolbox.ask_now(ENDLESS, limits=SHORT)
    assert caught.value.code == "toolbox-deadline"
    with pytest.raises(TooLarge) as again:
        toolbox.ask_now(Lua(script="return string.rep('x', 2000000000)"), limits=SMALL)
    assert again.value.code == "toolbox-memory"
