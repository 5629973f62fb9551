"""One digest in three environments, each with a password of its own: shown by fingerprint."""

from __future__ import annotations

import json

from fairwaydemo.trouble import Trouble
from fairwaydemo.voyage.world import World

ENVIRONMENTS = ("dev", "staging", "production")
ASK = """
import hashlib, json, os, urllib.request
import psycopg2
password, host = os.environ["DATABASE_PASSWORD"], os.environ["DATABASE_HOST"]
films = json.load(urllib.request.urlopen("http://127.0.0.1:8000/healthz"))["films"]
try:
    psycopg2.connect(host=host, user="webflix", dbname="films", password=password[::-1])
    other = "accepted"
except psycopg2.OperationalError:
    other = "refused"
print(json.dumps({
    "fingerprint": hashlib.sha256(password.encode()).hexdigest()[:12],
    "host": host, "films": films, "other_password": other,
}))
"""


def tell(world: World) -> None:
    """Each running pod is asked; no password leaves it."""
    screen = world.screen
    screen.say("The passwords are in the cluster only: not in Git, not in the image, not here.")
    found = {name: ask(world, name) for name in ENVIRONMENTS}
    for name, one in found.items():
        screen.say(
            f"  {name:<11} image {one['digest'][7:19]}  database {one['host']:<30} password's "
            f"fingerprint [bold]{one['fingerprint']}[/], another is {one['other_password']}"
        )
    world.facts["passwords"] = found


def ask(world: World, environment: str) -> dict[str, str]:
    """A pod that answers for the catalogue, from within. Raises Trouble."""
    ground, namespace = world.ground, f"webflix-{environment}"
    service = ("kubectl", "get", "service", "catalogue", "-n", namespace, "-o", "json")
    selector = json.loads(ground.fairway(*service))["spec"]["selector"]
    serving = ",".join(f"{name}={text}" for name, text in selector.items())  # none that is left
    words = ("kubectl", "get", "pods", "-n", namespace, "-l", serving, "-o", "json")
    pods = [one for one in json.loads(ground.fairway(*words))["items"] if _runs(one)]
    if not pods:
        raise Trouble(f"no pod of the catalogue runs in {namespace}")
    pod = pods[0]
    name = pod["metadata"]["name"]
    said = ground.fairway(
        "kubectl", "exec", "-n", namespace, name, "-c", "catalogue", "--", "python", "-c", ASK
    )
    digest = pod["status"]["containerStatuses"][0]["imageID"].rpartition("@")[2]
    return {**json.loads(said), "digest": digest}


def _runs(pod: dict[str, object]) -> bool:
    meta, status = pod["metadata"], pod["status"]
    assert isinstance(meta, dict)
    assert isinstance(status, dict)
    return "deletionTimestamp" not in meta and status["phase"] == "Running"
