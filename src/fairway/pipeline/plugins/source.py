"""Where a template comes from: the setting itself, a URL, or a file of the workspace."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from fairway.kit.aio import blocking
from fairway.model.errors import InvalidInput
from fairway.pipeline.plugin import Job
from fairway.pipeline.plugins.http import Sender

_LIMIT: Final = 1024 * 1024


async def template_text(job: Job, sender: Sender, setting: str) -> str:
    """The template's text. Raises `InvalidInput` for a file that is not in the workspace."""
    url = urlsplit(setting) if setting.startswith(("http://", "https://", "file://")) else None
    if url is None:
        return setting
    if url.scheme == "file":
        return await blocking(read_inside, job, unquote(url.path))
    answer = await sender.send("GET", setting, headers={}, body=b"")
    if answer.status != 200:
        raise InvalidInput(
            f"the template's address answers {answer.status}", code="plugin-template"
        )
    return answer.body


def read_inside(job: Job, path: str) -> str:
    """A file by the path that the step's container would use; never outside the workspace."""
    base = job.environment.get("DRONE_WORKSPACE", "")
    inner = path[len(base) :] if base and path.startswith(f"{base.rstrip('/')}/") else path
    real = Path(job.tree, inner.lstrip("/")).resolve()
    if not real.is_relative_to(job.workspace.resolve()) or not real.is_file():
        raise InvalidInput(f"there is no file {path} in the workspace", code="plugin-template")
    with real.open("rb") as file:
        return file.read(_LIMIT).decode("utf-8", "replace")
