"""A Compose file as its resolved model: interpolated, extended, included, profiles applied."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from msgspec import Struct, field

from fairway.kit.aio import blocking
from fairway.model.errors import BadFile, InvalidInput, Unavailable
from fairway.pipeline.environments import place

_DEADLINE_S: Final = 60.0
_WARNING: Final = re.compile(r'^time="[^"]*" level=(?:warning|info) msg="(.*)"$')
_HIDDEN: Final = ("COMPOSE_", "DOCKER_", "LD_", "PLUGIN_")
_LARGEST: Final = 10 * 1024 * 1024
Json = dict[str, Any]
Told = Callable[[str], Awaitable[None]]
Program = Callable[[Told], Awaitable[Path]]
"""Docker Compose's program. It may be under way still: what is waited for is told."""


class Asked(Struct, frozen=True, kw_only=True):
    """Which files, and what they may see."""

    folder: Path  # the project's: of the first file
    files: tuple[Path, ...]
    project: str
    confined: Path  # nothing outside of it is read
    profiles: tuple[str, ...] = ()
    env_files: tuple[Path, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


class Resolved(Struct, frozen=True):
    """The model, and what Compose remarked on the way."""

    model: Json
    warnings: tuple[str, ...] = ()


class Resolver(Protocol):
    """Makes models of files."""

    async def resolve(self, asked: Asked, told: Told) -> Resolved:
        """Raises `BadFile` (`environment-file`) with the file's place, `Unavailable`."""
        ...


class ComposeResolver:
    """Docker Compose's own `config`. It reads whatever a file names: for whom one trusts."""

    def __init__(self, program: Program) -> None:
        self._program = program

    async def resolve(self, asked: Asked, told: Told) -> Resolved:
        """Run `config`; nothing is asked of an engine."""
        files = [word for file in asked.files for word in ("--file", str(file))]
        files += [word for name in asked.profiles for word in ("--profile", name)]
        files += [word for file in asked.env_files for word in ("--env-file", str(file))]
        own = ["--project-name", asked.project, "--project-directory", str(asked.folder)]
        code, out, said = await run_quietly(
            [str(await self._program(told)), *own, *files, "config", "--format", "json"],
            folder=asked.folder,
            environment=visible(asked.environment),
        )
        warnings, rest = split(said)
        if code:
            raise await refused(asked, rest)
        return Resolved(json.loads(out), warnings)


def visible(environment: Mapping[str, str]) -> dict[str, str]:
    """A step's variables as interpolation sees them: none that steer Compose itself."""
    return {name: value for name, value in environment.items() if not name.startswith(_HIDDEN)}


async def refused(asked: Asked, said: str) -> BadFile:
    """The error for what Compose said of a file, with the place where that can be found."""
    first = asked.files[0]
    text = await blocking(_text, first)
    name = shown(first, asked.confined)
    message = said.strip().replace(f"{asked.confined}/", "") or "Docker Compose does not take it"
    return BadFile(
        message.removeprefix("validating ").removeprefix(f"{name}: "),
        code="environment-file",
        where=place.of_message(text, said, name=name),
        remedy="See what the Compose file says there; `docker compose config` says the same.",
    )


def shown(path: Path, root: Path) -> str:
    """A path as the repository's people know it."""
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST).decode("utf-8", "replace")
    except OSError:
        return ""


def split(said: str) -> tuple[tuple[str, ...], str]:
    """Warnings, and the rest of what a program wrote."""
    warnings: list[str] = []
    rest: list[str] = []
    for line in said.splitlines():
        match = _WARNING.match(line)
        if match is None:
            rest.append(line)
        else:
            warnings.append(match[1].replace('\\"', '"'))
    return tuple(dict.fromkeys(warnings)), "\n".join(rest)


async def run_quietly(
    command: list[str], *, folder: Path, environment: Mapping[str, str]
) -> tuple[int, bytes, str]:
    """(exit code, output, errors) of a short program. Raises `Unavailable` (`compose-failed`)."""
    try:
        child = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env=dict(environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except FileNotFoundError as error:
        raise InvalidInput(f"{error.filename} is not there", code="environment-file") from error
    except OSError as error:
        raise Unavailable(
            f"Docker Compose cannot be started: {error}", code="compose-failed"
        ) from error
    try:
        async with asyncio.timeout(_DEADLINE_S):
            out, said = await child.communicate()
    except TimeoutError as error:
        raise Unavailable(
            f"Docker Compose did not answer within {_DEADLINE_S:.0f} s", code="compose-failed"
        ) from error
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    return child.returncode or 0, out, said.decode("utf-8", "replace")
