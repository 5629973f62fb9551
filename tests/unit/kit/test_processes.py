"""Processes are known again by pid and start time."""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from fairway.kit import processes
from fairway.kit.processes import Process


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Process]:
    process = processes.start(["sleep", "60"], tmp_path / "log")
    yield process
    processes.end(process, 5)


def test_a_process_that_runs_is_alive_and_one_that_ended_is_not(sleeper: Process) -> None:
    assert processes.is_alive(sleeper)
    processes.end(sleeper, 5)
    assert not processes.is_alive(sleeper)


def test_another_process_with_the_same_pid_is_not_taken_for_it(sleeper: Process) -> None:
    later = msgspec.structs.replace(sleeper, started=sleeper.started + 1)
    assert not processes.is_alive(later)
    assert not processes.is_alive(msgspec.structs.replace(sleeper, boot="another"))
    processes.end(later, 0)
    assert processes.is_alive(sleeper)


def test_what_it_prints_goes_to_the_end_of_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    process = processes.start(["sh", "-c", "echo out; echo err >&2"], log)
    assert processes.wait_for(lambda: not processes.is_alive(process), 5)
    assert log.read_text() == "before\nout\nerr\n"


def test_a_process_that_ignores_being_asked_is_made_to_end(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = processes.start(["sh", "-c", "trap '' TERM; echo ready; while :; do :; done"], log)
    assert processes.wait_for(lambda: log.read_text() == "ready\n", 5)
    processes.end(process, 0.1)
    assert not processes.is_alive(process)


def test_a_session_of_its_own_lets_it_outlive_us(sleeper: Process) -> None:
    assert os.getsid(sleeper.pid) == sleeper.pid


def test_nothing_is_mounted_below_a_new_folder(tmp_path: Path) -> None:
    assert processes.mounts_below(tmp_path) == []
    assert Path("/proc") in processes.mounts_below(Path("/proc"))
