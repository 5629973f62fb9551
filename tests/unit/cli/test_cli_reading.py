"""get, describe, logs, watch and wait: what they print, and with which exit code."""

import json
import re

import pytest
import yaml

from fairway.model.status import Status
from fairway.testing.commandline import Line

REPOSITORIES = """\
NAME       LAST  STATUS   BRANCH  VISIBILITY  AGE
reef/app                  main    private     0.0s
tide/app   #2    running  main    private     0.0s
tide/lib                  main    internal    0.0s
tide/site                 main    public      0.0s
"""
BUILDS = """\
BUILD       STATUS   EVENT  BRANCH  COMMIT    TITLE   AUTHOR  TOOK  AGE
tide/app#2  running  push   main    bbbbbbbb  second  wim     1m    0.0s
tide/app#1  failed   push   main    aaaaaaaa  first   wim     1m    0.0s
"""


def without_ages(text: str) -> str:
    """Ages and durations of a second or so, as if no time had passed."""
    return re.sub(r"\b\d(\.\d)?s\b", "0.0s", text)


def test_repositories_as_a_table(fairway: Line) -> None:
    assert without_ages(fairway.ok("get", "repos")) == REPOSITORIES


def test_builds_as_a_table(fairway: Line) -> None:
    found = re.sub(r"1m(\d+s)?", "1m", without_ages(fairway.ok("get", "builds")))
    assert re.sub(r" +", " ", found) == re.sub(r" +", " ", BUILDS)


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_data_has_a_named_and_versioned_schema(fairway: Line, form: str) -> None:
    text = fairway.ok("get", "builds", "-o", form)
    data = json.loads(text) if form == "json" else yaml.safe_load(text)
    assert data["schema"] == "fairway.builds/1"
    assert [one["number"] for one in data["items"]] == [2, 1]


def test_names_and_json_lines_are_for_scripts(fairway: Line) -> None:
    assert fairway.ok("get", "builds", "-o", "name") == "tide/app#2\ntide/app#1\n"
    lines = fairway.ok("get", "repos", "-o", "jsonl").splitlines()
    assert [json.loads(line)["slug"] for line in lines][:2] == ["reef/app", "tide/app"]
    assert json.loads(fairway.ok("get", "repo", "tide/app", "--json"))["slug"] == "tide/app"


@pytest.mark.parametrize(
    "words",
    [
        ["get", "build", "tide/app#1"],
        ["get", "build", "tide/app/1"],
        ["get", "build", "1", "-R", "tide/app"],
        ["get", "build", "#1", "-R", "tide/app"],
    ],
)
def test_a_build_is_named_in_several_ways(fairway: Line, words: list[str]) -> None:
    assert fairway.ok(*words, "-o", "name") == "tide/app#1\n"


def test_the_last_build_is_meant_without_a_number(fairway: Line) -> None:
    found = fairway.ok("get", "build", "last", "-R", "tide/app", "-o", "name")
    assert found == "tide/app#2\n"


def test_a_description_of_a_build_shows_its_steps_and_reasons(fairway: Line) -> None:
    text = fairway.ok("describe", "2", "-R", "tide/app")
    assert "Build:   tide/app#2" in text
    assert "Commit:  bbbbbbbb  second" in text
    assert re.search(r"2  test   running ", text)
    assert re.search(r"3  image  pending +waits for test", text)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["get", "build", "tide/app#9"], 5, "build-not-found"),
        (["get", "repo", "tide/none"], 5, "no-repository"),
        (["get", "thing"], 2, "no-kind"),
        (["get"], 2, "Missing argument"),
        (["gte", "repos"], 2, "Did you mean 'get'?"),
        (["get", "repos", "-o", "xml"], 2, "Invalid value"),
        (["get", "builds", "--status", "green"], 2, "bad-status"),
        (["logs", "tide/app#1", "nothing"], 5, "one of: clone, image, test"),
        (["get", "crons"], 2, "which repository?"),
        (["wait", "tide/app#1"], 1, "tide/app#1 failed"),
        (["logs", "tide/app#1", "--search", "zzz"], 1, "no line"),
    ],
)
def test_exit_codes_and_what_is_said(fairway: Line, words: list[str], code: int, said: str) -> None:
    result = fairway(*words)
    assert result.exit_code == code, result.output
    assert said in result.output


def test_a_token_that_does_not_hold_is_exit_code_4(fairway: Line) -> None:
    result = fairway("get", "repos", "--token", "nonsense")
    assert result.exit_code == 4
    assert "code:  bad-token" in result.stderr
    assert "next:" in result.stderr


def test_logs_are_printed_byte_for_byte(fairway: Line) -> None:
    text = "one\n\x1b[31mred\x1b[0m\r\nlast without end"
    fairway.thread.call(fairway.world.log(1, 2, text))
    result = fairway("logs", "tide/app#1", "test")
    assert result.stdout_bytes == text.encode()


def test_logs_of_several_steps_name_them(fairway: Line) -> None:
    fairway.thread.call(fairway.world.log(1, 1, "cloned\n"))
    fairway.thread.call(fairway.world.log(1, 2, "a\nb\n"))
    assert fairway.ok("logs", "tide/app#1") == "[clone] cloned\n[test] a\n[test] b\n"
    assert fairway.ok("logs", "tide/app#1", "--tail", "1") == "[clone] cloned\n[test] b\n"
    assert fairway.ok("logs", "tide/app#1", "--failed") == "a\nb\n"
    assert fairway.ok("logs", "tide/app#1", "--search", "B") == "test:2:b\n"


def test_a_finished_build_is_followed_to_its_end(fairway: Line) -> None:
    fairway.thread.call(fairway.world.log(1, 1, "cloned\n"))
    fairway.thread.call(fairway.world.log(1, 2, "a\nb\n"))
    result = fairway("logs", "-f", "tide/app#1")
    assert result.exit_code == 0
    assert result.stdout == "[clone] cloned\n[test] a\n[test] b\n"
    assert "failed" in result.stderr


def test_watching_off_a_terminal_gives_one_timestamped_line_per_change(fairway: Line) -> None:
    fairway.world.finish(2, Status.PASSED)
    result = fairway("watch", "tide/app#2")
    assert result.exit_code == 0
    assert result.stdout == "tide/app#2 passed\n"
    lines = result.stderr.splitlines()
    assert re.fullmatch(r"\d{4}-\S+Z tide/app#2 passed", lines[0])
    assert [line.split(" ", 1)[1] for line in lines[1:]] == [
        "tide/app#2 default passed",
        "tide/app#2 default/clone passed",
        "tide/app#2 default/test passed",
        "tide/app#2 default/image skipped",
    ]


def test_waiting_gives_up_after_its_time(fairway: Line) -> None:
    result = fairway("wait", "tide/app#2", "--timeout", "0.3")
    assert result.exit_code == 124
    assert "timed out after 0.3 s" in result.stderr


def test_names_from_strangers_cannot_steer_the_terminal(fairway: Line) -> None:
    from fairway.cli.text import clean, log_line

    hostile = "a\x1b]0;owned\x07b\x1b[2Jc\u202ed\ne"
    assert clean(hostile) == "abc?d e"
    assert log_line("\x1b[31mred\x1b[0m\x1b[2J\x1b]8;;x\x07", colours=True) == "\x1b[31mred\x1b[0m"
