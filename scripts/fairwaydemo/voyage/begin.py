"""Before the story: Fairway starts, and delivers the film site as its users know it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from fairway.client.wire.notify import Channel, ChannelSet, Rule, RuleSet
from fairway.client.wire.release import Release
from fairway.client.wire.repository import Repository, RepositoryChange
from fairway.client.wire.who import Organisation, OrganisationCreate
from fairway.testing.slack import TOKEN
from fairwaydemo.copies import EXAMPLES, at_home
from fairwaydemo.ground import ORGANISATION, SERVICES, server_pid
from fairwaydemo.trouble import Trouble
from fairwaydemo.voyage import delivering, pipelines
from fairwaydemo.voyage.world import World

ENVIRONMENTS = 3
DELIVERED = RepositoryChange(
    config_path=".drone.delivery.yml", settings={"required_checks": ["build", "try"]}
)


def fairway(world: World) -> None:
    """Fairway runs, with what the builds stand on."""
    ground, screen = world.ground, world.screen
    ground.clear()
    ground.start()
    screen.say("Base images come from Debian's packages: no registry is needed but Fairway's own.")
    ground.base_images()
    ground.api.post("/orgs", OrganisationCreate(name=ORGANISATION), Organisation)
    world.people.come()
    screen.note("Ada may write code; Grace may decide what goes to production")


def company(world: World) -> None:
    """People, a chat, and the environments that one Delivery names."""
    ground, screen = world.ground, world.screen
    world.chat.start(server_pid(ground.data))
    crew = ChannelSet(kind="slack", address="C0FILMS", secret=TOKEN, api=world.chat.api)
    ground.api.put("/channels/crew", crew, Channel)
    ground.api.put("/rules/everything", RuleSet(channel="crew"), Rule)
    for name in SERVICES:
        words = f"fairway repo set {world.copies[name].slug} --config-path {DELIVERED.config_path}"
        screen.command(f'{words} -s required_checks=\'["build", "try"]\'')
        ground.api.patch(f"/repos/{world.copies[name].slug}", DELIVERED, Repository)
    _environments(world)
    world.people.entrust()
    screen.note("dev, staging and production: three namespaces, each with a database of its own")


def _environments(world: World) -> None:
    ground = world.ground
    setup = ground.work / "delivery"
    setup.mkdir()
    for path in (EXAMPLES / "delivery").iterdir():
        (setup / path.name).write_bytes(path.read_bytes())
    at_home(setup, ground.registry)
    ground.fairway("apply", "-f", setup / "setup.yaml")
    _secrets(world, setup / "secrets.sh")
    copy = world.copies["environments"]
    pipelines.repository(world, copy.slug)
    copy.begin("ada", world.people.ada.token)
    copy.git("push", "--quiet", "origin", "main")
    world.screen.command("fairway apply -f delivery/environments.yaml -f delivery/delivery.yaml")
    ground.fairway("apply", "-f", setup / "environments.yaml")
    # A chart is tried with its database: a release that begins before there is one would fail.
    world.wait("the databases come up", lambda: _databases(world) == ENVIRONMENTS or None)
    ground.fairway("apply", "-f", setup / "delivery.yaml")


def _databases(world: World) -> int:
    """How many of the environments' databases answer."""
    words = ("kubectl", "get", "deployments", "-n", "webflix-data", "-o", "json")
    found = json.loads(world.ground.fairway(*words))["items"]
    return sum(bool(one.get("status", {}).get("availableReplicas")) for one in found)


def _secrets(world: World, script: Path) -> None:
    """Each environment's password is made in the cluster, and is nowhere else."""
    ground = world.ground
    environment = ground.environment()
    environment["PATH"] = f"{ground.program.parent}:{environment['PATH']}"
    done = subprocess.run(
        ["sh", str(script)], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Trouble(f"the passwords of the databases could not be made:\n{done.stderr}")


def site(world: World) -> None:
    """The three services as they are today: released, and in production."""
    releases = [delivering.released(world, name, world.first[name]) for name in SERVICES]
    world.facts["begin"] = [delivering.plain(one) for one in releases]
    for release in releases:
        _approve(world, release)
        found = delivering.arrived(world, release, "production")
        delivering.tell_arrival(world, found, "the first of its kind there")


def _approve(world: World, release: Release) -> None:
    """The first of each: Grace says yes where she is asked."""
    asked = delivering.asks(world, release)
    if asked.state == "waiting":
        name = f"{release.service}@{release.version}"
        world.people.grace.must("approve", name, "--env", "production", "--comment", "begin")
