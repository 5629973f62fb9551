"""The documented schema of `fairway compile -o json` is what is printed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from fairway.pipeline.compile import SCHEMA, Context, Netrc, RepoFacts, plan, report

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "compile-schema.md"
FILE = """
kind: pipeline
name: a
volumes: [{name: t, temp: {}}]
services: [{name: db, image: postgres, x-fairway: {ready: {tcp: 5432}}}]
steps:
- name: x
  image: alpine
  commands: [make]
  volumes: [{name: t, path: /t}]
  environment: {T: {from_secret: Token}}
- {name: never, image: alpine, when: {event: tag}}
---
kind: pipeline
name: b
trigger: {event: tag}
"""


def _documented(heading: str) -> set[str]:
    text = PAGE.read_text(encoding="utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


def _report() -> dict[str, Any]:
    return report(FILE, Context(netrc=Netrc(machine="git.example")))


def test_every_field_of_a_pipeline_and_a_step_is_documented() -> None:
    first, second = _report()["pipelines"]
    assert set(first) == _documented("A pipeline") == set(second)
    for step in first["steps"]:
        assert set(step) == _documented("A step")


def test_the_version_of_the_schema_is_documented() -> None:
    assert _report()["schema"] == SCHEMA
    assert f"`{SCHEMA}`" in PAGE.read_text(encoding="utf-8")


def test_secrets_are_shown_by_name_only() -> None:
    step = _report()["pipelines"][0]["steps"][-1]
    assert step["environment"]["T"] == {"from_secret": "token"}
    assert step["environment"]["DRONE_NETRC_PASSWORD"] == {"from": "netrc"}
    assert step["environment"]["DRONE_SCRIPT"] == step["script"]


def test_what_does_not_run_says_why() -> None:
    first, second = _report()["pipelines"]
    assert first["left_out"] == [
        {"name": "never", "why": "event is 'push', asked for is tag"},
    ]
    assert (second["matched"], second["steps"]) == (False, [])
    assert second["why"] == "event is 'push', asked for is tag"


def test_an_error_of_the_file_leaves_no_pipelines() -> None:
    got = report("kind: pipeline\nplatform: {os: plan9}\n", Context())
    assert [error["code"] for error in got["errors"]] == ["unsupported-platform"]
    assert got["pipelines"] == []


def test_an_error_of_a_pipeline_is_told_before_anything_starts() -> None:
    text = "kind: pipeline\nname: a\nsteps:\n- {name: x, image: y, privileged: true}\n"
    planned = plan(text, Context(repo=RepoFacts(trusted=False)))
    assert [error.code for error in planned.pipelines[0].errors] == ["untrusted"]
    assert plan(text, Context(repo=RepoFacts(trusted=True))).pipelines[0].errors == ()
