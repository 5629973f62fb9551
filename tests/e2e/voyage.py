"""A short voyage: one service from a push through its environments and back, on any ground.

People act as people do: who got no answer looks whether it happened, and tries again if not.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import voyage_files as files
import yaml
from ground import Done, Ground, Repository
from town import DOCKER

from fairway.client.wire.build import Build
from fairway.client.wire.release import Promotion, Release
from fairway.kit.net import free_port
from fairway.model.errors import FairwayError
from fairway.testing.slack import TOKEN, Workspace, serve

T = TypeVar("T")

WAIT_S: Final = 900.0  # for the slowest machine: a good one needs a tenth
_ASK_S: Final = 0.2
ALL_HOME: Final = dict.fromkeys(files.ENVIRONMENTS, files.HOME)


def until(what: str, ask: Callable[[], T], told: Callable[[], object] = str) -> T:
    """The first true answer of `ask`; errors of ours are none. `told` explains a failure."""
    end, pause = time.monotonic() + WAIT_S, threading.Event()
    while True:
        with contextlib.suppress(FairwayError):
            if found := ask():
                return found
        assert time.monotonic() < end, f"{what}: not within {WAIT_S:g} s\n{told()}"
        pause.wait(_ASK_S)


class Voyage:
    """The service `hull`, its people, and what they see. `clusters`: of each environment."""

    def __init__(self, ground: Ground, chat: Workspace, clusters: Mapping[str, str]) -> None:
        self.ground, self.chat = ground, chat
        self.clusters = dict(clusters)
        self.approver = ""
        self.more: dict[str, str] = {}  # files of the service, beside those of every voyage
        self.hull = Repository(ground, files.SLUG)

    # ---- before it begins ------------------------------------------------------------------------

    def prepare(self, chat_url: str, values: Mapping[str, Mapping[str, Any]]) -> None:
        """Repositories, people, configuration, chat. `values`: of the charts, by environment."""
        ground = self.ground
        for slug in (files.SLUG, files.CONFIGURATION):
            ground.ok("repo", "create", slug)
        ground.ok("user", "add", "quinn", "--email", "quinn@fairway.example")
        ground.ok("right", "grant", "quinn", "approve", "voyage/production")
        words = ("token", "create", "word", "--for", "quinn", "--scope", "delivery:write")
        self.approver = ground.ok(*words).out.strip()
        secret = ground.folder / "chat-token"
        secret.write_text(TOKEN)
        words = ("notify", "channel", "add", "crew", "slack", "C1", "--api", chat_url)
        ground.ok(*words, "--secret-file", str(secret))
        ground.ok("notify", "rule", "add", "everything", "crew")
        for name, cluster in self.clusters.items():
            self.apply(files.configuration(name), cluster)
        self._environments(values)
        roots = [files.root(name, ground.url) for name in files.ENVIRONMENTS]
        self.apply([*roots, files.delivery(self.clusters)])

    def _environments(self, values: Mapping[str, Mapping[str, Any]]) -> None:
        made = Repository(self.ground, files.CONFIGURATION)
        registry = self.ground.registry
        texts = {
            f"{name}/hull.yaml": yaml.safe_dump(
                files.application(name, registry, cluster, values.get(name, {}))
            )
            for name, cluster in self.clusters.items()
        }
        made.commit(texts, "Say what runs where")
        made.push()

    def apply(self, objects: list[dict[str, Any]], cluster: str = "") -> None:
        """`fairway apply`."""
        words = () if cluster in ("", files.HOME) else ("--cluster", cluster)
        self.ground.ok("apply", "-f", "-", *words, given=yaml.safe_dump_all(objects))

    # ---- what people do --------------------------------------------------------------------------

    def insist(self, act: Callable[[], Done], happened: Callable[[], Any], what: str) -> None:
        """Act until it has happened."""
        said: list[str] = []

        def tried() -> bool:
            if happened():
                return True
            said.append(act().all)
            return bool(happened())

        until(what, tried, lambda: said[-3:])

    def push(self, cargo: str, message: str) -> None:
        """One more change of the service, on top of what Fairway wrote meanwhile."""
        first = not (self.hull.folder / "cargo").exists()
        self.hull.commit(self._cargo(cargo, first=first), message)
        self.insist(self._push, self._is_pushed, f"{message!r} is pushed")

    def _cargo(self, cargo: str, *, first: bool) -> dict[str, str]:
        return {**files.service(cargo), **self.more} if first else {"cargo": f"{cargo}\n"}

    def _push(self) -> Done:
        self._git("pull", "-q", "--rebase", "origin", "main")
        return self._git("push", "-q", "origin", "main")

    def _is_pushed(self) -> bool:
        words = ("merge-base", "--is-ancestor", "HEAD", "origin/main")
        return self._git("fetch", "-q", "origin").code == 0 and self._git(*words).code == 0

    def _git(self, *words: str) -> Done:
        return self.ground.program("git", *words, cwd=self.hull.folder)

    def approve(self, version: str) -> None:
        """Quinn, who wrote nothing of it, says yes."""
        words = ("approve", f"hull@{version}", "--env", "production")
        quinn = {"FAIRWAY_TOKEN": self.approver, "FAIRWAY_URL": self.ground.url}

        def approved() -> bool:
            found = [one for one in self.lane("production") if one.version == version]
            return [one.login for each in found for one in each.approvals] == ["quinn"]

        self.insist(lambda: self.ground.run(*words, **quinn), approved, f"{version} is approved")

    def roll_back(self) -> None:
        """The admin returns production to what was good before."""
        words = ("rollback", "hull", "--env", "production", "--why", "it leaks")
        self.insist(
            lambda: self.ground.run(*words),
            lambda: [one for one in self.lane("production") if one.kind == "rollback"],
            "it is rolled back",
        )

    # ---- what they see ---------------------------------------------------------------------------

    def lane(self, environment: str) -> list[Promotion]:
        """What came into an environment, oldest first."""
        query = {"environment": environment, "limit": 100}
        return list(self.ground.api.pages("/promotions", Promotion, query))[::-1]

    def releases(self) -> list[Release]:
        """Oldest first."""
        return list(self.ground.api.pages("/releases", Release))[::-1]

    def builds(self) -> list[Build]:
        """Of the service, oldest first."""
        return list(self.ground.api.pages("/builds", Build, {"repository": files.SLUG}))[::-1]

    def await_(self, environment: str, version: str, state: str = "passed",
               kind: str = "promotion") -> Promotion:  # fmt: skip
        """The newest deployment there, once it is this one."""

        def there() -> Promotion | None:
            assert not {"failed", "errored"} & self._states(), f"something failed\n{self.told()}"
            last = next(iter(self.lane(environment)[-1:]), None)
            wanted = (version, state, kind)
            return last if last and (last.version, last.state, last.kind) == wanted else None

        return until(f"{environment} has {kind} {state} {version}", there, self.told)

    def _states(self) -> set[str]:
        found = [one.status for one in self.builds()] + [one.state for one in self.releases()]
        return {*found, *(one.state for name in files.ENVIRONMENTS for one in self.lane(name))}

    def told(self) -> str:
        """Everything, in short, for a test that fails."""
        builds = self.builds()
        lines = [f"build {one.number} {one.status}" for one in builds]
        words = ("logs", "-R", files.SLUG)
        failed = [str(one.number) for one in builds if one.status in {"failed", "errored"}]
        lines += [self.ground.run(*words, one).all[-3000:] for one in failed]
        lines += [f"release {one.version} {one.state} {one.problem}" for one in self.releases()]
        for name in files.ENVIRONMENTS:
            lines += [
                f"{name} {one.version} {one.kind} {one.state} {one.step} {one.message} {one.waits}"
                for one in self.lane(name)
            ]
        for name in ("apps", "clusters"):
            lines.append(self.ground.run("get", name).all)
        return "\n".join(lines)


@contextlib.contextmanager
def abroad(
    folder: Path, kubeconfig: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Ground]:
    """A Fairway without a cluster of its own, on one that was started elsewhere."""
    folder.mkdir()
    made = Ground(folder, DOCKER, free_port())
    made.environment |= {
        "FAIRWAY_GATEWAY__ENABLED": "off",
        "FAIRWAY_CLUSTER__EMBEDDED": "auto",  # which gives way to a kubeconfig
        "FAIRWAY_CLUSTER__KUBECONFIG": str(kubeconfig),
        **(environment or {}),
    }
    try:
        made.up()
        yield made
    except BaseException:
        log = made.data / "run" / "fairway.log"
        sys.stderr.write(log.read_text()[-20_000:] if log.exists() else "no log\n")
        raise
    finally:
        made.down()


@contextlib.contextmanager
def ready(
    ground: Ground,
    clusters: Mapping[str, str] = ALL_HOME,
    values: Mapping[str, Mapping[str, Any]] | None = None,
) -> Iterator[Voyage]:
    """Everything before the first push; the chat runs as long as the block."""
    chat = Workspace()
    server = serve(chat)
    try:
        made = Voyage(ground, chat, clusters)
        made.prepare(f"http://127.0.0.1:{server.server_port}/api", values or {})
        yield made
    finally:
        server.shutdown()
        server.server_close()


def kubectl(voyage: Voyage, environment: str, *words: str) -> Done:
    """`fairway kubectl WORDS` in an environment's namespace."""
    cluster = voyage.clusters[environment]
    place = [] if cluster == files.HOME else ["--cluster", cluster]
    return voyage.ground.ok("kubectl", *place, "-n", files.namespace(environment), *words)


def found(voyage: Voyage, environment: str, kind: str) -> list[dict[str, Any]]:
    """The objects of a kind in an environment's namespace."""
    items: list[dict[str, Any]] = kubectl(voyage, environment, "get", kind, "-o", "json").json()[
        "items"
    ]
    return items
