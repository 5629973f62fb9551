"""Where things of a Compose file stand: `services.db.volumes[0]` is `compose.yml:12:7`. Pure."""

from __future__ import annotations

import re
from typing import Final

from fairway.kit import yaml
from fairway.kit.yaml import Node
from fairway.model.errors import BadFile

_PATH: Final = re.compile(r"\b((?:services|networks|volumes|secrets|configs)(?:\.[\w-]+|\[\d+\])+)")
_PART: Final = re.compile(r"\.?([\w-]+)|\[(\d+)\]")


def where(text: str, path: str, *, name: str) -> str:
    """`name:line:column` of the deepest part of `path` that the file has; `name` for none of it."""
    node = _root(text)
    if node is None:
        return name
    found = node
    for key, index in _PART.findall(path):
        below = _child(found, key, index)
        if below is None:
            break
        found = below
    return name if found is node else f"{name}:{found.line}:{found.column}"


def of_message(text: str, message: str, *, name: str) -> str:
    """The place of what Compose complains about: a path in its words, or what is not YAML."""
    match = _PATH.search(message)
    if match:
        return where(text, match[1], name=name)
    try:
        yaml.compose(text, name=name)
    except BadFile as error:
        return error.where or name
    return name


def _root(text: str) -> Node | None:
    try:
        return yaml.compose(text)
    except BadFile:
        return None


def _child(node: Node, key: str, index: str) -> Node | None:
    if index:
        return node.items[int(index)] if int(index) < len(node.items) else None
    for name, value in node.pairs:
        if name.text == key:
            return value if value.kind != "scalar" else _at(name, value)
    return None


def _at(name: Node, value: Node) -> Node:
    """A scalar's own place is its key's: an empty one may stand anywhere."""
    value.line, value.column = name.line, name.column
    return value
