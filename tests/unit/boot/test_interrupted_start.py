"""A start that was killed half way is found, so that nothing of it runs on unseen."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairway.boot import process
from fairway.model.errors import Unavailable


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"]) as child:
        yield child
        child.kill()


def test_a_start_that_did_not_end_is_found_as_long_as_it_lives(
    tmp_path: Path, other: subprocess.Popen[bytes]
) -> None:
    process._write(process._starting_file(tmp_path), other.pid, "", "")
    found = process.find_starting(tmp_path)
    assert found is not None
    assert found.pid == other.pid
    assert process.find(tmp_path) is None
    assert process.stop(found)
    assert process.find_starting(tmp_path) is None


def test_a_pid_that_is_somebody_elses_by_now_is_left_alone(tmp_path: Path) -> None:
    process._write(process._starting_file(tmp_path), os.getpid(), "", "")
    path = process._starting_file(tmp_path)
    path.write_text(path.read_text().replace('"birth":', '"birth":1'))
    assert process.find_starting(tmp_path) is None


def test_a_start_that_fails_is_not_taken_for_one_that_goes_on(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        process.start(tmp_path, ["serve", "--help"], lambda: False, timeout_s=60)
    assert process.find_starting(tmp_path) is None
