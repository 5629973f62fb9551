"""What nobody may read over one's shoulder: passwords and tokens."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from fairway.model.errors import BadFile


def of_file(path: Path) -> str:
    """A file's text. Raises `BadFile`."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadFile(f"cannot be read: {error}", where=str(path)) from error


def line(words: str, path: Path | None, *, twice: bool = False) -> str:
    """A file's first line, else what `words` ask for on a terminal, else a line of stdin."""
    if path is not None:
        return of_file(path).partition("\n")[0]
    if sys.stdin.isatty():
        given: str = click.prompt(words, hide_input=True, confirmation_prompt=twice, err=True)
        return given
    return sys.stdin.readline().rstrip("\n")
