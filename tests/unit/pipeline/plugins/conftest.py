"""A job for plugins, in a workspace of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fairway.kit.secret import Secret
from fairway.pipeline.plugin import Job


class Log:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.text = ""

    async def __call__(self, data: bytes) -> None:
        self.text += data.decode()


Jobs = Callable[..., Job]


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def job(tmp_path: Path, log: Log) -> Jobs:
    def make(image: str = "plugins/x", **fields: Any) -> Job:
        environment = {key: value for key, value in fields.items() if key.isupper()}
        more = {key: value for key, value in fields.items() if not key.isupper()}
        workspace = tmp_path / "workspace"
        (workspace / "src").mkdir(parents=True, exist_ok=True)
        base: dict[str, Any] = {
            "step": "s",
            "image": image,
            "environment": environment,
            "workspace": workspace,
            "tree": workspace / "src",
            "key": "b1-s1/2/1",
            "log": log,
            "registry": "127.0.0.1:5000",
            "registry_token": Secret("token"),
        }
        return Job(**{**base, **more})

    return make
