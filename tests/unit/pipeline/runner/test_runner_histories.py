"""Random stages under random trouble: restarts, silent engines and systems change no outcome."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from fairway.model.errors import Unavailable
from fairway.pipeline.dispatch import Lease
from fairway.pipeline.graph import FailurePolicy, Retry, RunPolicy
from fairway.pipeline.memory_dispatch import MemoryDispatch
from fairway.testing.engine import SimulatedEngine, Trouble
from fairway.testing.runnerbench import Bench, ends, lease, word

pytestmark = pytest.mark.looptime


class Flaky:
    """A way into the system that fails before or after the deed, now and then."""

    def __init__(self, inner: MemoryDispatch, dice: random.Random) -> None:
        self._inner = inner
        self._dice = dice

    def __getattr__(self, name: str) -> Any:
        async def call(*args: Any, **more: Any) -> Any:
            if self._dice.random() < 0.1:
                raise Unavailable("away")
            answer = await getattr(self._inner, name)(*args, **more)
            if name != "lease" and self._dice.random() < 0.1:
                raise Unavailable("away afterwards")
            return answer

        return call


def script(dice: random.Random) -> str:
    lines = []
    for number in range(dice.randint(0, 6)):
        lines += [f"sleep {dice.choice([0, 0, 0.01, 1, 7])}", f"echo line {number} hunter2 end"]
        if dice.random() < 0.2:
            lines.append(f"seq 1 {dice.randint(1, 9000)}")
    lines.append(f"exit {dice.choice([0, 0, 0, 0, 1, 3, 78])}")
    return "\n".join(lines)


def stage(seed: int) -> Lease:
    dice = random.Random(seed)
    steps: list[dict[str, Any]] = [
        {
            "script": script(dice),
            "run": dice.choice([RunPolicy.ON_SUCCESS] * 3 + [RunPolicy.ALWAYS]),
            "failure": dice.choice([FailurePolicy.FAIL] * 3 + [FailurePolicy.IGNORE]),
            "retry": Retry(limit=dice.choice([0, 0, 2]), delay_s=2.0),
        }
        for _number in range(dice.randint(1, 5))
    ]
    if dice.random() < 0.5:
        service = {"service": True, "detach": True, "failure": FailurePolicy.IGNORE}
        steps.insert(0, {"script": "echo up\nsleep 99999", **service})
    return lease(*steps, secrets={"tok": "hunter2"})


def logs(bench: Bench) -> dict[tuple[int, int], bytes]:
    kept = bench.dispatch.stages[1]
    assert all(log.done for log in kept.logs.values())
    return {place: bytes(log.data) for place, log in kept.logs.items() if log.data}


@pytest.mark.parametrize("seed", range(60))
async def test_trouble_changes_neither_outcome_nor_logs_nor_starts_anything_twice(
    seed: int,
) -> None:
    calm = Bench()
    expected = await calm.run(stage(seed))
    dice = random.Random(seed + 1000)
    trouble = Trouble(unanswered=0.05, answer_lost=0.1, start_s=(0.0, 3.0))
    bench = Bench(engine=SimulatedEngine(trouble=trouble, source=dice), patience_s=600.0)
    bench.dispatch.add(stage(seed))
    for _crash in range(dice.randint(0, 6)):
        async with bench.running(Flaky(bench.dispatch, dice)):
            await asyncio.sleep(dice.choice([0.0, 0.01, 0.5, 3, 12]))
        if bench.dispatch.stages[1].report is None:
            bench.dispatch.release(1)
    async with bench.running(Flaky(bench.dispatch, dice)):
        await bench.dispatch.ended()
        bench.engine.trouble = Trouble()
        await asyncio.sleep(100)
    got = bench.dispatch.stages[1]
    assert ends(got) == ends(expected)
    assert (word(got).status, word(got).exit_code) == (
        word(expected).status,
        word(expected).exit_code,
    )
    assert logs(bench) == logs(calm)
    assert b"hunter2" not in b"".join(logs(bench).values())
    assert set(bench.engine.starts.values()) <= {1}
    assert bench.engine.left() == []
