"""Fairway's own log."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from fairway.kit import journal
from fairway.kit.secret import Secret


@pytest.fixture(autouse=True)
def root() -> Iterator[None]:
    logger = logging.getLogger()
    handlers, level = logger.handlers[:], logger.level
    yield
    logger.handlers[:], logger.level = handlers, level


def written(form: str, **extra: object) -> str:
    stream = io.StringIO()
    journal.set_up("info", form, stream)
    logging.getLogger("fairway.pipeline.queue").info("leased", extra=extra)
    return stream.getvalue()


def test_an_entry_is_one_json_object_with_what_it_is_about() -> None:
    entry = json.loads(written("json", build=7))
    assert (entry["message"], entry["level"], entry["build"]) == ("leased", "info", 7)
    assert entry["logger"] == "fairway.pipeline.queue"


def test_text_is_one_line_for_people() -> None:
    assert written("text", build=7).endswith("info    pipeline.queue: leased build=7\n")


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_secret_is_never_written(form: str) -> None:
    assert "hunter2" not in written(form, password=Secret("hunter2"))


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_trace_goes_with_its_entry(form: str) -> None:
    stream = io.StringIO()
    journal.set_up("info", form, stream)
    try:
        raise ValueError("broken")
    except ValueError:
        logging.getLogger("x").exception("it failed")
    assert "ValueError: broken" in stream.getvalue()
