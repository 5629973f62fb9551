"""Scalars of a YAML text replaced or added in place: comments, order and style of the rest stay.

A value is always written so that YAML reads the very text back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import yaml
from msgspec import Struct

from fairway.model.errors import BadFile

Path = tuple[str, ...]
_PLAIN_STYLE: Final = (None, "'", '"')


class _Edit(Struct, frozen=True):
    start: int
    end: int
    text: str


def nodes(text: str, where: str) -> list[yaml.Node]:
    """The documents of a text. Raises `BadFile` (code `bad-yaml`)."""
    try:
        return list(yaml.compose_all(text, Loader=yaml.SafeLoader))  # its marks count characters
    except yaml.YAMLError as error:
        raise BadFile(f"it is not YAML: {error}", code="bad-yaml", where=where) from None


def value(node: yaml.Node | None, path: Sequence[str]) -> str | None:
    """The scalar at a path, as text; None where there is none."""
    found = _at(node, path)
    return found.value if isinstance(found, yaml.ScalarNode) else None


def replaced(text: str, node: yaml.Node, values: Mapping[Path, str], *, where: str) -> str:
    """The text with these scalars of one of its documents set. Missing ones are added.

    Raises `BadFile` (code `not-editable`) where something else than a scalar stands in the way.
    """
    edits = [_edit(text, node, path, new, where=where) for path, new in values.items()]
    for edit in sorted(edits, key=lambda one: (one.start, one.end), reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def _edit(text: str, node: yaml.Node, path: Path, new: str, *, where: str) -> _Edit:
    found = _at(node, path)
    if isinstance(found, yaml.ScalarNode) and found.style in _PLAIN_STYLE:
        start, end = found.start_mark.index, found.end_mark.index
        lead = "" if start != end or text[start - 1 : start].isspace() else " "
        return _Edit(start, end, lead + quoted(new))
    if found is not None:
        raise _stuck(path, where)
    return _added(text, node, path, new, where=where)


def _added(text: str, node: yaml.Node, path: Path, new: str, *, where: str) -> _Edit:
    """What is missing of a path goes behind the last entry of the deepest map that is there."""
    depth = len(path) - 1
    while depth and _at(node, path[:depth]) is None:
        depth -= 1
    home = _at(node, path[:depth])
    if isinstance(home, yaml.ScalarNode) and home.value in {"", "null", "~"} and depth:
        indent = _column(node, path[:depth]) + 2
        block = _block(path[depth:], new, indent)
        return _Edit(home.start_mark.index, home.end_mark.index, "\n" + block.rstrip("\n"))
    if not isinstance(home, yaml.MappingNode):
        raise _stuck(path[:depth], where)
    if home.flow_style:
        inside = _flow(path[depth:], new)
        at = home.end_mark.index - 1
        return _Edit(at, at, f", {inside}" if home.value else inside)
    last = home.value[-1]
    at = _line_end(text, last[1].end_mark.index, block=not _is_inline(last[1]))
    block = _block(path[depth:], new, last[0].start_mark.column)
    lead = "" if not at or text[at - 1] == "\n" else "\n"
    return _Edit(at, at, lead + block)


def _is_inline(node: yaml.Node) -> bool:
    if isinstance(node, yaml.ScalarNode):
        return node.style in _PLAIN_STYLE
    return isinstance(node, yaml.CollectionNode) and bool(node.flow_style)


def _line_end(text: str, at: int, *, block: bool) -> int:
    """Behind the line that holds `at`; a block ends at the beginning of a line already."""
    if block:
        head = text[:at].rstrip(" ")
        if not head or head.endswith("\n"):
            return len(head)
    end = text.find("\n", at)
    return len(text) if end < 0 else end + 1


def _block(path: Path, new: str, indent: int) -> str:
    lines = [f"{' ' * (indent + 2 * at)}{key}:" for at, key in enumerate(path)]
    return "\n".join(lines) + f" {quoted(new)}\n"


def _flow(path: Path, new: str) -> str:
    made = f"{path[-1]}: {quoted(new)}"
    for key in reversed(path[:-1]):
        made = f"{key}: {{{made}}}"
    return made


def _column(node: yaml.Node, path: Path) -> int:
    parent = _at(node, path[:-1])
    return next((key.start_mark.column for key, _ in _entries(parent) if key.value == path[-1]), 0)


def _at(node: yaml.Node | None, path: Sequence[str]) -> yaml.Node | None:
    for part in path:
        node = next((one for key, one in _entries(node) if key.value == part), None)
        if node is None:
            return None
    return node


def _entries(node: yaml.Node | None) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        yield from node.value


def _stuck(path: Sequence[str], where: str) -> BadFile:
    return BadFile(
        f"{'.'.join(path)} is not a plain value that can be set",
        code="not-editable",
        where=where,
        remedy="write it as a plain scalar",
    )


def quoted(text: str) -> str:
    """A scalar that YAML reads as this text."""
    try:
        plain = bool(text) and "\n" not in text and yaml.safe_load(text) == text
        inside = plain and yaml.safe_load(f"[{text}]") == [text] and yaml.safe_load(
            f"a: {text} # b") == {"a": text}  # fmt: skip
    except yaml.YAMLError:
        inside = False
    if inside and not set(text) & set("{}[],#&*!|>'\"%@`"):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
