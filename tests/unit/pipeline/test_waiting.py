"""Everything that waits says why."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.model.runner import RunnerFacts
from fairway.model.stage import Stage
from fairway.model.status import Status
from fairway.model.step import Step
from fairway.pipeline import waiting
from fairway.pipeline.scheduler import Brakes
from fairway.pipeline.waiting import Sight

FILE = """
kind: pipeline
type: docker
name: default
steps:
- {name: test, image: busybox, commands: ["true"]}
---
kind: pipeline
type: docker
name: after
steps:
- {name: more, image: busybox, commands: ["true"]}
depends_on: [default]
"""
R = RunnerFacts(id=1, name="r", os="linux", arch="amd64", capacity=1, seen=100)


def stage(number: int, status: Status = Status.PENDING, **more: Any) -> Stage:
    values = {"name": f"s{number}", **more}
    return Stage(id=number, build=1, repository=1, number=number, status=status, **values)


@pytest.mark.parametrize(
    ("sight", "why"),
    [
        (Sight(brakes=Brakes(paused=True, paused_by="ada")), "all work is paused by ada"),
        (
            Sight(brakes=Brakes(disk_low=True, free_bytes=5 << 20)),
            "the disk is nearly full: 5 MiB are free",
        ),
        (Sight(), "no runner for docker on linux/amd64 without labels"),
        (Sight(runners=[R], now=100_000), "no runner for docker on linux/amd64 without labels"),
        (Sight(runners=[R], now=100), "is about to begin"),
        (
            Sight(runners=[R], active=[stage(1, Status.RUNNING, machine="r")]),
            "all runners for it are busy; 0 ahead",
        ),
        (
            Sight(runners=[R], active=[stage(1, Status.RUNNING, machine="r"), stage(2)]),
            "all runners for it are busy; 1 ahead",
        ),
        (
            Sight(runners=[R], active=[stage(1, Status.RUNNING, machine="r", name="s9")]),
            "concurrency limit 1 of s9: 1 before it",
        ),
        (
            Sight(runners=[RunnerFacts(id=1, name="r", os="linux", arch="amd64", paused=True)]),
            "every runner for docker on linux/amd64 without labels is paused",
        ),
    ],
)
def test_a_pending_stage_says_why_it_waits(sight: Sight, why: str) -> None:
    limit = 1 if why.startswith("concurrency") else 0
    assert waiting.of_stage(stage(9, concurrency=limit), [], None, sight) == why  # type: ignore[arg-type]


def test_labels_that_no_runner_has_are_named() -> None:
    asked = stage(9, labels={"disk": "ssd"})
    said = waiting.of_stage(asked, [], None, Sight(runners=[R]))  # type: ignore[arg-type]
    assert said == "no runner for docker on linux/amd64 with labels disk=ssd"


def test_a_step_names_the_steps_that_it_waits_for() -> None:
    def step(number: int, status: Status, **more: Any) -> Step:
        return Step(id=number, stage=1, number=number, name=f"t{number}", status=status, **more)

    before = step(1, Status.RUNNING)
    service = step(2, Status.RUNNING, service=True)
    mine = step(3, Status.PENDING, depends_on=["t1", "t2"])
    assert waiting.of_step(mine, [before, service, mine], "") == "waits for t1"
    assert waiting.of_step(before, [before], "") == ""
    assert waiting.of_step(mine, [], "paused") == "paused"


async def test_every_waiting_thing_of_a_build_is_explained(chapter: Any) -> None:
    build = await chapter.push(FILE)
    first, second = await chapter.stages(1)
    reasons = await chapter.database.read(waiting.explain, build)
    assert reasons.stages == {
        first.id: "no runner for docker on linux/amd64 without labels",
        second.id: "waits for default",
    }
    assert set(reasons.steps) == {step.id for step in await chapter.steps(1)}
    await chapter.run(await chapter.lease(), Status.FAILED)
    done = await chapter.build(1)
    assert (await chapter.database.read(waiting.explain, done)).stages == {}


async def test_a_blocked_stage_waits_for_approval(chapter: Any) -> None:
    await chapter.set(protected=True)
    build = await chapter.push(FILE)
    reasons = await chapter.database.read(waiting.explain, build)
    assert all(why.startswith("waits for approval: ") for why in reasons.stages.values())
