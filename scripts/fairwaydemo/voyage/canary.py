"""Another person's word, and a canary that is judged by what the gateway counts."""

from __future__ import annotations

import json

from fairwaydemo.voyage import catalogue, delivering
from fairwaydemo.voyage.visitors import Tally
from fairwaydemo.voyage.world import World

NO_RIGHT = 4  # the exit code of who may not


def tell(world: World) -> None:
    """Ada may not; Grace may; then the weights."""
    screen = world.screen
    release = catalogue.release(world, "candidate")
    name = f"catalogue@{release.version}"
    screen.command(f"fairway approve {name} --env production   # as Ada")
    refused = world.people.ada.says("approve", name, "--env", "production")
    screen.note(f"exit code {refused.status}: {refused.text.splitlines()[0]}")
    waits = delivering.asks(world, release)
    world.listen(f"deployment/{waits.id}")
    began = delivering.moment()
    words = ("approve", name, "--env", "production", "--comment", "seen in staging")
    screen.command(f"fairway approve {name} --env production --comment 'seen in staging'")
    world.people.grace.must(*words)
    found = delivering.arrived(world, release, "production")
    ended = delivering.moment()
    world.listen()
    tally = world.visitors.between(began, ended)
    delivering.tell_arrival(world, found, "20 %, judged three times, 60 %, then everybody")
    _tell_visitors(world, tally)
    world.facts["canary"] = {
        "refused": refused.status,
        "production": delivering.plain(found),
        "visitors": tally._asdict(),
        "verdicts": verdicts(world, release.digest),
        "seconds": round(ended - began, 1),
    }


def _tell_visitors(world: World, tally: Tally) -> None:
    screen = world.screen
    share = tally.by.get("counting", 0) / max(tally.requests, 1)
    screen.say(
        f"  {screen.mark('passed' if not tally.failed else 'failed')} {tally.requests} answers to "
        f"visitors meanwhile, {share:.0%} of them by the new version; failed: {tally.failed}; "
        f"95 of 100 within {tally.slowest_ms:.0f} ms"
    )


def verdicts(world: World, digest: str) -> list[dict[str, object]]:
    """The canary's analyses in production whose ReplicaSet runs an image, with what they found."""
    ground = world.ground
    namespace = ("-n", "webflix-production", "-o", "json")
    runs = json.loads(ground.fairway("kubectl", "get", "analysisruns", *namespace))["items"]
    sets = json.loads(ground.fairway("kubectl", "get", "replicasets", *namespace))["items"]
    label = "rollouts-pod-template-hash"
    ours = {
        one["metadata"]["labels"].get(label)
        for one in sets
        if digest in json.dumps(one["spec"]["template"])
    }
    found = []
    for one in runs:
        if one["metadata"].get("labels", {}).get(label) not in ours:
            continue
        status = one.get("status", {})
        metrics = status.get("metricResults", [])
        found.append(
            {
                "name": one["metadata"]["name"],
                "phase": status.get("phase", ""),
                "message": status.get("message", ""),
                "values": [m.get("value", "") for each in metrics for m in each["measurements"]],
            }
        )
    return found
