"""One reader of YAML: text to nodes that know their place, within hard limits.

PyYAML's C parser makes the events; the composer is ours, because we need what a plain load throws
away: the text of every scalar as it was written, line and column, whether it was quoted, and the
order of keys (a merge key overrides the keys before it, as go-yaml has it). What a scalar means
is decided by `fairway.kit.scalar`.

Every limit is a count, not a time, so that the same file meets the same fate everywhere: bytes
read, nodes after aliases are expanded, and depth. Together they bound the work.
"""

from __future__ import annotations

from typing import Final

import yaml
from msgspec import Struct

from fairway.kit.scalar import Value, resolve
from fairway.model.errors import BadFile

NULL_TAG: Final = "tag:yaml.org,2002:null"
MERGE_TAG: Final = "tag:yaml.org,2002:merge"


class Limits(Struct, frozen=True, kw_only=True):
    """How much a file may ask of us."""

    size_bytes: int = 10 * 1024 * 1024
    nodes: int = 100_000  # with every alias expanded
    depth: int = 100


class Node:
    """A scalar, list or map of a document, with its place (line and column count from 1)."""

    __slots__ = (
        "column",
        "height",
        "items",
        "kind",
        "line",
        "pairs",
        "plain",
        "tag",
        "text",
        "weight",
    )

    def __init__(self, kind: str, *, line: int, column: int, tag: str = "") -> None:
        self.kind = kind  # scalar | list | map
        self.line = line
        self.column = column
        self.tag = tag  # as written and expanded, "" for none
        self.text = ""  # a scalar's text, unquoted but not typed
        self.plain = False  # a scalar without quotes and tag
        self.items: list[Node] = []
        self.pairs: list[tuple[Node, Node]] = []
        self.weight = 1  # nodes in it, aliases expanded
        self.height = 1  # levels in it, aliases expanded

    @property
    def is_null(self) -> bool:
        """Whether nothing, `~`, `null`, `Null` or `NULL` stands here."""
        if self.kind != "scalar" or not (self.plain or self.tag == NULL_TAG):
            return False
        return resolve(self.text, plain=True) is None

    def value(self) -> Value:
        """A scalar's value as YAML 1.1 in go-yaml's reading types it."""
        return resolve(self.text, plain=self.plain, tag=self.tag)

    def __repr__(self) -> str:
        return f"Node({self.kind}, line={self.line}, column={self.column}, text={self.text!r})"


def bad(
    message: str, node: Node | None = None, *, name: str = "", code: str = "", remedy: str = ""
) -> BadFile:
    """The error that names a node's place."""
    where = name
    if node is not None:
        where = f"{name}:{node.line}:{node.column}" if name else f"{node.line}:{node.column}"
    return BadFile(message, where=where, code=code, remedy=remedy)


def decode(data: bytes, *, name: str = "") -> str:
    """Bytes of a file as text. Raises `BadFile` when they are not UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadFile(
            "the file is not UTF-8 text",
            where=f"{name}:{line}:1",
            code="not-utf8",
            remedy="Save the file in the UTF-8 encoding.",
        ) from error


class _Composer:
    """Events to nodes, without recursion, counting all the way."""

    def __init__(self, *, name: str, first_line: int, limits: Limits) -> None:
        self.name = name
        self.first_line = first_line
        self.limits = limits
        self.anchors: dict[str, Node | None] = {}
        self.stack: list[tuple[Node, str | None, Node | None]] = []
        self.root: Node | None = None
        self.documents = 0
        self.count = 0

    def feed(self, event: yaml.Event) -> None:
        """Take the next event."""
        if isinstance(event, yaml.DocumentStartEvent):
            self._document(event)
        elif isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            self._open("list", event)
        elif isinstance(event, yaml.MappingStartEvent):
            self._open("map", event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._close()

    def _node(self, kind: str, event: yaml.Event) -> Node:
        mark = event.start_mark
        line, column = (mark.line, mark.column) if mark else (0, 0)
        tag = getattr(event, "tag", None) or ""
        return Node(kind, line=line + self.first_line, column=column + 1, tag=tag)

    def _document(self, event: yaml.Event) -> None:
        self.documents += 1
        if self.documents > 1:
            raise bad("a second document begins here", self._node("scalar", event), name=self.name)

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        node = self._node("scalar", event)
        node.text = event.value
        node.plain = bool(event.implicit[0]) and not node.tag
        if node.tag == "!":  # the non-specific tag: text
            node.tag = ""
        if event.anchor:
            self.anchors[event.anchor] = node
        self._add(node)

    def _alias(self, event: yaml.AliasEvent) -> None:
        here = self._node("scalar", event)
        name = event.anchor or ""
        if name not in self.anchors:
            raise bad(f"unknown anchor '{name}'", here, name=self.name, code="yaml-anchor")
        node = self.anchors[name]
        if node is None:
            message = f"the value of anchor '{name}' contains itself"
            raise bad(message, here, name=self.name, code="yaml-anchor")
        self._add(node)

    def _open(self, kind: str, event: yaml.NodeEvent) -> None:
        node = self._node(kind, event)
        if len(self.stack) >= self.limits.depth:
            message = f"nested deeper than {self.limits.depth} levels"
            raise bad(message, node, name=self.name, code="yaml-too-deep")
        if event.anchor:
            self.anchors[event.anchor] = None
        self.stack.append((node, event.anchor, None))

    def _close(self) -> None:
        node, anchor, _key = self.stack.pop()
        if anchor:
            self.anchors[anchor] = node
        self._add(node)

    def _add(self, node: Node) -> None:
        if not self.stack:
            self.root = node
            return
        parent, anchor, key = self.stack[-1]
        parent.weight += node.weight
        parent.height = max(parent.height, node.height + 1)
        if parent.height > self.limits.depth + 1:
            message = f"nested deeper than {self.limits.depth} levels, aliases expanded"
            raise bad(message, node, name=self.name, code="yaml-too-deep")
        if parent.weight > self.limits.nodes:
            message = f"more than {self.limits.nodes} values, aliases expanded"
            raise bad(message, node, name=self.name, code="yaml-too-large")
        if parent.kind == "list":
            parent.items.append(node)
        elif key is None:
            self.stack[-1] = (parent, anchor, node)
        else:
            parent.pairs.append((key, node))
            self.stack[-1] = (parent, anchor, None)


def compose(
    text: str, *, name: str = "", first_line: int = 1, limits: Limits | None = None
) -> Node | None:
    """The one document of `text`; None when it holds nothing but comments.

    `first_line` is the number of the text's first line in its file. Raises `BadFile` with
    `name:line:column` for what is not YAML and for what passes a limit.
    """
    limits = limits or Limits()
    if len(text) > limits.size_bytes:
        message = f"the file is larger than {limits.size_bytes} bytes"
        raise BadFile(message, where=name, code="yaml-too-large")
    composer = _Composer(name=name, first_line=first_line, limits=limits)
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            composer.feed(event)
    except yaml.MarkedYAMLError as error:
        raise _translated(error, name=name, first_line=first_line) from error
    except (yaml.YAMLError, UnicodeError) as error:
        problem = str(getattr(error, "reason", "")) or "characters that YAML does not allow"
        place = _place_of(text, error, first_line)
        raise BadFile(f"not YAML: {problem}", where=f"{name}:{place}", code="not-yaml") from error
    return composer.root


def _translated(error: yaml.MarkedYAMLError, *, name: str, first_line: int) -> BadFile:
    mark = error.problem_mark or error.context_mark
    said = " ".join(part for part in (error.context, error.problem) if part)
    line = (mark.line if mark else 0) + first_line
    column = (mark.column if mark else 0) + 1
    return BadFile(f"not YAML: {said}", where=f"{name}:{line}:{column}", code="not-yaml")


def _place_of(text: str, error: Exception, first_line: int) -> str:
    position = getattr(error, "position", None)
    if position is None:
        position = getattr(error, "start", 0)
    before = text.encode("utf-8", "surrogatepass")[:position]
    start = before.rfind(b"\n") + 1
    line = before.count(b"\n") + first_line
    return f"{line}:{len(before) - start + 1}"


def entries(node: Node, *, name: str = "") -> dict[str, tuple[Node, Node]]:
    """A map's keys in order, each with its key node and value, merges applied.

    The last of two equal keys wins. `<<` acts at its place: it overrides what stands before it and
    is overridden by what follows; of a list of merges the first wins. Raises `BadFile` for a key
    that is no scalar and a merge of something that is no map.
    """
    result: dict[str, tuple[Node, Node]] = {}
    for key, value in node.pairs:
        if key.kind != "scalar":
            raise bad("a key must be a plain word", key, name=name, code="yaml-key")
        if key.text == "<<" and (key.plain or key.tag == MERGE_TAG):
            for source in reversed(_sources(value, name=name)):
                result.update(entries(source, name=name))
        else:
            result[key.text] = (key, value)
    return result


def _sources(value: Node, *, name: str) -> list[Node]:
    sources = value.items if value.kind == "list" else [value]
    for source in sources:
        if source.kind != "map":
            message = "a merge (<<) needs a map or a list of maps"
            raise bad(message, source, name=name, code="yaml-merge")
    return sources


def at(node: Node, *keys: str) -> Node:
    """The node to blame: the value at a chain of keys, as far as it goes."""
    for key in keys:
        if node.kind != "map":
            break
        found = [value for name, value in node.pairs if name.text == key]
        if not found:
            break
        node = found[-1]
    return node


def plain_data(node: Node, *, name: str = "") -> object:
    """A node as Python data: None, bool, int, float, str, list, dict (keys are text)."""
    if node.kind == "list":
        return [plain_data(item, name=name) for item in node.items]
    if node.kind == "map":
        pairs = entries(node, name=name).items()
        return {key: plain_data(value, name=name) for key, (_key, value) in pairs}
    try:
        return node.value()
    except ValueError as error:
        raise bad(str(error), node, name=name, code="yaml-value") from error


def load(text: str, *, name: str = "", limits: Limits | None = None) -> object:
    """One document of YAML as Python data; None when it is empty. Raises `BadFile`."""
    node = compose(text, name=name, limits=limits)
    return None if node is None else plain_data(node, name=name)
