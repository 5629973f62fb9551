"""The engine for `type: exec`: steps are processes of the runner's own user, in a host folder.

It gives whoever writes a pipeline the rights of that user: it is used only by runners started for
it. A small supervisor program, one per step and in a session of its own, outlives the runner:

- it makes the step's folder under the engine's root; whoever makes the folder owns the start, so
  no step is started twice;
- it runs the script, with both outputs appended to the file `log`;
- it writes the exit code to `exit`, by rename, as its last deed; a supervisor that is gone without
  having written it was killed from outside, and that is how the step is reported.

A step is ended by killing its process group, found by pid and start time, so that a number that
the system gave to another process is never hit; then whatever left the group, which is known by a
variable that all of the step's processes inherit.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import shutil
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from fairway.kit import clock
from fairway.kit.aio import blocking
from fairway.kit.secret import Secret
from fairway.model.errors import InvalidInput, Unavailable
from fairway.pipeline.engine import Ended, Place, Sink
from fairway.pipeline.engines.spec import SCRIPT, stem
from fairway.pipeline.graph import StepGraph

_KILLED: Final = 137
_ROUNDS: Final = 10  # a process may fork while the list is read
_PIECE: Final = 256 * 1024
_POLL_S: Final = (0.005, 0.1)  # how often a log that grows is looked at: soon, then less often
_PASSED_ON: Final = ("PATH", "LANG", "TZ")
_PLACES: Final = ("DRONE_WORKSPACE", "DRONE_WORKSPACE_BASE", "CI_WORKSPACE")
_MARK: Final = "FAIRWAY_STEP_FOLDER"
_SUPERVISOR: Final = r"""
# A supervisor: $1 the step's folder, $2 its working directory.
code=127
if cd "$2" >>"$1/log" 2>&1; then
    /bin/sh <"$1/script" >>"$1/log" 2>&1
    code=$?
fi
echo $code >"$1/exit.new"
mv "$1/exit.new" "$1/exit"
"""


class LocalEngine:
    """Runs steps as processes. `root` holds the steps' folders; `base` their first environment."""

    def __init__(self, root: Path, *, owner: str, base: Mapping[str, str]) -> None:
        self._root = root
        self._owner = owner
        self._base = {name: base[name] for name in _PASSED_ON if name in base}
        self._children: dict[Path, asyncio.subprocess.Process] = {}

    async def check(self) -> str:
        """The machine this is."""
        return f"processes on {platform.system()} {platform.release()}"

    async def setup(self, place: Place) -> None:
        """Make the workspace and the stage's folder."""
        await blocking(self._setup, place)

    def _setup(self, place: Place) -> None:
        place.workspace.mkdir(parents=True, exist_ok=True)
        home = self._stage(place.key)
        (home / "home").mkdir(parents=True, exist_ok=True)
        home.joinpath("stage.json").write_text(json.dumps([self._owner, place.key]))

    def _stage(self, key: str) -> Path:
        return self._root / stem(key)

    def _folder(self, place: Place, step: StepGraph, attempt: int) -> Path:
        return self._stage(place.key) / f"{step.number}-{attempt}"

    async def start(
        self,
        place: Place,
        step: StepGraph,
        environment: Mapping[str, str | Secret],
        *,
        attempt: int = 1,
    ) -> None:
        """Start the supervisor, unless this attempt has one already."""
        if not step.script:
            raise InvalidInput(
                f"step {step.name}: a pipeline of type exec runs commands, not images",
                code="container-refused",
                remedy="Give the step `commands`, or use `type: docker`.",
            )
        folder = self._folder(place, step, attempt)
        directory = host_path(place, step.working_dir)
        values = {**self._environment(place, environment), _MARK: str(folder)}
        if await blocking(_claim, folder, directory, step.script):
            await self._launch(folder, directory, values)

    def _environment(self, place: Place, environment: Mapping[str, str | Secret]) -> dict[str, str]:
        home = str(self._stage(place.key) / "home")
        values = {
            name: value.reveal() if isinstance(value, Secret) else value
            for name, value in environment.items()
            if name != SCRIPT
        }
        found = {**self._base, "HOME": home, "USERPROFILE": home, **values}
        for name in _PLACES:
            if name in values:
                found[name] = str(host_path(place, values[name]))
        return found

    async def _launch(self, folder: Path, directory: Path, environment: dict[str, str]) -> None:
        await blocking(_note_environment, folder / "environment", environment)
        try:
            child = await asyncio.create_subprocess_exec(
                "/bin/sh",
                "-c",
                _SUPERVISOR,
                "fairway-step",
                str(folder),
                str(directory),
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            await blocking(shutil.rmtree, folder, ignore_errors=True)
            raise Unavailable(
                f"no process can be started: {error}", code="engine-unavailable"
            ) from error
        self._children[folder] = child
        await blocking(_note_process, folder, child.pid)

    async def environment(
        self, place: Place, step: StepGraph, *, attempt: int = 1
    ) -> Mapping[str, str]:
        """What was noted beside the step when it was started."""
        return await blocking(_noted, self._folder(place, step, attempt) / "environment")

    async def follow(
        self, place: Place, step: StepGraph, sink: Sink, *, attempt: int = 1, skip: int = 0
    ) -> Ended:
        """Read the log file as it grows, then the exit code."""
        folder = self._folder(place, step, attempt)
        pause = _POLL_S[0]
        while True:
            code = await blocking(_exit_code, folder)
            # The code is looked for first: once it is there, the log does not grow any more.
            while data := await blocking(_read, folder / "log", skip):
                await sink(data)
                skip += len(data)
                pause = _POLL_S[0]
            if code is not None:
                await self._reap(folder)
                return await blocking(_ended, folder, code)
            await asyncio.sleep(pause)
            pause = min(_POLL_S[1], pause * 1.5)

    async def _reap(self, folder: Path) -> None:
        child = self._children.pop(folder, None)
        if child is not None:
            await child.wait()

    async def probe(self, place: Place, step: StepGraph, *, attempt: int = 1) -> bool:
        """Whether the step's processes run. Probes of ports are for containers."""
        folder = self._folder(place, step, attempt)
        return await blocking(lambda: _group(folder) is not None and _exit_code(folder) is None)

    async def stop(self, place: Place, step: StepGraph, *, attempt: int = 1) -> None:
        """SIGKILL to the step's process group."""
        await blocking(_kill, self._folder(place, step, attempt))

    async def destroy(self, place: Place) -> None:
        """End the stage's processes and remove their folders; the workspace stays."""
        await self._remove(self._stage(place.key))

    async def _remove(self, stage: Path) -> None:
        for folder in [folder for folder in self._children if folder.parent == stage]:
            await blocking(_kill, folder)
            await self._reap(folder)
        await blocking(_remove_stage, stage)

    async def sweep(self, keep: Sequence[str]) -> list[str]:
        """Remove the stages of this owner that are not in `keep`."""
        gone = [key for key in await blocking(self._keys) if key not in keep]
        for key in gone:
            await self._remove(self._stage(key))
        return sorted(gone)

    def _keys(self) -> list[str]:
        keys = []
        for note in self._root.glob("*/stage.json"):
            owner, key = json.loads(note.read_text())
            if owner == self._owner:
                keys.append(str(key))
        return keys


def host_path(place: Place, working_dir: str) -> Path:
    """A working directory of the graph, in the runner's file system: never outside it."""
    base = place.graph.workspace_base.rstrip("/")
    inside = working_dir or place.graph.workspace_path
    if not inside.startswith("/"):
        inside = f"{place.graph.workspace_path.rstrip('/')}/{inside}"
    relative = inside.removeprefix(base).lstrip("/") if inside.startswith(base) else inside
    path = (place.workspace / relative.lstrip("/")).resolve()
    return path if path.is_relative_to(place.workspace.resolve()) else place.workspace


def _claim(folder: Path, directory: Path, script: str) -> bool:
    """Whether this call is the one that may start the step."""
    directory.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir()
    except FileExistsError:
        return False
    folder.chmod(0o700)  # scripts may hold what their author thinks nobody reads
    folder.joinpath("log").touch()
    folder.joinpath("script").write_text(script)
    return True


def _note_environment(path: Path, environment: Mapping[str, str]) -> None:
    """Only its user may read it, as is so of the process itself."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.encode(environment))


def _noted(path: Path) -> dict[str, str]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except (OSError, msgspec.DecodeError):
        return {}  # it was never started: what starts it now has today's values


def _note_process(folder: Path, pid: int) -> None:
    born = _born(pid)
    new = folder / "pid.new"
    new.write_text(f"{pid} {born} {clock.now()}")
    new.replace(folder / "pid")


def _born(pid: int) -> str:
    """A process' start time in the kernel's ticks; "" when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in ("Z", "X") else fields[19]


def _group(folder: Path) -> int | None:
    """The process group of a step whose supervisor lives."""
    try:
        pid, born, _at = (folder / "pid").read_text().split(" ")
    except (OSError, ValueError):
        return None
    return int(pid) if born and _born(int(pid)) == born else None


def _exit_code(folder: Path) -> int | None:
    """How the step ended; None while it runs. 255: nobody knows, as nothing of it is left."""
    code = _written(folder)
    if code is not None:
        return code
    if not folder.is_dir():
        return 255
    if _group(folder) is not None or not (folder / "pid").exists():
        # Without `pid` its start is just under way, or was cut between two deeds: see `_stale`.
        return _KILLED if _stale(folder) else None
    return _written(folder) if (folder / "exit").exists() else _KILLED


def _written(folder: Path) -> int | None:
    try:
        return int((folder / "exit").read_text())
    except (OSError, ValueError):
        return None


def _stale(folder: Path) -> bool:
    """A start that was cut: claimed long ago, and no process was ever noted."""
    if (folder / "pid").exists():
        return False
    try:
        return clock.seconds() - folder.stat().st_mtime > 5.0
    except OSError:
        return True


def _ended(folder: Path, code: int) -> Ended:
    error = "nothing of the step is left" if code == 255 and not folder.exists() else ""
    try:
        started = int((folder / "pid").read_text().split(" ")[2])
        stopped = int((folder / "exit").stat().st_mtime * 1000)
    except (OSError, ValueError, IndexError):
        return Ended(code, error=error)
    return Ended(code, started=started, stopped=max(started, stopped))


def _read(log: Path, skip: int) -> bytes:
    try:
        with log.open("rb") as file:
            file.seek(skip)
            return file.read(_PIECE)
    except FileNotFoundError:
        return b""


def _kill(folder: Path) -> None:
    group = _group(folder)
    if group is not None:
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
    _kill_marked(folder)
    if group is not None and _written(folder) is None:
        new = folder / "exit.new"
        new.write_text(str(_KILLED))
        new.replace(folder / "exit")


def _kill_marked(folder: Path) -> None:
    """End the step's processes that left its session: they still carry its variable."""
    mark = f"{_MARK}={folder}".encode()
    for _round in range(_ROUNDS):
        found = False
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and mark in _environ(entry):
                found = True
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(int(entry.name), signal.SIGKILL)
        if not found:
            return


def _environ(process: Path) -> list[bytes]:
    try:
        return (process / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _remove_stage(stage: Path) -> None:
    if stage.is_dir():
        for folder in stage.iterdir():
            _kill(folder)
        shutil.rmtree(stage, ignore_errors=True)
