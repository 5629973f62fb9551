"""Runs `starlark_child.py` for one template and translates what it says.

Blocking: callers on a loop go through `kit.aio.blocking`. Nothing is started for a file without
templates.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from fairway.kit.yaml import Node, bad

_CHILD: Final = Path(__file__).with_name("starlark_child.py")
_MAX_DEPTH: Final = 80
_DEADLINE_S: Final = 20.0


def evaluate(job: Mapping[str, Any], *, at: Node, filename: str) -> object:
    """What the template's `main(ctx)` returns. Raises `BadFile` at the place of its `load`."""
    command = [sys.executable, "-I", str(_CHILD)]
    try:
        done = subprocess.run(  # noqa: S603 our own program, by its full path
            command,
            input=json.dumps(job).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_DEADLINE_S,
            check=False,
            env={},
        )
    except subprocess.TimeoutExpired:
        raise _failed(job, "it takes too long", at, filename) from None
    if done.returncode:
        raise _failed(job, "it uses too much memory or time", at, filename)
    try:
        answer = json.loads(done.stdout)
    except RecursionError:
        raise _failed(job, "its result is nested too deep", at, filename) from None
    if "error" in answer:
        raise _failed(job, str(answer["error"]).strip(), at, filename)
    if _too_deep(answer["value"]):
        raise _failed(job, "its result is nested too deep", at, filename)
    return answer["value"]


def _too_deep(value: object) -> bool:
    """Whether data is nested deeper than a document may be."""
    level: list[object] = [value]
    for _depth in range(_MAX_DEPTH):
        below: list[object] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        if not below:
            return False
        level = below
    return True


def _failed(job: Mapping[str, Any], why: str, at: Node, filename: str) -> Exception:
    return bad(f"template {job['name']}: {why}", at, name=filename, code="template-failed")
