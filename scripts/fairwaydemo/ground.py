"""What a demo stands on: a Fairway of its own, base images, a cluster with its gateway."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path
from typing import Any

from fairway.client import context
from fairway.client.http import Api
from fairway.client.wire.common import Page
from fairway.client.wire.system import Component, System
from fairway.native import programs
from fairwaydemo import attending
from fairwaydemo.screen import Screen
from fairwaydemo.trouble import Trouble

ROOT = Path(__file__).resolve().parents[2]
BASES = ("busybox", "python", "golang", "node", "postgres", "locust")
ORGANISATION = "webflix"
SERVICES = ("catalogue", "ratings", "storefront")
USUAL_PORT = 8480
GATEWAY_PORT, GATEWAY_TLS_PORT = 8080, 8443
CLUSTER_PATIENCE_S = 1800.0  # the Go programs are built the first time
NEEDED = 4 * 1024**3  # bytes; half of it is what Fairway wants free before it begins a build
CLUSTER_PARTS = ("cluster local", "gateway")


def folder() -> Path:
    """Where the demo's Fairway lives: one place for each user and checkout, unless DEMO_FOLDER."""
    named = os.environ.get("DEMO_FOLDER")
    if named:
        return Path(named).absolute()
    mark = zlib.crc32(str(ROOT).encode()) & 0xFFFF
    return Path(tempfile.gettempdir()) / f"fairway-demo-{os.getuid()}-{mark:04x}"


class Ground:
    """A running Fairway and the way to it."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self.folder = folder()
        self.data = self.folder / "data"
        self.work = self.folder / "work"
        self.contexts = self.folder / "contexts.json"
        self.url = ""
        self.registry = ""
        self.token = ""
        self.program = Path(sys.executable).with_name("fairway")
        self.gateway = 0  # its port for HTTP
        self._gateway_tls = 0
        self._api: Api | None = None

    @property
    def api(self) -> Api:
        """The API, as the admin that the first start made."""
        if self._api is None:
            self._api = Api(self.url, self.token)
        return self._api

    def environment(self) -> dict[str, str]:
        """For child processes: our context, no prompts."""
        mine = {"FAIRWAY_CONTEXTS": str(self.contexts), "GIT_TERMINAL_PROMPT": "0"}
        if self.gateway:
            mine["FAIRWAY_GATEWAY__HTTP_PORT"] = str(self.gateway)
            mine["FAIRWAY_GATEWAY__HTTPS_PORT"] = str(self._gateway_tls)
        known = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
        direct = ",".join(filter(None, [known, "127.0.0.1", "localhost"]))
        return {**os.environ, **mine, "no_proxy": direct, "NO_PROXY": direct}

    def fairway(self, *words: str | Path, check: bool = True, stdin: str = "") -> str:
        """Run a command of Fairway's; returns what it printed. Raises Trouble."""
        done = subprocess.run(
            [self.program, *map(str, words)],
            env=self.environment(),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            said = (done.stderr + done.stdout).strip()
            raise Trouble(f"`fairway {' '.join(map(str, words))}` failed:\n{said}")
        return done.stdout.strip()

    def _tell(self, *words: str) -> None:
        """Run a command of Fairway's, and show what it says while it works. Raises Trouble."""
        said: list[str] = []
        with subprocess.Popen(
            [self.program, *words],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            for line in process.stderr or ():
                said.append(line.rstrip())
                self.screen.note(said[-1])
        if process.returncode:
            raise Trouble(f"`fairway {' '.join(words)}` failed: see above")

    # ---- Fairway ---------------------------------------------------------------------------------

    def clear(self) -> None:
        """Stop and remove what an earlier demo left."""
        self._must_be_mine()
        if self.data.exists():
            self.screen.note(f"an earlier demo lies in {self.folder}: stopping and removing it")
            self.fairway("down", "--data", self.data, "--purge", "--yes")
        attending.end(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, mode=0o711)
        free = shutil.disk_usage(self.folder).free
        if free < NEEDED:
            raise Trouble(
                f"{free // 1024**2} MiB are free in {self.folder}, and the demo takes up to "
                f"{NEEDED // 1024**2}.\n  Make room, or name another place: "
                "DEMO_FOLDER=/some/where make demo"
            )
        self.work.mkdir()

    def _must_be_mine(self) -> None:
        """The folder has a name that others can guess."""
        if self.folder.is_symlink() or (
            self.folder.exists() and self.folder.stat().st_uid != os.getuid()
        ):
            raise Trouble(
                f"{self.folder} is somebody else's.\n"
                "  Remove it, or name another: DEMO_FOLDER=/some/where make demo"
            )

    def start(self) -> None:
        """`fairway up`, in a data directory of its own."""
        port = free_port()
        if port != USUAL_PORT:
            self.screen.note(f"port {USUAL_PORT} is taken: Fairway gets port {port}")
        self.gateway, self._gateway_tls = free_port(GATEWAY_PORT), free_port(GATEWAY_TLS_PORT)
        if self.gateway != GATEWAY_PORT:
            self.screen.note(f"port {GATEWAY_PORT} is taken: the gateway gets port {self.gateway}")
        words = ["up", "--data", str(self.data), "--port", str(port), "--capacity", "2"]
        self.screen.command(f"fairway {' '.join(words)}")
        with self.screen.waiting("starting Fairway"):
            self._tell(*words)
        found = context.load(self.contexts).named()
        self.url, self.token = found.url, found.token
        self.registry = self.api.get("/system", System).registry
        self.screen.note(f"Fairway runs at {self.url}, its registry is {self.registry}")

    def stop(self) -> None:
        """Stop all and leave nothing."""
        self.fairway("down", "--data", self.data, "--purge", "--yes")
        attending.end(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)

    def base_images(self) -> None:
        """Base images from Debian's packages, kept from one demo to the next."""
        cache = Path(os.environ.get("FAIRWAY_CACHE") or ROOT / ".cache").expanduser()
        self.screen.command(f"fairway image base {' '.join(BASES)}")
        began = time.monotonic()
        with self.screen.waiting("base images: the first time takes up to a minute each"):
            made = self.fairway("image", "base", *BASES, "--cache", cache, "-o", "json")
        for item in _items(made):
            how = "kept" if item["cached"] else "made from Debian's packages"
            self.screen.note(f"{item['name']:<17} {item['size'] / 1024**2:6.1f} MB  {how}")
        self.screen.note(f"in the registry after {time.monotonic() - began:.1f} s")

    # ---- the cluster -----------------------------------------------------------------------------

    def cluster(self) -> None:
        """Wait for the cluster and the gateway, saying how far they are. Raises Trouble."""
        began = time.monotonic()
        told = ""
        with self.screen.waiting("the cluster comes along"):
            while True:
                wanted = self._parts()
                if _stand(wanted):
                    break
                why = "; ".join(one.reason or one.detail or one.state for one in wanted)
                why = programs.progress(ROOT) or why or "not begun"
                if why != told:
                    self.screen.now(f"the cluster | {why}")
                told = why
                if time.monotonic() - began > CLUSTER_PATIENCE_S:
                    raise Trouble(f"the cluster is not ready: {why}\n  `fairway doctor` says more")
                _pause()
            self._controllers(began + CLUSTER_PATIENCE_S)
        self.screen.note(f"the cluster is ready; this waited {time.monotonic() - began:.0f} s")

    def _controllers(self, until: float) -> None:
        """Wait for what applications are kept in: the controllers make it, just after the start."""
        while True:
            try:
                self.fairway("kubectl", "get", "appprojects", "default", "--namespace", "argocd")
            except Trouble:
                if time.monotonic() > until:
                    raise
                _pause()
            else:
                return

    def clustered(self) -> bool:
        """Whether the cluster and the gateway stand."""
        return _stand(self._parts())

    def _parts(self) -> list[Component]:
        found = self.api.get("/components", Page[Component]).items
        return [one for one in found if one.name in CLUSTER_PARTS]


def _stand(parts: list[Component]) -> bool:
    return len(parts) == len(CLUSTER_PARTS) and all(one.healthy for one in parts)


def _items(text: str) -> list[dict[str, Any]]:
    data = json.loads(text)
    return list(data["items"])


def _pause() -> None:
    time.sleep(0.1)


def server_pid(data: Path) -> int:
    """The process of a running Fairway. Raises Trouble."""
    for path in sorted((data / "run").glob("*")):
        try:
            found = json.loads(path.read_text())
        except (OSError, ValueError):
            continue
        if isinstance(found, dict) and "pid" in found:
            return int(found["pid"])
    raise Trouble(f"there is no running Fairway in {data}")


def free_port(wished: int = USUAL_PORT) -> int:
    """The usual port, or another one where that is taken."""
    for port in (wished, 0):
        with socket.socket() as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                one.bind(("0.0.0.0", port))  # every address: Fairway listens on two of them
            except OSError:
                continue
            return int(one.getsockname()[1])
    raise Trouble("no port is free")
