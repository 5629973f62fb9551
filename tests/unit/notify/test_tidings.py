"""From events to what there is to say, and to whom."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from fairway.model.events import BuildFinished, PromotionChanged, RefUpdated, ReleaseCreated
from fairway.model.notice import Channel, ChannelKind, Message, Outcome, Rule, Topic
from fairway.notify import wanted
from fairway.notify.tidings import BuildFacts, Tidings, of

URL = "https://fairway.example"
FACTS = BuildFacts(default_branch="main", title="Sail on", author="ada", failed=("build/unit",))
SLACK = Channel(id=1, name="chat", kind=ChannelKind.SLACK, address="C1")
HOOK = Channel(id=2, name="hook", kind=ChannelKind.WEBHOOK, address="https://hook.example/x")


def build(status: str = "passed", **values: object) -> BuildFinished:
    given: dict[str, object] = {
        "repository": 1,
        "slug": "tide/app",
        "build": 7,
        "number": 3,
        "status": status,
        "event": "push",
        "ref": "refs/heads/main",
        "after": "0123456789abcdef",
    }
    return BuildFinished(**(given | values))  # type: ignore[arg-type]


def promotion(state: str, **values: object) -> PromotionChanged:
    given: dict[str, object] = {
        "delivery": "shop",
        "service": "catalogue",
        "environment": "production",
        "promotion": 5,
        "release": 9,
        "version": "1.2.0",
        "digest": "sha256:" + "ab" * 32,
        "way": "promotion",
        "state": state,
        "before": "1.1.0",
    }
    return PromotionChanged(**(given | values))  # type: ignore[arg-type]


def told(event: object) -> Tidings:
    found = of(event, URL, build=FACTS)  # type: ignore[arg-type]
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("status", "outcome"),
    [("passed", "success"), ("failed", "failure"), ("errored", "failure")],
)
def test_a_build_of_the_default_branch_is_told_with_its_outcome(status: str, outcome: str) -> None:
    found = told(build(status))
    assert found.content.outcome == outcome
    assert found.content.title == f"tide/app #3 {status}"
    assert "Sail on (ada)" in found.content.lines
    assert "build/unit did not pass" in found.content.lines
    assert found.content.link == "https://fairway.example/tide/app/builds/3"


@pytest.mark.parametrize(
    "event",
    [
        build(ref="refs/heads/other"),
        build(event="pull_request"),
        build("cancelled"),
        RefUpdated(repository=1, slug="a/b", ref="r", before="", after="x", actor="ada"),
    ],
)
def test_nothing_else_is_told_of_builds(event: object) -> None:
    assert of(event, URL, build=FACTS) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "way", "outcome"),
    [
        ("waiting", "promotion", ""),
        ("running", "promotion", ""),
        ("passed", "promotion", "success"),
        ("passed", "rollback", "success"),
        ("passed", "revert", "failure"),
        ("failed", "promotion", "failure"),
        ("rejected", "promotion", "failure"),
        ("superseded", "promotion", "success"),
    ],
)
def test_a_deployment_has_one_message_whose_outcome_follows_its_state(
    state: str, way: str, outcome: str
) -> None:
    found = told(promotion(state, way=way))
    assert (found.key, found.content.outcome) == ("deployment/5", outcome)
    assert found.content.waiting == (state == "waiting")
    assert "1.1.0 → 1.2.0, digest abababababab" in found.content.lines


def test_a_failed_chart_is_told_with_its_problem() -> None:
    event = ReleaseCreated(
        delivery="shop",
        service="catalogue",
        release=2,
        version="1.0.0",
        digest="sha256:" + "0" * 64,
        revision="r",
        state="failed",
        problem="templates/x.yaml: nil pointer",
        repository="tide/app",
    )
    found = told(event)
    assert found.content.outcome is Outcome.FAILURE
    assert found.content.lines[0] == "templates/x.yaml: nil pointer"


@pytest.mark.parametrize(
    ("rule", "hears"),
    [
        ({}, "bd"),
        ({"topics": (Topic.BUILD,)}, "b"),
        ({"repositories": ("tide/*",)}, "b"),
        ({"repositories": ("reef/*",)}, ""),
        ({"environments": ("shop/production",)}, "d"),
        ({"environments": ("*/staging",)}, ""),
        ({"repositories": ("tide/app",), "environments": ("shop/*",)}, "bd"),
        ({"topics": (Topic.DEPLOYMENT,), "repositories": ("tide/app",)}, ""),
    ],
)
def test_a_rule_hears_what_its_patterns_name(rule: dict[str, object], hears: str) -> None:
    made = Rule(id=1, name="r", channel="chat", **rule)  # type: ignore[arg-type]
    found = {"b": told(build()), "d": told(promotion("running"))}
    assert "".join(name for name, one in found.items() if wanted.matches(made, one)) == hears


def test_a_channel_that_one_rule_leads_to_always_is_not_held_by_another() -> None:
    rules = [
        Rule(id=1, name="a", channel="chat", transitions=True),
        Rule(id=2, name="b", channel="chat"),
        Rule(id=3, name="c", channel="hook", transitions=True),
    ]
    assert wanted.interested(rules, told(build())) == {"chat": False, "hook": True}


def first(
    channel: Channel, tidings: Tidings, *, transitions: bool = False, last: str = ""
) -> Message:
    return wanted.first(channel, tidings, transitions=transitions, last=last)


def test_the_same_tidings_again_change_nothing_and_newer_ones_edit() -> None:
    made = first(SLACK, told(promotion("running", step="copy")))
    again = told(promotion("running", step="copy"))
    assert wanted.later(made, SLACK, again, transitions=False, last="") is None
    newer = wanted.later(
        made, SLACK, told(promotion("running", step="sync")), transitions=False, last=""
    )
    assert newer is not None
    assert (newer.wanted, len(newer.details), newer.held) == (2, 2, False)


def test_what_has_ended_says_no_more() -> None:
    made = first(SLACK, told(promotion("passed")))
    late = told(promotion("running", step="sync"))
    assert wanted.later(made, SLACK, late, transitions=False, last="") is None


def test_a_webhook_is_held_until_the_end_unless_it_wants_progress() -> None:
    going, ended = told(promotion("running")), told(promotion("passed"))
    assert first(HOOK, going).held
    assert not first(replace(HOOK, progress=True), going).held
    finished = wanted.later(first(HOOK, going), HOOK, ended, transitions=False, last="")
    assert finished is not None
    assert not finished.held


@pytest.mark.parametrize(
    ("status", "last", "silent"),
    [
        ("passed", "success", True),
        ("passed", "failure", False),
        ("failed", "success", False),
        ("failed", "failure", True),
        ("passed", "", False),
    ],
)
def test_with_transitions_only_the_same_outcome_again_is_silent(
    status: str, last: str, silent: bool
) -> None:
    made = first(SLACK, told(build(status)), transitions=True, last=last)
    assert made.silent is silent
    assert not first(SLACK, told(build(status)), last=last).silent
