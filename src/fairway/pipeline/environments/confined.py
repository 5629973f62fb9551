"""The resolver for files that one does not trust: the toolbox, which reads nothing but a folder."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from fairway.model.errors import InvalidInput
from fairway.pipeline.environments.resolve import Asked, Resolved, Told, refused, visible

_WARNING: Final = re.compile(r'level=(?:warning|info) msg="(.*)"$')
Json = dict[str, Any]


class ComposeReader(Protocol):
    """The toolbox's method, as far as this needs it."""

    async def compose(
        self,
        folder: Path,
        files: Sequence[str],
        *,
        project: str,
        directory: str,
        profiles: Sequence[str],
        environment: Mapping[str, str],
        env_files: Sequence[str],
    ) -> tuple[Json, Sequence[str]]:
        """(model, warnings) of files in `folder`. Raises `InvalidInput`, `Unavailable`."""
        ...


class ConfinedResolver:
    """Models of files that may hold anything."""

    def __init__(self, reader: ComposeReader) -> None:
        self._reader = reader

    async def resolve(self, asked: Asked, told: Told) -> Resolved:  # noqa: ARG002 see Resolver
        """As `Resolver`. What a file reads outside of the workspace is refused."""
        root = asked.confined
        try:
            model, warnings = await self._reader.compose(
                root,
                [_below(file, root) for file in asked.files],
                project=asked.project,
                directory=_below(asked.folder, root),
                profiles=asked.profiles,
                environment=visible(asked.environment),
                env_files=[_below(file, root) for file in asked.env_files],
            )
        except InvalidInput as error:
            raise await refused(asked, str(error)) from error
        said = [match[1] for line in warnings if (match := _WARNING.search(line))]
        escaped: Json = _escaped(model)
        return Resolved(escaped, tuple(dict.fromkeys(said)))


def _below(path: Path, root: Path) -> str:
    return str(path.relative_to(root))


def _escaped(value: Any) -> Any:
    """The same with `$` so that Compose finds no variables in it once more."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    if isinstance(value, dict):
        return {key: _escaped(item) for key, item in value.items()}
    return value
