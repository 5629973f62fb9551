"""Start and stop: `fairway up`, `serve`, `down`; what the command line calls. These block."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import secrets
import shlex
import shutil
import signal
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import httpx
import msgspec
from msgspec import Struct

from fairway import __version__
from fairway.boot import local, machines, process
from fairway.boot.process import Running
from fairway.cluster import ending
from fairway.kit import journal, loop
from fairway.model.errors import Conflict, FairwayError, Forbidden, Unavailable
from fairway.settings import Settings

_READY_SECONDS: Final = 120.0
_MIB: Final = 1024 * 1024
_log = logging.getLogger(__name__)

Say = Callable[[str], None]


class Up(Struct, frozen=True):
    """What `up` brought about. `token`: the admin's, when this start made it."""

    url: str
    pid: int
    fresh: bool  # it was not running before
    token_file: Path
    gateway: str = ""  # where services of the cluster answer by name


def up(settings: Settings, arguments: list[str], say: Say) -> Up:
    """Start everything in the background and wait until it is ready; running already is fine.

    `arguments` are handed to `fairway serve`. Raises `Unavailable` (codes `start-failed`,
    `port-taken`, `docker-unavailable`), and `BadFile` or `InvalidInput` for a kubeconfig.
    """
    running = process.find(settings.data)
    if running is not None:
        if not _is_ready(running.url):
            say(f"Fairway runs (pid {running.pid}) and is not ready yet: waiting")
            _wait_ready(running)
        return _up(settings, running, fresh=False)
    settings.data.mkdir(parents=True, exist_ok=True)
    if (half := process.find_starting(settings.data)) is not None:
        say(f"ending a start that was interrupted (pid {half.pid})")
        process.stop(half)
    _check_cluster(settings, say)
    machines.engine(settings, say)
    if problem := local.port_problem(settings):
        say(f"{problem}; everything else starts, and the gateway when it is free")
    say(f"starting Fairway in {settings.data}")
    running = _start(settings, arguments)
    free = shutil.disk_usage(settings.data).free
    if free < settings.retention.free_space_bytes:
        say(
            f"only {free // _MIB} MiB are free in {settings.data}: builds wait until there are "
            f"{settings.retention.free_space_bytes // _MIB} (retention.free_space_bytes)"
        )
    return _up(settings, running, fresh=True)


def _check_cluster(settings: Settings, say: Say) -> None:
    """An existing cluster's kubeconfig that cannot be used is told before anything starts; where
    none can be embedded, everything else starts without.
    """
    from fairway.cluster import kubeconfig  # noqa: PLC0415 only where there is one

    if settings.cluster.kubeconfig:
        kubeconfig.load(Path(settings.cluster.kubeconfig), settings.cluster.context)
    if (obstacle := local.obstacle(settings)) is not None:
        say(f"no cluster is started here: {obstacle}; {obstacle.remedy}")


def _start(settings: Settings, arguments: list[str]) -> Running:
    return process.start(
        settings.data,
        ["serve", "--data", str(settings.data), *arguments],
        lambda: _is_ready(settings.local_url),
        timeout_s=_READY_SECONDS,
        unready=lambda: ", ".join(_unready(settings.local_url)),
    )


def down(settings: Settings, say: Say, *, purge: bool = False) -> None:
    """Stop Fairway, then the Docker Engine if it is ours. `purge` removes all that is ours."""
    running = process.find(settings.data) or process.find_starting(settings.data)
    if running is None:
        say("Fairway does not run")
    else:
        say(f"stopping Fairway (pid {running.pid})")
        if not process.stop(running):
            say("it did not end in time and was killed; nothing is lost")
    local.toolbox_server(settings).stop()
    local.end_gateway(settings.data, say)
    ending.end_all(settings.data.absolute(), say, remove=purge)
    if purge:
        machines.clear_engines(settings, _owners(settings), say)
    machines.stop_engine(settings, say, purge=purge)
    if purge and settings.data.exists():
        say(f"removing {settings.data}")
        _remove(settings.data)


def _remove(data: Path) -> None:
    """Remove all that we may. Raises `Forbidden` for what containers wrote as another user."""
    try:
        shutil.rmtree(data)
    except PermissionError as error:
        shutil.rmtree(data, ignore_errors=True)
        raise Forbidden(
            f"containers left files of other users in {data}, and this user may not remove them",
            code="data-of-others",
            remedy=f"as root: rm -rf {shlex.quote(str(data))}",
        ) from error


def _owners(settings: Settings) -> list[str]:
    """What marks our things in Engines: the installation's id, and a remote runner's."""
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 only a purge asks the database

    from fairway.boot.opening import INSTALLATION  # noqa: PLC0415 as above
    from fairway.store import settings as stored  # noqa: PLC0415 as above
    from fairway.store.database import Database  # noqa: PLC0415 as above

    runner = settings.data / "run" / "runner-name"
    found = [runner.read_text(encoding="ascii").strip()] if runner.exists() else []
    if settings.database.url or (settings.data / "fairway.db").exists():
        try:
            database = Database(settings.database_url)
            try:
                found += filter(None, [database.read_now(stored.get, INSTALLATION)])
            finally:
                database.close()
        except (FairwayError, SQLAlchemyError) as error:
            _log.warning("the installation's id cannot be read: %s", error)
    return found


def serve(settings: Settings) -> None:
    """Run this process's roles in the foreground until SIGTERM or SIGINT."""
    journal.set_up(settings.log_level, settings.log_format)
    settings.data.mkdir(parents=True, exist_ok=True)
    with _only_one(settings.data, "lock") as first, _runner_alone(settings):
        if not first and set(settings.roles) >= {"server", "controllers", "runner", "git"}:
            raise Conflict(
                f"another Fairway runs on {settings.data}",
                code="already-running",
                remedy="`fairway down` stops it; another data directory is `--data DIR`",
            )
        place = f"{settings.runner_name}:{settings.data}"  # the same after a restart
        holder = place if first else f"{place}/{secrets.token_hex(3)}"
        loop.run(_serve(settings, holder))


@contextlib.contextmanager
def _runner_alone(settings: Settings) -> Iterator[None]:
    """Two runners of one name would take each other's stages, and sweep each other's containers."""
    if "runner" not in settings.roles:
        yield
        return
    name = settings.runner_name
    with _only_one(settings.data, f"runner-{zlib.crc32(name.encode()):08x}.lock") as first:
        if not first:
            raise Conflict(
                f"a runner named {name} runs on {settings.data}",
                code="already-running",
                remedy="name this one otherwise: FAIRWAY_RUNNER__NAME, or runner.name",
            )
        yield


def backup_to(settings: Settings, path: Path, say: Say) -> None:
    """`fairway backup FILE`, beside a running Fairway or without one."""
    from fairway.boot import backup  # noqa: PLC0415 much to import: not for `up`, `down`
    from fairway.boot.opening import open_database  # noqa: PLC0415 as above

    database = open_database(settings)
    try:
        backup.backup(settings, database, path.absolute(), say)
    finally:
        database.close()
    say(f"written: {path}")


def restore_from(settings: Settings, path: Path, say: Say) -> None:
    """`fairway restore FILE` into an empty data directory."""
    from fairway.boot import backup  # noqa: PLC0415 much to import: not for `up`, `down`
    from fairway.store.migrate import upgrade  # noqa: PLC0415 as above

    if process.find(settings.data) is not None:
        raise Conflict(
            "Fairway runs on this data directory", code="already-running", remedy="`fairway down`"
        )
    backup.restore(settings, path.absolute(), upgrade, say)


async def _serve(settings: Settings, holder: str) -> None:
    from fairway.boot import gateway, remote, running  # noqa: PLC0415 Litestar, granian: not for `up`, `down`

    running_loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 asyncio.run gave us one
    for number in (signal.SIGTERM, signal.SIGINT):
        running_loop.add_signal_handler(number, task.cancel)
    _log.info("fairway %s starts", __version__, extra={"roles": ",".join(settings.roles)})
    try:
        with contextlib.suppress(asyncio.CancelledError):
            if settings.runner.server:
                await remote.run(settings)
            elif settings.roles == ("gateway",):
                await gateway.alone(settings)
            else:
                await running.run(settings, holder)
    except BaseExceptionGroup as group:
        known = _first_known(group)
        if known is None:
            raise
        raise known from group
    finally:
        process.forget(settings.data)
        _log.info("fairway has stopped; running builds go on with their containers")


def _first_known(group: BaseExceptionGroup[BaseException]) -> FairwayError | None:
    """What a person can do something about; the rest of a failing start follows from it."""
    for error in group.exceptions:
        if isinstance(error, FairwayError):
            return error
        if isinstance(error, BaseExceptionGroup) and (found := _first_known(error)):
            return found
    return None


@contextlib.contextmanager
def _only_one(data: Path, name: str) -> Iterator[bool]:
    """Whether this process is the first with a lock. The kernel lets go when it dies."""
    path = data / "run" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _up(settings: Settings, running: Running, *, fresh: bool) -> Up:
    token, found = local.token_file(settings.data), local.address(settings)
    return Up(running.url, running.pid, fresh, token, gateway=found)


def _is_ready(url: str) -> bool:
    """A disk with little room makes builds wait; everything else works, so it is up."""
    return not {*_unready(url)} - {"disk"}


def _unready(url: str) -> list[str]:
    """The parts that are not as they should be; "HTTP" when nobody answers at all."""
    try:
        said = httpx.get(f"{url}/readyz", timeout=2, verify=False, trust_env=False)  # noqa: S501 our own process on loopback; its certificate names other hosts
        parts = msgspec.json.decode(said.content, type=dict[str, str])
    except (httpx.HTTPError, msgspec.MsgspecError):
        return ["HTTP"]
    found = [name for name, how in parts.items() if how == "unhealthy"]
    return found if said.is_success or found else ["HTTP"]


def _wait_ready(running: Running) -> None:
    for _ in range(int(_READY_SECONDS * 10)):
        if _is_ready(running.url):
            return
        if process.birth(running.pid) != running.birth:
            break
        os.sched_yield()
        signal.sigtimedwait([], 0.1)
    raise Unavailable(
        f"Fairway (pid {running.pid}) does not become ready",
        code="start-failed",
        remedy="`fairway doctor`; `fairway down` and `fairway up` start it anew",
    )
