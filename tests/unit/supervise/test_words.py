"""Last words and the size of a log."""

from pathlib import Path

import pytest

from fairway.supervise import words


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("", ""),
        ("one\ntwo\n\n", "two"),
        ("E1121 a.go:1] cannot listen\ngoroutine 1\n", "E1121 a.go:1] cannot listen"),
        ('t="x" level=fatal msg="no socket"\nI1121 bye\n', 't="x" level=fatal msg="no socket"'),
        ("Error: unknown flag\nUsage:\n  a b\n", "Error: unknown flag"),
        ("I1121 fine\nI1121 still fine\n", "I1121 still fine"),
    ],
)
def test_the_last_grave_line_else_the_last_line(tmp_path: Path, text: str, last: str) -> None:
    log = tmp_path / "log"
    log.write_text(text)
    assert words.last_words(log) == last


def test_what_a_former_run_said_is_not_this_ones(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("Error: old\n")
    begin = words.size(log)
    with log.open("a") as file:
        file.write("all well\n")
    assert words.last_words(log, begin) == "all well"


def test_a_log_that_was_emptied_meanwhile_is_read_from_its_start(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("short\n")
    assert words.last_words(log, begin=10_000) == "short"


def test_a_log_past_its_limit_is_copied_and_emptied(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("x" * 100)
    assert not words.rotate(log, 100)
    assert words.rotate(log, 99)
    assert log.read_text() == ""
    assert (tmp_path / "a.log.1").read_text() == "x" * 100


@pytest.mark.parametrize(
    ("status", "text"),
    [(3, "it ended with exit status 3"), (-9, "it was ended by SIGKILL"), (None, "it ended")],
)
def test_an_end_in_words(status: int | None, text: str) -> None:
    assert words.ending(status) == text
