"""Random pipeline files whose outcome is known before anything runs.

The outcome is computed here from each step's recipe, by rules written down a second time and more
simply than the product's: so a mistake of the product shows.
"""

from __future__ import annotations

import random

from msgspec import Struct

from fairway.model.status import Status

MISSING = "nowhere/to/be/found"
FLAKY = "flaky"
ENDLESS_S = 10.0**6


class StepPlan(Struct, frozen=True, kw_only=True):
    """What one step will do."""

    name: str
    seconds: float = 0.0
    code: int = 0
    flaky: bool = False  # fails only in a build that is no retry
    ignore: bool = False
    when: str = "success"  # success | failure | always
    missing: bool = False  # its image is nowhere
    lines: int = 1

    def text(self, before: str) -> str:
        """As YAML."""
        # a secret that the log must not show, whoever holds the lease meanwhile
        commands = [f"echo {self.name} $DRONE_BUILD_NUMBER $DRONE_NETRC_PASSWORD"]
        commands.append(f"seq 1 {self.lines}")
        commands.append(f"sleep {self.seconds}")
        if self.code:
            commands.append(f"{FLAKY if self.flaky else 'exit'} {self.code}")
        statuses = {"failure": "[failure]", "always": "[success, failure]"}
        parts = [
            f"- name: {self.name}",
            f"  image: {MISSING if self.missing else 'busybox'}",
            f"  commands: [{', '.join(repr(command) for command in commands)}]",
        ]
        if self.ignore:
            parts.append("  failure: ignore")
        if self.when in statuses:
            parts.append(f"  when: {{status: {statuses[self.when]}}}")
        if before:
            parts.append(f"  depends_on: [{before}]")
        return "\n".join(parts)


class StagePlan(Struct, frozen=True, kw_only=True):
    """What one pipeline will do. In a row, or every step after the first at once."""

    name: str
    steps: tuple[StepPlan, ...]
    depends_on: tuple[str, ...] = ()
    row: bool = True
    service: bool = False
    clone: bool = False

    def text(self) -> str:
        """As YAML."""
        first = self.steps[0].name
        after = ["" if self.row or step.name == first else first for step in self.steps]
        steps = "\n".join(step.text(before) for step, before in zip(self.steps, after, strict=True))
        parts = ["kind: pipeline", "type: docker", f"name: {self.name}"]
        if not self.clone:
            parts.append("clone: {disable: true}")
        if self.service:
            parts.append("services:\n- {name: db, image: postgres}")
        if self.depends_on:
            parts.append(f"depends_on: [{', '.join(self.depends_on)}]")
        return "\n".join([*parts, "steps:", steps])

    def outcome(self, *, again: bool) -> Status:
        """How the pipeline ends once it runs. `again`: in a retry, where flaky steps pass."""
        failed = errored = False
        for step in self.steps:
            runs = {"success": not failed, "failure": failed, "always": True}[step.when]
            code = 0 if step.flaky and again else step.code
            if not runs:
                continue
            if step.missing:
                errored = errored or not step.ignore
                failed = failed or not step.ignore
            elif code == 78:
                break
            elif code and not step.ignore:
                failed = True
        if errored:
            return Status.ERRORED
        return Status.FAILED if failed else Status.PASSED


class FilePlan(Struct, frozen=True, kw_only=True):
    """What a build of this file will do."""

    stages: tuple[StagePlan, ...]
    endless: bool = False  # its first step never ends: only the time limit ends the build

    def text(self) -> str:
        """The pipeline file."""
        return "\n---\n".join(stage.text() for stage in self.stages) + "\n"

    def outcome(self, *, again: bool = False) -> Status:
        """How a build of it ends if nobody interferes.

        Only a pipeline without dependencies can be errored (the generator sees to it), and one
        that goes wrong is either reached or something before it went wrong as well.
        """
        if self.endless:
            return Status.FAILED
        ends = [stage.outcome(again=again) for stage in self.stages]
        for status in (Status.ERRORED, Status.FAILED):
            if status in ends:
                return status
        return Status.PASSED


def random_file(source: random.Random, *, endless: bool = False) -> FilePlan:
    """A file of one to three pipelines."""
    if endless:
        step = StepPlan(name="hang", seconds=ENDLESS_S)
        return FilePlan(stages=(StagePlan(name="only", steps=(step,)),), endless=True)
    count = source.choice([1, 1, 1, 2, 3])
    stages: list[StagePlan] = []
    for number in range(1, count + 1):
        others = [stage.name for stage in stages if source.random() < 0.5]
        stages.append(_stage(source, f"p{number}", tuple(others)))
    return FilePlan(stages=tuple(stages))


def _stage(source: random.Random, name: str, depends_on: tuple[str, ...]) -> StagePlan:
    row = source.random() < 0.7
    count = source.choice([1, 1, 2, 3])
    steps = tuple(
        _step(source, f"{name}s{number}", row=row, first=number == 1, root=not depends_on)
        for number in range(1, count + 1)
    )
    return StagePlan(
        name=name,
        steps=steps,
        depends_on=depends_on,
        row=row,
        service=source.random() < 0.15,
        clone=source.random() < 0.25,
    )


def _step(source: random.Random, name: str, *, row: bool, first: bool, root: bool) -> StepPlan:
    code = source.choice([0, 0, 0, 0, 1, 3, 78 if row else 0])
    return StepPlan(
        name=name,
        seconds=round(source.choice([0.0, 0.2, 1.0, 4.0]) * source.random(), 3),
        code=code,
        flaky=code == 1 and source.random() < 0.6,
        ignore=code != 78 and source.random() < 0.1,
        when=source.choice(["success"] * 6 + ["failure", "always"]) if row else "success",
        missing=first and root and source.random() < 0.05,
        lines=source.choice([1, 1, 3, 500]),
    )
