"""`fairway api PATH`: one raw request."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from fairway.cli import output
from fairway.cli.run import pairs
from fairway.cli.session import Session, connected


@click.command("api")
@click.argument("path")
@click.option("-X", "--method", default="", help="GET, or POST with --input.")
@click.option("-f", "--field", "fields", multiple=True, metavar="NAME=VALUE",
              help="A field of the body or of a GET's query; JSON or text.")  # fmt: skip
@click.option("--input", "source", default="", metavar="FILE", help="The body; - is stdin.")
@click.option("-i", "--include", is_flag=True, help="The answer's head as well, on stderr.")
@click.option("--raw", is_flag=True, help="The answer as it came.")
@connected
def api(
    session: Session,
    path: str,
    *,
    method: str,
    fields: tuple[str, ...],
    source: str,
    include: bool,
    raw: bool,
) -> None:
    """Send a request to PATH below /api/v1, and print the answer.

    `fairway api /builds -f status=failed`, `fairway api /openapi.json`.
    """
    given = {name: _value(text) for name, text in pairs(fields).items()}
    verb = (method or ("POST" if source else "GET")).upper()
    body: Any = _body(source) if source else given if verb not in {"GET", "DELETE"} else None
    params = given if verb in {"GET", "DELETE"} else None
    target = "/" + path.removeprefix("/api/v1").lstrip("/")
    answer = session.api.send(verb, target, body=body, params=params)
    if include:
        output.say(f"{answer.status_code} {answer.reason_phrase}")
        for name, value in answer.headers.items():
            output.say(f"{name}: {value}")
    if raw or "json" not in answer.headers.get("content-type", ""):
        click.echo(answer.content, nl=False)
    elif answer.content:
        output.emit(msgspec.json.format(answer.content, indent=2).decode())


def _value(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _body(source: str) -> bytes:
    return sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
