"""Fairway's own log: one line an entry, as text for people or JSON for collectors.

Entries carry what they are about as `extra={"build": 7}`; a `Secret` shows itself masked.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any, Final, TextIO

from fairway.kit import clock

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_QUIET: Final = (
    "httpx", "httpx2", "httpcore", "httpcore2", "aiohttp", "granian", "_granian", "alembic",
    "litestar",
)  # fmt: skip


class JsonLines(logging.Formatter):
    """One JSON object a line: at, level, logger, message, the extras, the trace."""

    def format(self, record: logging.LogRecord) -> str:
        """The line without its newline."""
        entry: dict[str, Any] = {
            "at": clock.text(int(record.created * 1000)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_extras(record),
        }
        if record.exc_info:
            entry["trace"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str, ensure_ascii=False)


class TextLines(logging.Formatter):
    """`2026-11-21T14:00:00.000Z info  pipeline.queue: message build=7`."""

    def format(self, record: logging.LogRecord) -> str:
        """The line without its newline; a trace follows on further lines."""
        at = clock.text(int(record.created * 1000))
        name = record.name.removeprefix("fairway.")
        extras = "".join(f" {key}={value}" for key, value in _extras(record).items())
        line = f"{at} {record.levelname.lower():7} {name}: {record.getMessage()}{extras}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def set_up(level: str, form: str, stream: TextIO | None = None) -> None:
    """Send every logger's entries to `stream` (stderr). `form` is `text` or `json`."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def _extras(record: logging.LogRecord) -> dict[str, Any]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}
