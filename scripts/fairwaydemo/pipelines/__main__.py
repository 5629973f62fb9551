"""The demo of pipelines alone: see scripts/demo-pipelines."""

from __future__ import annotations

import sys
from typing import Any

from fairwaydemo import running
from fairwaydemo.ground import ROOT, SERVICES
from fairwaydemo.pipelines import story
from fairwaydemo.pipelines.ground import Ground
from fairwaydemo.pipelines.story import Outcome
from fairwaydemo.screen import Screen


class Pipelines:
    """Three pushes, one that fails, and one step again."""

    command = "make demo-pipelines"

    def __init__(self) -> None:
        self.screen = Screen()
        self.ground = Ground(self.screen)
        self.outcomes: list[Outcome] = []

    def tell(self) -> None:
        """Everything that happens."""
        ground, screen, outcomes = self.ground, self.screen, self.outcomes
        with screen.chapter("Fairway starts"):
            ground.clear()
            ground.start()
            screen.say("Base images come from Debian's packages: no registry but Fairway's own.")
            ground.base_images()
            ground.repositories()
            ground.allow()
        ground.ready_s = screen.seconds()
        for service in SERVICES:
            with screen.chapter(f"{service}: {story.ABOUT[service]}"):
                if service == "ratings":
                    ground.cluster()  # they are tried in a namespace
                outcomes.append(story.must_pass(ground, story.push(ground, service, "first push")))
        with screen.chapter("The site is live"):
            story.visit(ground)
        with screen.chapter("A push that fails its tests"):
            title = story.break_search(ground)
            screen.say("Its unit tests pass: only the real database shows the mistake.")
            outcomes.append(story.push(ground, "catalogue", title.lower()))
        with screen.chapter("One step again, on the kept workspace"):
            outcomes.append(story.retry(ground, "storefront", outcomes[2].number, step="load"))

    def facts(self) -> dict[str, Any]:
        """The builds, and where the site is."""
        return {"site": self.ground.address, "builds": story.plain(self.outcomes)}

    def wrong(self) -> list[str]:
        """What is not as it should be."""
        return story.check(self.outcomes)

    def close(self, *, leave: bool) -> None:
        """The table, and what to do next."""
        ground, screen = self.ground, self.screen
        with screen.chapter("What came of it"):
            screen.table(story.summary_table(self.outcomes))
        screen.say(f"\n{len(self.outcomes)} builds. {ground.times(screen.seconds())}")
        if leave:
            screen.say("Stopping Fairway and removing what it kept.")
            return
        screen.say("Fairway goes on running. Look around:")
        screen.command(f"export FAIRWAY_CONTEXTS={ground.contexts} PATH=$PATH:{ROOT}/.venv/bin")
        for words in (
            "fairway get builds",
            f"xdg-open {ground.address}",
            "fairway kubectl get all -n webflix",
            "fairway get images --candidates",
            "fairway describe build webflix/catalogue#2",
            "fairway logs 2 api --repo webflix/catalogue",
            f"cd {ground.work}/catalogue && git revert --no-edit HEAD && git push && fairway watch",
            f"fairway down --data {ground.data} --purge --yes && rm -r {ground.folder}",
        ):
            screen.command(words)

    def end(self) -> None:
        """Nothing goes on beside it."""


if __name__ == "__main__":
    sys.exit(running.run(Pipelines()))
