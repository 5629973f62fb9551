"""The film site by pipelines alone, as Drone's users have it: each `.drone.yml` tests a service,
builds its image, deploys it by a step, and tells somebody.
"""

from __future__ import annotations

import contextlib
import threading
import time
import urllib.request

from fairway.client.wire.build import Build, RetryRequest
from fairway.client.wire.repository import Repository, RepositoryCreate
from fairway.model.errors import FairwayError
from fairwaydemo.copies import EXAMPLES
from fairwaydemo.ground import CLUSTER_PATIENCE_S, ORGANISATION, ROOT, Ground, server_pid
from fairwaydemo.trouble import Trouble
from fairwaydemo.voyage import building
from fairwaydemo.voyage.world import World

FILM = "Metropolis"
HOST = "webflix.localhost"
PATIENCE_S = 60.0
ABOUT = {
    "catalogue": "which films there are: Python over PostgreSQL",
    "ratings": "what people think of them: Go, compiled in a multi-stage build",
    "storefront": "the site: its assets built by esbuild, its pages by Python",
}
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def catalogue(world: World) -> None:
    """The first service is tried beside a Compose file: only its last step needs the cluster."""
    ground = world.ground
    world.receiver.start(server_pid(ground.data))
    words = ("secret", "set", "notify_url", "--org", ORGANISATION)
    ground.fairway(*words, stdin=world.receiver.url)
    access = EXAMPLES / "access.yaml"
    world.screen.command(f"fairway kubectl apply -f {access.relative_to(ROOT)}")
    world.screen.note("that waits for the cluster, whose programs may still be being built")
    allowing = threading.Thread(target=_allow, args=(ground,), daemon=True)
    allowing.start()
    begin(world, "catalogue")
    allowing.join(PATIENCE_S)
    ground.cluster()


def _allow(ground: Ground) -> None:
    """Give the repositories a namespace and rights in it alone, as soon as there is a cluster."""
    until = time.monotonic() + CLUSTER_PATIENCE_S
    with contextlib.suppress(FairwayError, Trouble):  # the step that deploys says what it lacks
        while not ground.clustered() and time.monotonic() < until:
            time.sleep(0.3)
        ground.fairway("kubectl", "apply", "-f", EXAMPLES / "access.yaml")


def others(world: World) -> None:
    """Those that need the services before them; then the site is live."""
    for name in ("ratings", "storefront"):
        begin(world, name)
    _visit(world)


def begin(world: World, name: str) -> None:
    """The first push of a service, and the build that has to pass. Raises Trouble."""
    world.screen.say(f"[bold]{name}[/]: {ABOUT[name]}")
    copy = world.copies[name]
    repository(world, copy.slug)
    copy.begin("ada", world.people.ada.token)
    building.push(world, name)
    made = building.must_pass(world, building.built(world, name, copy.head()))
    world.first[name] = made.number


def repository(world: World, slug: str) -> None:
    """A repository that everybody in the company may read."""
    made = RepositoryCreate(repository=slug, visibility="internal")
    world.ground.api.post("/repos", made, Repository)


def _visit(world: World) -> None:
    """Look at the deployed site through the gateway. Raises Trouble."""
    ground, screen = world.ground, world.screen
    address = f"http://{HOST}:{ground.gateway}/"
    page = _page(ground, address)
    if FILM not in page:
        raise Trouble(f"{address} shows no {FILM}:\n{page[:500]}")
    screen.say(f"  {screen.mark('passed')} [cyan]6[/] [bold]{address}[/] shows its films")
    pods = ground.fairway("kubectl", "get", "pods", "--namespace", ORGANISATION, "--output", "name")
    names = pods.replace("pod/", "").split()
    screen.note(f"in the namespace {ORGANISATION}: {', '.join(names)}")
    world.wait("the test environments are gone", lambda: not _environments(ground) or None)
    screen.note("namespaces of test environments that are left: 0")
    world.facts["pipelines"] = {"site": address, "pods": names}


def _environments(ground: Ground) -> list[str]:
    """Namespaces of test environments: they go by themselves, a moment after their build."""
    names = ground.fairway("kubectl", "get", "namespaces", "--output", "name").split()
    return [name for name in names if name.startswith("namespace/env-")]


def _page(ground: Ground, address: str) -> str:
    """The front page, as a visitor's browser would get it. Raises Trouble."""
    request = urllib.request.Request(f"http://127.0.0.1:{ground.gateway}/", headers={"Host": HOST})
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            with _direct.open(request, timeout=10) as reply:
                return str(reply.read().decode())
        except OSError as error:
            if time.monotonic() > until:
                raise Trouble(f"{address} does not answer: {error}") from error
        time.sleep(0.1)


def again(world: World) -> None:
    """The storefront's load test alone, on the workspace that was kept; then the pipelines' site
    makes way for Delivery's.
    """
    ground, screen = world.ground, world.screen
    number, slug = world.first["storefront"], f"{ORGANISATION}/storefront"
    screen.command(f"fairway retry {number} --step load --repo {slug}")
    asked = RetryRequest(step="load")
    made = ground.api.post(f"/repos/{slug}/builds/{number}/retry", asked, Build, key="new")
    found = building.outcome(world, "storefront", made.number, what=f"retry of load in #{number}")
    world.first["storefront"] = building.must_pass(world, found).number
    builds = {one.service: one.plain() for one in world.outcomes[:-1]}
    world.facts["pipelines"] |= {"builds": builds, "again": found.plain()}
    screen.say("What the pipelines have deployed makes way: from here on Fairway delivers.")
    screen.command(f"fairway kubectl delete namespace {ORGANISATION}")
    ground.fairway("kubectl", "delete", "namespace", ORGANISATION, "--wait=false")
