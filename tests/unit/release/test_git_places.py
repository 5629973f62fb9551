"""A change of an environment's files: tried again when somebody was faster, while it is wanted."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from delivery_records import delivery

from fairway.model.errors import Conflict
from fairway.release import git_places
from fairway.release.ports import Place
from fairway.release.writing import Message

FILE = """\
kind: Application
metadata: {name: web-production}
spec:
  source: {chart: web, targetRevision: 1.0.1, helm: {valuesObject: {image: {digest: "sha256:1"}}}}
"""
MESSAGE = Message(delivery="shop", service="web", kind="promotion", version="1.0.2", digest="x")


class Code:
    """One repository, in which somebody else commits `rivals` times before we do."""

    def __init__(self, rivals: int) -> None:
        self.rivals, self.commits = rivals, 0

    async def find(self, _slug: str) -> Place:
        return Place(1, "acme/environments", "main")

    async def head(self, _place: Place, _branch: str) -> str:
        return f"head-{self.rivals}"

    async def files(self, _place: Place, _sha: str, _path: str) -> dict[str, bytes]:
        return {"web.yaml": FILE.encode()}

    async def commit(self, *_given: Any, expected: str, **_named: Any) -> str:
        if self.rivals:
            self.rivals -= 1
            raise Conflict("it has moved", code="ref-moved")
        assert expected == "head-0"
        self.commits += 1
        return "mine"


class GivenUp(Exception):
    """It is not wanted any more."""


async def change(code: Code, *, wanted: int) -> str:
    """Change a file; after `wanted` looks nobody wants that any more."""
    looks = iter(range(wanted))

    async def still() -> None:
        if next(looks, None) is None:
            raise GivenUp

    made = delivery({"name": "production"})
    deps: Any = SimpleNamespace(code=code)
    return await git_places.change(
        deps, made.environments[0], made.services[0], chart="web", revision="1.0.2",
        digest="sha256:2", message=MESSAGE, still=still,
    )  # fmt: skip


async def test_it_is_tried_again_when_somebody_else_committed() -> None:
    code = Code(rivals=2)
    assert await change(code, wanted=9) == "mine"
    assert code.commits == 1


async def test_it_is_not_tried_again_once_it_was_taken_back() -> None:
    code = Code(rivals=1)
    with pytest.raises(GivenUp):
        await change(code, wanted=1)
    assert code.commits == 0
