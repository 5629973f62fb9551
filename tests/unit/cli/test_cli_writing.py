"""Commands that change something: what they send, print and return."""

import json

import pytest

from fairway.model.status import Status
from fairway.testing.commandline import Line

FILE = """\
kind: pipeline
type: docker
name: default
clone: {disable: true}
steps:
  - {name: one, image: busybox, commands: [echo one]}
"""


@pytest.fixture
def pushed(fairway: Line) -> Line:
    world = fairway.world
    world.sources.push(world.people.ids["tide/app"], "refs/heads/main", FILE)
    return fairway


def test_a_build_is_started_cancelled_and_retried(pushed: Line) -> None:
    made = json.loads(pushed.ok("run", "-R", "tide/app", "-p", "A=b", "--json"))
    assert (made["schema"], made["number"], made["params"]) == ("fairway.build/1", 3, {"A": "b"})
    assert pushed.ok("cancel", "tide/app#3", "--reason", "a slip") == "tide/app#3 cancelled\n"
    assert pushed.ok("retry", "tide/app#3", "-o", "name") == "tide/app#4\n"
    assert pushed("cancel", "last", "-R", "tide/app").exit_code == 2  # nobody is here to ask
    assert pushed.ok("cancel", "last", "-R", "tide/app", "-y") == "tide/app#4 cancelled\n"


def test_the_same_key_makes_one_build(pushed: Line) -> None:
    words = ("run", "-R", "tide/app", "--idempotency-key", "k1", "-o", "name")
    assert pushed.ok(*words) == pushed.ok(*words) == "tide/app#3\n"


def test_a_dry_run_changes_nothing(pushed: Line) -> None:
    before = pushed.ok("get", "builds", "-o", "name")
    assert json.loads(pushed.ok("run", "-R", "tide/app", "--branch", "main", "--dry-run")) == {
        "repository": "tide/app",
        "event": "custom",
        "branch": "main",
    }
    for words in (
        ("retry", "tide/app#1", "--failed", "--dry-run"),
        ("cancel", "tide/app#2", "--dry-run"),
        ("secret", "set", "s", "-R", "tide/app", "--dry-run"),
        ("repo", "delete", "tide/app", "--dry-run"),
        ("repo", "create", "tide/new", "--dry-run"),
        ("cron", "set", "n", "@daily", "-R", "tide/app", "--dry-run"),
    ):
        pushed.ok(*words)
    assert pushed.ok("get", "builds", "-o", "name") == before
    assert pushed.ok("get", "repo", "tide/app", "-o", "name") == "tide/app\n"


def test_a_secret_comes_from_stdin_or_a_file_and_is_never_shown(fairway: Line) -> None:
    place = ("-R", "tide/app")
    said = fairway.ok("secret", "set", "token", *place, "--branch", "main", data="hunter22\n")
    assert said == "token is set\n"
    path = fairway.folder / "value"
    path.write_text("hunter33")
    fairway.ok("secret", "set", "other", *place, "--file", str(path))
    listed = fairway.ok("secret", "ls", *place)
    assert "token  tide/app" in listed
    assert "branch=main" in listed
    everything = listed + fairway.ok("get", "audit", "-o", "json") + fairway.ok("get", "events")
    assert "hunter" not in everything
    fairway.ok("secret", "rm", "token", *place, "-y")
    assert fairway.ok("secret", "ls", *place, "-o", "name") == "other\n"
    assert fairway("secret", "rm", "token", *place, "-y").exit_code == 5


def test_a_repository_is_created_changed_signed_and_deleted(fairway: Line) -> None:
    assert fairway.ok("repo", "create", "tide/new", "-o", "name") == "tide/new\n"
    text = fairway.ok(
        "repo", "set", "tide/new", "--protected", "--build-timeout", "5m",
        "-s", "auto_cancel_pushes=true", "--json",
    )  # fmt: skip
    made = json.loads(text)
    assert (made["protected"], made["timeout_s"]) == (True, 300)
    assert made["settings"]["auto_cancel_pushes"] is True
    again = json.loads(fairway.ok("repo", "set", "tide/new", "-s", "poll_s=30", "--json"))
    assert again["settings"]["auto_cancel_pushes"] is True  # what is not given stays
    file = fairway.folder / ".drone.yml"
    file.write_text(FILE)
    fairway.ok("repo", "sign", "tide/new", "--file", str(file), "--save")
    assert "kind: signature" in file.read_text()
    assert fairway("repo", "delete", "tide/new").exit_code == 2
    fairway.ok("repo", "delete", "tide/new", "-y")
    assert fairway("get", "repo", "tide/new").exit_code == 5


def test_cron_jobs_are_set_listed_and_removed(fairway: Line) -> None:
    place = ("-R", "tide/app")
    fairway.ok("cron", "set", "nightly", "0 3 * * *", "--timezone", "Europe/Berlin", *place)
    assert "Europe/Berlin" in fairway.ok("cron", "ls", *place)
    wrong = fairway("cron", "set", "bad", "61 * * * *", *place)
    assert wrong.exit_code == 2
    fairway.ok("cron", "rm", "nightly", "-y", *place)
    assert fairway.ok("cron", "ls", *place, "-o", "name") == ""


def test_a_token_is_printed_once_and_alone(fairway: Line) -> None:
    result = fairway("token", "create", "ci", "--scope", "build:read")
    value = result.stdout.strip()
    assert value.startswith("fwy_")
    assert "not shown again" in result.stderr
    assert fairway("get", "builds", "--token", value).exit_code == 0
    refused = fairway("get", "audit", "--token", value)
    assert refused.exit_code == 4
    number = json.loads(fairway.ok("token", "ls", "-o", "json"))["items"][-1]["id"]
    fairway.ok("token", "revoke", str(number), "-y")
    assert fairway("get", "builds", "--token", value).exit_code == 4


def test_two_builds_are_compared(fairway: Line) -> None:
    result = fairway("diff", "tide/app#1", "tide/app#2")
    assert result.exit_code == 1
    assert "step default/test" in result.stdout
    same = fairway("diff", "tide/app#1", "tide/app#1")
    assert (same.exit_code, same.stdout) == (0, "")


def test_watching_a_list_prints_what_changes(fairway: Line) -> None:
    fairway.world.finish(2, Status.PASSED)
    result = fairway("get", "builds", "-w", "--timeout", "0.5", "-o", "name")
    assert result.exit_code == 124
    assert result.stdout == "tide/app#2\ntide/app#1\n"


def test_users_organisations_and_pauses(fairway: Line) -> None:
    assert fairway.ok("user", "add", "eva", "-o", "name") == "eva\n"
    assert "eva" in fairway.ok("user", "ls")
    assert fairway("user", "add", "eva").exit_code == 2
    assert fairway.ok("org", "add", "bay", "-o", "name") == "bay\n"
    assert "bay" in fairway.ok("org", "ls")
    fairway.ok("system", "pause", "--reason", "a move")
    assert "by ada: a move" in fairway.ok("system", "show")
    fairway.ok("system", "resume")


def test_a_raw_request_goes_out_as_it_is(fairway: Line) -> None:
    assert json.loads(fairway.ok("api", "/me"))["login"] == "ada"
    found = json.loads(fairway.ok("api", "/api/v1/builds", "-f", "status=failed"))
    assert [one["number"] for one in found["items"]] == [1]
    body = '{"name": "x", "scopes": ["build:read"]}'
    assert json.loads(fairway.ok("api", "tokens", "--input", "-", data=body))["name"] == "x"
    assert fairway("api", "/nothing").exit_code == 5
