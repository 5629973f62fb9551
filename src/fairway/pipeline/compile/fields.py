"""Reading the keys of a map with their types, as Drone's structs take them.

A text takes any scalar as it is written; a flag only a YAML boolean; a list of texts only a list.
What does not fit is noted with its place and read as absent, so that one pass finds every error.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fairway.kit.yaml import Node, entries
from fairway.model.errors import BadFile
from fairway.pipeline.compile.finding import Findings


class Fields:
    """One map of the file, its path and where to note what is wrong."""

    def __init__(self, node: Node, path: str, findings: Findings) -> None:
        self.node = node
        self.path = path
        self.findings = findings
        self.found: dict[str, tuple[Node, Node]] = {}
        if node.kind == "map":
            try:
                self.found = entries(node, name=findings.file)
            except BadFile as error:
                findings.caught(error)
        elif not node.is_null:
            self.refuse(node, "must be a map of keys")

    def sub(self, key: str) -> str:
        """The path of a key."""
        return f"{self.path}.{key}" if self.path else key

    def refuse(self, node: Node, why: str, *, key: str = "", code: str = "wrong-type") -> None:
        """Note that what stands at `key` cannot be read."""
        self.findings.error(why, node, code=code, path=self.sub(key) if key else self.path)

    def raw(self, key: str) -> Node | None:
        """The node of a key; None when it is absent or null."""
        node = self.value(key)
        return None if node is None or node.is_null else node

    def value(self, key: str) -> Node | None:
        """The node of a key, null or not; None when it is absent."""
        pair = self.found.get(key)
        return pair[1] if pair else None

    def place(self, key: str) -> Node:
        """The node to name when `key` is wrong: its key, or the map without it."""
        pair = self.found.get(key)
        return pair[0] if pair else self.node

    def text(self, key: str) -> str:
        """A word as it is written; "" when absent."""
        node = self.raw(key)
        return "" if node is None else self._scalar(node, self.sub(key), "must be a text")

    def _scalar(self, node: Node, path: str, why: str) -> str:
        if node.kind != "scalar":
            self.findings.error(why, node, code="wrong-type", path=path)
            return ""
        try:
            value = node.value()
        except ValueError as error:
            self.findings.error(str(error), node, code="wrong-type", path=path)
            return ""
        if value is None:
            return ""
        return value if isinstance(value, str) else node.text

    def texts(self, key: str) -> tuple[str, ...] | None:
        """A list of texts; None when absent."""
        node = self.raw(key)
        if node is None:
            return None
        if node.kind != "list":
            self.refuse(node, "must be a list of texts", key=key)
            return ()
        path = self.sub(key)
        return tuple(
            self._scalar(item, f"{path}[{place}]", "must be a text")
            for place, item in enumerate(node.items)
        )

    def flag(self, key: str) -> bool:
        """A boolean: `true`, `yes`, `on` and their like without quotes; False when absent."""
        node = self.raw(key)
        if node is None:
            return False
        if node.kind == "scalar":
            try:
                value = node.value()
            except ValueError:
                value = None
            if isinstance(value, bool):
                return value
        self.refuse(node, "must be true or false", key=key)
        return False

    def whole(self, key: str) -> int:
        """A whole number; 0 when absent."""
        node = self.raw(key)
        if node is None:
            return 0
        value: Any = _value(node) if node.kind == "scalar" else None
        whole = isinstance(value, int | float) and not isinstance(value, bool)
        if not whole or not abs(value) < 2**63:
            self.refuse(node, "must be a whole number", key=key)
            return 0
        return int(value)

    def section(self, key: str) -> Fields | None:
        """A map below; None when absent."""
        node = self.raw(key)
        return None if node is None else Fields(node, self.sub(key), self.findings)

    def sections(self, key: str) -> Iterator[Fields]:
        """The maps of a list."""
        node = self.raw(key)
        if node is None:
            return
        if node.kind != "list":
            self.refuse(node, "must be a list", key=key)
            return
        path = self.sub(key)
        for place, item in enumerate(node.items):
            yield Fields(item, f"{path}[{place}]", self.findings)

    def words(self, key: str) -> dict[str, str]:
        """A map of texts; null values are empty texts."""
        section = self.section(key)
        if section is None:
            return {}
        result = {}
        for name, (_key, node) in section.found.items():
            result[name] = self._scalar(node, section.sub(name), "must be a text")
        return result


def _value(node: Node) -> object:
    try:
        return node.value()
    except ValueError:
        return node.text
