"""Go templates and Jsonnet for chapters that have texts, not folders."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final

from fairway.model.errors import InvalidInput
from fairway.native.languages import GoTemplate, Jsonnet
from fairway.native.toolbox import Toolbox
from fairway.native.wire import Limits

_LIMITS: Final = Limits(
    deadline_s=10.0, memory_bytes=512 * 1024 * 1024, output_bytes=1024 * 1024, queue_s=60.0
)


class Templates:
    """Both, with the limits of a pipeline file. They block, and raise as `Toolbox` does."""

    def __init__(self, toolbox: Toolbox) -> None:
        self._toolbox = toolbox

    def go_template(self, name: str, text: str, data: Mapping[str, Any]) -> str:
        """The text that a Go template with sprig's functions makes of data."""
        asked = GoTemplate(templates={name: text}, data=dict(data))
        return self._toolbox.ask_now(asked, limits=_LIMITS)[name]

    def jsonnet(
        self, name: str, text: str, variables: Mapping[str, str], files: Mapping[str, str]
    ) -> str:
        """The JSON that a program makes. `files`: what it may import, by paths like its name."""
        asked = Jsonnet(path=name, ext_vars=dict(variables))
        with tempfile.TemporaryDirectory(prefix="fairway-jsonnet-") as folder:
            for path, content in {**files, name: text}.items():
                _write(Path(folder), path, content)
            (made,) = self._toolbox.ask_now(asked, folder=Path(folder), limits=_LIMITS)
        return made


def _write(folder: Path, path: str, content: str) -> None:
    parts = PurePosixPath(path).parts
    if not parts or ".." in parts or parts[0] == "/":
        raise InvalidInput(f"{path} leads out of the folder", code="outside-folder", where=path)
    place = folder / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(content, encoding="utf-8")
