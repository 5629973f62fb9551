"""What people are told of a running Fairway's builds."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from ground import Ground, steps

from fairway.testing.slack import TOKEN, Said, Workspace, serve

PATIENCE_S = 240.0
GOOD, BAD = (
    steps(f"steps: [{{name: one, image: busybox, commands: [{command}]}}]")
    for command in ("echo good", "exit 3")
)


class Crew:
    """A Slack workspace of this machine, and a way to await what is said there."""

    def __init__(self) -> None:
        self.said = threading.Event()
        self.workspace = Workspace(on_change=self._changed)
        self.server = serve(self.workspace)
        self.api = f"http://127.0.0.1:{self.server.server_port}/api"

    def _changed(self, _what: str, message: Said) -> None:
        if "thread_ts" not in message:
            self.said.set()

    def next(self) -> str:
        """The text of the newest message, once there is a new one."""
        assert self.said.wait(PATIENCE_S), "nothing was said"
        self.said.clear()
        return str(self.workspace.roots("C1")[-1]["text"])


@pytest.fixture
def crew() -> Iterator[Crew]:
    made = Crew()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_each_build_of_the_default_branch_is_one_message(ground: Ground, crew: Crew) -> None:
    repo = ground.repository("told")
    secret = ground.folder / "slack-token"
    secret.write_text(TOKEN)
    ground.ok(
        "notify", "channel", "add", "crew", "slack", "C1", "--secret-file", str(secret),
        "--api", crew.api,
    )  # fmt: skip
    ground.ok("notify", "rule", "add", "told", "crew", "--repo", repo.slug)
    try:
        assert repo.build(GOOD).status == "passed"
        assert f"{repo.slug} #1 passed" in crew.next()
        assert repo.build(BAD).status == "failed"
        assert f"{repo.slug} #2 failed" in crew.next()
        assert len(crew.workspace.roots("C1")) == 2
        listed = ground.ok("notify", "ls", "-o", "json").out
        assert '"said"' in listed
        assert TOKEN not in listed
    finally:
        ground.ok("notify", "channel", "rm", "crew")
