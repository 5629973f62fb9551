"""What commands print: data on stdout in six formats, progress on stderr."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import click
import msgspec

from fairway.cli.text import clean
from fairway.client.wire.common import SCHEMA

FORMATS: Final = ("table", "wide", "json", "yaml", "name", "jsonl")
COLOURS: Final = {
    "passed": "green",
    "yes": "green",
    "failed": "red",
    "errored": "red",
    "no": "red",
    "cancelled": "magenta",
    "declined": "magenta",
    "running": "cyan",
    "pending": "yellow",
    "waiting": "yellow",
    "blocked": "yellow",
    "skipped": "bright_black",
}

_AS_JSON: Final = "fairway.as_json"

Row = Sequence[str]


def format_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`-o` and `--json`; the command gets `output`, one of `FORMATS`."""

    def chosen(ctx: click.Context, _option: click.Parameter, value: str) -> str:
        return "json" if ctx.meta.get(_AS_JSON) else value

    def short(ctx: click.Context, _option: click.Parameter, value: bool) -> None:  # noqa: FBT001 click's signature
        ctx.meta[_AS_JSON] = value

    command = click.option(
        "-o",
        "--output",
        type=click.Choice(FORMATS),
        default="table",
        callback=chosen,
        help="How to print it.",
        show_default=True,
    )(command)
    return click.option(
        "--json",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=short,
        help="The same as -o json.",
    )(command)


def width(text: str) -> int:
    """Columns that a text takes on a terminal."""
    wide = sum(1 for sign in text if unicodedata.east_asian_width(sign) in "WF")
    marks = sum(1 for sign in text if unicodedata.combining(sign))
    return len(text) + wide - marks


def table(titles: Row, rows: Iterable[Row]) -> str:
    """Columns by two spaces; statuses in colour where there are colours."""
    body = [[clean(cell) for cell in row] for row in rows]
    widths = [
        max([width(title), *(width(row[i]) for row in body)]) for i, title in enumerate(titles)
    ]
    lines = [_line(titles, widths, paint=False)]
    lines += [_line(row, widths, paint=True) for row in body]
    return "\n".join(lines)


def _line(cells: Row, widths: Sequence[int], *, paint: bool) -> str:
    parts = []
    for i, cell in enumerate(cells):
        last = i == len(cells) - 1
        padded = cell if last else cell + " " * (widths[i] - width(cell))
        colour = COLOURS.get(cell) if paint else None
        parts.append(click.style(cell, fg=colour) + padded[len(cell) :] if colour else padded)
    return "  ".join(parts).rstrip()


def status(text: str) -> str:
    """A status in its colour."""
    colour = COLOURS.get(text)
    return click.style(text, fg=colour) if colour else text


def plain(item: Any) -> Any:
    """A struct as plain data."""
    return msgspec.to_builtins(item)


def json_text(data: Any) -> str:
    """Indented JSON."""
    return msgspec.json.format(msgspec.json.encode(data), indent=2).decode()


def line_text(data: Any) -> str:
    """JSON on one line."""
    return msgspec.json.encode(data).decode()


def yaml_text(data: Any) -> str:
    """YAML, keys in our order."""
    import yaml

    dumped: str = yaml.safe_dump(
        data, sort_keys=False, allow_unicode=True, default_flow_style=False
    )
    return dumped.rstrip("\n")


def versioned(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    """Data with the name and version of its schema."""
    return {"schema": f"fairway.{kind}/{SCHEMA}", **data}


def emit(text: str) -> None:
    """Data, on stdout."""
    click.echo(text)


def say(text: str) -> None:
    """Progress, on stderr."""
    click.echo(text, err=True)


def emit_one(kind: str, item: Any, output: str, *, name: str, human: str) -> None:
    """One thing in the format that was asked for."""
    if output == "name":
        emit(name)
    elif output in {"table", "wide"}:
        emit(human)
    else:
        data = versioned(kind, plain(item))
        emit({"json": json_text, "yaml": yaml_text, "jsonl": line_text}[output](data))


def is_terminal() -> bool:
    """Whether a person looks at stdout."""
    return sys.stdout.isatty()
