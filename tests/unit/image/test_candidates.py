import pytest
from msgspec.structs import replace

from fairway.image.candidates import chosen, why_not
from fairway.model.built import BuildFacts, Made, StepFact

GOOD = BuildFacts(
    slug="o/r",
    number=7,
    event="push",
    status="passed",
    branch="main",
    ref="refs/heads/main",
    default_branch="main",
    steps=(StepFact(pipeline="p", name="test", status="passed"),),
)


def with_step(**about: object) -> BuildFacts:
    given = {"pipeline": "p", "name": "s", "status": "passed", **about}
    return replace(GOOD, steps=(*GOOD.steps, StepFact(**given)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "facts",
    [
        GOOD,
        replace(GOOD, event="tag", branch="v1", ref="refs/tags/v1"),
        with_step(status="skipped"),
        with_step(status="failed", ignored=True),
        with_step(status="failed", background=True),
        with_step(carried=3),
        with_step(status="skipped", carried=3, carried_passed=True),
    ],
)
def test_candidates(facts: BuildFacts) -> None:
    assert why_not(facts) == ""


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        (replace(GOOD, branch="x"), "build #7 is of the branch x, not of main"),
        (
            replace(GOOD, event="pull_request"),
            "build #7 is of the event pull_request: only pushes and tags make candidates",
        ),
        (replace(GOOD, event="cron"), "build #7 is of the event cron: only pushes and tags"),
        (replace(GOOD, status="cancelled"), "build #7 cancelled"),
        (replace(GOOD, status="errored", error="no engine"), "build #7 errored: no engine"),
        (
            replace(with_step(status="failed"), status="failed"),
            "build #7 failed: the step s of the pipeline p failed",
        ),
        (
            with_step(status="failed", carried=3),
            "build #7 is not whole: the step s of the pipeline p failed in build #3",
        ),
        (
            with_step(status="skipped", carried=3),
            "build #7 is not whole: the step s of the pipeline p was skipped in build #3",
        ),
    ],
)
def test_no_candidates_and_why(facts: BuildFacts, why: str) -> None:
    assert why_not(facts).startswith(why)


def made(number: int, name: str, target: str = "") -> Made:
    return Made(
        id=number, repository_name=name, digest=f"d{number}", build=1, step=1, target=target
    )


def test_the_tag_follows_the_last_stage_not_a_test_target() -> None:
    found = chosen([made(1, "a", "test"), made(2, "a"), made(3, "a", "test"), made(4, "b", "test")])
    assert {name: one.id for name, one in found.items()} == {"a": 2, "b": 4}
