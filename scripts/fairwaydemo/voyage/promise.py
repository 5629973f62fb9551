"""What the story promises, held against what was measured. The demo is a test as well."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Facts = dict[str, Any]
ROW = ["unit", "test-image", "unit-in-image", "image", "api", "load"]


def broken(facts: Facts) -> list[str]:
    """What is not as it was promised, a sentence each."""
    parts = (
        _pipelines,
        _change,
        _candidate,
        _bluegreen,
        _canary,
        _passwords,
        _red,
        _fault,
        _back,
        _drift,
        _end,
    )
    return [sentence for part in parts for sentence in part(facts)]


def _pipelines(facts: Facts) -> Iterator[str]:
    found = facts["pipelines"]
    for name, build in found["builds"].items():
        if {one["candidate"] for one in build["images"]} != {"yes"}:
            yield f"{name} has images that are no candidates"
        if build["notification"].get("status") != "success":
            yield f"nobody was told of the success of {name}#{build['number']}"
    again, first = found["again"], found["builds"]["storefront"]
    if "site" not in again["carried"] or "load" in again["carried"]:
        yield f"the retry carried {again['carried']}"
    if _digests(again) != _digests(first):
        yield f"the retry has other images: {_digests(again)}, not {_digests(first)}"


def _digests(build: Facts) -> set[str]:
    return {one["digest"] for one in build["images"]}


def _change(facts: Facts) -> Iterator[str]:
    found = facts["change"]
    if not set(ROW) <= set(found["build"]["passed"]):
        yield f"the change request's build ran {found['build']['passed']} only"
    if found["deployments"]:
        yield f"the change request caused {found['deployments']} deployments"
    if found["request"]["state"] != "merged":
        yield f"the change request is {found['request']['state']}"
    if any(one["candidate"] == "yes" for one in found["build"]["images"]):
        yield "an image of the change request is a candidate"


def _candidate(facts: Facts) -> Iterator[str]:
    found, scan = facts["candidate"], facts["scan"]
    digest = found["release"]["digest"]
    if not set(ROW) <= set(found["build"]["passed"]):
        yield f"the merged build ran {found['build']['passed']} only"
    made = [one["digest"] for one in found["build"]["images"] if not one["target"]]
    if made != [digest]:
        yield f"the release is of {digest}, and the build made {made}"
    if found["builds_of_its_commit"]:
        yield "the release's own commit started a build"
    if scan["digest"] != digest or not scan["packages"]:
        yield f"the scan report is of {scan['digest']}, with {scan['packages']} packages"
    for name in ("dev", "staging"):
        if (found[name]["state"], found[name]["digest"]) != ("passed", digest):
            yield f"{name}: {found[name]['state']} {found[name]['digest']}"


def _bluegreen(facts: Facts) -> Iterator[str]:
    found = facts["bluegreen"]
    seen = found["seen"]
    if found["production"]["state"] != "passed" or found["production"]["approvals"]:
        yield f"the storefront's production: {found['production']['state']}"
    if [one["phase"] for one in found["previews"]] != ["Successful"]:
        yield f"the tests of the preview: {found['previews']}"
    if seen["failed"] or not seen["old"] or not seen["new"] or found["switches"] != 1:
        yield f"who read the front page saw {seen}, and it changed {found['switches']} times"
    for when in ("waited_before", "waited_after"):
        if found[when]["state"] != "waiting":
            yield f"the catalogue was {found[when]['state']} beside the storefront"


def _canary(facts: Facts) -> Iterator[str]:
    found = facts["canary"]
    visitors = found["visitors"]
    if found["refused"] != 4:
        yield f"who has no right to approve got exit code {found['refused']}"
    if [one["login"] for one in found["production"]["approvals"]] != ["grace"]:
        yield f"it was approved by {found['production']['approvals']}"
    if [one["phase"] for one in found["verdicts"]] != ["Successful"]:
        yield f"the canary was judged {found['verdicts']}"
    if visitors["failed"] or not {"first", "counting"} <= set(visitors["by"]):
        yield f"visitors during the canary: {visitors}"


def _passwords(facts: Facts) -> Iterator[str]:
    found = facts["passwords"]
    digests = {one["digest"] for one in found.values()}
    prints = {one["fingerprint"] for one in found.values()}
    if len(digests) != 1 or len(prints) != len(found):
        yield f"digests {digests}, fingerprints {prints} in {len(found)} environments"
    if any(one["other_password"] != "refused" or not one["films"] for one in found.values()):
        yield f"a database takes another password, or has no films: {found}"


def _red(facts: Facts) -> Iterator[str]:
    found = facts["red"]
    build = found["build"]
    if build["failed"] != ["api"] or "load" not in build["skipped"]:
        yield f"the red push failed at {build['failed']}, skipped {build['skipped']}"
    if any(one["candidate"] != "no" for one in build["images"]):
        yield "the red push made a candidate"
    if found["deployments"] or not found["unchanged"]:
        yield f"the red push caused {found['deployments']} deployments"
    if build["notification"].get("status") != "failure":
        yield f"the receiver got of the red push: {build['notification']}"
    if "failed" not in found["chat"]:
        yield f"of the red push the chat says: {found['chat']}"


def _fault(facts: Facts) -> Iterator[str]:
    found = facts["fault"]
    visitors, before = found["visitors"], facts["candidate"]["release"]
    if found["production"]["state"] != "failed" or found["production"]["full"]:
        yield f"the faulty release: {found['production']['state']}"
    if [one["phase"] for one in found["verdicts"]] != ["Failed"]:
        yield f"the faulty release was judged {found['verdicts']}"
    if (found["revert"]["state"], found["revert"]["digest"]) != ("passed", before["digest"]):
        yield f"the way back: {found['revert']['state']} {found['revert']['version']}"
    if not 0 < visitors["failed"] < visitors["by"].get("genres", 0) + visitors["failed"]:
        yield f"visitors of the faulty release: {visitors}"


def _back(facts: Facts) -> Iterator[str]:
    found, first = facts["rollback"], facts["begin"][0]
    if (found["production"]["state"], found["production"]["digest"]) != ("passed", first["digest"]):
        yield f"the rollback: {found['production']['state']} {found['production']['version']}"
    if found["production"]["actor"] != "grace" or not found["production"]["why"]:
        yield f"the rollback is by {found['production']['actor']}"
    if found["visitors"]["failed"]:
        yield f"visitors during the rollback: {found['visitors']}"


def _drift(facts: Facts) -> Iterator[str]:
    found = facts["drift"]
    if (found["out_of_sync"], found["diff_status"]) != ("OutOfSync", 1):
        yield f"the change by hand was {found['out_of_sync']}, diff {found['diff_status']}"
    if not {"-  replicas: 3", "+  replicas: 2"} <= set(found["diff"].splitlines()):
        yield f"the diff of the change by hand does not show it:\n{found['diff']}"
    if (found["synced_replicas"], found["healed"]) != (2, "Synced"):
        yield f"synced to {found['synced_replicas']} replicas, then {found['healed']}"


def _end(facts: Facts) -> Iterator[str]:
    found = facts["end"]
    wrong = [name for name, same in found["agree"].items() if not same]
    if wrong:
        yield f"not the same everywhere: {', '.join(wrong)}"
    running = {
        (one["environment"], one["service"]): one["version"] for one in found["environments"]
    }
    if running["production", "catalogue"] != facts["begin"][0]["version"]:
        yield f"production runs {running['production', 'catalogue']} of the catalogue in the end"
    keys = [one["key"] for one in found["chat"]]
    if len(keys) != len(set(keys)):
        yield "something was said twice in the chat"
    dora = found["dora"]
    if not dora["failed"] or not dora["lead_time_p50"] or dora["recovery_p50"] is None:
        yield f"the figures of production: {dora}"
