"""What of an Engine's build cache is asked to go."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from fairway.docker.client import EngineRefused
from fairway.image.cache import BuildCache


class Answer:
    """An Engine's answer."""

    async def read(self) -> bytes:
        return b'{"SpaceReclaimed": 5}'


class Asked:
    """Stands for an Engine, and remembers what it was asked."""

    def __init__(self, refuses: int = 0) -> None:
        self.queries: list[dict[str, Any]] = []
        self._refuses = refuses

    @asynccontextmanager
    async def stream(
        self, method: str, path: str, *, query: Mapping[str, Any]
    ) -> AsyncIterator[Answer]:
        assert (method, path) == ("POST", "/build/prune")
        if self._refuses:
            raise EngineRefused("no", answer=self._refuses)
        self.queries.append(dict(query))
        yield Answer()


def by_age(words: str) -> dict[str, Any]:
    return {"all": 1, "filters": json.dumps({"until": [words]})}


@pytest.mark.parametrize(
    ("limits", "queries"),
    [
        ({"most_bytes": 7}, [{"all": 1, "keep-storage": 7}]),
        ({"most_bytes": 0, "days": 30}, [by_age("2592000s")]),
        ({"most_bytes": 7, "days": 0.5}, [by_age("43200s"), {"all": 1, "keep-storage": 7}]),
        ({"most_bytes": 0, "days": 1e-9}, [by_age("1s")]),
        ({"most_bytes": 0}, []),
    ],
)
async def test_what_is_old_goes_then_what_is_too_much(
    limits: dict[str, Any], queries: list[dict[str, Any]]
) -> None:
    engine: Any = Asked()
    assert await BuildCache(engine, **limits).round() == 5 * len(queries)
    assert engine.queries == queries


async def test_an_engine_without_such_a_cache_has_nothing_to_give() -> None:
    engine: Any = Asked(refuses=404)
    assert await BuildCache(engine, most_bytes=1, days=1).round() == 0


async def test_a_loop_without_limits_ends_at_once() -> None:
    engine: Any = Asked()
    await BuildCache(engine, most_bytes=0).run()
    assert engine.queries == []
