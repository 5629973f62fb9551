"""What suites need running: a Docker Engine and a PostgreSQL of their own, ended afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType

from fairwaydev import apt, images, native, oracles, tools, venv
from fairwaydev import go as golang
from fairwaydev.say import Failed, answer, detail, one_at_a_time, run, say


class Services:
    """Starts each service when it is first asked for; leaving the block ends them."""

    def __init__(self) -> None:
        self._env: dict[str, str] = {}
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Services:
        clear_up()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.__exit__(kind, error, trace)

    def provide(self, need: str) -> dict[str, str]:
        """Have one need of a suite. Returns the environment that tells the tests of it."""
        if need in apt.NEEDS:
            apt.provide(need)
        if need == "tools":
            for name in tools.TOOLS:  # before the tests: building takes longer than they may
                tools.build(name)
        if need == "native":
            native.build()
            self._env["FAIRWAY_TEST_GO"] = golang.program()
        if need == "oracles":
            self._env["FAIRWAY_TEST_ORACLES"] = str(oracles.build())
        if need == "postgres" and "FAIRWAY_TEST_POSTGRES" not in self._env:
            self._env["FAIRWAY_TEST_POSTGRES"] = self._postgres()
        if need == "docker" and "DOCKER_HOST" not in self._env:
            host = self._docker()
            images.provide(host)
            self._env["DOCKER_HOST"] = host
        return self._env

    def _postgres(self) -> str:
        given = os.environ.get("FAIRWAY_TEST_POSTGRES")
        if given:
            return given
        folder = _temporary("postgres")
        self._open.callback(shutil.rmtree, folder, ignore_errors=True)
        return _start_postgres(folder, self._open)

    def _docker(self) -> str:
        for host in (os.environ.get("DOCKER_HOST"), "unix:///var/run/docker.sock"):
            if host and answer(["docker", "-H", host, "version"]) is not None:
                detail(f"the Docker Engine at {host} answers")
                return host
        say("starting a Docker Engine of our own for the tests")
        folder = _temporary("docker")
        tool: list[str | Path] = [venv.python(), "-m", "fairway.docker", folder / "engine"]
        self._open.callback(_purge_docker, tool, folder)
        with one_at_a_time("engine"):  # two at once would choose the same addresses
            host = answer([*tool, "start"])
        if host is None:
            run([*tool, "start"], check=False)
            raise Failed("no Docker Engine answers, and ours does not start (see above)")
        detail(f"it answers at {host}")
        return host


def _temporary(what: str) -> Path:
    """A folder that says whose it is, so that the next run can clear up after a killed one."""
    folder = Path(tempfile.mkdtemp(prefix=f"fairway-{what}-"))
    (folder / "owner").write_text(f"{os.getpid()}\n")
    return folder


def _left_behind(what: str) -> list[Path]:
    """Folders of runs that were killed before they could clear up."""
    found = []
    for owner in Path(tempfile.gettempdir()).glob(f"fairway-{what}-*/owner"):
        try:
            os.kill(int(owner.read_text()), 0)
        except (ProcessLookupError, ValueError):
            found.append(owner.parent)
        except OSError:
            continue  # another user's
    return found


def clear_up() -> None:
    """End and remove what killed runs left."""
    for folder in _left_behind("docker"):
        say(f"removing what a killed run left in {folder}")
        _purge_docker([venv.python(), "-m", "fairway.docker", folder / "engine"], folder)
    for folder in _left_behind("postgres"):
        say(f"removing what a killed run left in {folder}")
        _stop_postgres([_postgres_programs() / "pg_ctl", "-D", folder / "data"])
        shutil.rmtree(folder, ignore_errors=True)


def _purge_docker(tool: list[str | Path], folder: Path) -> None:
    run([*tool, "purge"], check=False, quiet=True)
    shutil.rmtree(folder, ignore_errors=True)


def _as_postgres(words: list[str | Path]) -> list[str | Path]:
    """PostgreSQL refuses to run as root: its own user does it then."""
    return ["runuser", "-u", "postgres", "--", *words] if os.geteuid() == 0 else words


def _postgres_programs() -> Path:
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
    return programs[-1] if programs else _on_path()


def _start_postgres(folder: Path, stack: contextlib.ExitStack) -> str:
    found = _postgres_programs()
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    data = folder / "data"
    say(f"starting a PostgreSQL {found.parent.name} of our own in {folder}")
    initdb: list[str | Path] = [found / "initdb", "-D", data, "-U", "fairway", "-A", "trust"]
    run(_as_postgres([*initdb, "-E", "UTF8", "--no-sync", "--locale=C"]), quiet=True)
    port = _free_port()
    settings = "-c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=200"
    options = f"-p {port} -k {folder} {settings}"
    control: list[str | Path] = [found / "pg_ctl", "-D", data, "-w", "-l", folder / "log"]
    stack.callback(_stop_postgres, control)
    try:
        run(_as_postgres([*control, "-o", options, "start"]), quiet=True)
    except Failed:
        detail((folder / "log").read_text() if (folder / "log").exists() else "it wrote no log")
        raise
    return f"postgresql+psycopg://fairway@127.0.0.1:{port}/postgres"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _on_path() -> Path:
    found = shutil.which("pg_ctl")
    if found is None:
        raise Failed("PostgreSQL's programs are not where Debian puts them, nor on the PATH")
    return Path(found).parent


def _stop_postgres(control: list[str | Path]) -> None:
    with contextlib.suppress(OSError):
        subprocess.run(
            [str(word) for word in _as_postgres([*control, "-m", "immediate", "stop"])],
            capture_output=True,
            check=False,
            timeout=60,
        )
