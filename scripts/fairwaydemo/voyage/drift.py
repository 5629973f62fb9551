"""Somebody changes production by hand: shown, mended once by hand, then by itself."""

from __future__ import annotations

import json

from fairway.client.wire.app import App
from fairwaydemo.voyage.delivering import moment
from fairwaydemo.voyage.world import World

APP = "ratings-production"
HAND = ("scale", "deployment", "ratings", "--replicas=3", "-n", "webflix-production")
FILE = "production/ratings.yaml"


def tell(world: World) -> None:
    """Two changes: before and after Git says that this environment heals itself."""
    screen, ada = world.screen, world.people.ada
    screen.say("Git says two replicas of ratings in production. Somebody scales it by hand:")
    _by_hand(world)
    app = world.wait("the difference is seen", lambda: _app(world, "OutOfSync"))
    screen.say(f"  {screen.mark('failed')} {APP} is [bold]{app.sync}[/]")
    screen.command(f"fairway diff app {APP}")
    shown = ada.says("diff", "app", APP)
    screen.quote("\n".join(_changed(shown.text)))
    screen.command(f"fairway sync app {APP} --wait")
    world.ground.fairway("sync", "app", APP, "--wait")
    by_hand = _replicas(world)
    screen.say(f"  {screen.mark('passed')} {APP} is Synced: {by_hand} replicas")
    _automate(world)
    _by_hand(world)
    began = moment()
    world.wait("it heals itself", lambda: _replicas(world) == 2 or None)
    healed = moment() - began
    after = world.wait("it is Synced", lambda: _app(world, "Synced"))
    screen.say(f"  {screen.mark('passed')} healed by itself after {healed:.1f} s")
    world.facts["drift"] = {
        "out_of_sync": app.sync,
        "diff": shown.text,
        "diff_status": shown.status,
        "synced_replicas": by_hand,
        "healed_s": round(healed, 2),
        "healed": after.sync,
    }


def _by_hand(world: World) -> None:
    world.screen.command(f"fairway kubectl {' '.join(HAND)}")
    world.ground.fairway("kubectl", *HAND)


def _automate(world: World) -> None:
    """A commit that turns healing on, as any other change of an environment."""
    copy, screen = world.copies["environments"], world.screen
    copy.follow()
    copy.change(FILE, "selfHeal: false", "selfHeal: true")
    copy.commit("Let ratings heal themselves in production")
    screen.command("cd environments && git commit -m 'Let ratings heal themselves' && git push")
    copy.git("push", "--quiet", "origin", "main")

    def look() -> bool | None:
        said = world.ground.fairway("kubectl", "get", "app", APP, "-n", "argocd", "-o", "json")
        policy = json.loads(said)["spec"]["syncPolicy"]["automated"]
        return True if policy.get("selfHeal") else None

    world.wait("the environment follows its Git", look)


def _app(world: World, sync: str) -> App | None:
    app = world.ground.api.get(f"/apps/{APP}", App)
    return app if app.sync == sync and not app.running else None


def _replicas(world: World) -> int:
    words = ("kubectl", "get", "deployment", "ratings", "-n", "webflix-production", "-o")
    return int(world.ground.fairway(*words, "jsonpath={.spec.replicas}"))


def _changed(text: str) -> list[str]:
    """The lines of a diff that say what differs."""
    return [line for line in text.splitlines() if line[:1] in "=+-"]
