"""What containers are to those who wait for them."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.pipeline.environments.health import (
    SERVICE,
    STEADY_S,
    State,
    Steady,
    Verdict,
    ready,
    verdict,
    wanted,
)


def inspected(**state: Any) -> dict[str, Any]:
    return {"Config": {"Labels": {SERVICE: "web"}}, "State": state}


@pytest.mark.parametrize(
    ("state", "expected", "why"),
    [
        ({"Status": "running", "Running": True}, State.READY, ""),
        ({"Running": True, "Health": {"Status": "healthy"}}, State.READY, ""),
        ({"Running": True, "Health": {"Status": "starting"}}, State.WAITING, "not healthy yet"),
        (
            {
                "Running": True,
                "Health": {"Status": "unhealthy", "Log": [{"ExitCode": 1, "Output": "no db\n"}]},
            },
            State.FAILED,
            "it is unhealthy: its last check ended 1: no db",
        ),
        ({"Status": "created"}, State.WAITING, ""),
        ({"Restarting": True, "Running": True, "ExitCode": 2}, State.WAITING, "started again"),
        ({"Status": "exited", "ExitCode": 0}, State.ENDED, "it ended (0)"),
        ({"Status": "exited", "ExitCode": 3, "Error": "no"}, State.FAILED, "it ended (3): no"),
        ({"Status": "exited", "ExitCode": 137, "OOMKilled": True}, State.FAILED, "more memory"),
    ],
)
def test_a_container_is_judged_by_what_the_engine_says(
    state: dict[str, Any], expected: State, why: str
) -> None:
    found = verdict(inspected(**state))
    assert (found.service, found.state) == ("web", expected)
    assert why in found.why


def test_an_environment_is_ready_when_every_container_of_it_is_well() -> None:
    counts = wanted({"web": {"deploy": {"replicas": 2}}, "db": {}, "off": {"scale": 0}})
    assert counts == {"web": 2, "db": 1, "off": 0}
    web, db = Verdict("web", State.READY), Verdict("db", State.ENDED)
    assert not ready([web, db], counts)
    assert ready([web, web, db], counts)
    assert not ready([web, web, Verdict("db", State.WAITING)], counts)


RUNS = Verdict("web", State.READY)
FAILED = Verdict("web", State.FAILED, "it ended (3)")
CHECKED = Verdict("db", State.READY, checked=True)


def test_what_says_nothing_of_its_health_is_well_when_it_has_run_for_a_while() -> None:
    steady = Steady()
    assert [one.state for one in steady.judge([RUNS, CHECKED], 7.0)] == [
        State.WAITING,
        State.READY,
    ]
    assert steady.judge([RUNS], 7.0 + STEADY_S / 2)[0].state is State.WAITING
    assert steady.judge([RUNS], 7.0 + STEADY_S) == [RUNS]


def test_a_program_that_fails_at_once_is_never_taken_for_well() -> None:
    steady = Steady()
    steady.judge([RUNS], 7.0)
    assert steady.judge([FAILED], 7.3) == [FAILED]
    assert steady.judge([RUNS], 7.6)[0].state is State.WAITING, "it begins anew"


def test_a_health_check_that_passed_is_known_from_none() -> None:
    assert verdict(inspected(Running=True, Health={"Status": "healthy"})).checked
    assert not verdict(inspected(Running=True)).checked
