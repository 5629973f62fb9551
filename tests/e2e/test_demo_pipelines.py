"""`make demo-pipelines`, as a person runs it: what it shows is held against what it promises."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("catalogue", "ratings", "storefront")

pytestmark = [pytest.mark.docker, pytest.mark.timeout(1500)]


class Shown:
    """What a run of the demo left: its words, and its summary."""

    def __init__(self, status: int, text: str, summary: dict, folder: Path) -> None:
        self.status = status
        self.text = text
        self.builds = summary["builds"]
        self.wrong = summary["wrong"]
        self.site = summary["site"]
        self.folder = folder


@pytest.fixture(scope="module")
def shown() -> Iterator[Shown]:
    with tempfile.TemporaryDirectory(
        prefix="fairway-demo-test-", ignore_cleanup_errors=True
    ) as top:
        folder, summary = Path(top) / "demo", Path(top) / "kept" / "summary.json"
        mine = {"DEMO_EXIT": "1", "DEMO_FOLDER": str(folder), "DEMO_SUMMARY": str(summary)}
        done = subprocess.run(
            [ROOT / "scripts" / "demo-pipelines"],
            env={**os.environ, **mine},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=1400,
            check=False,
        )
        if not summary.exists():
            pytest.fail(f"the demo ended with status {done.returncode}:\n{done.stdout[-8000:]}")
        yield Shown(done.returncode, done.stdout, json.loads(summary.read_text()), folder)


def test_it_ends_well(shown: Shown) -> None:
    assert (shown.status, shown.wrong) == (0, []), shown.text[-8000:]


def test_each_service_goes_from_push_to_candidate(shown: Shown) -> None:
    for build, service in zip(shown.builds, SERVICES, strict=False):
        assert (build["service"], build["status"]) == (service, "passed")
        assert {image["candidate"] for image in build["images"]} == {"yes"}
        assert build["notification"]["status"] == "success"


def test_the_tag_candidate_is_the_image_and_never_its_test_stage(shown: Shown) -> None:
    for build in shown.builds[1:3]:
        tags = {image["target"]: image["tags"] for image in build["images"]}
        assert "candidate" in tags[""]
        assert "candidate" not in tags["test"]


def test_a_push_that_fails_makes_no_candidate_skips_the_rest_and_is_told(shown: Shown) -> None:
    broken = shown.builds[3]
    assert (broken["status"], broken["failed"]) == ("failed", ["api"])
    assert "load" in broken["skipped"]
    assert {image["candidate"] for image in broken["images"]} == {"no"}
    assert all("the step api of the pipeline try" in one["reason"] for one in broken["images"])
    assert broken["notification"]["status"] == "failure"


def test_a_retry_of_one_step_carries_the_others_and_keeps_the_digest(shown: Shown) -> None:
    first, again = shown.builds[2], shown.builds[4]
    assert again["status"] == "passed"
    assert "load" not in again["carried"]
    assert {"unit", "image", "site"} <= set(again["carried"])
    assert {one["digest"] for one in first["images"]} == {one["digest"] for one in again["images"]}


def test_it_shows_the_table_and_the_site_that_answers_through_the_gateway(shown: Shown) -> None:
    assert "CANDIDATE" in shown.text
    assert shown.site.startswith("http://webflix.localhost:")
    assert f"{shown.site} shows its films" in shown.text
    assert shown.text.count("deployed into the namespace webflix") >= 3


def test_it_leaves_nothing(shown: Shown) -> None:
    assert not shown.folder.exists()
