"""Compose files that nobody vouches for, as pipelines name them: anywhere in the repository."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from toolboxcharts import write

from fairway.native.toolbox import Toolbox
from fairway.pipeline.environments.confined import ConfinedResolver
from fairway.pipeline.environments.resolve import Asked


async def nobody_is_told(_words: str) -> None: ...


async def built(_told: object) -> Path:
    return Path("fairway-compose")


async def test_a_file_in_a_folder_below_is_found_with_its_variables(
    toolbox: Toolbox, tmp_path: Path
) -> None:
    folder = tmp_path / "stack"
    write(folder / "compose.yaml", "services: {web: {image: 'web:${TAG}', build: ..}}\n")
    write(folder / "some.env", "TAG=7\n")
    write(tmp_path / "more.yaml", "services: {web: {command: [run]}}\n")
    asked = Asked(
        folder=folder,
        files=(folder / "compose.yaml", tmp_path / "more.yaml"),
        project="demo",
        confined=tmp_path,
        env_files=(folder / "some.env",),
    )
    found = await ConfinedResolver(toolbox, built).resolve(asked, nobody_is_told)
    web = found.model["services"]["web"]
    assert (web["image"], web["command"]) == ("web:7", ["run"])
    assert web["build"]["context"] == str(tmp_path)


async def test_the_file_waits_for_programs_that_are_being_built(
    toolbox: Toolbox, tmp_path: Path
) -> None:
    write(tmp_path / "compose.yaml", "services: {web: {image: web}}\n")
    asked = Asked(
        folder=tmp_path, files=(tmp_path / "compose.yaml",), project="demo", confined=tmp_path
    )
    there, heard = asyncio.Event(), asyncio.Event()

    async def told(words: str) -> None:
        assert words == "412 packages"
        heard.set()

    async def being_built(tell: Callable[[str], Awaitable[None]]) -> Path:
        await tell("412 packages")
        await there.wait()
        return Path("fairway-compose")

    async with asyncio.TaskGroup() as group:
        task = group.create_task(ConfinedResolver(toolbox, being_built).resolve(asked, told))
        await heard.wait()
        assert not task.done()
        there.set()
    assert set(task.result().model["services"]) == {"web"}
