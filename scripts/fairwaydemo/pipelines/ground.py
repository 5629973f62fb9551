"""What this demo needs besides: repositories with rights in a namespace, and a receiver."""

from __future__ import annotations

import json
import os
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

from fairwaydemo import attending, ground
from fairwaydemo.copies import EXAMPLES, Copy
from fairwaydemo.ground import ORGANISATION, ROOT, SERVICES
from fairwaydemo.pipelines.receiver import FILE
from fairwaydemo.screen import Screen
from fairwaydemo.trouble import Trouble

PATIENCE_S = 60.0
SITE = "webflix.localhost"
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Ground(ground.Ground):
    """A running Fairway whose repositories deploy by themselves."""

    def __init__(self, screen: Screen) -> None:
        super().__init__(screen)
        self.ready_s = 0.0  # from the demo's start to the first push
        self.copies = {name: Copy(self, name) for name in SERVICES}
        self._allowing: threading.Thread | None = None

    @property
    def address(self) -> str:
        """Where the site is."""
        return f"http://{SITE}:{self.gateway}/"

    def times(self, now: float) -> str:
        """How long each part took, in words; `now` is since the demo's own start."""
        set_up = os.environ.get("DEMO_SETUP_S", "")
        first = f"{set_up} s of set-up, " if set_up else ""
        story = now - self.ready_s
        return f"{first}{self.ready_s:.0f} s to start with base images, {story:.0f} s of story."

    def allow(self) -> None:
        """Give the repositories a namespace, and rights in it alone: as soon as there is a cluster,
        beside the first build.
        """
        access = EXAMPLES / "access.yaml"
        self.screen.command(f"fairway kubectl apply -f {access.relative_to(ROOT)}")
        self.screen.note("that waits for the cluster, whose programs may still be being built")
        self._allowing = threading.Thread(target=self._allow, args=(access,), daemon=True)
        self._allowing.start()

    def _allow(self, access: Path) -> None:
        until = time.monotonic() + ground.CLUSTER_PATIENCE_S
        while time.monotonic() < until:
            try:
                self.fairway("kubectl", "apply", "-f", access)
            except Trouble:
                time.sleep(1.0)
            else:
                return

    def cluster(self) -> None:
        """Wait for the cluster, the gateway and the rights. Raises Trouble."""
        super().cluster()
        if self._allowing is not None:
            self._allowing.join(PATIENCE_S)

    def site(self) -> str:
        """The front page of the deployed site, as a visitor's browser would get it."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.gateway}/", headers={"Host": SITE}
        )
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                with _direct.open(request, timeout=10) as reply:
                    return str(reply.read().decode())
            except OSError as error:
                if time.monotonic() > until:
                    raise Trouble(f"{self.address} does not answer: {error}") from error
            time.sleep(0.1)

    def repositories(self) -> None:
        """An organisation, a secret of it, and working copies with a commit each."""
        self.fairway("org", "add", ORGANISATION)
        pid = ground.server_pid(self.data)
        address = attending.start(self.folder, "fairwaydemo.pipelines.receiver", pid)
        self.fairway("secret", "set", "notify_url", "--org", ORGANISATION, stdin=address)
        for copy in self.copies.values():
            self.fairway("repo", "create", copy.slug, "--visibility", "internal")
            copy.begin("admin", self.token)
        self.screen.note(f"working copies are in {self.work}")

    def notifications(self) -> list[dict[str, Any]]:
        """What the receiver has got so far."""
        notes = self.folder / FILE
        if not notes.exists():
            return []
        return [json.loads(line) for line in notes.read_text().splitlines()]
