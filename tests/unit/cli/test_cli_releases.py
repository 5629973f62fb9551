"""`fairway get releases|envs|deployments|approvals`, `promote`, `approve`, `rollback`, `dora`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from delivery_records import promotion, release
from sqlalchemy import Connection

from fairway.access import delivering
from fairway.access.identity import SYSTEM
from fairway.model.release import Change, Promotion, PromotionState
from fairway.release import noting
from fairway.store import promotions, releases
from fairway.testing.apiworld import ApiWorld
from fairway.testing.commandline import Line

SPEC: dict[str, Any] = {
    "services": [
        {"name": "web", "repository": "tide/app"},
        {"name": "front", "repository": "tide/site"},
    ],
    "environments": [
        {"name": "dev", "configuration": {"repository": "tide/lib", "path": "dev"}},
        {
            "name": "production",
            "configuration": {"repository": "tide/lib", "path": "production"},
            "gates": {"all": [{"approval": {}}, {"qa": {"user": "rea"}}]},
            "services": {"front": {"gates": "none"}},
        },
    ],
}


def history(db: Connection) -> None:
    """Releases 1 to 3 of `web`; 1 and 2 were good in production, 3 waits for it."""
    releases.keep(db, {"shop": SPEC})
    for number in (1, 2, 3):
        made = release(
            number, repository="tide/app", image="tide/app", author="wim", build=number,
            changes=(Change(f"c{number}", number, f"fix: {number}", "wim"),),
        )  # fmt: skip
        assert releases.add(db, made) == number
    for of, place in ((1, "dev"), (1, "production"), (2, "dev"), (2, "production"), (3, "dev")):
        promotions.add(db, promotion(0, of, environment=place, previous=None))
    waits = ("1 approval, not by an author of the change", "the verdict of rea (qa)")
    promotions.add(db, promotion(0, 3, "waiting", environment="production", waits=waits))


@pytest.fixture
def line(fairway: Line, api_world: ApiWorld) -> Line:
    api_world.database.write_now(history)
    return fairway


@pytest.fixture
def lane(api_world: ApiWorld) -> Callable[[], list[Promotion]]:
    """What production has of `web`, newest first."""
    return lambda: api_world.database.read_now(promotions.lane, "shop", "production", "web")


def rows(text: str) -> list[list[str]]:
    return [one.split() for one in text.splitlines()[1:]]


def test_releases_environments_and_deployments_are_listed(line: Line) -> None:
    assert [one[0] for one in rows(line("get", "releases").stdout)] == [
        "web@1.0.3", "web@1.0.2", "web@1.0.1",
    ]  # fmt: skip
    found = rows(line("get", "envs", "--service", "web").stdout)
    assert [one[:3] for one in found] == [["dev", "web", "1.0.3"], ["production", "web", "1.0.2"]]
    listed = line("get", "deployments", "--env", "production", "--status", "waiting").stdout
    assert rows(listed)[0][1:4] == ["production", "web", "1.0.3"]
    assert line("get", "deployments", "--status", "moon").exit_code == 2


def test_one_is_described_and_printed_as_json(line: Line) -> None:
    shown = line("describe", "release", "web@1.0.2").stdout
    assert "1.0.2" in shown
    assert "fix: 2" in shown
    data = json.loads(line("get", "env", "production/web", "-o", "json").stdout)
    assert (data["schema"], data["version"], data["next"]) == ("fairway.env/1", "1.0.2", "1.0.3")
    assert data["good"] == ["1.0.2", "1.0.1"]
    assert line("describe", "release", "web@9").exit_code == 5


def test_who_waits_for_whom_is_listed(line: Line) -> None:
    (row,) = rows(line("get", "approvals").stdout)
    assert row[:2] == ["production", "web@1.0.3"]


def test_an_approval_and_a_verdict_are_said(line: Line, api_world: ApiWorld) -> None:
    done = line("approve", "web", "--env", "production", "--comment", "fine")
    assert done.exit_code == 0, done.output
    assert "ada:yes" in line("get", "approvals").stdout
    refused = line("qa", "web", "good", "--env", "production")
    assert refused.exit_code == 4
    assert "rea" in refused.stderr
    assert line("reject", "web@1.0.2", "--env", "production").exit_code == 5


def test_without_the_right_nothing_changes(
    line: Line, api_world: ApiWorld, lane: Callable[[], list[Promotion]]
) -> None:
    before = lane()
    token = api_world.token("wim")
    for words in (
        ("approve", "web", "--env", "production"),
        ("promote", "web", "--env", "production"),
        ("rollback", "web", "--env", "production"),
        ("deploy", "production", "--cluster", "x"),
    ):
        done = line(*words, "--token", token)
        assert (done.exit_code, "no-delivery-right" in done.stderr or "may not" in done.stderr) == (
            4, True,
        ), done.output  # fmt: skip
    assert lane() == before


def test_a_right_is_enough_for_what_it_says(line: Line, api_world: ApiWorld) -> None:
    def grant(db: Connection) -> None:
        delivering.grant(db, SYSTEM, holder="max", action="approve", place="shop/production")

    api_world.database.write_now(grant)
    token = api_world.token("max")
    assert line("approve", "web", "--env", "production", "--token", token).exit_code == 0
    assert line("rollback", "web", "--env", "production", "--token", token).exit_code == 4


def test_an_author_cannot_approve_his_own_change(line: Line, api_world: ApiWorld) -> None:
    def grant(db: Connection) -> None:
        delivering.grant(db, SYSTEM, holder="wim", action="approve", place="shop")

    api_world.database.write_now(grant)
    refused = line("approve", "web", "--env", "production", "--token", api_world.token("wim"))
    assert refused.exit_code == 4
    assert "own" in refused.stderr


def test_a_rollback_asks_for_the_last_good_one(
    line: Line, lane: Callable[[], list[Promotion]]
) -> None:
    told = line("rollback", "web", "--env", "production", "--dry-run")
    assert told.stdout == "would roll back web in production to 1.0.1\n"
    done = line("rollback", "web", "--env", "production", "--why", "slow")
    assert done.exit_code == 0, done.output
    made, waited, second, *_ = lane()
    assert (made.release, made.kind, made.actor, made.why) == (1, "rollback", "ada", "slow")
    assert (waited.state, waited.release) == (PromotionState.CANCELLED, 3)
    assert second.bad == "ada rolled it back: slow"
    never = line("rollback", "web", "--env", "production", "--to", "7.0.0")
    assert never.exit_code == 2
    assert "1.0.1" in never.stderr


def test_a_whole_environment_is_rolled_back_after_a_question(line: Line) -> None:
    asked = line("rollback", "--env", "production")
    assert asked.exit_code == 2
    assert "--yes" in asked.stderr
    assert line("rollback", "--env", "production", "--yes").exit_code == 0


def test_what_cannot_be_promoted_is_refused_with_the_reason(line: Line) -> None:
    gone = line("promote", "web@4.0.0", "--env", "production")
    assert gone.exit_code == 5
    assert "1.0.3" in gone.stderr
    assert line("promote", "web@1.0.2", "--env", "production").exit_code == 2
    assert line("promote", "web", "--env", "moon").exit_code == 5
    waits = line("promote", "web", "--env", "production")
    assert "1.0.3 waiting" in waits.stdout


def test_a_wait_ends_with_what_became_of_it(line: Line, api_world: ApiWorld) -> None:
    def end(db: Connection) -> None:
        (one,) = (p for p in promotions.open_ones(db) if p.release == 3)
        noting.ended(db, one.id, PromotionState.REJECTED, "rea (qa) found it bad")

    api_world.database.write_now(end)
    (row, *_) = rows(line("get", "deployments", "--env", "production").stdout)
    assert "rejected" in row


def test_the_figures_are_told_with_their_counts(line: Line) -> None:
    text = line("dora", "--env", "production", "--days", "3650").stdout
    assert text.startswith("Deployments:   ")
    found = json.loads(line("dora", "--env", "production", "--json").stdout)
    assert (found["environment"], found["deployments"]) == ("production", 0)


def test_the_suite_of_tests_must_be_named(line: Line) -> None:
    assert line("test", "production").exit_code == 2


@pytest.mark.parametrize(
    ("words", "exit_code", "said"),
    [
        (("approve", "web"), 2, "fairway approve web --env ENVIRONMENT"),
        (("promote", "wbe", "--env", "production"), 5, "there are: front, web"),
        (("promote", "web", "--env", "live"), 5, "there are: dev, production"),
        (("promote", "web@9.9.9", "--env", "production"), 5, "1.0.3, 1.0.2, 1.0.1"),
        (("rollback", "web", "--env", "production", "--to", "9.9.9"), 2, "1.0.2, 1.0.1"),
        (("rollback", "--env", "production"), 2, "--yes"),
        (("dora", "--env", "live"), 5, "there are: dev, production"),
        (("dora", "--env", "production", "--service", "wbe"), 5, "there are: front, web"),
        (("qa", "web", "good", "--env", "dev"), 5, "fairway get approvals"),
        (("right", "grant", "wim", "fly", "shop"), 2, "one of: promote, approve"),
        (("right", "grant", "wim", "promote", "shpo"), 0, "there is no shpo yet"),
        (("team", "create", "crew", "wim", "nobody"), 5, "the team crew is made"),
        (("team", "remove", "none", "wim"), 5, "fairway team create"),
        (("notify", "channel", "add", "x", "slack", "C1"), 2, "--secret-file"),
        (("notify", "rule", "rm", "x"), 5, "fairway notify rule ls"),
        (("cr", "show", "99", "-R", "tide/app"), 5, "fairway change-request list"),
    ],
)
def test_what_is_said_wrongly_is_answered_with_what_to_do(
    line: Line, words: tuple[str, ...], exit_code: int, said: str
) -> None:
    done = line(*words)
    assert (done.exit_code, said in done.stderr) == (exit_code, True), done.output
