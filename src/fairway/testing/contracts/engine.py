"""What every engine must do: a suite that each implementation's tests inherit.

A test class inherits `EngineContract` and gives the fixtures `engine` and `place` (a factory of
places by key). Scripts keep to what the simulated engine's small shell understands.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from msgspec import structs

from fairway.kit.secret import Secret
from fairway.model.errors import InvalidInput
from fairway.pipeline.engine import Ended, Engine, Place
from fairway.pipeline.graph import PullPolicy, StepGraph

Places = Callable[[str], Place]


def step(script: str, *, number: int = 1, **fields: Any) -> StepGraph:
    """A step for the suite; `image` is set by the place's factory where one is needed."""
    base = StepGraph(
        name=f"step-{number}",
        number=number,
        image="busybox:latest",
        pull=PullPolicy.IF_NOT_EXISTS,
        script=script,
    )
    return structs.replace(base, **fields)


class Taker:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.data = b""
        self.came = asyncio.Event()

    async def __call__(self, data: bytes) -> None:
        """Take and note."""
        self.data += data
        self.came.set()

    async def until(self, text: bytes) -> None:
        """Return once `text` was taken."""
        while text not in self.data:
            self.came.clear()
            await self.came.wait()


async def run(
    engine: Engine,
    place: Place,
    what: StepGraph,
    environment: Mapping[str, str | Secret] | None = None,
    *,
    attempt: int = 1,
) -> tuple[bytes, Ended]:
    """Start a step and follow it to its end."""
    await engine.start(place, what, environment or {}, attempt=attempt)
    taken = Taker()
    ended = await engine.follow(place, what, taken, attempt=attempt)
    return taken.data, ended


class EngineContract:
    """The suite. Every test leaves nothing behind: the `place` fixture destroys what it made."""

    async def test_it_says_what_it_is(self, engine: Engine) -> None:
        assert await engine.check()

    async def test_a_step_gives_its_log_and_its_exit_code(
        self, engine: Engine, place: Places
    ) -> None:
        here = place("a")
        await engine.setup(here)
        assert (await run(engine, here, step("echo one\necho two\nexit 3")))[0] == b"one\ntwo\n"
        log, ended = await run(engine, here, step("echo three", number=2))
        assert (log, ended.exit_code, ended.error) == (b"three\n", 0, "")
        assert (ended.started or 0) <= (ended.stopped or 0)

    async def test_the_exit_code_is_the_scripts(self, engine: Engine, place: Places) -> None:
        here = place("code")
        await engine.setup(here)
        _log, ended = await run(engine, here, step("exit 78"))
        assert ended.exit_code == 78
        assert not ended.oom_killed

    async def test_it_says_what_a_step_was_started_with(
        self, engine: Engine, place: Places
    ) -> None:
        here = place("had")
        await engine.setup(here)
        what = step("echo done")
        assert await engine.environment(here, what) == {}
        values: dict[str, str | Secret] = {"PLAIN": "a=b", "HIDDEN": Secret("s3cret")}
        await run(engine, here, what, values)
        had = await engine.environment(here, what)
        assert (had["PLAIN"], had["HIDDEN"]) == ("a=b", "s3cret")

    async def test_variables_and_secrets_reach_the_step(
        self, engine: Engine, place: Places
    ) -> None:
        here = place("env")
        await engine.setup(here)
        values: dict[str, str | Secret] = {"PLAIN": "a $b 'c'", "HIDDEN": Secret("s3cret")}
        log, _ended = await run(engine, here, step('echo "$PLAIN"\necho "$HIDDEN"'), values)
        assert log == b"a $b 'c'\ns3cret\n"

    async def test_a_flood_is_whole(self, engine: Engine, place: Places) -> None:
        here = place("flood")
        await engine.setup(here)
        log, ended = await run(engine, here, step("seq 1 20000"))
        assert log == b"".join(b"%d\n" % number for number in range(1, 20001))
        assert ended.exit_code == 0

    async def test_setup_may_be_repeated(self, engine: Engine, place: Places) -> None:
        here = place("twice")
        await engine.setup(here)
        await engine.setup(here)
        assert (await run(engine, here, step("echo ok")))[0] == b"ok\n"

    async def test_a_started_step_is_adopted_and_not_run_again(
        self, engine: Engine, place: Places
    ) -> None:
        here = place("adopt")
        await engine.setup(here)
        what = step("echo once\nexit 4")
        await run(engine, here, what)
        log, ended = await run(engine, here, what)
        assert (log, ended.exit_code) == (b"once\n", 4)

    async def test_another_attempt_is_another_run(self, engine: Engine, place: Places) -> None:
        here = place("attempts")
        await engine.setup(here)
        what = step("exit 5")
        await run(engine, here, what)
        _log, ended = await run(engine, here, what, attempt=2)
        assert ended.exit_code == 5

    async def test_a_cut_log_goes_on_where_it_stopped(self, engine: Engine, place: Places) -> None:
        here = place("cut")
        await engine.setup(here)
        what = step("seq 1 1000\nsleep 1\nseq 1 500\nexit 6")
        await engine.start(here, what, {})
        first = Taker()
        task = asyncio.ensure_future(engine.follow(here, what, first))  # noqa: TID251 cut below
        await first.until(b"1000\n")
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):  # on a slow machine it has ended before
            await task
        rest = Taker()
        ended = await engine.follow(here, what, rest, skip=len(first.data))
        whole = [*range(1, 1001), *range(1, 501)]
        assert first.data + rest.data == b"".join(b"%d\n" % number for number in whole)
        assert ended.exit_code == 6

    async def test_a_kept_log_is_read_again_from_any_byte(
        self, engine: Engine, place: Places
    ) -> None:
        here = place("again")
        await engine.setup(here)
        what = step("echo 0123456789")
        await run(engine, here, what)
        for skip in (0, 1, 5, 10, 11):
            taken = Taker()
            await engine.follow(here, what, taken, skip=skip)
            assert taken.data == b"0123456789\n"[skip:]

    async def test_stop_ends_a_step_that_never_would(self, engine: Engine, place: Places) -> None:
        here = place("stop")
        await engine.setup(here)
        what = step("echo began\nsleep 600\necho late")
        await engine.start(here, what, {})
        taken = Taker()
        async with asyncio.TaskGroup() as group:
            following = group.create_task(engine.follow(here, what, taken))
            await taken.until(b"began")
            await engine.stop(here, what)
        assert following.result().exit_code == 137
        assert taken.data == b"began\n"

    async def test_stop_of_what_never_began_or_has_ended_is_fine(
        self, engine: Engine, place: Places
    ) -> None:
        here = place("nothing")
        await engine.setup(here)
        what = step("exit 0")
        await engine.stop(here, what)
        await run(engine, here, what)
        await engine.stop(here, what)

    async def test_what_is_gone_ends_with_an_error(self, engine: Engine, place: Places) -> None:
        here = place("gone")
        await engine.setup(here)
        ended = await engine.follow(here, step("echo x"), Taker())
        assert ended.exit_code == 255
        assert ended.error

    async def test_destroy_removes_the_stage_and_no_other(
        self, engine: Engine, place: Places
    ) -> None:
        one, two = place("one"), place("two")
        what = step("echo kept")
        for here in (one, two):
            await engine.setup(here)
            await run(engine, here, what)
        await engine.destroy(one)
        await engine.destroy(one)
        assert (await engine.follow(one, what, Taker())).exit_code == 255
        assert (await engine.follow(two, what, Taker())).exit_code == 0

    async def test_sweep_removes_what_nobody_keeps(self, engine: Engine, place: Places) -> None:
        kept, lost = place("kept"), place("lost")
        what = step("sleep 600")
        for here in (kept, lost):
            await engine.setup(here)
            await engine.start(here, what, {})
        assert lost.key in await engine.sweep([kept.key])
        assert (await engine.follow(lost, what, Taker())).exit_code == 255
        await engine.stop(kept, what)
        assert (await engine.follow(kept, what, Taker())).exit_code == 137
        assert await engine.sweep([kept.key]) == []

    async def test_a_running_step_is_ready_and_an_ended_one_is_not(
        self, engine: Engine, place: Places
    ) -> None:
        here = place("probe")
        await engine.setup(here)
        what = step("sleep 600")
        assert not await engine.probe(here, what)
        await engine.start(here, what, {})
        assert await engine.probe(here, what)
        await engine.stop(here, what)
        await engine.follow(here, what, Taker())
        assert not await engine.probe(here, what)


class ImageContract:
    """What engines with images do besides."""

    async def test_an_unknown_image_is_named(self, engine: Engine, place: Places) -> None:
        here = place("image")
        await engine.setup(here)
        what = step("true", image="fairway.invalid/nothing:1", pull=PullPolicy.NEVER)
        with pytest.raises(InvalidInput, match=r"fairway\.invalid/nothing:1") as caught:
            await engine.start(here, what, {})
        assert caught.value.code == "image-not-found"
