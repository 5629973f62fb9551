"""`fairway change-request`: opened, listed, shown, followed, merged and closed."""

from __future__ import annotations

import msgspec
import pytest

from fairway.git.writing import Author
from fairway.testing.apiworld import ApiWorld
from fairway.testing.commandline import Line

ADA = Author(name="Ada", email="ada@example.org")
REPO = ("-R", "tide/app")


async def branches(world: ApiWorld) -> None:
    """`feature` adds a file to `main`."""
    number = world.people.ids["tide/app"]
    first = await world.writer.commit(number, "main", {"a": b"1"}, message="one", author=ADA)
    await world.writer.move(number, "refs/heads/feature", first, expected="", actor="ada")
    await world.writer.commit(number, "feature", {"b": b"1"}, message="feat: b", author=ADA)


@pytest.fixture
def line(fairway: Line, api_world: ApiWorld) -> Line:
    fairway.thread.call(branches(api_world))
    return fairway


def end_tests(line: Line, world: ApiWorld, status: str) -> None:
    """Its build was made and has ended."""

    async def work() -> None:
        change = (await world.services.changes.shown(  # type: ignore[union-attr]
            await world.people.identity("ada"), "tide/app", 1)).change  # fmt: skip
        await world.tests.begin(change)
        await world.tests.end(world.course, status)

    line.thread.call(work())


def test_it_is_opened_listed_and_shown(line: Line) -> None:
    made = line("cr", "create", "--source", "feature", *REPO)
    assert made.exit_code == 0, made.output
    assert "tide/app#1  feat: b" in made.stdout
    listed = line("change-request", "list", *REPO).stdout
    assert listed.splitlines()[0].split()[:3] == ["NUMBER", "STATE", "CHECK"]
    assert listed.splitlines()[1].split()[:4] == ["#1", "open", "waiting", "feat:"]
    assert line("get", "change-requests", *REPO).stdout == listed
    assert line("get", "cr", "--status", "merged", *REPO).stdout == ""
    shown = msgspec.json.decode(line("cr", "show", "#1", "-o", "json", *REPO).stdout)
    assert (shown["source"], shown["target"], shown["state"]) == ("feature", "main", "open")
    assert shown["link"].endswith("/api/v1/repos/tide/app/changes/1")
    assert "feat: b" in line("describe", "cr", "tide/app#1", *REPO).stdout


def test_a_pending_one_is_not_merged_but_may_wait_for_green(
    line: Line, api_world: ApiWorld
) -> None:
    line("cr", "create", "--source", "feature", *REPO)
    refused = line("cr", "merge", "1", *REPO)
    assert (refused.exit_code, "its checks have not begun" in refused.stderr) == (2, True)
    queued = line("cr", "merge", "1", "--squash", "--when-green", *REPO)
    assert "squash when green, by ada" in queued.stdout
    end_tests(line, api_world, "passed")
    assert "State:    merged as" in line("cr", "show", "1", *REPO).stdout


def test_watching_a_red_one_is_a_negative_result(line: Line, api_world: ApiWorld) -> None:
    line("cr", "create", "--source", "feature", *REPO)
    end_tests(line, api_world, "failed")
    watched = line("cr", "watch", "1", "--timeout", "20s", *REPO)
    assert watched.exit_code == 1
    assert "#1 failed (build #1)" in watched.stderr
    assert line("cr", "merge", "1", *REPO).exit_code == 2


def test_watching_a_green_one_succeeds(line: Line, api_world: ApiWorld) -> None:
    line("cr", "create", "--source", "feature", *REPO)
    end_tests(line, api_world, "passed")
    watched = line("cr", "watch", "1", "--timeout", "20s", *REPO)
    assert (watched.exit_code, "#1 passed" in watched.stderr) == (0, True)
    assert line("cr", "merge", "1", *REPO).exit_code == 0


def test_it_is_closed_and_reopened(line: Line) -> None:
    line("cr", "create", "--source", "feature", *REPO)
    closed = line("cr", "close", "1", "--reason", "not now", *REPO)
    assert "State:    closed: not now" in closed.stdout
    assert "State:    open" in line("cr", "reopen", "1", *REPO).stdout


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("show", "7"), 5),
        (("show", "x"), 2),
        (("create", "--source", "nowhere"), 5),
        (("create", "--source", "main"), 2),
        (("reopen", "1"), 5),
    ],
)
def test_what_cannot_be_is_refused(line: Line, words: tuple[str, ...], code: int) -> None:
    assert line("cr", *words, *REPO).exit_code == code


@pytest.mark.parametrize("word", ["create", "merge", "close", "reopen"])
def test_a_dry_run_changes_nothing(line: Line, word: str) -> None:
    words = ["--source", "feature"] if word == "create" else ["1"]
    said = line("cr", word, *words, "--dry-run", *REPO)
    assert said.stdout.startswith("would ")
    assert line("cr", "list", "--state", "all", *REPO).stdout == ""
