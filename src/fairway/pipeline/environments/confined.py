"""The resolver for files that one does not trust: the toolbox, which reads nothing but a folder."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from fairway.model.errors import InvalidInput
from fairway.native.languages import Compose
from fairway.native.toolbox import Toolbox
from fairway.pipeline.environments.resolve import (
    Asked,
    Program,
    Resolved,
    Told,
    refused,
    visible,
)

_WARNING: Final = re.compile(r'level=(?:warning|info) msg="(.*)"$')
Json = dict[str, Any]


class ConfinedResolver:
    """Models of files that may hold anything."""

    def __init__(self, toolbox: Toolbox, program: Program) -> None:
        """`program` is built together with the toolbox: who waits for the one has the other."""
        self._toolbox = toolbox
        self._program = program

    async def resolve(self, asked: Asked, told: Told) -> Resolved:
        """As `Resolver`. What a file reads outside of the workspace is refused."""
        root = asked.confined
        await self._program(told)
        request = Compose(
            files=_beside(asked.files, asked.folder),
            project=asked.project,
            directory=_below(asked.folder, root),
            profiles=asked.profiles,
            environment=tuple(f"{key}={text}" for key, text in visible(asked.environment).items()),
            env_files=_beside(asked.env_files, asked.folder),
        )
        try:
            found = await self._toolbox.ask(request, folder=root)
        except InvalidInput as error:
            raise await refused(asked, str(error)) from error
        said = [match[1] for line in found.warnings if (match := _WARNING.search(line))]
        escaped: Json = _escaped(found.model)
        return Resolved(escaped, tuple(dict.fromkeys(said)))


def _below(path: Path, root: Path) -> str:
    return str(path.relative_to(root))


def _beside(files: Sequence[Path], folder: Path) -> tuple[str, ...]:
    """Paths as the toolbox has them: relative to where it works."""
    return tuple(os.path.relpath(file, folder) for file in files)


def _escaped(value: Any) -> Any:
    """The same with `$` so that Compose finds no variables in it once more."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    if isinstance(value, dict):
        return {key: _escaped(item) for key, item in value.items()}
    return value
