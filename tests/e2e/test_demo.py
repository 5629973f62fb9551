"""`make demo`, as a person runs it: everything that it shows is held against what it promises."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("catalogue", "ratings", "storefront")
ROW = {"unit", "test-image", "unit-in-image", "image", "api", "load"}
HOUR_S = 3600

pytestmark = [pytest.mark.docker, pytest.mark.timeout(HOUR_S)]


class Shown:
    """What a run of the demo left: its words, and its summary."""

    def __init__(self, status: int, text: str, summary: dict[str, Any], folder: Path) -> None:
        self.status = status
        self.text = text
        self.wrong = summary["wrong"]
        self.facts = summary
        self.folder = folder


@pytest.fixture(scope="module")
def shown() -> Iterator[Shown]:
    with tempfile.TemporaryDirectory(
        prefix="fairway-demo-test-", ignore_cleanup_errors=True
    ) as top:
        folder, summary = Path(top) / "demo", Path(top) / "kept" / "summary.json"
        mine = {"DEMO_EXIT": "1", "DEMO_FOLDER": str(folder), "DEMO_SUMMARY": str(summary)}
        done = subprocess.run(
            [ROOT / "scripts" / "demo"],
            env={**os.environ, **mine},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=HOUR_S - 100,
            check=False,
        )
        if not summary.exists():
            pytest.fail(f"the demo ended with status {done.returncode}:\n{done.stdout[-8000:]}")
        yield Shown(done.returncode, done.stdout, json.loads(summary.read_text()), folder)


def test_it_ends_well(shown: Shown) -> None:
    assert (shown.status, shown.wrong) == (0, []), shown.text[-8000:]


def test_each_service_goes_from_push_to_candidate(shown: Shown) -> None:
    builds = shown.facts["pipelines"]["builds"]
    assert tuple(builds) == SERVICES
    for build in builds.values():
        assert build["status"] == "passed"
        assert {image["candidate"] for image in build["images"]} == {"yes"}
        assert build["notification"]["status"] == "success"


def test_the_tag_candidate_is_the_image_and_never_its_test_stage(shown: Shown) -> None:
    for service in ("ratings", "storefront"):
        build = shown.facts["pipelines"]["builds"][service]
        tags = {image["target"]: image["tags"] for image in build["images"]}
        assert "candidate" in tags[""]
        assert "candidate" not in tags["test"]


def test_a_step_deploys_each_service_and_the_site_answers_through_the_gateway(shown: Shown) -> None:
    found = shown.facts["pipelines"]
    assert found["site"].startswith("http://webflix.localhost:")
    assert f"{found['site']} shows its films" in shown.text
    assert shown.text.count("deployed into the namespace webflix") >= len(SERVICES)
    assert {name.split("-")[0] for name in found["pods"]} == {"database", *SERVICES}
    assert "namespaces of test environments that are left: 0" in shown.text


def test_a_retry_of_one_step_carries_the_others_and_keeps_the_digest(shown: Shown) -> None:
    first, again = (
        shown.facts["pipelines"]["builds"]["storefront"],
        shown.facts["pipelines"]["again"],
    )
    assert again["status"] == "passed"
    assert "load" not in again["carried"]
    assert {"unit", "image", "site"} <= set(again["carried"])
    assert {one["digest"] for one in first["images"]} == {one["digest"] for one in again["images"]}


def test_a_change_request_is_tested_whole_and_deploys_nothing(shown: Shown) -> None:
    found = shown.facts["change"]
    assert found["build"]["event"] == "pull_request"
    assert set(found["build"]["passed"]) >= ROW
    assert {one["candidate"] for one in found["build"]["images"]} == {"no"}
    assert (found["deployments"], found["request"]["state"]) == (0, "merged")


def test_what_was_merged_is_built_once_and_its_digest_goes_everywhere(shown: Shown) -> None:
    found = shown.facts["candidate"]
    (image,) = [one for one in found["build"]["images"] if not one["target"]]
    assert image["candidate"] == "yes"
    digest = image["digest"]
    assert found["build"]["commit"] == shown.facts["change"]["request"]["merged"]
    places = [found["dev"], found["staging"], shown.facts["canary"]["production"]]
    assert [one["digest"] for one in places] == [digest] * 3
    assert {one["digest"] for one in shown.facts["passwords"].values()} == {digest}


def test_the_candidates_scan_report_is_shown(shown: Shown) -> None:
    scan = shown.facts["scan"]
    assert scan["digest"] == shown.facts["candidate"]["release"]["digest"]
    assert scan["packages"] > 0
    assert scan["knowledge"] == "unknown"  # nobody imported advisories: never "clean"


def test_a_release_is_a_commit_with_trailers_that_starts_no_build(shown: Shown) -> None:
    found = shown.facts["candidate"]
    assert found["release"]["state"] == "published"
    assert any(line.startswith("Fairway-Digest: sha256:") for line in found["trailers"])
    assert found["builds_of_its_commit"] == 0


def test_the_storefront_goes_blue_green_while_the_catalogue_waits(shown: Shown) -> None:
    found = shown.facts["bluegreen"]
    assert [one["phase"] for one in found["previews"]] == ["Successful"]
    assert found["production"]["approvals"] == []
    assert found["switches"] == 1
    assert found["seen"]["failed"] == 0
    assert found["waited_before"]["id"] == found["waited_after"]["id"]
    assert found["waited_after"]["state"] == "waiting"


def test_another_person_approves_and_who_may_not_is_refused(shown: Shown) -> None:
    found = shown.facts["canary"]
    assert found["refused"] == 4
    assert [one["login"] for one in found["production"]["approvals"]] == ["grace"]
    assert shown.facts["candidate"]["release"]["author"] != "grace"


def test_the_canary_is_judged_by_the_gateway_and_costs_no_visitor_anything(shown: Shown) -> None:
    found = shown.facts["canary"]
    (verdict,) = found["verdicts"]
    assert verdict["phase"] == "Successful"
    assert verdict["values"]
    assert found["visitors"]["failed"] == 0
    assert set(found["visitors"]["by"]) >= {"first", "counting"}


def test_each_environment_has_a_password_of_its_own(shown: Shown) -> None:
    found = shown.facts["passwords"]
    assert len({one["fingerprint"] for one in found.values()}) == 3
    assert {one["other_password"] for one in found.values()} == {"refused"}
    assert all(one["films"] for one in found.values())


def test_a_red_push_deploys_nothing_and_says_so(shown: Shown) -> None:
    found = shown.facts["red"]
    build = found["build"]
    assert (build["status"], build["failed"]) == ("failed", ["api"])
    assert "load" in build["skipped"]
    assert {one["candidate"] for one in build["images"]} == {"no"}
    assert all("the step api of the pipeline try" in one["reason"] for one in build["images"])
    assert (found["deployments"], found["unchanged"]) == (0, True)
    assert "failed" in found["chat"]
    assert build["notification"]["status"] == "failure"


def test_a_faulty_release_is_caught_at_its_first_step_and_reverted(shown: Shown) -> None:
    found = shown.facts["fault"]
    assert [one["phase"] for one in found["verdicts"]] == ["Failed"]
    assert found["production"]["state"] == "failed"
    assert found["production"]["full"] is None
    good = shown.facts["candidate"]["release"]
    assert (found["revert"]["state"], found["revert"]["version"]) == ("passed", good["version"])
    visitors = found["visitors"]
    assert 0 < visitors["failed"] < visitors["requests"] / 5
    assert f"{visitors['failed']} failed" in shown.text


def test_a_person_goes_back_by_one_command(shown: Shown) -> None:
    found = shown.facts["rollback"]
    first = shown.facts["begin"][0]
    assert found["production"]["version"] == first["version"]
    assert (found["production"]["state"], found["production"]["actor"]) == ("passed", "grace")
    assert found["visitors"]["failed"] == 0


def test_a_change_by_hand_is_shown_then_synced_then_healed(shown: Shown) -> None:
    found = shown.facts["drift"]
    assert (found["out_of_sync"], found["diff_status"]) == ("OutOfSync", 1)
    assert {"-  replicas: 3", "+  replicas: 2"} <= set(found["diff"].splitlines())
    assert (found["synced_replicas"], found["healed"]) == (2, "Synced")


def test_table_commands_git_and_cluster_agree_in_the_end(shown: Shown) -> None:
    end = shown.facts["end"]
    assert len(end["environments"]) == 3 * len(SERVICES)
    assert len(end["agree"]) > 3 * len(SERVICES)
    assert all(end["agree"].values()), end["agree"]
    assert all(end["lists"][f"get {kind}"] for kind in ("releases", "deployments", "rollouts"))


def test_a_table_tells_of_every_build(shown: Shown) -> None:
    heads = [line for line in shown.text.splitlines() if "CANDIDATE" in line.split()]
    assert [line.split() for line in heads] == [
        ["COMMIT", "BUILD", "WHAT", "STATUS", "TIME", "DIGEST", "CANDIDATE"]
    ]
    rows = shown.text[shown.text.index(heads[0]) :].split("\n\n")[0]
    for found in (shown.facts["pipelines"]["again"], shown.facts["red"]["build"]):
        assert f"{found['service']}#{found['number']}" in rows


def test_every_message_of_the_chat_was_said_once(shown: Shown) -> None:
    keys = [one["key"] for one in shown.facts["end"]["chat"]]
    assert len(keys) == len(set(keys))
    facts = shown.facts
    places = [facts["canary"], facts["bluegreen"], facts["fault"], facts["rollback"]]
    numbers = [one["production"]["id"] for one in places]
    assert {f"deployment/{number}" for number in numbers} <= set(keys)


def test_the_figures_tell_of_a_failure_and_the_recovery(shown: Shown) -> None:
    dora = shown.facts["end"]["dora"]
    assert dora["failed"] >= 1
    assert dora["lead_time_p50"] > 0
    assert dora["recovery_p50"] > 0


def test_it_leaves_nothing(shown: Shown) -> None:
    assert not shown.folder.exists()
