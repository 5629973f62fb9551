"""`fairway test`: a delivery's integration suite on demand, in a real build with its verdict."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import voyage_files as files
import yaml
from ground import Ground, Repository
from voyage import ALL_HOME, abroad, until
from voyage_far import elsewhere

NATIVE = os.environ.get("FAIRWAY_NATIVE__DIR", "")
pytestmark = [
    pytest.mark.docker,
    pytest.mark.timeout(1200),
    pytest.mark.usefixtures("busybox", "own_loop"),
]
SUITE = "voyage/suite"
GOOD, BAD = ("sha256:" + letter * 64 for letter in "ab")
PIPELINE = f"""\
kind: pipeline
type: docker
name: integration
trigger: {{event: [custom]}}
clone: {{disable: true}}
steps:
- name: together
  image: busybox
  commands:
  - echo "$FAIRWAY_IMAGE_HULL in $FAIRWAY_ENVIRONMENT"
  - test "$FAIRWAY_ENVIRONMENT" = production
  - test "$FAIRWAY_IMAGE_HULL" = "{files.SLUG}@{GOOD}"
  - test "$FAIRWAY_DIGEST_HULL" = "{GOOD}"
"""


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    """A Fairway with a Delivery that names a suite; nothing runs in its environments yet."""
    with (
        elsewhere(tmp_path / "there", NATIVE) as (_, config),
        abroad(tmp_path / "here", config) as made,
    ):
        for slug in (files.SLUG, files.CONFIGURATION, SUITE):
            made.ok("repo", "create", slug)
        suite = Repository(made, SUITE)
        suite.commit({".drone.yml": PIPELINE})
        suite.push()
        delivery = files.delivery(ALL_HOME)
        delivery["spec"]["tests"] = {"repository": SUITE}
        made.ok("apply", "-f", "-", given=yaml.safe_dump(delivery))
        until("the delivery is known", lambda: "production" in made.run("get", "envs").out)
        yield made


def test_the_suite_runs_with_what_it_is_given_and_its_verdict_is_the_exit_code(
    ground: Ground,
) -> None:
    words = ("test", "production", "--wait", "--timeout", "600s")
    passed = ground.run(*words, "--with", f"hull={GOOD}")
    assert (passed.code, f"{SUITE}#" in passed.all, "passed" in passed.all) == (0, True, True)
    failed = ground.run(*words, "--with", f"hull={BAD}")
    assert (failed.code, "failed" in failed.all) == (1, True), failed.all
    number = failed.out.strip().rpartition("#")[2]
    log = ground.ok("logs", "-R", SUITE, number).all
    assert f"{files.SLUG}@{BAD} in production" in log
    nothing = ground.run(*words)
    assert (nothing.code, "failed" in nothing.all) == (1, True), nothing.all
    unknown = ground.run(*words, "--with", f"hul={GOOD}")
    assert "voyage has no service 'hul'" in unknown.all
    assert unknown.code not in (0, 1)
