"""`trigger` and `when` of the file as `Conditions`.

Drone reads a word, a list, or a map of `include` and `exclude` lists, and drops in silence what is
shaped otherwise. What the author plainly meant (`include: dev`, `[[main]]`) is taken, with a
warning; a key that nobody knows matches everything, as in Drone, with a warning too.
"""

from __future__ import annotations

from typing import Final

from fairway.kit.yaml import Node
from fairway.pipeline.compile import glob
from fairway.pipeline.compile.conditions import Condition, Conditions
from fairway.pipeline.compile.fields import Fields

NAMES: Final = (
    "action",
    "branch",
    "cron",
    "event",
    "instance",
    "paths",
    "ref",
    "repo",
    "status",
    "target",
)
_MAX_PATTERNS: Final = 2_000
EVENTS: Final = ("push", "tag", "pull_request", "custom", "cron", "promote", "rollback")


def read_conditions(parent: Fields, key: str) -> Conditions:
    """The conditions at `key`."""
    fields = parent.section(key)
    if fields is None:
        return Conditions()
    for name in fields.found:
        if name not in NAMES:
            _warn(fields, name, f"unknown condition '{name}' is not looked at")
    return Conditions(**{name: _condition(fields, name) for name in NAMES})


def _warn(fields: Fields, key: str, message: str) -> None:
    fields.findings.warn(message, fields.place(key), code="condition", path=fields.sub(key))


def _condition(fields: Fields, key: str) -> Condition:
    node = fields.raw(key)
    if node is None:
        if fields.value(key) is not None:
            _warn(fields, key, "an empty condition matches everything")
        return Condition()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    if node.kind == "map":
        inner = Fields(node, fields.sub(key), fields.findings)
        include = _patterns(inner, "include", listed=True)
        exclude = _patterns(inner, "exclude", listed=True)
        for name in inner.found:
            if name not in {"include", "exclude"}:
                _warn(inner, name, f"unknown key '{name}': only include and exclude are looked at")
    else:
        include = _patterns(fields, key)
    counts = fields.findings.counts
    counts["patterns"] += len(include) + len(exclude)
    if counts["patterns"] > _MAX_PATTERNS:
        fields.refuse(node, f"more than {_MAX_PATTERNS} patterns in one file", key=key)
        return Condition()
    for pattern in (*include, *exclude):
        _look_at(fields, key, pattern)
    return Condition(include, exclude, node.line, node.column)


def _patterns(fields: Fields, key: str, *, listed: bool = False) -> tuple[str, ...]:
    node = fields.raw(key)
    if node is None:
        return ()
    if node.kind == "scalar" and listed:
        _warn(fields, key, f"a plain text is not a list (Drone drops it): write [{node.text}]")
    found: list[str] = []
    _flatten(node, found, fields, key)
    if not found:
        _warn(fields, key, "an empty list matches everything")
    return tuple(found)


def _flatten(node: Node, found: list[str], fields: Fields, key: str) -> None:
    if node.kind == "scalar":
        found.append("" if node.is_null else node.text)
        return
    if node.kind == "map":
        fields.refuse(node, "must be a text or a list of texts", key=key)
        return
    for item in node.items:
        if item.kind == "list":
            _warn(fields, key, "a list within a list (Drone drops it)")
        _flatten(item, found, fields, key)


def _look_at(fields: Fields, key: str, pattern: str) -> None:
    if glob.is_broken(pattern):
        _warn(fields, key, f"the pattern '{pattern}' cannot be read and matches nothing")
    elif "[!" in pattern:
        _warn(fields, key, f"'{pattern}': negation is [^...], ! is an ordinary character")
    elif key == "event" and not any(glob.match(pattern, event) for event in EVENTS):
        _warn(fields, key, f"no event matches '{pattern}'")
    elif key == "ref" and "/" not in pattern and pattern != "**":
        _warn(fields, key, f"'{pattern}' matches no ref: * stops at /, write refs/heads/** or so")
    elif key == "repo" and "/" not in pattern and pattern != "**":
        _warn(fields, key, f"'{pattern}' matches no repository: * stops at /")
