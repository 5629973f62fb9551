"""A delivery for benchmarks: one service from a push through three environments to production.

Its repository has unit tests, a Dockerfile and a chart with tests; a push to `main` runs them,
builds the image and releases it. Production waits for an approval, which a program gives at once,
and goes out as a canary of one step behind the gateway.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from bench import rolling
from bench.clusters import Place

HOST = "www.localhost"
ENVIRONMENTS = ("dev", "staging", "production")
Json = dict[str, Any]
_FOLDER = Path(__file__).with_name("shop")
_WAIT_S = 280.0


@contextlib.contextmanager
def shop() -> Iterator[Shop]:
    """A shop whose first version runs in production."""
    with rolling.ground() as place:
        made = Shop(place)
        approving = threading.Event()
        thread = threading.Thread(target=made.approve_all, args=(approving,), daemon=True)
        thread.start()
        try:
            made.set_up()
            yield made
        finally:
            approving.set()
            thread.join(10)


class Shop:
    """What benchmarks do with it. Versions are numbers: the service answers `version N`."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.version = 0
        self._work = place.data.parent / "work"
        self._token = (place.data / "keys" / "admin-token").read_text().strip()
        self._api = self._client(self._token)
        self._approver = self._client(self._second())

    # ---- the ground ------------------------------------------------------------------------------

    def _client(self, token: str) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"}
        url = f"http://{self.place.registry}/api/v1"
        return httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False)

    def _second(self) -> str:
        """A token of somebody who approves what others wrote."""
        self.place.cli("user", "add", "bob", "--admin")
        return self.place.cli(
            "token", "create", "bench", "--for", "bob", "--scope", "admin"
        ).strip()

    def set_up(self) -> None:
        """Repositories, environments and the Delivery; until the first version runs everywhere."""
        self.place.cli("org", "add", "shop")
        for name in ("web", "environments"):
            self.place.cli("repo", "create", f"shop/{name}")
        self._apply("setup.yaml")
        self._begin("environments")
        self._apply("delivery.yaml")
        self._begin("web")
        self.until_passed("production", 0)

    def _apply(self, name: str) -> None:
        self.place.cli("apply", "-f", "-", given=self._filled(_FOLDER / name))

    def _filled(self, path: Path) -> str:
        return path.read_text().replace("REGISTRY", self.place.registry)

    def _begin(self, name: str) -> None:
        """A working copy with the first commit, pushed."""
        source, copy = _FOLDER / name, self._work / name
        for path in sorted(source.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                target = copy / path.relative_to(source)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(self._filled(path))
        url = f"http://admin:{self._token}@{self.place.registry}/shop/{name}.git"
        self.git("init", "-q", "-b", "main", name=name)
        self.git("remote", "add", "origin", url, name=name)
        self._commit(name, "feat: begin")
        self.git("push", "-q", "origin", "main", name=name)

    def _commit(self, name: str, message: str) -> None:
        self.git("add", "-A", name=name)
        who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
        self.git(*who, "commit", "-q", "-m", message, name=name)

    def git(self, *words: str, name: str = "web") -> None:
        """Run git in a working copy."""
        subprocess.run(["git", *words], cwd=self._work / name, check=True)

    def approve_all(self, stop: threading.Event) -> None:
        """Say yes to whatever waits for a word, until told to stop."""
        while not stop.wait(0.1):
            with contextlib.suppress(httpx.HTTPError):
                for one in self._approver.get("/approvals").json().get("items", ()):
                    body = {"service": one["service"], "version": one["version"]}
                    self._approver.post(f"/environments/{one['environment']}/words", json=body)

    # ---- what people do --------------------------------------------------------------------------

    def change(self) -> None:
        """One line, committed; the release before is in the history, as it would be."""
        self.git("pull", "-q", "--rebase", "origin", "main")
        path = self._work / "web" / "web.py"
        before = f"VERSION = {self.version}\n"
        self.version += 1
        text = path.read_text()
        assert before in text, f"{path} has no {before!r}"
        path.write_text(text.replace(before, f"VERSION = {self.version}\n"))
        self._commit("web", f"feat: version {self.version}")

    def push(self) -> None:
        """Push it."""
        self.git("push", "-q", "origin", "main")

    # ---- what came of it -------------------------------------------------------------------------

    def get(self, path: str, **params: str | int) -> Any:
        """An answer of our API."""
        answer = self._api.get(path, params=params)
        answer.raise_for_status()
        return answer.json()

    def releases(self) -> list[Json]:
        """The newest first."""
        return list(self.get("/releases", service="web", limit=10)["items"])

    def promotions(self, environment: str) -> list[Json]:
        """The newest first."""
        found = self.get("/promotions", environment=environment, service="web", limit=10)
        return list(found["items"])

    def newest(self, environment: str) -> int:
        """The number of the newest promotion there; 0 where there is none."""
        return int(next((one["id"] for one in self.promotions(environment)), 0))

    def until_passed(self, environment: str, after: int, kind: str = "promotion") -> Json:
        """Wait until a promotion that is newer than `after` has passed there."""
        end = time.perf_counter() + _WAIT_S
        while True:
            last = next(iter(self.promotions(environment)), {})
            ours = bool(last) and last["id"] > after
            if ours and (last["state"], last["kind"]) == ("passed", kind):
                return last
            failed = ours and last["state"] in {"failed", "rejected", "cancelled"}
            if failed or time.perf_counter() > end:
                raise RuntimeError(f"{environment}: {json.dumps(self._told())}")
            time.sleep(0.05)

    def _told(self) -> Json:
        builds = self.get("/builds", repository="shop/web")["items"][:2]
        found = {name: self.promotions(name)[:1] for name in ENVIRONMENTS}
        return {"builds": builds, "releases": self.releases()[:2], **found}


def said(version: int) -> str:
    """What the service answers."""
    return f"version {version}"
