"""Fetching a foreign repository into a bare folder of ours.

Credentials go to git by an askpass script that reads its own environment: never in arguments, a
file or a log. Only http and https are spoken, also after a redirect.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from fairway.git.folders import Folders, environment
from fairway.git.tending import end
from fairway.kit.aio import shielded
from fairway.kit.secret import Secret
from fairway.model.errors import Unavailable

DEADLINE_S: Final = 3600.0
_STDERR: Final = 8192
_FETCH: Final = (
    "fetch",
    "--quiet",
    "--prune",
    "--no-auto-gc",
    "--no-recurse-submodules",
    "--no-write-fetch-head",
    "--no-show-forced-updates",
    "--end-of-options",
)
_LIST: Final = ("ls-remote", "--quiet", "--symref", "--end-of-options")
_LISTED: Final = 16 * 1024 * 1024  # bytes of a remote's refs
_CONFIG: Final = {
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "60",
    "http.followRedirects": "initial",
    "core.askPass": "",
    "credential.helper": "",
}
_REFSPECS: Final = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")


async def fetch(
    folders: Folders,
    number: int,
    url: str,
    *,
    user: str = "",
    password: Secret | None = None,
    extra: Mapping[str, str] | None = None,
    deadline_s: float = DEADLINE_S,
) -> None:
    """Bring branches and tags to what they are at `url`; those gone there go here.

    `extra` is the machine's proxy and CA settings. Raises `Unavailable` (code `fetch-failed`),
    to be retried with backoff.
    """
    words = ("-C", str(folders.path(number)), *_FETCH, url, *_REFSPECS)
    variables = _variables(folders, user, password, extra)
    await _run(words, variables, password, deadline_s)


async def listed(
    folders: Folders,
    url: str,
    *,
    user: str = "",
    password: Secret | None = None,
    extra: Mapping[str, str] | None = None,
    deadline_s: float = 60.0,
) -> dict[str, str]:
    """What every ref at `url` points at. `HEAD` has the name of the default branch's ref, where the
    server says it. An annotated tag's commit is under its name with `^{}`.

    Raises `Unavailable` (code `fetch-failed`).
    """
    variables = _variables(folders, user, password, extra)
    found: dict[str, str] = {}
    for line in (await _run((*_LIST, url), variables, password, deadline_s)).splitlines():
        what, _, name = line.decode("utf-8", "replace").partition("\t")
        if what.startswith("ref: "):
            found[name] = what.removeprefix("ref: ")
        else:
            found.setdefault(name, what)
    return found


def _variables(
    folders: Folders, user: str, password: Secret | None, extra: Mapping[str, str] | None
) -> dict[str, str]:
    config = {**_CONFIG, "core.askPass": str(folders.hooks / "askpass")}
    variables = {
        **environment(folders),
        **(extra or {}),
        **_numbered(config),
        "GIT_ALLOW_PROTOCOL": "http:https",
        "FAIRWAY_FETCH_USER": user or "git",
        "FAIRWAY_FETCH_PASSWORD": password.reveal() if password else "",
    }
    variables.pop("GIT_ASKPASS", None)
    return variables


async def _run(
    words: tuple[str, ...], variables: dict[str, str], password: Secret | None, deadline_s: float
) -> bytes:
    child = await asyncio.create_subprocess_exec(
        *("git", *words),
        env=variables,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(deadline_s), asyncio.TaskGroup() as group:
            errors = group.create_task(_errors(child), name="git's errors")
            output = group.create_task(_output(child), name="git's output")
            status = await child.wait()
    except TimeoutError:
        raise _failed(f"it took longer than {deadline_s:.0f} s") from None
    finally:
        await shielded(end(child))
    if status:
        raise _failed(_said(errors.result(), password) or f"git exited with {status}")
    return output.result()


async def _output(child: asyncio.subprocess.Process) -> bytes:
    """All that it says, within a limit: what is longer is cut."""
    kept = bytearray()
    while child.stdout is not None and (data := await child.stdout.read(65536)):
        if len(kept) < _LISTED:
            kept += data
    return bytes(kept)


async def _errors(child: asyncio.subprocess.Process) -> bytes:
    kept = bytearray()
    while child.stderr is not None and (data := await child.stderr.read(4096)):
        kept += data
        del kept[:-_STDERR]
    return bytes(kept)


def _said(errors: bytes, password: Secret | None) -> str:
    text = errors.decode("utf-8", "replace").strip()
    if password:
        text = text.replace(password.reveal(), "******")
    lines = [line.removeprefix("fatal: ") for line in text.splitlines()]
    return "; ".join(line for line in lines if line)[-1000:]


def _numbered(config: Mapping[str, str]) -> dict[str, str]:
    variables = {"GIT_CONFIG_COUNT": str(len(config))}
    for number, (key, value) in enumerate(config.items()):
        variables[f"GIT_CONFIG_KEY_{number}"] = key
        variables[f"GIT_CONFIG_VALUE_{number}"] = value
    return variables


def _failed(why: str) -> Unavailable:
    return Unavailable(
        f"the remote repository cannot be fetched: {why}",
        code="fetch-failed",
        remedy="look at its address and credentials; it is tried again by itself",
    )
