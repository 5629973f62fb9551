"""What the demo stands on: a Fairway of its own, base images, repositories, a receiver."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import zlib
from pathlib import Path
from typing import Any

from fairway.client import context
from fairway.client.http import Api
from fairway.client.wire.common import Page
from fairway.client.wire.system import Component, System
from fairway.native import programs
from fairwaydemo.screen import Screen

ROOT = Path(__file__).resolve().parents[2]
BASES = ("busybox", "python", "golang", "node", "postgres", "locust")
ORGANISATION = "webflix"
SERVICES = ("catalogue", "ratings", "storefront")
PATIENCE_S = 60.0
USUAL_PORT = 8480
GATEWAY_PORT, GATEWAY_TLS_PORT = 8080, 8443
CLUSTER_PATIENCE_S = 1800.0  # the Go programs are built the first time
NEEDED = 4 * 1024**3  # bytes; half of it is what Fairway wants free before it begins a build


CLUSTER_PARTS = ("cluster local", "gateway")
SITE = "webflix.localhost"
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Trouble(Exception):
    """The demo cannot go on; the text says why and what to do."""


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
        self.notes = self.folder / "notifications.jsonl"
        self.url = ""
        self.registry = ""
        self.token = ""
        self.ready_s = 0.0  # from the demo's start to the first push
        self.gateway = 0  # its port for HTTP
        self._gateway_tls = 0
        self._allowing: threading.Thread | None = None
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
        program = Path(sys.executable).with_name("fairway")
        done = subprocess.run(
            [program, *map(str, words)],
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
        program = Path(sys.executable).with_name("fairway")
        said: list[str] = []
        with subprocess.Popen(
            [program, *words],
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
        self._end_receiver()
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

    def times(self, now: float) -> str:
        """How long each part took, in words; `now` is since the demo's own start."""
        set_up = os.environ.get("DEMO_SETUP_S", "")
        first = f"{set_up} s of set-up, " if set_up else ""
        story = now - self.ready_s
        return f"{first}{self.ready_s:.0f} s to start with base images, {story:.0f} s of story."

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
        self._end_receiver()
        shutil.rmtree(self.folder, ignore_errors=True)

    def base_images(self) -> None:
        """Base images from Debian's packages, kept from one demo to the next."""
        cache = Path(os.environ.get("FAIRWAY_CACHE") or ROOT / ".cache").expanduser()
        self.screen.command(f"fairway image base {' '.join(BASES)}")
        for name in BASES:
            with self.screen.waiting(f"base image {name}: the first time takes up to a minute"):
                began = time.monotonic()
                made = self.fairway("image", "base", name, "--cache", cache, "-o", "json")
            item = _items(made)[0]
            how = "kept" if item["cached"] else "made from Debian's packages"
            took = time.monotonic() - began
            size = item["size"] / 1024**2
            self.screen.note(f"library/{name:<9} {size:6.1f} MB  {how}, {took:.1f} s")

    # ---- the cluster -----------------------------------------------------------------------------

    def cluster(self) -> None:
        """Wait for the cluster and the gateway, saying how far they are. Raises Trouble."""
        began = time.monotonic()
        told = ""
        with self.screen.waiting("the cluster comes along"):
            while True:
                parts = {one.name: one for one in self._components()}
                wanted = [one for name, one in parts.items() if name in CLUSTER_PARTS]
                if len(wanted) == len(CLUSTER_PARTS) and all(one.healthy for one in wanted):
                    break
                why = "; ".join(one.reason or one.detail or one.state for one in wanted)
                why = programs.progress(ROOT) or why or "not begun"
                if why != told:
                    self.screen.now(f"the cluster | {why}")
                told = why
                if time.monotonic() - began > CLUSTER_PATIENCE_S:
                    raise Trouble(f"the cluster is not ready: {why}\n  `fairway doctor` says more")
                _pause()
            if self._allowing is not None:
                self._allowing.join(PATIENCE_S)
        self.screen.note(f"the cluster is ready; this waited {time.monotonic() - began:.0f} s")

    def _components(self) -> list[Component]:
        return self.api.get("/components", Page[Component]).items

    @property
    def address(self) -> str:
        """Where the site is."""
        return f"http://{SITE}:{self.gateway}/"

    def allow(self) -> None:
        """Give the repositories a namespace, and rights in it alone: as soon as there is a cluster,
        beside the first build.
        """
        access = ROOT / "examples" / "webflix" / "access.yaml"
        self.screen.command(f"fairway kubectl apply -f {access.relative_to(ROOT)}")
        self.screen.note("that waits for the cluster, whose programs may still be being built")
        self._allowing = threading.Thread(target=self._allow, args=(access,), daemon=True)
        self._allowing.start()

    def _allow(self, access: Path) -> None:
        until = time.monotonic() + CLUSTER_PATIENCE_S
        while time.monotonic() < until:
            try:
                self.fairway("kubectl", "apply", "-f", access)
            except Trouble:
                time.sleep(1.0)
            else:
                return

    def site(self) -> str:
        """The front page of the deployed site, as a visitor's browser would get it."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.gateway}/", headers={"Host": SITE}
        )
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                with _direct.open(request, timeout=10) as reply:
                    return reply.read().decode()
            except OSError as error:
                if time.monotonic() > until:
                    raise Trouble(f"{self.address} does not answer: {error}") from error
            _pause()

    # ---- repositories ----------------------------------------------------------------------------

    def repositories(self) -> None:
        """An organisation, a secret of it, and working copies with a commit each."""
        self.fairway("org", "add", ORGANISATION)
        self.fairway("secret", "set", "notify_url", "--org", ORGANISATION, stdin=self.receiver())
        for name in SERVICES:
            slug = f"{ORGANISATION}/{name}"
            self.fairway("repo", "create", slug, "--visibility", "internal")
            copy = self.work / name
            shutil.copytree(ROOT / "examples" / "webflix" / name, copy, ignore=_built)
            self.git(name, "init", "--quiet", "--initial-branch=main")
            self.git(name, "config", "user.name", "Ada Film")
            self.git(name, "config", "user.email", "ada@webflix.example")
            self.git(name, "config", "commit.gpgsign", "false")
            self.git(name, "config", "branch.main.remote", "origin")
            self.git(name, "config", "branch.main.merge", "refs/heads/main")
            self.git(name, "config", "credential.helper", "")  # not those of the person's own Git
            store = f"store --file={self._credentials()}"
            self.git(name, "config", "--add", "credential.helper", store)
            self.git(name, "remote", "add", "origin", f"{self.url}/{slug}.git")
            self.git(name, "add", ".")
            self.git(name, "commit", "--quiet", "--message", f"Begin the {name}")
        self.screen.note(f"working copies are in {self.work}")

    def _credentials(self) -> Path:
        path = self.folder / "git-credentials"
        path.touch(mode=0o600)
        path.write_text(self.url.replace("://", f"://admin:{self.token}@") + "\n")
        return path

    def git(self, name: str, *words: str) -> str:
        """Run git in a working copy. Raises Trouble."""
        done = subprocess.run(
            ["git", *words],
            cwd=self.work / name,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Trouble(f"`git {' '.join(words)}` in {name} failed:\n{done.stderr.strip()}")
        return done.stdout.strip()

    # ---- notifications ---------------------------------------------------------------------------

    def receiver(self) -> str:
        """Start the receiver of notifications; returns its address."""
        pid = _server_pid(self.data)
        command = [sys.executable, "-m", "fairwaydemo.receiver", str(self.notes), str(pid)]
        with (self.folder / "receiver.log").open("wb") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        (self.folder / "receiver.pid").write_text(str(process.pid))
        place = self.notes.with_suffix(".url")
        until = time.monotonic() + PATIENCE_S
        while not place.exists():
            if process.poll() is not None or time.monotonic() > until:
                raise Trouble(f"the receiver did not start: see {self.folder}/receiver.log")
            _pause()
        return place.read_text()

    def notifications(self) -> list[dict[str, Any]]:
        """What the receiver has got so far."""
        if not self.notes.exists():
            return []
        return [json.loads(line) for line in self.notes.read_text().splitlines()]

    def _end_receiver(self) -> None:
        path = self.folder / "receiver.pid"
        if not path.exists():
            return
        pid = int(path.read_text())
        try:
            if "fairwaydemo.receiver" in Path(f"/proc/{pid}/cmdline").read_text():
                os.kill(pid, signal.SIGTERM)
        except (OSError, ProcessLookupError):
            return


def _built(_folder: str, names: list[str]) -> set[str]:
    """What a run in the checkout may have left, and Git ignores."""
    return {name for name in names if name in ("__pycache__", "static", "reports", ".coverage")}


def _items(text: str) -> list[dict[str, Any]]:
    data = json.loads(text)
    return list(data["items"])


def _pause() -> None:
    time.sleep(0.1)


def _server_pid(data: Path) -> int:
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
